//! Reads a watched folder, into which `kernelscope.Watch` writes the weights of a training that goes on in another program.
//!
//! A step counts once its line stands in `log.jsonl`; the name of a file proves nothing, so temporary and half-written files
//! are never read. Nothing waits for the system's notices of changes, which do not exist on network file systems: whoever
//! follows the folder calls [`Follower::look`] again, once a second.
//!
//! Guarantees: a folder of any content is read or refused in one sentence; opening it costs as much as reading its log, however
//! many steps it has; a file that cannot be read for the moment never counts as one that was taken away.

mod follower;
mod probes;
mod step_log;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use thiserror::Error;

pub use self::follower::{Follower, Found, Order};
pub use self::probes::WatchedProbes;
use self::step_log::Log;
pub use self::step_log::LoggedStep;
use super::format::disk::words;
use super::format::regular_file::read_regular;
use super::graph::{Graph, GraphError};
use crate::run::{Origin, Probe, RunInfo, TaskInfo, printable};
use crate::spec::text::NETWORKS;
use crate::spec::{KnownSettings, NetworkSpec, Spec};

/// The file that marks a watched folder.
pub const WATCH: &str = "watch.json";
const PROBES: &str = "probes.safetensors";
const LOG: &str = "log.jsonl";
const STEPS: &str = "steps";
/// The version of the folder that this program reads.
const FORMAT: u64 = 1;

/// The reasons why a folder cannot be watched; each prints as one sentence.
#[derive(Debug, Error)]
pub enum WatchError {
    #[error("{} has no {WATCH}: give the folder that kernelscope.Watch writes", .0.display())]
    NotWatched(PathBuf),
    #[error("cannot read {}: {}", path.display(), words(source))]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is not what kernelscope.Watch writes: {why}", path.display())]
    Format { path: PathBuf, why: String },
    #[error("{} has format {found}, and this version reads {FORMAT}: update Kernelscope", path.display())]
    Version { path: PathBuf, found: u64 },
    #[error("{}: {why}", path.display())]
    Probes { path: PathBuf, why: String },
    #[error("{} names the network {name}, which does not come with Kernelscope: export the module with kernelscope.export", path.display())]
    Network { path: PathBuf, name: String },
    #[error("{} names the network {name}, which its name alone does not determine: export the module with kernelscope.export", path.display())]
    NetworkSettings { path: PathBuf, name: String },
    #[error(transparent)]
    Graph(#[from] GraphError),
}

impl WatchError {
    /// Returns whether something is missing that a writer which has just begun may still write.
    pub fn is_not_yet(&self) -> bool {
        match self {
            Self::NotWatched(_) => true,
            Self::Read { source, .. } | Self::Graph(GraphError::Read { source, .. }) => {
                source.kind() == io::ErrorKind::NotFound
            }
            Self::Format { .. }
            | Self::Version { .. }
            | Self::Probes { .. }
            | Self::Network { .. }
            | Self::NetworkSettings { .. }
            | Self::Graph(_) => false,
        }
    }
}

/// The network whose weights a watched folder holds.
#[derive(Clone, Debug, PartialEq)]
pub enum WatchedNetwork {
    /// An exported module.
    Graph(Box<Graph>),
    /// A network that comes with the program; its sizes are those of the weights.
    Known(KnownSettings, Box<NetworkSpec>),
}

/// A watched folder: what does not change while it is followed.
#[derive(Clone, Debug)]
pub struct WatchFolder {
    path: PathBuf,
    /// Steps of a pair, over which a velocity is taken.
    pub lag: u64,
    pub network: WatchedNetwork,
    pub probes: Arc<WatchedProbes>,
}

/// The contents of `watch.json`.
#[derive(Deserialize)]
struct About {
    format: u64,
    lag: u64,
    network: Option<String>,
}

impl WatchFolder {
    /// Returns whether this is a watched folder.
    pub fn is(path: &Path) -> bool {
        path.join(WATCH).is_file()
    }

    /// Opens a watched folder.
    ///
    /// # Errors
    /// If it is none, or its network or probes cannot be read.
    pub fn open(folder: &Path) -> Result<Self, WatchError> {
        if !Self::is(folder) {
            return Err(WatchError::NotWatched(folder.to_owned()));
        }
        let read = |name: &str| {
            let path = folder.join(name);
            let bytes = read_regular(&path).map_err(|source| WatchError::Read { path: path.clone(), source })?;
            Ok::<_, WatchError>((path, bytes))
        };
        let (path, bytes) = read(WATCH)?;
        let about: About = serde_json::from_slice(&bytes).map_err(|err| {
            log::info!("{}: {err}", path.display());
            WatchError::Format { path: path.clone(), why: "it does not say format, lag and network".to_owned() }
        })?;
        if about.format != FORMAT {
            return Err(WatchError::Version { path, found: about.format });
        }
        if about.lag == 0 {
            return Err(WatchError::Format { path, why: "its lag is 0 steps".to_owned() });
        }
        let network = match about.network {
            Some(name) => known(&path, &name)?,
            None => WatchedNetwork::Graph(Box::new(Graph::read(folder)?)),
        };
        let (path, bytes) = read(PROBES)?;
        let refused = |why| WatchError::Probes { path: path.clone(), why };
        let probes = WatchedProbes::parse(&bytes).map_err(refused)?;
        if let WatchedNetwork::Graph(graph) = &network {
            probes.check_sample(&graph.sample).map_err(refused)?;
            probes.check_outputs(graph.classes).map_err(refused)?;
        }
        Ok(Self { path: folder.to_owned(), lag: about.lag, network, probes: Arc::new(probes) })
    }

