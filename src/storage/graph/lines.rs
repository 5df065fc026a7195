//! The file `graph.json` as it is written: its lines, and how their arguments are read.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

use crate::run::printable;
use crate::spec::ops::Draw;

/// The format that this version reads.
pub const FORMAT: u64 = 1;
/// Largest number of lines of a graph.
const MOST_LINES: usize = 32_768;
/// Largest number of axes of a tensor, and of characters of a name.
const MOST_AXES: usize = 16;
const MOST_LETTERS: usize = 200;

/// A graph as it is written.
#[derive(Debug, Deserialize)]
pub struct GraphFile {
    pub format: u64,
    /// The version of PyTorch that exported it.
    #[serde(default)]
    pub torch: String,
    /// The class of the module.
    #[serde(default)]
    pub module: String,
    /// Other names of tensors that the module holds twice, each with the name under which the lines have it.
    #[serde(default)]
    pub aliases: BTreeMap<String, String>,
    pub lines: Vec<Line>,
}

/// One line: a tensor of the module, the input, an operation, or the output.
#[derive(Debug, Deserialize)]
pub struct Line {
    pub name: String,
    /// `parameter`, `buffer`, `constant`, `input`, `output`, `getitem`, or the name of an operation of ATen.
    pub op: String,
    /// The name in the `state_dict`, of a tensor of the module.
    #[serde(default)]
    pub target: String,
    /// Whether a parameter has `requires_grad`.
    #[serde(default = "yes")]
    pub trained: bool,
    /// How PyTorch draws a parameter when its module is made: a law with its number, or with a name. Graphs that were exported
    /// before this was told have none.
    #[serde(default)]
    pub draw: Json,
    /// The shape of its value, or the shapes of several.
    #[serde(default)]
    pub shape: Json,
    #[serde(default)]
    pub dtype: Json,
    /// The arguments by name.
    #[serde(default)]
    pub args: BTreeMap<String, Json>,
    /// The arguments that it writes into, of an operation whose name does not say so.
    #[serde(default)]
    pub writes: Vec<String>,
}

fn yes() -> bool {
    true
}

impl GraphFile {
    /// Parses the bytes of a graph.
    ///
    /// # Errors
    /// If they are no graph, or more than a graph has, names the reason in a part of a sentence.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let file: Self = serde_json::from_slice(bytes).map_err(|err| match err.classify() {
            serde_json::error::Category::Eof => "it ends too early".to_owned(),
            serde_json::error::Category::Syntax if err.to_string().starts_with("recursion") => {
                "its lists are nested too deeply".to_owned()
            }
            serde_json::error::Category::Syntax => {
                format!("it is no JSON at line {}, column {}", err.line(), err.column())
            }
            _ => format!("it lacks what a graph has, at line {}, column {}", err.line(), err.column()),
        })?;
        if file.lines.len() > MOST_LINES {
            return Err(format!("it has {} lines, and a graph has at most {MOST_LINES}", file.lines.len()));
        }
        match file.lines.iter().find(|line| line.name.len().max(line.target.len()).max(line.op.len()) > MOST_LETTERS) {
            Some(_) => Err(format!("one of its names has more than {MOST_LETTERS} letters")),
            None => Ok(file),
        }
    }
}

/// Reads a shape, the number of whose values a machine can count.
pub fn shape_of(json: &Json) -> Option<Vec<usize>> {
    let sides = json.as_array()?;
    let shape: Vec<usize> =
        sides.iter().map(|side| side.as_u64().and_then(|side| usize::try_from(side).ok())).collect::<Option<_>>()?;
    let count = shape.iter().try_fold(1usize, |product, side| product.checked_mul(*side))?;
    (shape.len() <= MOST_AXES && count <= 1 << 40).then_some(shape)
}

/// Returns the name of the node to which an argument refers.
pub fn node_of(json: &Json) -> Option<&str> {
    json.as_object()?.get("node")?.as_str()
}

impl Line {
    /// Returns how a parameter begins, where the graph tells; a law that this version does not know is unknown.
    pub fn draw(&self) -> Option<Draw> {
        let Json::Array(parts) = &self.draw else { return None };
        let number = || parts.get(1).and_then(Json::as_f64).filter(|number| number.is_finite());
        let spread = || number().filter(|number| *number >= 0.0);
        let word = || parts.get(1).and_then(Json::as_str);
        let known = match parts.first().and_then(Json::as_str) {
            Some("uniform") => spread().map(Draw::Uniform),
            Some("normal") => spread().map(Draw::Normal),
            Some("constant") => number().map(Draw::Constant),
            Some("like") => word().map(|name| Draw::Like(name.to_owned())),
            _ => None,
        };
        Some(known.unwrap_or_else(|| Draw::Unknown(printable(word().unwrap_or("its module")))))
    }

    /// Returns an argument; `Null` where there is none.
    pub fn argument(&self, name: &str) -> &Json {
        self.args.get(name).unwrap_or(&Json::Null)
    }

    /// Returns the name of the operation without its namespace and overload, and whether it writes into its first argument.
    pub fn kind(&self) -> (&str, bool) {
        let name = self.op.strip_prefix("aten::").unwrap_or(&self.op);
        let name = name.split('.').next().unwrap_or(name);
        match name.strip_suffix('_') {
            Some(plain) if !plain.is_empty() && !plain.ends_with('_') => (plain, true),
            _ => (name, false),
        }
    }

    /// Returns the name of the argument to which an operation is applied: ATen has two names for it.
    pub fn subject(&self) -> &'static str {
        if self.args.contains_key("self") { "self" } else { "input" }
    }

    /// Returns the node that an operation in place changes: its first argument.
    pub fn changed(&self) -> Option<&str> {
        node_of(self.argument(self.subject()))
    }

    /// Returns the nodes that it reads, in the order of the names of its arguments.
    pub fn reads(&self) -> Vec<&str> {
        fn collect<'a>(json: &'a Json, into: &mut Vec<&'a str>) {
            match json {
                Json::Array(items) => items.iter().for_each(|item| collect(item, into)),
                other => into.extend(node_of(other)),
            }
        }
        let mut reads = Vec::new();
        self.args.values().for_each(|json| collect(json, &mut reads));
        reads
    }
}
