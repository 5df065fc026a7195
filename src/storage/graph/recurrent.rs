//! Translates `nn.LSTM`, `nn.GRU` and `nn.RNN`, unrolled over the places of the input.

use super::lines::Line;
use super::translate::{Entry, Node, Translated, Translator, Val, list, quoted};

/// Largest number of places over which a recurrence is unrolled, of all layers and directions together.
const MOST_STEPS: usize = 1024;

/// The kind of a recurrence.
#[derive(Clone, Copy, PartialEq)]
enum Cell {
    Lstm,
    Gru,
    /// A plain recurrence with this function.
    Rnn(&'static str),
}

impl Cell {
    /// Returns the number of gates.
    fn gates(self) -> usize {
        match self {
            Self::Lstm => 4,
            Self::Gru => 3,
            Self::Rnn(_) => 1,
        }
    }
}

impl<'a> Translator<'a> {
    /// Translates a recurrence; `None` where it is none.
    pub fn recurrent(&mut self, kind: &str, line: &'a Line) -> Option<Translated<Entry>> {
        Some(match kind {
            "lstm" => self.recurrence(line, Cell::Lstm),
            "gru" => self.recurrence(line, Cell::Gru),
            "rnn_tanh" => self.recurrence(line, Cell::Rnn("tanh")),
            "rnn_relu" => self.recurrence(line, Cell::Rnn("relu")),
            _ => return None,
        })
    }

    fn recurrence(&mut self, line: &'a Line, cell: Cell) -> Translated<Entry> {
        if line.flag("train", false)? && line.real("dropout", 0.0)? != 0.0 {
            return Err("it leaves numbers out by chance: export the module in evaluation".to_owned());
        }
        let (input, torch) = self.value(line, "input")?;
        let batch_first = line.flag("batch_first", false)?;
        let (batch, times, features) = match *torch.as_slice() {
            [batch, times, features] if batch_first => (batch, times, features),
            [times, batch, features] => (batch, times, features),
            _ => return Err(format!("its input {torch:?} is no list of vectors")),
        };
        if batch != 1 {
            return Err(format!("its input {torch:?} has {batch} lists of vectors in one sample"));
        }
        let states = match line.argument("hx") {
            serde_json::Value::Array(_) => self.entries(line, "hx")?,
            _ => vec![self.operand(line, "hx")?],
        };
        if states.iter().any(|state| !matches!(state.node, Node::Filled(0.0))) {
            return Err("it begins with a state that is not zero".to_owned());
        }
        let layers = usize::try_from(line.whole("num_layers", 1)?).unwrap_or(0);
        let directions = if line.flag("bidirectional", false)? { 2 } else { 1 };
        if times.saturating_mul(layers).saturating_mul(directions) > MOST_STEPS || layers == 0 {
            return Err(format!("{times} steps of {layers} layers are more than the {MOST_STEPS} that are unrolled"));
        }
        let has_biases = line.flag("has_biases", true)?;
        let each = if has_biases { 4 } else { 2 };
        let tensors = self.entries(line, "params")?;
        if tensors.len() != layers * directions * each {
            return Err(format!("it has {} tensors: a projection of the state (proj_size) is not read", tensors.len()));
        }
        let mut names = Vec::new();
        for entry in &tensors {
            match entry.node {
                Node::Tensor(at) if !self.is_value(at) => names.push(self.tensors[at].name.clone()),
                _ => return Err("its weights are no parameters of the module".to_owned()),
            }
        }
        let hidden = tensors.get(1).and_then(|entry| entry.shape.get(1)).copied().unwrap_or(0);
        if hidden == 0 || tensors[0].shape != [cell.gates() * hidden, features] {
            return Err("its weights do not fit its input".to_owned());
        }
        let mut sequence = Val { text: self.reshaped(&input, &[times, features]), shape: vec![times, features] };
        let (mut last, mut cells) = (Vec::new(), Vec::new());
        for layer in 0..layers {
            let mut sides = Vec::new();
            for direction in 0..directions {
                let first = (layer * directions + direction) * each;
                let names = &names[first..first + each];
                let (outputs, state, memory) = self.unrolled(line, cell, &sequence, names, hidden, direction == 1);
                sides.push(outputs);
                last.push(state);
                cells.extend(memory);
            }
            sequence = match sides.as_slice() {
                [one] => one.clone(),
                both => {
                    let texts: Vec<&str> = both.iter().map(|side| side.text.as_str()).collect();
                    let expression = format!("concat([{}], 1)", texts.join(", "));
                    self.named(&format!("{}_layer{layer}", line.name), &expression, vec![times, directions * hidden])
                }
            };
        }
        let out_torch =
            if batch_first { vec![1, times, directions * hidden] } else { vec![times, 1, directions * hidden] };
        let output = Entry::new(Node::Value(sequence), out_torch);
        let count = layers * directions;
        let stacked = |parts: &[String]| {
            let rows: Vec<String> =
                parts.iter().map(|part| format!("reshape({part}, {})", list(&[1, hidden]))).collect();
            let text = if let [one] = parts { one.clone() } else { format!("concat([{}], 0)", rows.join(", ")) };
            let shape = if count == 1 { vec![hidden] } else { vec![count, hidden] };
            Entry::value(text, shape, vec![count, 1, hidden])
        };
        let mut results = vec![output, stacked(&last)];
        if cell == Cell::Lstm {
            results.push(stacked(&cells));
        }
        Ok(Entry::new(Node::List(results), torch))
    }

