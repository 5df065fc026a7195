//! Translates operations that reorder, reshape, select, repeat or join numbers.

use super::lines::Line;
use super::translate::{Entry, Node, Translated, Translator, Val, axis_of, list, real, stripped};

/// Largest number of parts into which a value is cut, or that are joined.
const MOST_PARTS: usize = 4096;

impl<'a> Translator<'a> {
    /// Translates an operation that moves numbers; `None` where it is none.
    pub fn rearranged(&mut self, kind: &str, line: &'a Line) -> Option<Translated<Entry>> {
        Some(match kind {
            "view" | "reshape" | "flatten" | "unflatten" | "squeeze" | "unsqueeze" | "_unsafe_view" | "view_as"
            | "reshape_as" => self.same_numbers(line),
            "t" | "numpy_T" => self.operand(line, "self").and_then(|entry| {
                let order: Vec<usize> = (0..entry.shape.len()).rev().collect();
                self.permuted(line, &order)
            }),
            "transpose" => self.transposed(line),
            "permute" => self.operand(line, "self").and_then(|entry| {
                let axes = entry.shape.len();
                let order: Translated<Vec<usize>> =
                    line.wholes("dims")?.into_iter().map(|axis| axis_of(axis, axes)).collect();
                self.permuted(line, &order?)
            }),
            "select" => self.selected(line),
            "slice" | "narrow" => self.sliced(kind, line),
            "chunk" | "split" | "split_with_sizes" => self.cut(kind, line),
            "unbind" => self.unbound(line),
            "getitem" => self.item(line),
            "cat" | "concat" => self.joined_along(line),
            "stack" => self.stacked(line),
            "expand" | "expand_as" | "broadcast_to" => self.expanded(line),
            "repeat" => self.repeated(line),
            "pad" | "constant_pad_nd" => self.padded(line),
            "roll" => self.rolled(line),
            "flip" => Err("it reverses an axis, which has no operation here".to_owned()),
            "_assert_tensor_metadata" | "_assert_async" | "_assert_scalar" => Ok(Entry::new(Node::Nothing, Vec::new())),
            _ => return None,
        })
    }

    /// Gives the same numbers another shape: that of the line.
    fn same_numbers(&mut self, line: &'a Line) -> Translated<Entry> {
        let entry = self.operand(line, "self")?;
        let shape = line.own_shape()?;
        if !matches!(line.argument("dtype"), serde_json::Value::Null) {
            return Err("it reads the bits of numbers as others".to_owned());
        }
        if shape.iter().product::<usize>() != entry.shape.iter().product::<usize>() {
            return Err(format!("{:?} and {shape:?} have different numbers of values", entry.shape));
        }
        let node = match entry.node {
            Node::Transposed(_) => self.materialised(entry)?,
            Node::Tensor(at) if shape != self.tensors[at].shape => Node::Value(self.learned(at)?),
            node => node,
        };
        Ok(Entry::new(node, shape))
    }

    fn transposed(&mut self, line: &'a Line) -> Translated<Entry> {
        let axes = self.operand(line, "self")?.shape.len();
        let (one, other) = (line.axis("dim0", 0, axes)?, line.axis("dim1", 1, axes)?);
        let mut order: Vec<usize> = (0..axes).collect();
        if axes > 0 {
            order.swap(one, other);
        }
        self.permuted(line, &order)
    }