    /// Returns its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns whether it is still there.
    pub fn is_there(&self) -> bool {
        Self::is(&self.path)
    }

    /// Returns whether it is by now that of another training, whose network or probes are others. What cannot be read for the
    /// moment is no other.
    pub fn is_of_another_training(&self) -> bool {
        let other = |now: Self| now.lag != self.lag || now.network != self.network || now.probes != self.probes;
        Self::open(&self.path).is_ok_and(other)
    }

    /// Starts to follow its steps.
    pub fn follow(&self, order: Order) -> Follower {
        Follower::new(self.path.join(LOG), self.lag, order)
    }

    /// Reads the file of a step; its name is of our making, whatever the log says.
    ///
    /// # Errors
    /// If there is no such file, or it cannot be read.
    pub fn weights_of(&self, step: u64) -> io::Result<Vec<u8>> {
        read_regular(&self.file_of(step))
    }

    /// Returns the kernel that the bytes of a step hold in place of weights, in Gram order; `None` where they hold weights.
    ///
    /// # Errors
    /// In a sentence, if it is no kernel of the probes.
    pub fn kernel_in(&self, bytes: &[u8]) -> Result<Option<Vec<f64>>, String> {
        Ok(probes::gram(bytes, self.probes.len())?.map(|gram| self.probes.sorted(&gram)))
    }

    /// Returns the path of the file of a step.
    pub fn file_of(&self, step: u64) -> PathBuf {
        self.path.join(STEPS).join(format!("{step:012}.safetensors"))
    }

    /// Returns the size and time of change of a step's file, which tell whether it is still being written.
    pub fn state_of(&self, step: u64) -> Option<(u64, std::time::SystemTime)> {
        let found = fs::metadata(self.file_of(step)).ok()?;
        Some((found.len(), found.modified().ok()?))
    }

    /// Returns the facts of a record of this folder. Of the settings only the network, the loss and the number of tasks say
    /// something: the others belong to the program that trains.
    pub fn info(&self) -> RunInfo {
        let probes = &self.probes;
        let mut log = Log::new(self.path.join(LOG));
        log.look();
        let count = log.lines.iter().map(|line| line.task).chain([probes.blocks().len()]).max().unwrap_or(1);
        let (network, parameters) = match &self.network {
            WatchedNetwork::Graph(graph) => {
                let trained = graph.tensors.iter().filter(|tensor| tensor.trained && tensor.used);
                (graph.network("watched"), trained.map(|tensor| tensor.shape.iter().product::<usize>() as u64).sum())
            }
            // Its sizes are in the weights.
            WatchedNetwork::Known(_, spec) => ((**spec).clone(), 0),
        };
        let mut spec = Spec { network, ..Spec::default() };
        spec.training.loss = probes.loss();
        let task = |number: usize| TaskInfo {
            number,
            name: format!("task {number}"),
            classes: probes.classes_of(number),
            train_images: 0,
            steps_per_epoch: 1,
        };
        RunInfo {
            spec,
            tasks: (1..=count).map(task).collect(),
            class_names: (0..=probes.labels.iter().copied().max().unwrap_or(0))
                .map(|class| class.to_string())
                .collect(),
            probes: probes
                .tasks
                .iter()
                .zip(&probes.labels)
                .map(|(&task, &label)| Probe { task, label, index: None })
                .collect(),
            probe_values: probes.values.as_slice().into(),
            image: [0; 3],
            thumbnails: Arc::default(),
            parameters,
            origin: Origin::Watched,
            planned_steps: 0,
        }
    }
}

/// The network of this name, if it comes with the program.
fn known(path: &Path, name: &str) -> Result<WatchedNetwork, WatchError> {
    let unknown = || WatchError::Network { path: path.to_owned(), name: printable(name) };
    // No path of a text: a folder from elsewhere is not to name files of this machine.
    if !NETWORKS.iter().any(|network| network.name == name) {
        return Err(unknown());
    }
    let settings = KnownSettings::named(name).map_err(|_| unknown())?;
    // An MLP has no usual activation, for example.
    let undetermined = |_| WatchError::NetworkSettings { path: path.to_owned(), name: name.to_owned() };
    let (spec, _) = settings.network().map_err(undetermined)?;
    Ok(WatchedNetwork::Known(settings, Box::new(spec)))
}
