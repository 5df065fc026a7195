//! Reads `graph.json`, a PyTorch module as `kernelscope.export` writes it, and translates it into a network's text.
//!
//! The graph is that of *one sample*, in evaluation, with PyTorch's literal shapes, so nothing has to be guessed about a
//! batch axis: the program adds its own. A line of the graph becomes a line of the text under the same name, and a parameter
//! keeps the name that it has in the module's `state_dict`.
//!
//! Guarantees: every use of every parameter that leads to the output is an operation of the text, or the graph is refused
//! with the name of the line; every value of the text has as many numbers as the graph says; a file of any content is
//! refused in one sentence, and nothing larger than the file is allocated.

mod layers;
mod lines;
mod pointwise;
mod pooling;
mod rearrange;
mod recurrent;
mod translate;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use self::lines::GraphFile;
use self::translate::Translator;
use super::format::disk::words;
use super::format::regular_file::read_regular;
use crate::run::printable;
use crate::spec::{NetworkSpec, Program, read_modules_with};

/// The name of the graph in its folder.
pub const GRAPH: &str = "graph.json";
/// The name of its weights.
pub const WEIGHTS: &str = "weights.safetensors";
/// Largest number of bytes of a graph: a hundred times those of a ViT.
const MOST_BYTES: u64 = 16 << 20;

/// The reasons why a graph cannot be read; each prints as one sentence.
#[derive(Debug, Error)]
pub enum GraphError {
    #[error("cannot read {}: {}", path.display(), words(source))]
    Read { path: PathBuf, source: io::Error },
    #[error("{} has {bytes} bytes, and a graph has at most {MOST_BYTES}: export the module with kernelscope.export", path.display())]
    Large { path: PathBuf, bytes: u64 },
    #[error("{} is no graph of a module ({why}): write it with kernelscope.export", path.display())]
    Format { path: PathBuf, why: String },
    #[error("{} has format {found}, and this version reads {}: update Kernelscope", path.display(), lines::FORMAT)]
    Version { path: PathBuf, found: u64 },
    #[error("{}: {refused}", path.display())]
    Refused { path: PathBuf, refused: RefusedLine },
}

/// A line of a graph that has no translation.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("line {line} ({op}): {why}")]
pub struct RefusedLine {
    pub line: String,
    pub op: String,
    pub why: String,
}

/// A tensor of the module, under its name in the `state_dict`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphTensor {
    pub name: String,
    pub shape: Vec<usize>,
    /// True for a parameter, false for a buffer or a constant.
    pub is_parameter: bool,
    /// True for a parameter with `requires_grad`; the kernel is that of these.
    pub trained: bool,
    /// True if the output depends on it.
    pub used: bool,
}

/// A module as a network's text.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    pub text: String,
    /// The shape of one sample with PyTorch's batch axis of 1.
    pub sample: Vec<usize>,
    /// The same as channels, height and width, as the program reads it.
    pub image: [usize; 3],
    /// Number of outputs of one sample.
    pub classes: usize,
    /// True if a sample is whole numbers.
    pub whole: bool,
    /// All parameters and buffers that the graph names, in its order.
    pub tensors: Vec<GraphTensor>,
    /// Other names under which a `state_dict` has some of them again.
    pub aliases: BTreeMap<String, String>,
    /// What the reader should know, in words.
    pub notes: Vec<String>,
    /// For each line of the text that is a line of the graph: its number from 1, the graph's name of it, and the number of
    /// values.
    counts: Vec<(usize, String, usize)>,
}

/// Lets `network.program` be the folder of an exported module, in run files and on the command line.
pub fn read_modules_as_networks() {
    read_modules_with(|folder| {
        let read = || Graph::read(folder).map(|graph| graph.text).map_err(|err| err.to_string());
        Graph::is_in(folder).then(read)
    });
}

impl Graph {
    /// Returns whether this folder holds a graph.
    pub fn is_in(folder: &Path) -> bool {
        folder.join(GRAPH).is_file()
    }

