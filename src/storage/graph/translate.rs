//! Translates a graph line by line: what its values are in the text, and how an operation finds its arguments.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;

use serde_json::Value as Json;

use super::lines::{GraphFile, Line, node_of, shape_of};
use super::module_graph::{Graph, GraphTensor, RefusedLine};
use crate::run::printable;
use crate::spec::ops::Draw;
use crate::spec::text::EXPORTED_FOR;

/// The reason why there is no text.
pub enum Refused {
    Graph(String),
    Line(RefusedLine),
}

/// The result of translating one line; the error is half a sentence on the line.
pub type Translated<T> = Result<T, String>;

/// A value of the text: an expression without operators, and its shape in the program. Its numbers are PyTorch's in the
/// same order; axes of length 1 may be missing.
#[derive(Clone, Debug)]
pub struct Val {
    pub text: String,
    pub shape: Vec<usize>,
}

/// A node of the graph.
#[derive(Clone, Debug)]
pub enum Node {
    Value(Val),
    /// A tensor of the module that no operation has read yet, by index.
    Tensor(usize),
    /// Its transpose, where it is a matrix.
    Transposed(usize),
    /// A tensor of one number.
    Filled(f64),
    /// Whole numbers that do not depend on the input.
    Whole(Vec<i64>),
    /// The results of an operation that has several.
    List(Vec<Entry>),
    /// No result.
    Nothing,
}

/// A node with PyTorch's shape.
#[derive(Clone, Debug)]
pub struct Entry {
    pub node: Node,
    pub shape: Vec<usize>,
    /// The memory that it shares with other nodes, if it shares any.
    pub storage: usize,
    /// True where its numbers are those of the memory as a whole, under whatever name; false where they are a part of it or
    /// perhaps a copy.
    is_owner: bool,
    /// True where its numbers are those of the input, moved at most.
    pub is_data: bool,
}

impl Entry {
    pub fn new(node: Node, shape: Vec<usize>) -> Self {
        Self { node, shape, storage: usize::MAX, is_owner: true, is_data: false }
    }

    pub fn value(text: String, shape: Vec<usize>, torch: Vec<usize>) -> Self {
        Self::new(Node::Value(Val { text, shape }), torch)
    }
}

/// Names that a text may not give to a value.
const RESERVED: [&str; 60] = [
    "x",
    "classes",
    "image",
    "act",
    "let",
    "const",
    "is",
    "if",
    "else",
    "switch",
    "do",
    "while",
    "until",
    "loop",
    "for",
    "in",
    "continue",
    "break",
    "return",
    "fn",
    "private",
    "this",
    "throw",
    "try",
    "catch",
    "import",
    "export",
    "as",
    "global",
    "true",
    "false",
    "nil",
    "null",
    "void",
    "var",
    "static",
    "shared",
    "goto",
    "exit",
    "match",
    "case",
    "default",
    "public",
    "protected",
    "new",
    "use",
    "with",
    "module",
    "package",
    "super",
    "thread",
    "spawn",
    "go",
    "await",
    "async",
    "sync",
    "yield",
    "print",
    "debug",
    "eval",
];

/// A translation in progress.
pub struct Translator<'a> {
    file: &'a GraphFile,
    /// True if the input is whole numbers.
    whole: bool,
    /// The type of the module's floats.
    float: String,
    body: String,
    /// Number of lines of the body.
    length: usize,
    nodes: HashMap<&'a str, Entry>,
    /// Storages that an operation has written into since: the name of that line.
    written: HashMap<usize, &'a str>,
    storages: usize,
    names: BTreeSet<String>,
    pub tensors: Vec<GraphTensor>,
    /// How tensors begin, where the graph tells.
    draws: Vec<(String, Draw)>,
    /// The text's name of a tensor that is read as a value.
    learned: BTreeMap<usize, String>,
    /// Matrices that are read both by layers and as values: by layers as values, too.
    as_values: BTreeSet<usize>,
    counts: Vec<(usize, String, usize)>,
    pub notes: Vec<String>,
}

