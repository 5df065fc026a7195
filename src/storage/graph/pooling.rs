//! Translates pooling, and means and sums over axes.

use serde_json::Value as Json;

use super::lines::Line;
use super::translate::{Entry, Translated, Translator, Val, axis_of, list};

impl<'a> Translator<'a> {
    /// Translates an operation that pools or reduces; `None` where it is none.
    pub fn pooled(&mut self, kind: &str, line: &'a Line) -> Option<Translated<Entry>> {
        Some(match kind {
            "mean" | "sum" => self.reduced(line, kind),
            "max_pool2d" => self.windows(line, "max_pool"),
            "avg_pool2d" => self.windows(line, "avg_pool"),
            "max_pool1d" => self.signal_windows(line, "max_pool"),
            "avg_pool1d" => self.signal_windows(line, "avg_pool"),
            "adaptive_avg_pool2d" | "_adaptive_avg_pool2d" => self.adaptive(line, 2),
            "adaptive_avg_pool1d" => self.adaptive(line, 1),
            "max" | "amax" | "min" | "amin" | "var" | "std" | "norm" | "linalg_vector_norm" => {
                Err("there is no such statistic of an axis here".to_owned())
            }
            _ => return None,
        })
    }

    fn reduced(&mut self, line: &'a Line, function: &str) -> Translated<Entry> {
        let (value, torch) = self.value(line, line.subject())?;
        let dims = match line.argument("dim") {
            Json::Null => Vec::new(),
            _ => line.wholes("dim")?,
        };
        let mut over: Vec<usize> = dims.into_iter().map(|axis| axis_of(axis, torch.len())).collect::<Result<_, _>>()?;
        if over.is_empty() {
            over = (0..torch.len()).collect();
        }
        let keeps = line.flag("keepdim", false)?;
        let out: Vec<usize> = torch
            .iter()
            .enumerate()
            .filter(|(axis, _)| keeps || !over.contains(axis))
            .map(|(axis, side)| if over.contains(&axis) { 1 } else { *side })
            .collect();
        let kept: Vec<usize> = (0..torch.len()).filter(|axis| !over.contains(axis)).collect();
        let rest: usize = kept.iter().map(|axis| torch[*axis]).product();
        let count: usize = over.iter().map(|axis| torch[*axis]).product();
        if count == 1 {
            return Ok(Entry::value(value.text, value.shape, out));
        }
        // An image is averaged over its pixels as it is.
        if let &[1, channels, height, width] = torch.as_slice()
            && (over == [2, 3] || over == [3, 2])
        {
            let expression = format!("{function}({})", self.reshaped(&value, &[channels, height, width]));
            return Ok(self.result(line, &expression, vec![channels], out));
        }
        let order: Vec<usize> = over.iter().chain(&kept).copied().collect();
        let ordered = self.in_order(&value, &torch, &order).map(|(text, shape)| Val { text, shape }).unwrap_or(value);
        let expression = format!("{function}({})", self.reshaped(&ordered, &[count, rest]));
        Ok(self.result(line, &expression, vec![rest], out))
    }

    fn windows(&mut self, line: &'a Line, function: &str) -> Translated<Entry> {
        let (value, torch) = self.value(line, "self")?;
        let &[1, channels, height, width] = torch.as_slice() else {
            return Err(format!("its input {torch:?} is no image"));
        };
        let size = line.sides("kernel_size", [1; 2])?;
        let stride = line.sides("stride", size)?;
        let padding = line.sides("padding", [0; 2])?;
        let out = line.own_shape()?;
        let sides = [height, width];
        self.pool(line, function, &value, [channels, height, width], (size, stride, padding), sides, out)
    }

    fn signal_windows(&mut self, line: &'a Line, function: &str) -> Translated<Entry> {
        let (value, torch) = self.value(line, "self")?;
        let &[1, channels, width] = torch.as_slice() else {
            return Err(format!("its input {torch:?} is no signal"));
        };
        let one = |argument: &str, usual: usize| line.sides(argument, [usual; 2]).map(|[side, _]| side);
        let size = one("kernel_size", 1)?;
        let (stride, padding) = (one("stride", size)?, one("padding", 0)?);
        let out = line.own_shape()?;
        let windows = ([1, size], [1, stride], [0, padding]);
        self.pool(line, function, &value, [channels, 1, width], windows, [1, width], out)
    }