    /// Reads the graph in a folder, or the file itself.
    ///
    /// # Errors
    /// If it cannot be read, is no graph, or has a line without translation, names the reason.
    pub fn read(at: &Path) -> Result<Self, GraphError> {
        let path = if at.is_dir() { at.join(GRAPH) } else { at.to_owned() };
        let failed = |source| GraphError::Read { path: path.clone(), source };
        let bytes = fs::metadata(&path).map_err(failed)?.len();
        if bytes > MOST_BYTES {
            return Err(GraphError::Large { path, bytes });
        }
        let bytes = read_regular(&path).map_err(failed)?;
        Self::parse(&bytes, &path)
    }

    /// Translates the bytes of a graph; `path` is named in messages.
    ///
    /// # Errors
    /// As [`Graph::read`].
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, GraphError> {
        let format = |why: String| GraphError::Format { path: path.to_owned(), why };
        let file = GraphFile::parse(bytes).map_err(format)?;
        if file.format != lines::FORMAT {
            return Err(GraphError::Version { path: path.to_owned(), found: file.format });
        }
        let graph = Translator::translate(&file).map_err(|err| match err {
            translate::Refused::Graph(why) => GraphError::Format { path: path.to_owned(), why },
            translate::Refused::Line(refused) => GraphError::Refused { path: path.to_owned(), refused },
        })?;
        graph.program().map_err(format)?;
        Ok(graph)
    }

    /// Returns the network of the text, under this name.
    pub fn network(&self, name: &str) -> NetworkSpec {
        NetworkSpec::from_text(name, Some(Arc::from(self.text.as_str())))
    }

    /// Returns the program of the text.
    ///
    /// # Errors
    /// If the text has no program, or a value of it has not as many numbers as the graph says: the graph contradicts itself.
    pub fn program(&self) -> Result<Arc<Program>, String> {
        let program = self.network("graph").program(self.image, self.classes).map_err(|why| self.in_graph(&why))?;
        for (number, name, count) in &self.counts {
            let last = program.lines.iter().rfind(|line| line.written == Some(*number));
            if let Some(line) = last
                && line.shape.iter().product::<usize>() != *count
            {
                let found = line.shape.iter().product::<usize>();
                return Err(format!("line {} gives {found} numbers and says {count}", printable(name)));
            }
        }
        for tensor in &program.tensors {
            let of = self.tensors.iter().find(|known| known.name == tensor.name);
            let plain = |shape: &[usize]| shape.iter().copied().filter(|side| *side != 1).collect::<Vec<_>>();
            match of {
                Some(known) if plain(&known.shape) == plain(&tensor.shape) => {}
                Some(known) => {
                    let (name, found, used) = (printable(&tensor.name), &known.shape, &tensor.shape);
                    return Err(format!("{name} has shape {found:?} and is used as {used:?}"));
                }
                None => return Err(format!("there is no tensor {}", printable(&tensor.name))),
            }
        }
        Ok(program)
    }

    /// Returns the names of the parameters that are trained and lead to the output.
    pub fn trained(&self) -> impl Iterator<Item = &str> {
        self.tensors.iter().filter(|tensor| tensor.trained && tensor.used).map(|tensor| tensor.name.as_str())
    }

    /// Returns the names of the parameters that lead to the output and have no `requires_grad`.
    pub fn frozen(&self) -> impl Iterator<Item = &str> {
        let is_frozen = |tensor: &&GraphTensor| tensor.used && !tensor.trained && tensor.is_parameter;
        self.tensors.iter().filter(is_frozen).map(|tensor| tensor.name.as_str())
    }

    /// Returns a sentence on a line of the text as one on the line of the graph that it translates.
    fn in_graph(&self, why: &str) -> String {
        let number =
            why.strip_prefix("line ").and_then(|rest| rest.split([',', ':', ' ']).next()?.parse::<usize>().ok());
        let name = number.and_then(|number| {
            self.counts.iter().find(|(first, ..)| *first >= number).map(|(_, name, _)| printable(name))
        });
        match (name, why.split_once(": ")) {
            (Some(name), Some((_, why))) => format!("line {name}: {why}"),
            _ => why.to_owned(),
        }
    }
}
