//! The initial weights of a run from a file, instead of a draw.
//!
//! Guarantees: every tensor of the network is one of the file, of its name and shape, and every tensor of the file is one of the
//! network; a run that says which file it began from begins from no other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use burn::tensor::Device;

use crate::math::checksum::fnv1a;
use crate::model::{Network, WeightsError};
use crate::spec::{NetworkSpec, Parametrisation};
use crate::storage::{Graph, WeightsFile};

/// A network with the weights of a file.
pub(super) struct InitialWeights {
    pub network: Network,
    /// The hash of the file.
    pub hash: String,
    /// How it was read, in sentences.
    pub notes: Vec<String>,
}

impl InitialWeights {
    /// Reads the file that this network begins from, for images [channels, height, width] and `outputs` logits; `None` where it
    /// is drawn.
    ///
    /// # Errors
    /// If the file cannot be read, is another than that of the run, or is no file of this network, names it in one sentence.
    pub fn read(spec: &NetworkSpec, image: [usize; 3], outputs: usize) -> Result<Option<Self>, String> {
        let Some(path) = &spec.weights else { return Ok(None) };
        let place = path.display();
        let file = WeightsFile::read(path).map_err(|why| format!("{place}: {why}"))?;
        let hash = fnv1a(file.parts.iter().map(Vec::as_slice));
        if let Some(expected) = spec.weights_hash.as_ref().filter(|expected| **expected != hash) {
            return Err(format!(
                "{place} is another file than the one that this run began from (its hash is {hash} and was {expected}): put that \
                 one back, or set network.weights anew for another run"
            ));
        }
        if file.settings.parametrisation == Some(Parametrisation::Ntk) {
            return Err(format!(
                "{place} has weights of the NTK parametrisation, which are others in the standard one: give weights of a network \
                 in the standard parametrisation"
            ));
        }
        let program = spec.program(image, outputs)?;
        let (beside, tied) = names_beside(path);
        let known = program.tensors.iter().map(|tensor| tensor.name.as_str()).chain(beside.iter().map(String::as_str));
        let known: BTreeSet<&str> = known.collect();
        let read = Network::of_tensors(program.clone(), spec, &file.parts, &known, &tied, &Device::flex());
        let (network, read) = read.map_err(|why| format!("{place}: {}", in_words(&why)))?;
        let notes = file.notes.into_iter().chain(read).map(|note| format!("{place}: {note}")).collect();
        Ok(Some(Self { network, hash, notes }))
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
