//! A module as a network's text: the result of a translation, and what is checked of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use thiserror::Error;

use crate::run::printable;
use crate::spec::ops::Draw;
use crate::spec::{NetworkSpec, Program};

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
    /// False if it holds whole numbers or truth values.
    pub is_float: bool,
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
    /// How parameters begin in PyTorch, where the file tells.
    pub(super) draws: Vec<(String, Draw)>,
    /// For each line of the text that is a line of the graph: its number from 1, the graph's name of it, and the number of
    /// values.
    pub(super) counts: Vec<(usize, String, usize)>,
}

impl Graph {
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

    /// Returns the names under which a weights file may have the module's floats: those of its tensors, used or not, and their
    /// other names. Whole numbers, such as a count of batches, are no weights.
    pub fn weight_names(&self) -> impl Iterator<Item = &str> {
        let floats = self.tensors.iter().filter(|tensor| tensor.is_float);
        floats.map(|tensor| tensor.name.as_str()).chain(self.aliases.keys().map(String::as_str))
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