    fn permuted(&mut self, line: &'a Line, order: &[usize]) -> Translated<Entry> {
        let entry = self.operand(line, "self")?;
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..entry.shape.len()) {
            return Err(format!("{order:?} is no order of the axes of {:?}", entry.shape));
        }
        let torch: Vec<usize> = order.iter().map(|axis| entry.shape[*axis]).collect();
        match (&entry.node, order) {
            (Node::Tensor(at), [1, 0]) => return Ok(Entry::new(Node::Transposed(*at), torch)),
            (Node::Transposed(at), [1, 0]) => return Ok(Entry::new(Node::Tensor(*at), torch)),
            (Node::Filled(number), _) => return Ok(Entry::new(Node::Filled(*number), torch)),
            _ => {}
        }
        let (value, from) = self.value(line, "self")?;
        let Some((expression, shape)) = self.in_order(&value, &from, order) else {
            return Ok(Entry::new(Node::Value(value), torch));
        };
        Ok(self.result(line, &expression, shape, torch))
    }

    /// Returns a value with its axes in another order, and its shape; `None` where only axes of length 1 move.
    pub fn in_order(&self, value: &Val, from: &[usize], order: &[usize]) -> Option<(String, Vec<usize>)> {
        let kept: Vec<usize> = (0..from.len()).filter(|axis| from[*axis] != 1).collect();
        let order: Vec<usize> = order.iter().filter_map(|axis| kept.iter().position(|known| known == axis)).collect();
        if order.is_sorted() {
            return None;
        }
        let sides: Vec<usize> = kept.iter().map(|axis| from[*axis]).collect();
        let shape = order.iter().map(|axis| sides[*axis]).collect();
        Some((format!("transpose({}, {})", self.reshaped(value, &sides), list(&order)), shape))
    }

    /// Returns a value as [before, side, after] around an axis.
    fn around(&self, value: &Val, torch: &[usize], axis: usize) -> (String, [usize; 3]) {
        let sides = [torch[..axis].iter().product(), torch[axis], torch[axis + 1..].iter().product()];
        let text = match sides {
            [1, side, after] => self.reshaped(value, &[side, after]),
            all => self.reshaped(value, &all),
        };
        (text, sides)
    }

    /// Returns the part of a value between two places of an axis, and its shape.
    fn part(&self, value: &Val, torch: &[usize], axis: usize, from: usize, to: usize) -> (String, Vec<usize>) {
        let (text, [before, _, after]) = self.around(value, torch, axis);
        if before == 1 {
            return (format!("slice({text}, 0, {from}, {to})"), vec![to - from, after]);
        }
        (format!("slice({text}, 1, {from}, {to})"), vec![before, to - from, after])
    }

    fn selected(&mut self, line: &'a Line) -> Translated<Entry> {
        let entry = self.operand(line, "self")?;
        let axis = line.axis("dim", 0, entry.shape.len())?;
        let side = *entry.shape.get(axis).ok_or("it selects from one number")?;
        let at = axis_of(line.whole("index", 0)?, side)?;
        let mut torch = entry.shape.clone();
        torch.remove(axis);
        if let Node::Whole(numbers) = &entry.node {
            let after: usize = entry.shape[axis + 1..].iter().product();
            let numbers = numbers.chunks(after * side).flat_map(|rows| &rows[at * after..(at + 1) * after]);
            return Ok(Entry::new(Node::Whole(numbers.copied().collect()), torch));
        }
        if let Node::Filled(_) = entry.node {
            return Ok(Entry::new(entry.node, torch));
        }
        if side == 1 {
            let node = self.materialised(entry)?;
            return Ok(Entry::new(node, torch));
        }
        let (value, from) = self.value(line, "self")?;
        let (expression, shape) = self.part(&value, &from, axis, at, at + 1);
        Ok(self.result(line, &expression, shape, torch))
    }

    fn sliced(&mut self, kind: &str, line: &'a Line) -> Translated<Entry> {
        let entry = self.operand(line, "self")?;
        let axis = line.axis("dim", 0, entry.shape.len())?;
        let side = *entry.shape.get(axis).ok_or("it takes a part of one number")?;
        let place = |place: i64| {
            let count = i64::try_from(side).unwrap_or(i64::MAX);
            let from_start = if place < 0 { place.saturating_add(count) } else { place };
            usize::try_from(from_start.clamp(0, count)).unwrap_or(0)
        };
        let from = place(line.whole("start", 0)?);
        let to = match kind {
            "narrow" => from.saturating_add(usize::try_from(line.whole("length", 0)?).unwrap_or(0)).min(side),
            _ => place(line.whole("end", i64::MAX)?),
        };
        let step = line.whole("step", 1)?;
        if from >= to {
            return Err("it takes an empty part".to_owned());
        }
        let step = usize::try_from(step).ok().filter(|step| *step > 0).ok_or("its step is none")?;
        let mut torch = entry.shape.clone();
        torch[axis] = (to - from).div_ceil(step);
        if (from, to, step) == (0, side, 1) {
            return Ok(Entry::new(entry.node, torch));
        }
        match &entry.node {
            Node::Filled(_) => return Ok(Entry::new(entry.node, torch)),
            Node::Whole(numbers) => {
                let after: usize = entry.shape[axis + 1..].iter().product();
                let rows = numbers.chunks(after * side);
                let taken =
                    rows.flat_map(|rows| (from..to).step_by(step).flat_map(|at| &rows[at * after..(at + 1) * after]));
                return Ok(Entry::new(Node::Whole(taken.copied().collect()), torch));
            }
            _ => {}
        }
        let (value, shape) = self.value(line, "self")?;
        if step == 1 {
            let (expression, shape) = self.part(&value, &shape, axis, from, to);
            return Ok(self.result(line, &expression, shape, torch));
        }
        // Every step-th place: whole steps as an axis of their own, of which the first is taken, and what is left over.
        let steps = (to - from) / step;
        let before: usize = shape[..axis].iter().product();
        let after: usize = shape[axis + 1..].iter().product();
        let mut parts = Vec::new();
        if steps > 0 {
            let (whole, _) = self.part(&value, &shape, axis, from, from + steps * step);
            let apart = format!("reshape({whole}, {})", list(&[before, steps, step, after]));
            parts.push(format!("reshape(slice({apart}, 2, 0, 1), {})", list(&[before, steps, after])));
        }
        if torch[axis] > steps {
            let last = from + steps * step;
            let (rest, _) = self.part(&value, &shape, axis, last, last + 1);
            parts.push(format!("reshape({rest}, {})", list(&[before, 1, after])));
        }
        let out = vec![before, torch[axis], after];
        let expression =
            if let [one] = parts.as_slice() { one.clone() } else { format!("concat([{}], 1)", parts.join(", ")) };
        Ok(self.result(line, &expression, out, torch))
    }

    /// Returns the parts of a node along an axis, of these lengths.
    fn parts(&mut self, line: &'a Line, axis: usize, lengths: &[usize]) -> Translated<Entry> {
        let entry = self.operand(line, "self")?;
        let side = *entry.shape.get(axis).ok_or("it cuts one number")?;
        if lengths.iter().sum::<usize>() != side || lengths.len() > MOST_PARTS || lengths.contains(&0) {
            return Err(format!("parts of {lengths:?} are not those of {side}"));
        }
        if let Node::Whole(_) = entry.node {
            return Err("it cuts whole numbers that do not depend on the input".to_owned());
        }
        let (value, torch) = self.value(line, "self")?;
        // A tensor or an expression is written once.
        let value = self.kept(line, value);
        let mut parts = Vec::new();
        let mut from = 0;
        for length in lengths {
            let mut own = torch.clone();
            own[axis] = *length;
            let (text, shape) = self.part(&value, &torch, axis, from, from + length);
            parts.push(Entry::value(text, shape, own));
            from += length;
        }
        Ok(Entry::new(Node::List(parts), torch))
    }

    /// Returns a value under a name, if it is an expression.
    fn kept(&mut self, line: &Line, value: Val) -> Val {
        let is_name = value.text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if is_name { value } else { self.named(&format!("{}_of", line.name), &value.text, value.shape) }
    }

    fn cut(&mut self, kind: &str, line: &'a Line) -> Translated<Entry> {
        let shape = self.operand(line, "self")?.shape;
        let axis = line.axis("dim", 0, shape.len())?;
        let side = *shape.get(axis).ok_or("it cuts one number")?;
        let whole =
            |number: i64| usize::try_from(number).ok().filter(|number| *number > 0).ok_or("it cuts into no parts");
        let lengths: Vec<usize> = match kind {
            "split_with_sizes" => line.wholes("split_sizes")?.into_iter().map(whole).collect::<Result<_, _>>()?,
            _ => {
                let length = match kind {
                    "chunk" => side.div_ceil(whole(line.whole("chunks", 1)?)?),
                    _ => match line.wholes("split_size")?.as_slice() {
                        [one] => whole(*one)?,
                        _ => return Err("its split_size is no number".to_owned()),
                    },
                };
                (0..side).step_by(length.max(1)).map(|from| length.min(side - from)).collect()
            }
        };
        self.parts(line, axis, &lengths)
    }

    fn unbound(&mut self, line: &'a Line) -> Translated<Entry> {
        let shape = self.operand(line, "self")?.shape;
        let axis = line.axis("dim", 0, shape.len())?;
        let side = *shape.get(axis).ok_or("it cuts one number")?;
        let mut done = self.parts(line, axis, &vec![1; side])?;
        if let Node::List(parts) = &mut done.node {
            parts.iter_mut().for_each(|part| {
                part.shape.remove(axis);
            });
        }
        Ok(done)
    }

    /// Returns one result of an operation that has several.
    fn item(&mut self, line: &'a Line) -> Translated<Entry> {
        let entry = self.operand(line, "input")?;
        let Node::List(parts) = entry.node else {
            return Err("it reads one of several results of an operation that has one".to_owned());
        };
        let at = usize::try_from(line.whole("index", 0)?).map_err(|_| "its index is negative".to_owned())?;
        let part = parts.into_iter().nth(at).ok_or("there is no such result")?;
        match part.node {
            Node::Nothing => Err("it reads a result that has no value here".to_owned()),
            Node::Value(value) => Ok(self.result(line, &value.text, value.shape, part.shape)),
            node => Ok(Entry::new(node, part.shape)),
        }
    }

    fn joined_along(&mut self, line: &'a Line) -> Translated<Entry> {
        let entries = self.entries(line, "tensors")?;
        let axes = entries.iter().map(|entry| entry.shape.len()).max().unwrap_or(0);
        let axis = line.axis("dim", 0, axes)?;
        self.concatenated(line, entries, axis)
    }

    fn stacked(&mut self, line: &'a Line) -> Translated<Entry> {
        let mut entries = self.entries(line, "tensors")?;
        let axes = entries.first().map_or(0, |entry| entry.shape.len()) + 1;
        let axis = line.axis("dim", 0, axes)?;
        for entry in &mut entries {
            let node = self.materialised(entry.clone())?;
            *entry = Entry::new(node, entry.shape.clone());
            entry.shape.insert(axis.min(entry.shape.len()), 1);
        }
        self.concatenated(line, entries, axis)
    }

    fn concatenated(&mut self, line: &'a Line, entries: Vec<Entry>, axis: usize) -> Translated<Entry> {
        let first = entries.first().ok_or("it joins nothing")?.shape.clone();
        let fits = |shape: &[usize]| {
            shape.len() == first.len() && (0..first.len()).all(|at| at == axis || shape[at] == first[at])
        };
        if axis >= first.len() || entries.iter().any(|entry| !fits(&entry.shape)) || entries.len() > MOST_PARTS {
            let shapes: Vec<_> = entries.iter().take(8).map(|entry| &entry.shape).collect();
            return Err(format!("{shapes:?} cannot be joined along axis {axis}"));
        }
        let mut torch = first;
        torch[axis] = entries.iter().map(|entry| entry.shape[axis]).sum();
        let mut parts = Vec::new();
        // As an image where it is one, so that convolutions read it as it is.
        let skipped = torch.iter().take_while(|side| **side == 1).count().min(axis);
        for entry in entries {
            let own = entry.shape[skipped..].to_vec();
            let Node::Value(value) = self.materialised(entry)? else {
                return Err("it joins what is no value".to_owned());
            };
            parts.push(self.reshaped(&value, &own));
        }
        let shape = torch[skipped..].to_vec();
        let expression = format!("concat([{}], {})", parts.join(", "), axis - skipped);
        Ok(self.result(line, &expression, shape, torch))
    }

    fn expanded(&mut self, line: &'a Line) -> Translated<Entry> {
        let entry = self.operand(line, "self")?;
        let out = line.own_shape()?;
        if out == entry.shape {
            return Ok(entry);
        }
        if out.iter().product::<usize>() == entry.shape.iter().product::<usize>() {
            let node = match entry.node {
                Node::Filled(_) | Node::Whole(_) => entry.node,
                _ => self.materialised(entry)?,
            };
            return Ok(Entry::new(node, out));
        }
        match &entry.node {
            Node::Filled(number) => return Ok(Entry::new(Node::Filled(*number), out)),
            Node::Whole(numbers) if entry.shape.last() == out.last() && Some(&numbers.len()) == out.last() => {
                let times = out.iter().product::<usize>() / numbers.len().max(1);
                if times > 1 << 12 {
                    return Err("it repeats whole numbers too often".to_owned());
                }
                return Ok(Entry::new(Node::Whole(numbers.repeat(times)), out));
            }
            _ => {}
        }
        let (value, torch) = self.value(line, "self")?;
        let mut from = vec![1; out.len().saturating_sub(torch.len())];
        from.extend(&torch);
        if from.len() != out.len() || from.iter().zip(&out).any(|(from, to)| from != to && *from != 1) {
            return Err(format!("{torch:?} cannot be expanded to {out:?}"));
        }
        let shape = stripped(&out);
        let from = from[out.len() - shape.len()..].to_vec();
        let expression = format!("expand({}, {})", self.reshaped(&value, &from), list(&shape));
        Ok(self.result(line, &expression, shape, out))
    }

    fn repeated(&mut self, line: &'a Line) -> Translated<Entry> {
        let (value, torch) = self.value(line, "self")?;
        let times: Vec<usize> = line.wholes("repeats")?.iter().filter_map(|n| usize::try_from(*n).ok()).collect();
        if times.len() < torch.len() || times.contains(&0) {
            return Err(format!("{torch:?} cannot be repeated {times:?} times"));
        }
        let mut from = vec![1; times.len() - torch.len()];
        from.extend(&torch);
        // Each axis that is repeated gets an axis before it.
        let (mut apart, mut spread, mut out) = (Vec::new(), Vec::new(), Vec::new());
        for (side, times) in from.iter().zip(&times) {
            if *times > 1 {
                apart.push(1);
                spread.push(*times);
            }
            if *side > 1 {
                apart.push(*side);
                spread.push(*side);
            }
            out.push(side * times);
        }
        if apart == spread {
            return Ok(Entry::new(Node::Value(value), out));
        }
        let expression = format!("expand({}, {})", self.reshaped(&value, &apart), list(&spread));
        Ok(self.result(line, &expression, spread, out))
    }

    fn padded(&mut self, line: &'a Line) -> Translated<Entry> {
        if !matches!(line.argument("mode").as_str(), None | Some("constant")) {
            return Err("it pads by other than a number".to_owned());
        }
        let number = line.real("value", 0.0)?;
        if !number.is_finite() {
            return Err("it pads by infinity".to_owned());
        }
        let (value, torch) = self.value(line, "self")?;
        let pads = line.wholes("pad")?;
        if pads.len() % 2 == 1 || pads.len() / 2 > torch.len() || pads.iter().any(|pad| *pad < 0) {
            return Err("it cuts instead of padding".to_owned());
        }
        let (mut text, mut now) = (value.text.clone(), torch.clone());
        let mut own = value.shape.clone();
        for (at, pair) in pads.chunks(2).enumerate() {
            let axis = torch.len() - 1 - at;
            let [before, after] = [pair[0], pair[1]].map(|pad| usize::try_from(pad).unwrap_or(0));
            if before + after == 0 {
                continue;
            }
            let sides =
                |side: usize| vec![now[..axis].iter().product::<usize>(), side, now[axis + 1..].iter().product()];
            let constant = |side: usize| format!("constant({}, {})", list(&sides(side)), real(number));
            let middle = Val { text: text.clone(), shape: own.clone() };
            let mut parts = vec![self.reshaped(&middle, &sides(now[axis]))];
            if before > 0 {
                parts.insert(0, constant(before));
            }
            if after > 0 {
                parts.push(constant(after));
            }
            let new = now[axis].checked_add(before + after).filter(|side| *side < 1 << 28).ok_or("it pads too far")?;
            own = sides(new);
            text = format!("concat([{}], 1)", parts.join(", "));
            now[axis] = new;
        }
        Ok(self.result(line, &text, own, now))
    }

    fn rolled(&mut self, line: &'a Line) -> Translated<Entry> {
        let (value, torch) = self.value(line, "self")?;
        let (shifts, dims) = (line.wholes("shifts")?, line.wholes("dims")?);
        if shifts.len() != dims.len() {
            return Err("it rolls over all axes at once".to_owned());
        }
        let mut now = value;
        for (shift, dim) in shifts.into_iter().zip(dims) {
            let axis = axis_of(dim, torch.len())?;
            let side = i64::try_from(torch[axis]).unwrap_or(1).max(1);
            let cut = usize::try_from((side - shift.rem_euclid(side)) % side).unwrap_or(0);
            if cut == 0 {
                continue;
            }
            let (end, shape) = self.part(&now, &torch, axis, cut, torch[axis]);
            let (start, _) = self.part(&now, &torch, axis, 0, cut);
            let along = shape.len() - 2;
            let mut whole = shape;
            whole[along] = torch[axis];
            now = self.named(&format!("{}_part", line.name), &format!("concat([{end}, {start}], {along})"), whole);
        }
        Ok(Entry::new(Node::Value(now), torch))
    }
}
