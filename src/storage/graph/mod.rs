//! Reads `graph.json`, a PyTorch module as `kernelscope.export` writes it, and translates it into a network's text.
//!
//! The graph is that of *one sample*, in evaluation, with PyTorch's literal shapes, so nothing has to be guessed about a
//! batch axis: the program adds its own. A line of the graph becomes a line of the text under the same name, and a parameter
//! keeps the name that it has in the module's `state_dict`.
//!
//! Guarantees: every use of every parameter that leads to the output is an operation of the text, or the graph is refused
//! with the name of the line; every value of the text has as many numbers as the graph says; a file of any content is
//! refused in one sentence, and nothing larger than the file is allocated.

mod draws;
mod layers;
mod lines;
mod module_graph;
mod pointwise;
mod pooling;
mod rearrange;
mod recurrent;
mod translate;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use self::lines::GraphFile;
pub use self::module_graph::{Graph, GraphTensor, RefusedLine};
use self::translate::Translator;
use super::format::disk::words;
use super::format::regular_file::read_regular;
use crate::spec::read_modules_with;

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

/// Lets `network.program` be the folder of an exported module, in run files and on the command line.
pub fn read_modules_as_networks() {
    read_modules_with(|folder| {
        let read = || Graph::read(folder).map(|graph| graph.text).map_err(|err| err.to_string());
        Graph::is_in(folder).then(read)
    });
}

/// Reading is here and not beside the type, because the translation makes the type.
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
        draws::with_draws(graph).and_then(|graph| graph.program().map(|_| graph)).map_err(format)
    }
}