/// Operations that give memory of their own. The result of any other may share that of its first argument, also of one that has
/// no translation: what is written into it changes both.
const FRESH: &[&str] = &[
    "linear",
    "addmm",
    "matmul",
    "mm",
    "bmm",
    "baddbmm",
    "conv1d",
    "conv2d",
    "conv3d",
    "convolution",
    "batch_norm",
    "_native_batch_norm_legit_no_training",
    "layer_norm",
    "native_layer_norm",
    "group_norm",
    "instance_norm",
    "rms_norm",
    "embedding",
    "scaled_dot_product_attention",
    "relu",
    "relu6",
    "tanh",
    "sigmoid",
    "silu",
    "hardswish",
    "hardsigmoid",
    "mish",
    "erf",
    "exp",
    "log",
    "sqrt",
    "rsqrt",
    "reciprocal",
    "square",
    "abs",
    "sin",
    "cos",
    "gelu",
    "hardtanh",
    "clamp",
    "clamp_min",
    "clamp_max",
    "leaky_relu",
    "elu",
    "celu",
    "selu",
    "softplus",
    "log_sigmoid",
    "softmax",
    "_softmax",
    "log_softmax",
    "_log_softmax",
    "neg",
    "pow",
    "prelu",
    "glu",
    "add",
    "sub",
    "rsub",
    "mul",
    "multiply",
    "div",
    "clone",
    "zeros",
    "new_zeros",
    "zeros_like",
    "ones",
    "new_ones",
    "ones_like",
    "full",
    "new_full",
    "full_like",
    "scalar_tensor",
    "arange",
    "lift_fresh_copy",
    "cat",
    "concat",
    "stack",
    "repeat",
    "constant_pad_nd",
    "roll",
    "mean",
    "sum",
    "max_pool2d",
    "avg_pool2d",
    "max_pool1d",
    "avg_pool1d",
    "adaptive_avg_pool2d",
    "lstm",
    "gru",
    "rnn_tanh",
    "rnn_relu",
];

impl<'a> Translator<'a> {
    /// Translates a graph.
    ///
    /// # Errors
    /// If a line has no translation, or the graph has not one input and one output, names the reason.
    pub fn translate(file: &'a GraphFile) -> Result<Graph, Refused> {
        let graph = |why: &str| Refused::Graph(why.to_owned());
        let float = file.lines.iter().filter(|line| line.op == "parameter").find_map(|line| line.dtype.as_str());
        let mut translator = Self {
            file,
            whole: false,
            float: float.unwrap_or("float32").to_owned(),
            body: String::new(),
            length: 0,
            nodes: HashMap::new(),
            written: HashMap::new(),
            storages: 0,
            names: RESERVED.iter().map(|name| (*name).to_owned()).collect(),
            tensors: Vec::new(),
            draws: Vec::new(),
            learned: BTreeMap::new(),
            as_values: BTreeSet::new(),
            counts: Vec::new(),
            notes: Vec::new(),
        };
        let needed = translator.needed().map_err(Refused::Graph)?;
        let inputs: Vec<&Line> = file.lines.iter().filter(|line| line.op == "input").collect();
        let [input] = inputs.as_slice() else {
            return Err(graph(if inputs.is_empty() {
                "it has no input"
            } else {
                "it has several inputs, and a network has one"
            }));
        };
        let sample = shape_of(&input.shape).filter(|shape| !shape.contains(&0) && !shape.is_empty());
        let sample = sample.ok_or_else(|| graph("the shape of its input is none"))?;
        let whole = input.dtype.as_str().is_some_and(|dtype| dtype.contains("int") || dtype.contains("bool"));
        let image = image_of(&sample).ok_or_else(|| graph("its input is larger than any sample"))?;
        translator.whole = whole;
        translator.introduce(image);
        translator.read_uses(&needed);
        let mut output = None;
        for line in &file.lines {
            let refused =
                |why: String| Refused::Line(RefusedLine { line: printable(&line.name), op: printable(&line.op), why });
            match line.op.as_str() {
                "output" => output = Some(line),
                _ => translator.line(line, &needed, image).map_err(refused)?,
            }
        }
        let output = output.ok_or_else(|| graph("it has no output"))?;
        let refused =
            |why: String| Refused::Line(RefusedLine { line: printable(&output.name), op: "output".to_owned(), why });
        let classes = translator.end(output).map_err(refused)?;
        let Translator { body, tensors, draws, notes, counts, .. } = translator;
        let aliases = file.aliases.clone();
        Ok(Graph { text: body, sample, image, classes, whole, tensors, aliases, notes, draws, counts })
    }