    /// Writes one layer in one direction; returns its outputs [times, hidden], its last state, and its last memory.
    fn unrolled(
        &mut self,
        line: &Line,
        cell: Cell,
        sequence: &Val,
        names: &[String],
        hidden: usize,
        reversed: bool,
    ) -> (Val, String, Option<String>) {
        let &[times, _] = sequence.shape.as_slice() else { unreachable!("a sequence has two axes") };
        let gates = cell.gates() * hidden;
        let tensors = |parts: &[&String]| {
            let names: Vec<String> = parts.iter().map(|name| quoted(name)).collect();
            let options = if parts.len() == 1 { ", #{bias: false}" } else { "" };
            (format!("[{}]", names.join(", ")), options)
        };
        let (into, into_options) = match names {
            [w_ih, _, b_ih, _] => tensors(&[w_ih, b_ih]),
            [w_ih, ..] => tensors(&[w_ih]),
            [] => unreachable!("a layer has weights"),
        };
        let (again, again_options) = match names {
            [_, w_hh, _, b_hh] => tensors(&[w_hh, b_hh]),
            [_, w_hh, ..] => tensors(&[w_hh]),
            _ => unreachable!("a layer has two weights"),
        };
        let shape = if times == 1 { vec![1, gates] } else { vec![times, gates] };
        let read = format!("dense({into}, {}, {gates}{into_options})", sequence.text);
        let read = self.named(&format!("{}_in", line.name), &read, shape);
        let state = self.named(&format!("{}_h", line.name), &format!("constant([{hidden}], 0.0)"), vec![hidden]).text;
        let memory = (cell == Cell::Lstm)
            .then(|| self.named(&format!("{}_c", line.name), &format!("constant([{hidden}], 0.0)"), vec![hidden]).text);
        let rows = self.free_name(&format!("{}_rows", line.name));
        self.write(&format!("let {rows} = [];"));
        let gate = |of: &str, at: usize| format!("slice({of}, 0, {}, {})", at * hidden, (at + 1) * hidden);
        self.write(&format!("for t in 0..{times} {{"));
        let at = if reversed { format!("{} - t", times - 1) } else { "t".to_owned() };
        self.write(&format!("    let a = select({}, 0, {at});", read.text));
        self.write(&format!("    let b = dense({again}, {state}, {gates}{again_options});"));
        match (cell, &memory) {
            (Cell::Lstm, Some(memory)) => {
                self.write("    let g = a + b;");
                let [i, f, g, o] = [0, 1, 2, 3].map(|at| gate("g", at));
                self.write(&format!("    {memory} = sigmoid({f}) * {memory} + sigmoid({i}) * tanh({g});"));
                self.write(&format!("    {state} = sigmoid({o}) * tanh({memory});"));
            }
            (Cell::Gru, _) | (Cell::Lstm, None) => {
                let [r, z, n] = [0, 1, 2].map(|at| (gate("a", at), gate("b", at)));
                self.write(&format!("    let r = sigmoid({} + {});", r.0, r.1));
                self.write(&format!("    let z = sigmoid({} + {});", z.0, z.1));
                self.write(&format!("    let n = tanh({} + r * {});", n.0, n.1));
                self.write(&format!("    {state} = (1.0 - z) * n + z * {state};"));
            }
            (Cell::Rnn(function), _) => self.write(&format!("    {state} = {function}(a + b);")),
        }
        self.write(&format!("    {rows}.push(reshape({state}, [1, {hidden}]));"));
        self.write("}");
        if reversed {
            self.write(&format!("{rows}.reverse();"));
        }
        let outputs = self.named(&format!("{}_out", line.name), &format!("concat({rows}, 0)"), vec![times, hidden]);
        (outputs, state, memory)
    }
}
