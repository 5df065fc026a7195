//! The initial weights of a run from a file, instead of a draw.
//!
//! Guarantees: every tensor of the network is one of the file, of its name and shape, and every tensor of the file is one of the
//! network; a run that says which weights it began from begins from no others, whichever file has them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;

use crate::model::{Network, WeightsError};
use crate::run::NamedTensor;
use crate::spec::{NetworkSpec, Parametrisation, Program};
use crate::storage::{Graph, WeightsFile};

/// A network with the weights of a file.
pub(super) struct InitialWeights {
    pub network: Network,
    /// Its tensors, and their hash.
    pub tensors: Vec<NamedTensor>,
    pub hash: String,
    /// How it was read, in sentences.
    pub notes: Vec<String>,
}

impl InitialWeights {
    /// Reads the file that this network begins from, for images [channels, height, width] and `outputs` logits; `None` where it
    /// is drawn. Of a run that began before, its copy is read where the file no longer has the tensors that it began from; a
    /// note says so.
    ///
    /// # Errors
    /// If the file cannot be read, has other tensors than those of the run, or is no file of this network, and there is no copy,
    /// names it in one sentence.
    pub fn read(spec: &NetworkSpec, image: [usize; 3], outputs: usize) -> Result<Option<Self>, String> {
        let Some(path) = &spec.weights else { return Ok(None) };
        let (program, place) = (spec.program(image, outputs)?, path.display());
        let read = Self::of_file(path, spec, &program);
        let Some(expected) = &spec.weights_hash else { return read.map(Some) };
        let (why, way_out) = match read {
            Ok(found) if found.hash == *expected => return Ok(Some(found)),
            Ok(found) => (
                format!(
                    "{place} has other weights than those that this run began from (their hash is {} and was {expected})",
                    found.hash
                ),
                ": put these back, or set network.weights anew for a run of its own",
            ),
            Err(why) => (why, ""),
        };
        let Some(copy) = spec.weights_copy.as_ref().filter(|copy| copy.is_file()) else {
            return Err(why + way_out);
        };
        let copied = copy.display();
        match Self::of_file(copy, spec, &program) {
            Ok(found) if found.hash == *expected => {
                let notes = vec![format!("{why}; the run begins from its copy of the weights, {copied}")];
                Ok(Some(Self { notes, ..found }))
            }
            Ok(_) => {
                Err(format!("{why}, and {copied}, the copy of the run's weights, was changed: put one of both back"))
            }
            Err(other) => Err(format!("{why}, and the copy of the run's weights cannot be read ({other})")),
        }
    }

    /// Reads the tensors of this program from a file.
    fn of_file(path: &Path, spec: &NetworkSpec, program: &Arc<Program>) -> Result<Self, String> {
        let place = path.display();
        let file = WeightsFile::read(path).map_err(|why| format!("{place}: {why}"))?;
        if file.settings.parametrisation == Some(Parametrisation::Ntk) {
            return Err(format!(
                "{place} has weights of the NTK parametrisation, which are others in the standard one: give weights of a network \
                 in the standard parametrisation"
            ));
        }
        let (beside, tied) = names_beside(path);
        let known = program.tensors.iter().map(|tensor| tensor.name.as_str()).chain(beside.iter().map(String::as_str));
        let known: BTreeSet<&str> = known.collect();
        let read = Network::of_tensors(Arc::clone(program), spec, &file.parts, &known, &tied, &Device::flex());
        let (network, read) = read.map_err(|why| format!("{place}: {}", in_words(&why)))?;
        let notes = file.notes.into_iter().chain(read).map(|note| format!("{place}: {note}")).collect();
        let tensors = network.named();
        Ok(Self { hash: NamedTensor::hash(&tensors), network, tensors, notes })
    }
}

/// Returns the names that the graph beside the weights of a module knows, those of tensors that its output does not need among
/// them, and the other names of tied tensors.
fn names_beside(weights: &Path) -> (Vec<String>, BTreeMap<String, String>) {
    let graph = weights.parent().filter(|folder| Graph::is_in(folder)).and_then(|folder| Graph::read(folder).ok());
    graph.map_or_else(Default::default, |graph| {
        (graph.weight_names().map(str::to_owned).collect(), graph.aliases.clone())
    })
}

/// Words a refusal for a run, whose network is known.
fn in_words(why: &WeightsError) -> String {
    match why {
        WeightsError::Missing { name, .. }
        | WeightsError::MissingOwn { name, .. }
        | WeightsError::Another { name, .. }
        | WeightsError::MissingBias { name }
        | WeightsError::MissingOwnBias { name } => {
            format!("there is no tensor {name}, which the network of this run has: give weights of the same network")
        }
        WeightsError::Unknown { name, .. } => {
            format!(
                "the network of this run has no tensor {name}: give weights of the same network, or save them without it"
            )
        }
        WeightsError::Shape { name, found, expected } => format!(
            "the tensor {name} has shape {found:?} and the network of this run {expected}: give weights of the same network, or \
             the run its sizes"
        ),
        why => why.to_string(),
    }
}