    #[expect(clippy::too_many_arguments, reason = "a pooling: its input, its windows and its output")]
    fn pool(
        &mut self,
        line: &Line,
        function: &str,
        value: &Val,
        image: [usize; 3],
        (size, stride, padding): ([usize; 2], [usize; 2], [usize; 2]),
        sides: [usize; 2],
        out: Vec<usize>,
    ) -> Translated<Entry> {
        if line.wholes("dilation")?.iter().any(|step| *step != 1) {
            return Err("its windows have gaps (dilation)".to_owned());
        }
        if !matches!(line.argument("divisor_override"), Json::Null) {
            return Err("it divides by another number than that of its pixels".to_owned());
        }
        let along = |at: usize| {
            let room = (sides[at] + 2 * padding[at]).checked_sub(size[at])?;
            room.checked_div(stride[at])
        };
        let (Some(down), Some(across)) = (along(0), along(1)) else { return Err("its windows do not fit".to_owned()) };
        let shape = vec![image[0], down + 1, across + 1];
        if line.flag("ceil_mode", false)? && out.iter().product::<usize>() != shape.iter().product::<usize>() {
            return Err("its last window hangs over the edge (ceil_mode)".to_owned());
        }
        let mut options = vec![format!("stride: {}", list(&stride))];
        if padding != [0, 0] {
            options.push(format!("padding: {}", list(&padding)));
            if function == "avg_pool" && !line.flag("count_include_pad", true)? {
                options.push("count_padding: false".to_owned());
            }
        }
        let expression =
            format!("{function}({}, {}, #{{{}}})", self.reshaped(value, &image), list(&size), options.join(", "));
        Ok(self.result(line, &expression, shape, out))
    }

    /// Writes a mean over as many windows as the output has, which may overlap.
    fn adaptive(&mut self, line: &'a Line, axes: usize) -> Translated<Entry> {
        let (value, torch) = self.value(line, "self")?;
        let out = line.own_shape()?;
        let (image, to) = match (axes, torch.as_slice(), out.as_slice()) {
            (2, &[1, c, h, w], &[1, _, down, across]) => ([c, h, w], [down, across]),
            (1, &[1, c, w], &[1, _, across]) => ([c, 1, w], [1, across]),
            _ => return Err(format!("its input {torch:?} is no image")),
        };
        let [channels, height, width] = image;
        if to.contains(&0) || to.iter().any(|side| *side > 64) {
            return Err(format!("it gives {out:?}"));
        }
        if to == [1, 1] {
            let expression = format!("mean({})", self.reshaped(&value, &image));
            return Ok(self.result(line, &expression, vec![channels], out));
        }
        if to == [height, width] {
            return Ok(Entry::value(value.text, value.shape, out));
        }
        if height.is_multiple_of(to[0]) && width.is_multiple_of(to[1]) {
            let size = [height / to[0], width / to[1]];
            let expression = format!("avg_pool({}, {})", self.reshaped(&value, &image), list(&size));
            return Ok(self.result(line, &expression, vec![channels, to[0], to[1]], out));
        }
        // Window i of m over n pixels is from ⌊i n/m⌋ to before ⌈(i + 1) n/m⌉: first down, then across.
        let mut now = Val { text: self.reshaped(&value, &image), shape: image.to_vec() };
        for (axis, count) in [(1, to[0]), (2, to[1])] {
            let side = now.shape[axis];
            let mut parts = Vec::new();
            for at in 0..count {
                let (from, end) = (at * side / count, ((at + 1) * side).div_ceil(count));
                let size = if axis == 1 { [end - from, 1] } else { [1, end - from] };
                let part = format!("slice({}, {axis}, {from}, {end})", now.text);
                parts.push(if end - from == 1 { part } else { format!("avg_pool({part}, {})", list(&size)) });
            }
            let mut shape = now.shape.clone();
            shape[axis] = count;
            let expression = format!("concat([{}], {axis})", parts.join(", "));
            now = self.named(&format!("{}_axis", line.name), &expression, shape);
        }
        Ok(Entry::value(now.text, now.shape, out))
    }
}
