//! Stores the state of a run between two steps, from which a fork of it continues.
//!
//! Guarantees: everything that later numbers depend on is stored (weights, optimiser, position in the stream, training
//! conditions, and the kernels and weights that lags still need), in plain numbers, because tensors do not leave their
//! thread. The images of a batch depend on its address alone, so no random state is needed. A continued run is therefore,
//! bit for bit, the run that its spec gives from the start.

use std::sync::Arc;

use super::position::{CurrentTask, Position};
use super::subject::SubjectState;
use crate::lab::metrics::Meter;
use crate::run::Checkpoint;
use crate::spec::Spec;

/// The stored state of a run, from which a fork continues.
pub(super) struct StoredRun {
    pub trainer: TrainerState,
    pub meter: Meter,
}

impl StoredRun {
    /// Returns whether the run was on the CPU: a fork must not measure the devices again, because it might choose another
    /// one.
    pub fn is_on_host(&self) -> bool {
        self.trainer.is_on_host
    }
}

/// The trainer's part of a stored state.
pub(super) struct TrainerState {
    /// The spec with all changes: those that have happened, followed by those still to come.
    pub spec: Spec,
    pub at: Position,
    pub task: CurrentTask,
    pub subject: SubjectState,
    pub is_on_host: bool,
}

impl TrainerState {
    /// Returns the checkpoint, which adds the state of the analysis.
    pub fn complete(self, meter: Meter) -> Checkpoint {
        Checkpoint {
            step: self.at.step,
            epoch: self.at.past_epochs + self.task.done as f64 / self.task.epoch_steps as f64,
            task: self.task.number,
            measured: self.task.measured,
            spec: self.spec.clone(),
            happened: self.at.happened.len(),
            state: Arc::new(StoredRun { trainer: self, meter }),
        }
    }
}
