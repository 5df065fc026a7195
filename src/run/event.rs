//! Declares the events that a run reports: plain data, without tensors, threads or windows.
//!
//! The window, the run folder and the tests all read the same stream. Events come in the order in which things happened;
//! none may be dropped. A missing number is `None` (an empty cell in the file), never NaN.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::checkpoint::Checkpoint;
use super::ledger::Ledger;
use super::metric::Row;
use super::prediction::Outputs;
use super::tensor_gram::TensorGram;
use crate::math::checksum::fnv1a;
use crate::spec::{Change, KnownSettings, Readout, Spec};

/// One report of a run.
#[derive(Clone, Debug)]
pub enum Event {
    /// The first event of every run.
    Started(Arc<RunInfo>),
    /// The weights with which the run begins, where a file has them; once, before the first task. The file may move, and the
    /// run's folder keeps them.
    Initial(Arc<Weights>),
    /// A task begins; the first one too. Comes after the snapshot at the exact step of the switch.
    Task(TaskStart),
    /// Losses of the steps since the last one, thinned to the rate of the screen.
    Progress(Progress),
    /// A snapshot: one Gram with its spectrum and metrics.
    Snapshot(Arc<Snapshot>),
    /// The infinite-width kernel Θ̊ on the probes, row-major [n, n], where the network has one; once, before the first snapshot.
    Limit(Arc<[f64]>),
    /// The effect of one step on images of earlier tasks.
    Ledger(Arc<Ledger>),
    /// A live change took effect before this step; it is in the spec that a saved run carries.
    Changed { step: u64, epoch: f64, change: Change },
    /// The kernel one lag before the next snapshot, where none was taken: without it that velocity could not be computed again.
    Partner(Arc<Partner>),
    /// The state of the run was saved on request; the run continues.
    Forked(Arc<Checkpoint>),
    /// A warning for the user; training continues.
    Warning { step: u64, epoch: f64, message: String },
    /// The run continues on another device, described as in [`Origin::Trained`]; a preceding warning gives the reason.
    Moved(String),
    /// Training has paused on request.
    Paused { step: u64 },
    /// Training continues.
    Resumed { step: u64 },
    /// The weights, at a switch and at the end.
    Weights(Arc<Weights>),
    /// A step of a watched training was taken: the last snapshot is of its weights.
    Saved(SavedStep),
    /// The number of steps of a watched training that were not taken, since its start.
    PassedOver(u64),
    /// A watched training started again from before this step: what was reported of it and of all later ones no longer holds.
    TakenBack { step: u64 },
    /// The last event of every run, with the reason for its end.
    Ended(Ending),
}

/// The facts that are fixed for the whole run.
#[derive(Clone, Debug)]
pub struct RunInfo {
    pub spec: Spec,
    /// All tasks by number (index 0 is task 1), in order of identity, not of training.
    pub tasks: Vec<TaskInfo>,
    pub class_names: Vec<String>,
    /// The probe images in Gram order: by task, then class.
    pub probes: Vec<Probe>,
    /// The target of the one output on each probe, where the output is a number; else empty.
    pub probe_values: Arc<[f32]>,
    /// Shape of one image: channels (1 or 3), height, width.
    pub image: [usize; 3],
    /// The probe images as their task shows them (permuted, turned), 8 bits, [n, height, width, channels].
    pub thumbnails: Arc<[u8]>,
    pub parameters: u64,
    pub origin: Origin,
    /// Steps that the whole run will take as planned at the start.
    pub planned_steps: u64,
}

/// A step that another program saved and that was taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SavedStep {
    pub step: u64,
    pub epoch: f64,
    /// A number made from what the other program wrote of it: the same step saved anew has another.
    pub mark: u64,
}

/// The origin of the kernels of a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// The record is that of a run of Kernelscope, trained here or read from its folder.
    Trained {
        /// The device in words and, after a colon or in brackets, the reason for it.
        device: String,
    },
    /// The record was made from an archive that another program wrote: there are no settings, weights or images.
    Imported,
    /// The record was measured from the weights of a training in another program: of its settings only the network and the loss
    /// are known.
    Watched,
}

impl Origin {
    /// Describes the origin in a few words: the device, for a run of Kernelscope.
    pub fn words(&self) -> &str {
        match self {
            Self::Trained { device } => device,
            Self::Imported => "kernels from elsewhere",
            Self::Watched => "weights of a training elsewhere",
        }
    }
}

impl RunInfo {
    /// Returns whether the network was trained by another program: then there are no settings of its training, and no images.
    pub fn is_imported(&self) -> bool {
        match self.origin {
            Origin::Trained { .. } => false,
            Origin::Imported | Origin::Watched => true,
        }
    }

    /// Returns a class by name, or by number where it has none.
    pub fn class_name(&self, label: usize) -> String {
        self.class_names.get(label).cloned().unwrap_or_else(|| label.to_string())
    }

    /// Returns the rows of the Gram that are the probes of a task.
    pub fn rows_of(&self, task: usize) -> Option<std::ops::Range<usize>> {
        let start = self.probes.iter().position(|probe| probe.task == task)?;
        let count = self.probes[start..].iter().take_while(|probe| probe.task == task).count();
        Some(start..start + count)
    }

    /// Returns the number of probes of the task that has the fewest.
    pub fn least_probes(&self) -> usize {
        self.probes.chunk_by(|one, next| one.task == next.task).map(<[Probe]>::len).min().unwrap_or(0)
    }