    /// Returns the names of the lines that lead to the output.
    fn needed(&self) -> Result<BTreeSet<&'a str>, String> {
        let mut needed: BTreeSet<&str> = BTreeSet::new();
        let mut seen = BTreeSet::new();
        for line in &self.file.lines {
            if !seen.insert(line.name.as_str()) {
                return Err(format!("two lines are called {}", printable(&line.name)));
            }
            let (kind, in_place) = line.kind();
            let writes = node_of(line.argument("out")).is_some() || !line.writes.is_empty();
            if writes || in_place && line.changed().is_none() || kind.starts_with("_foreach") {
                let (name, op) = (printable(&line.name), printable(&line.op));
                return Err(format!("line {name} ({op}) writes into tensors in a way that is not followed"));
            }
            if let Some(unknown) = line.reads().into_iter().find(|read| !seen.contains(read) || *read == line.name) {
                return Err(format!(
                    "{} reads {}, which no earlier line is",
                    printable(&line.name),
                    printable(unknown)
                ));
            }
        }
        // The line that made the memory in which a value is.
        let mut owners: HashMap<&str, &str> = HashMap::new();
        for line in &self.file.lines {
            let (kind, in_place) = line.kind();
            let shares = !is_tensor(line) && (in_place || !FRESH.contains(&kind));
            let owner = line.changed().filter(|_| shares).and_then(|first| owners.get(first)).copied();
            owners.insert(&line.name, owner.unwrap_or(&line.name));
        }
        // What writes into memory is needed by those who read from it later, under whatever name.
        let mut memory: BTreeSet<&str> = BTreeSet::new();
        for line in self.file.lines.iter().rev() {
            let owner = owners.get(line.name.as_str());
            let changes = line.kind().1 && owner.is_some_and(|owner| memory.contains(owner));
            if line.op == "output" || changes || needed.contains(line.name.as_str()) {
                needed.insert(&line.name);
                needed.extend(line.reads());
                memory.extend(line.reads().into_iter().filter_map(|read| owners.get(read)));
            }
        }
        Ok(needed)
    }

    /// Writes the first lines of the text.
    fn introduce(&mut self, [channels, height, width]: [usize; 3]) {
        let clean =
            |text: &str| text.chars().filter(|c| c.is_ascii_alphanumeric() || "._+".contains(*c)).collect::<String>();
        let (module, torch) = (clean(&self.file.module), clean(&self.file.torch));
        let module = if module.is_empty() { "A module".to_owned() } else { format!("The module {module}") };
        self.write(&format!("//! {module} of PyTorch {torch}, exported for one sample and evaluated."));
        // A list of numbers is a list of as many, in whatever shape the data have them.
        let differs = match (channels, height) {
            (1, 1) => format!("image.channels * image.height * image.width != {width}"),
            _ => format!("image.channels != {channels} || image.height != {height} || image.width != {width}"),
        };
        self.write(&format!("if {differs} {{ throw \"{EXPORTED_FOR}{channels} × {height} × {width}\"; }}"));
    }

    /// Finds the matrices that a layer reads and another line reads as a value.
    fn read_uses(&mut self, needed: &BTreeSet<&str>) {
        let mut indices: HashMap<&str, usize> = HashMap::new();
        let mut layer: BTreeSet<usize> = BTreeSet::new();
        let mut value: BTreeSet<usize> = BTreeSet::new();
        let mut matrices = 0;
        for line in &self.file.lines {
            if is_tensor(line) {
                indices.insert(&line.name, matrices);
                matrices += 1;
                continue;
            }
            if line.op != "output" && !needed.contains(line.name.as_str()) {
                continue;
            }
            let (kind, _) = line.kind();
            for (argument, json) in &line.args {
                let Some(&at) = node_of(json).and_then(|node| indices.get(node)) else { continue };
                let by_layer = matches!(
                    (kind, argument.as_str()),
                    ("linear" | "embedding", "weight")
                        | ("matmul" | "mm", "other" | "mat2")
                        | ("addmm", "mat2")
                        | ("t", _)
                ) || (kind == "transpose" || kind == "permute") && argument == "self";
                if by_layer {
                    layer.insert(at)
                } else {
                    value.insert(at)
                };
            }
        }
        self.as_values = layer.intersection(&value).copied().collect();
    }

    /// Translates one line.
    fn line(&mut self, line: &'a Line, needed: &BTreeSet<&str>, image: [usize; 3]) -> Translated<()> {
        let needs = needed.contains(line.name.as_str());
        if is_tensor(line) {
            let shape = shape_of(&line.shape).ok_or("its shape is none that a tensor can have")?;
            let is_float = line.dtype.as_str().is_none_or(|dtype| dtype.contains("float"));
            if needs && !is_float {
                return Err("it holds whole numbers or truth values, with which nothing here computes".to_owned());
            }
            let is_parameter = line.op == "parameter";
            let trained = is_parameter && line.trained;
            let at = self.tensors.len();
            let name = if line.target.is_empty() { line.name.clone() } else { line.target.clone() };
            if self.tensors.iter().any(|known| known.name == name) {
                return Err(format!("two tensors are called {}", printable(&name)));
            }
            self.draws.extend(line.draw().filter(|_| is_parameter).map(|draw| (name.clone(), draw)));
            self.tensors.push(GraphTensor { name, shape: shape.clone(), is_float, is_parameter, trained, used: needs });
            self.insert(line, Entry::new(Node::Tensor(at), shape));
            return Ok(());
        }
        if line.op == "input" {
            let shape = shape_of(&line.shape).ok_or("its shape is none that a sample can have")?;
            let value = match image {
                [1, 1, numbers] => self.named(&line.name, "flatten(x)", vec![numbers]),
                _ => Val { text: "x".to_owned(), shape: image.to_vec() },
            };
            self.insert(line, Entry { is_data: true, ..Entry::new(Node::Value(value), shape) });
            return Ok(());
        }
        let (kind, in_place) = line.kind();
        let first = line.changed();
        // A value that is shared as a whole is what the operation made of it under its old names, too; one of which others are
        // parts is not read again.
        let mut renamed: Vec<&'a str> = Vec::new();
        if in_place && let Some(entry) = first.and_then(|first| self.nodes.get(first)) {
            let storage = entry.storage;
            let sharing = || self.nodes.iter().filter(|(_, other)| other.storage == storage);
            if sharing().all(|(_, other)| other.is_owner) && !self.written.contains_key(&storage) {
                renamed = sharing().map(|(name, _)| *name).collect();
            } else {
                self.written.entry(storage).or_insert(&line.name);
            }
        }
        if !needs {
            return Ok(());
        }
        if in_place
            && !FRESH.contains(&kind)
            && !matches!(kind, "dropout" | "feature_dropout" | "alpha_dropout" | "detach")
        {
            return Err("it changes a shape in place: write the module without".to_owned());
        }
        let mut done = self.operation(kind, line)?;
        let moves = !FRESH.contains(&kind);
        done.is_data = moves && first.and_then(|first| self.nodes.get(first)).is_some_and(|entry| entry.is_data);
        self.check_numbers(line, &done)?;
        if let (true, Some(Entry { node: Node::Tensor(at) | Node::Transposed(at), .. })) =
            (in_place && kind != "detach", first.and_then(|first| self.nodes.get(first)))
        {
            let name = printable(&self.tensors[*at].name);
            return Err(format!("it writes into {name}: export the module in evaluation"));
        }
        if let Node::Value(_) | Node::Whole(_) | Node::Filled(_) = done.node
            && let Some(shape) = shape_of(&line.shape)
            && shape.iter().product::<usize>() != done.shape.iter().product::<usize>()
        {
            return Err(format!("it gives {:?} and says {shape:?}", done.shape));
        }
        if let (true, false, Some(first)) = (!FRESH.contains(&kind), in_place, first)
            && let Some(storage) = self.nodes.get(first).map(|entry| entry.storage)
        {
            let is_data = done.is_data;
            (done.storage, done.is_owner) = (storage, false);
            if let Node::List(entries) = &mut done.node {
                entries
                    .iter_mut()
                    .for_each(|entry| (entry.storage, entry.is_owner, entry.is_data) = (storage, false, is_data));
            }
            self.nodes.insert(&line.name, done);
            return Ok(());
        }
        self.insert(line, done);
        if let Some(done) = self.nodes.get(line.name.as_str()).cloned() {
            renamed.into_iter().for_each(|name| {
                self.nodes.insert(name, done.clone());
            });
        }
        Ok(())
    }

    /// Adds a node with memory of its own.
    fn insert(&mut self, line: &'a Line, mut entry: Entry) {
        (entry.storage, entry.is_owner) = (self.storages, true);
        if let Node::List(entries) = &mut entry.node {
            entries.iter_mut().for_each(|entry| (entry.storage, entry.is_owner) = (self.storages, true));
        }
        self.storages += 1;
        self.nodes.insert(&line.name, entry);
    }

    /// Checks that a result is of numbers as they are computed here.
    fn check_numbers(&self, line: &Line, done: &Entry) -> Translated<()> {
        let Some(dtype) = line.dtype.as_str() else { return Ok(()) };
        let is_float = dtype.contains("float");
        match &done.node {
            Node::Value(_)
                if is_float && (dtype.ends_with("float32") || dtype.ends_with("float64") || dtype == self.float) =>
            {
                Ok(())
            }
            Node::Value(_) if is_float => Err(format!("it computes in {dtype}: export the module in 32-bit floats")),
            // Tokens may be moved, and not computed with.
            Node::Value(_) if done.is_data && self.whole && dtype.contains("int") => Ok(()),
            Node::Value(_) => {
                Err(format!("it computes with {dtype}, which here are floats: convert its inputs before"))
            }
            Node::Filled(number) if !is_float && number.fract() != 0.0 => Err(format!("{number} is no {dtype}")),
            _ => Ok(()),
        }
    }

    fn operation(&mut self, kind: &str, line: &'a Line) -> Translated<Entry> {
        if let Some(done) = self.layer(kind, line) {
            return done;
        }
        if let Some(done) = self.pointwise(kind, line) {
            return done;
        }
        if let Some(done) = self.rearranged(kind, line) {
            return done;
        }
        if let Some(done) = self.pooled(kind, line) {
            return done;
        }
        if let Some(done) = self.recurrent(kind, line) {
            return done;
        }
        Err(match kind {
            kind if line.op.contains("set_grad") || kind.contains("no_grad") => {
                "it stops gradients, so the kernel would not be that of the outputs: leave it out".to_owned()
            }
            "cond" | "while_loop" | "map" | "scan" => {
                "control flow that depends on the input has no exact kernel here: export a module without it".to_owned()
            }
            _ => "there is no such operation here: replace it in the module by others, or ask for it".to_owned(),
        })
    }

    /// Writes the logits, and returns their number.
    fn end(&mut self, line: &'a Line) -> Translated<usize> {
        let outputs = line.reads();
        let [output] = outputs.as_slice() else {
            return Err("a network has one output: export a module that returns its logits".to_owned());
        };
        let entry = self.node(output)?;
        let Node::Value(value) = self.materialised(entry.clone())? else {
            return Err("the output does not depend on the input".to_owned());
        };
        let classes: usize = entry.shape.iter().product();
        let [batch, rest @ ..] = entry.shape.as_slice() else {
            return Err(
                "the output is one number without a batch axis: export a module that returns its logits".to_owned()
            );
        };
        if *batch != 1 && entry.shape.len() > 1 {
            return Err(format!("the output {:?} has no batch axis of 1 before the others", entry.shape));
        }
        if rest.len() > 1 {
            self.notes.push(format!("all {classes} numbers of the output {:?} are its logits", entry.shape));
        }
        // A tensor that is read as a value says so itself.
        let is_frozen = |(at, tensor): &(usize, &GraphTensor)| {
            tensor.is_parameter && tensor.used && !tensor.trained && !self.learned.contains_key(at)
        };
        let frozen = self.tensors.iter().enumerate().filter(is_frozen);
        let frozen: Vec<String> = frozen.map(|(_, tensor)| quoted(&tensor.name)).collect();
        if !frozen.is_empty() {
            self.write(&format!("freeze([{}]);", frozen.join(", ")));
        }
        let logits = self.reshaped(&value, &[classes]);
        self.write(&logits);
        Ok(classes)
    }
}

/// Returns whether a line is a tensor of the module.
fn is_tensor(line: &Line) -> bool {
    matches!(line.op.as_str(), "parameter" | "buffer" | "constant")
}

/// Returns the channels, height and width as which a sample is stored.
fn image_of(sample: &[usize]) -> Option<[usize; 3]> {
    let rest = match sample {
        [1, rest @ ..] => rest,
        all => all,
    };
    Some(match *rest {
        [] => [1, 1, 1],
        [features] => [1, 1, features],
        [rows, columns] => [1, rows, columns],
        [channels, height, width] => [channels, height, width],
        _ => [1, 1, rest.iter().try_fold(1usize, |product, side| product.checked_mul(*side))?],
    })
}

/// The arguments of a line, and the writing of its result.
impl<'a> Translator<'a> {
    /// Returns a node; fails if an operation has written into its memory since.
    pub fn node(&self, name: &str) -> Translated<Entry> {
        let entry = self.nodes.get(name).ok_or_else(|| format!("{} is not known", printable(name)))?;
        match self.written.get(&entry.storage) {
            Some(by) => Err(format!(
                "{} was changed in place by {}: write the module without in-place operations on values that are used again",
                printable(name),
                printable(by)
            )),
            None => Ok(entry.clone()),
        }
    }

    /// Returns the node of an argument, if it is given. An operation that changes its argument in place reads it as it was.
    pub fn entry(&self, line: &'a Line, argument: &str) -> Translated<Option<Entry>> {
        let Some(name) = node_of(line.argument(argument)) else { return Ok(None) };
        let (_, in_place) = line.kind();
        if in_place
            && let Some(entry) = self.nodes.get(name)
            && self.written.get(&entry.storage).is_some_and(|by| **by == line.name)
        {
            return Ok(Some(entry.clone()));
        }
        self.node(name).map(Some)
    }