    /// Returns the readout. (A record without class names takes the classes from its probes.)
    pub fn readout(&self) -> Readout {
        // The settings of a watched training say nothing of its data.
        if self.origin == Origin::Watched && !self.probe_values.is_empty() {
            return Readout::Number;
        }
        let seen = self.probes.iter().map(|probe| probe.label + 1).max().unwrap_or(0);
        self.spec.readout(self.class_names.len().max(seen))
    }

    /// Returns the target of an output on a probe; `None` for a numeric target that the record lacks.
    pub fn target(&self, probe: usize, output: usize) -> Option<f32> {
        match self.readout() {
            Readout::Classes(_) => Some(f32::from(u8::from(self.probes.get(probe)?.label == output))),
            Readout::Number => self.probe_values.get(probe).copied(),
        }
    }
}

/// A task of the stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskInfo {
    /// Number from 1: its identity in every file and colour.
    pub number: usize,
    /// A few words, for people: "T-shirt, trouser, pullover, dress, coat" or "turned by 45°".
    pub name: String,
    pub classes: Vec<usize>,
    pub train_images: usize,
    pub steps_per_epoch: u64,
}

/// One probe image: its row and column of the Gram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Number of the task, from 1.
    pub task: usize,
    /// The class.
    pub label: usize,
    /// Its index among the training images, where the run has chosen it among images.
    pub index: Option<usize>,
}

/// Reports that a task begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TaskStart {
    /// Number of the task.
    pub task: usize,
    /// The task before it; `None` at the start of the run.
    pub from: Option<usize>,
    pub step: u64,
    pub epoch: f64,
}

/// Reports the progress of training.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// Steps done so far, and the epoch: fractional, cumulative over tasks.
    pub step: u64,
    pub epoch: f64,
    /// (epoch, mean batch loss) since the last progress, oldest first.
    pub losses: Vec<(f64, f64)>,
    /// The number of steps of the whole run as planned at the moment.
    pub planned_steps: u64,
    /// The tasks not yet begun, in their planned order.
    pub upcoming: Vec<usize>,
    /// The speed of training alone, without kernels and pace.
    pub steps_per_second: f64,
    /// Share of the trainer's working time spent waiting for kernels and snapshots, 0 to 1.
    pub kernel_share: f64,
}

/// The kernel at one step and everything measured on it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub row: Row,
    /// Trace-reduced kernel of all probes, row-major [n, n], symmetrised in f64.
    pub gram: Arc<[f64]>,
    /// The kernels of each parameter tensor, in the order of the forward pass; they sum to the whole. Empty where they were not
    /// kept separately or would be too large to carry, and in a record that was read from a folder.
    pub tensors: Arc<[TensorGram]>,
    /// Eigenvalues of the whole, ascending, unclamped.
    pub eigenvalues: Vec<f64>,
    /// The eigenvalues of each task's block, in order of task number.
    pub block_eigenvalues: Vec<Vec<f64>>,
    /// The network's outputs on the probes; absent in a folder of an older version.
    pub outputs: Option<Arc<Outputs>>,
}

/// A kernel that is not a snapshot itself but at which the lag of one begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Partner {
    pub step: u64,
    pub epoch: f64,
    /// As [`Snapshot::gram`].
    pub gram: Arc<[f64]>,
}

impl Snapshot {
    /// Returns about the number of bytes of its file.
    pub fn file_bytes(&self) -> u64 {
        let outputs = self.outputs.as_ref().map_or(0, |outputs| outputs.network.len() * (1 + outputs.predicted.len()));
        (8 * (self.gram.len() + 2 * self.eigenvalues.len()) + 4 * outputs) as u64
    }

    /// Returns about the number of bytes that it holds.
    pub fn bytes(&self) -> u64 {
        self.file_bytes() + self.tensors.iter().map(TensorGram::bytes).sum::<u64>()
    }
}

/// Parameters by name, laid out as in PyTorch: `fc1.weight` [out, in].
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    pub step: u64,
    /// The other facts that determine the function with these parameters.
    pub network: KnownSettings,
    pub tensors: Vec<NamedTensor>,
}

/// Holds one parameter tensor with its name.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

impl NamedTensor {
    /// Computes the hash of these tensors with their names and shapes, whatever file they are in.
    pub fn hash(tensors: &[Self]) -> String {
        let bytes = |tensor: &Self| {
            let sides = tensor.shape.iter().flat_map(|side| (*side as u64).to_le_bytes());
            let values = tensor.values.iter().flat_map(|value| value.to_le_bytes());
            [tensor.name.as_bytes(), &[0]].concat().into_iter().chain(sides).chain(values).collect()
        };
        let parts: Vec<Vec<u8>> = tensors.iter().map(bytes).collect();
        fnv1a(parts.iter().map(Vec::as_slice))
    }
}

/// The reason why a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// All tasks were trained.
    Finished { step: u64 },
    /// The user stopped it.
    Stopped { step: u64 },
    /// The loss or the kernel was no longer finite; everything before this step is valid.
    Diverged { step: u64, message: String },
    /// An error ended the run; everything before this step is valid.
    Failed { step: u64, message: String },
}

impl Ending {
    /// Returns the number of steps done.
    pub fn step(&self) -> u64 {
        match self {
            Self::Finished { step }
            | Self::Stopped { step }
            | Self::Diverged { step, .. }
            | Self::Failed { step, .. } => *step,
        }
    }
}

/// Takes the events of a run, in order.
pub trait Sink {
    /// Takes one event; `Err` when the receiver is gone and the run should end.
    fn emit(&mut self, event: Event) -> Result<(), Closed>;
}

/// The error of a sink whose receiver is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

impl<F: FnMut(Event) -> Result<(), Closed>> Sink for F {
    fn emit(&mut self, event: Event) -> Result<(), Closed> {
        self(event)
    }
}