    /// Returns the node of an argument that must be there.
    pub fn operand(&self, line: &'a Line, argument: &str) -> Translated<Entry> {
        self.entry(line, argument)?.ok_or_else(|| format!("its argument {argument} is no tensor"))
    }

    /// Returns the values of an argument, which becomes one where it is a tensor or a constant.
    pub fn value(&mut self, line: &'a Line, argument: &str) -> Translated<(Val, Vec<usize>)> {
        let entry = self.operand(line, argument)?;
        let shape = entry.shape.clone();
        match self.materialised(entry)? {
            Node::Value(value) => Ok((value, shape)),
            _ => Err(format!("its argument {argument} is no value")),
        }
    }

    /// Returns the nodes of an argument that is a list.
    pub fn entries(&self, line: &'a Line, argument: &str) -> Translated<Vec<Entry>> {
        let Json::Array(items) = line.argument(argument) else {
            return Err(format!("its argument {argument} is no list"));
        };
        let entry = |item: &Json| {
            let name =
                node_of(item).ok_or_else(|| format!("its argument {argument} has an entry that is no tensor"))?;
            self.node(name)
        };
        items.iter().map(entry).collect()
    }

    /// Returns a node as a value: a tensor as one that is learned, a constant as one.
    pub fn materialised(&mut self, entry: Entry) -> Translated<Node> {
        let Entry { node, shape, .. } = entry;
        Ok(match node {
            Node::Value(value) => Node::Value(value),
            Node::Tensor(at) => Node::Value(self.learned(at)?),
            Node::Transposed(at) => {
                let value = self.learned(at)?;
                let sides = self.tensors[at].shape.clone();
                let turned = format!("transpose({}, [1, 0])", self.reshaped(&value, &sides));
                Node::Value(self.named(&format!("{}_t", value.text), &turned, vec![sides[1], sides[0]]))
            }
            Node::Filled(number) => {
                let shape = stripped(&shape);
                Node::Value(Val { text: format!("constant({}, {})", list(&shape), real(number)), shape })
            }
            Node::Whole(numbers) => {
                let first = *numbers.first().ok_or("it reads no numbers")?;
                if numbers.iter().any(|number| *number != first) {
                    return Err("it computes with whole numbers that do not depend on the input".to_owned());
                }
                let shape = stripped(&shape);
                Node::Value(Val { text: format!("constant({}, {})", list(&shape), real(first as f64)), shape })
            }
            Node::List(_) | Node::Nothing => return Err("it reads a result that is no tensor".to_owned()),
        })
    }

    /// Returns a tensor of the module as a value that is the same for every sample.
    pub fn learned(&mut self, at: usize) -> Translated<Val> {
        let tensor = self.tensors[at].clone();
        let shape = stripped(&tensor.shape);
        if let Some(text) = self.learned.get(&at) {
            return Ok(Val { text: text.clone(), shape });
        }
        let options = if tensor.trained { "" } else { ", #{trained: false}" };
        let expression = format!("learned({}, {}{options})", quoted(&tensor.name), list(&shape));
        let value = self.named(&tensor.name, &expression, shape);
        self.learned.insert(at, value.text.clone());
        Ok(value)
    }

    /// Returns the parameter of an argument that a layer can own: one that no other line reads as a value. A buffer is none: what
    /// a layer owns is trained.
    pub fn owned(&self, line: &'a Line, argument: &str) -> Translated<Option<(usize, GraphTensor)>> {
        Ok(match self.entry(line, argument)? {
            Some(Entry { node: Node::Tensor(at), .. })
                if self.tensors[at].is_parameter && !self.as_values.contains(&at) =>
            {
                Some((at, self.tensors[at].clone()))
            }
            _ => None,
        })
    }

    /// Returns the buffer of an argument.
    pub fn buffer(&self, line: &'a Line, argument: &str) -> Translated<Option<GraphTensor>> {
        Ok(match self.entry(line, argument)? {
            Some(Entry { node: Node::Tensor(at), .. }) if !self.tensors[at].is_parameter => {
                Some(self.tensors[at].clone())
            }
            _ => None,
        })
    }

    /// Returns whether the input is whole numbers.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// Returns whether a tensor is read as a value by other lines, or is no parameter.
    pub fn is_value(&self, at: usize) -> bool {
        self.as_values.contains(&at) || !self.tensors[at].is_parameter
    }

    /// Writes a line of the text.
    pub fn write(&mut self, line: &str) {
        let _ = writeln!(self.body, "{line}");
        self.length += line.lines().count().max(1);
    }

    /// Writes `let NAME = EXPRESSION;` under a name that is like this one.
    pub fn named(&mut self, like: &str, expression: &str, shape: Vec<usize>) -> Val {
        let text = self.free_name(like);
        self.write(&format!("let {text} = {expression};"));
        Val { text, shape }
    }

    /// Writes the result of a line of the graph.
    pub fn result(&mut self, line: &Line, expression: &str, shape: Vec<usize>, torch: Vec<usize>) -> Entry {
        let count = shape.iter().product();
        let value = self.named(&line.name, expression, shape);
        self.counts.push((self.length, line.name.clone(), count));
        Entry::new(Node::Value(value), torch)
    }

    /// Returns a name of the text like this one that no value has.
    pub fn free_name(&mut self, like: &str) -> String {
        let mut name: String = like
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '_' })
            .collect();
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
            name.insert_str(0, "v_");
        }
        while !self.names.insert(name.clone()) {
            name.push('_');
        }
        name
    }

    /// Returns an expression for a value in this shape, of as many numbers.
    pub fn reshaped(&self, value: &Val, shape: &[usize]) -> String {
        if value.shape == shape { value.text.clone() } else { format!("reshape({}, {})", value.text, list(shape)) }
    }
}

/// Returns a shape without its leading axes of length 1; at least one axis remains.
pub fn stripped(shape: &[usize]) -> Vec<usize> {
    let first = shape.iter().position(|side| *side != 1).unwrap_or(shape.len().saturating_sub(1));
    if shape.is_empty() { vec![1] } else { shape[first..].to_vec() }
}

/// Formats a list of whole numbers.
pub fn list(numbers: &[usize]) -> String {
    format!("{numbers:?}")
}

/// Formats a real number as the language reads it.
pub fn real(number: f64) -> String {
    let text = format!("{number:?}");
    match text.split_once('e') {
        Some((digits, power)) if !digits.contains('.') => format!("{digits}.0e{power}"),
        _ => text,
    }
}

/// Formats a name in quotes.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.chars().filter(|c| !c.is_control() && *c != '"' && *c != '\\').collect::<String>())
}

/// Readers of arguments that are numbers.
impl Line {
    pub fn whole(&self, argument: &str, usual: i64) -> Translated<i64> {
        match self.argument(argument) {
            Json::Null => Ok(usual),
            json => json.as_i64().ok_or_else(|| format!("its argument {argument} is no whole number")),
        }
    }

    pub fn real(&self, argument: &str, usual: f64) -> Translated<f64> {
        match self.argument(argument) {
            Json::Null => Ok(usual),
            Json::Bool(flag) => Ok(f64::from(u8::from(*flag))),
            Json::Object(object) => match object.get("other").and_then(Json::as_str) {
                Some("inf") => Ok(f64::INFINITY),
                Some("-inf") => Ok(f64::NEG_INFINITY),
                _ => Err(format!("its argument {argument} is no number")),
            },
            json => json.as_f64().ok_or_else(|| format!("its argument {argument} is no number")),
        }
    }

    pub fn flag(&self, argument: &str, usual: bool) -> Translated<bool> {
        match self.argument(argument) {
            Json::Null => Ok(usual),
            json => json.as_bool().ok_or_else(|| format!("its argument {argument} is neither true nor false")),
        }
    }

    /// Reads a list of whole numbers, or one number; empty where there is none.
    pub fn wholes(&self, argument: &str) -> Translated<Vec<i64>> {
        let wrong = || format!("its argument {argument} is no list of whole numbers");
        match self.argument(argument) {
            Json::Null => Ok(Vec::new()),
            Json::Array(items) => items.iter().map(|item| item.as_i64().ok_or_else(wrong)).collect(),
            json => json.as_i64().map(|number| vec![number]).ok_or_else(wrong),
        }
    }

    /// Reads one number for both sides of an image, or one for each.
    pub fn sides(&self, argument: &str, usual: [usize; 2]) -> Translated<[usize; 2]> {
        let side = |number: i64| usize::try_from(number).map_err(|_| format!("its argument {argument} is negative"));
        match *self.wholes(argument)?.as_slice() {
            [] => Ok(usual),
            [both] => Ok([side(both)?; 2]),
            [down, across] => Ok([side(down)?, side(across)?]),
            _ => Err(format!("its argument {argument} has more than two numbers")),
        }
    }

    /// Reads an axis of a value of so many axes, counted from 0.
    pub fn axis(&self, argument: &str, usual: i64, axes: usize) -> Translated<usize> {
        axis_of(self.whole(argument, usual)?, axes)
    }

    /// Returns the shape that the graph gives its result.
    pub fn own_shape(&self) -> Translated<Vec<usize>> {
        shape_of(&self.shape).ok_or_else(|| "its shape is none that a value can have".to_owned())
    }
}

/// Returns an axis counted from 0, of one that may be counted from the end.
pub fn axis_of(axis: i64, axes: usize) -> Translated<usize> {
    let count = i64::try_from(axes).unwrap_or(i64::MAX);
    let from_start = if axis < 0 { axis + count } else { axis };
    usize::try_from(from_start)
        .ok()
        .filter(|axis| *axis < axes.max(1))
        .ok_or_else(|| format!("there is no axis {axis} among {axes}"))
}
