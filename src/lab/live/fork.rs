//! The state of a run between two steps, from which a fork of it goes on.
//!
//! Guarantees: everything that later numbers depend on is kept (weights, optimiser, position in the stream, terms of training,
//! and the kernels and weights that lags still need), in plain numbers, because tensors do not leave their thread. What a
//! batch holds depends on its address alone, so no random state is needed. A run that goes on is therefore, bit for bit,
//! the run that its spec gives from the start.

use std::sync::Arc;

use super::position::{CurrentTask, Position};
use super::subject::SubjectState;
use crate::lab::metrics::Meter;
use crate::run::Checkpoint;
use crate::spec::Spec;

/// The state of a run that was kept, from which it goes on.
pub(super) struct KeptRun {
    pub trainer: TrainerState,
    pub meter: Meter,
}

impl KeptRun {
    /// Returns whether the run was in the program's own memory: a future that timed the devices anew might go elsewhere.
    pub fn is_on_host(&self) -> bool {
        self.trainer.is_on_host
    }
}

/// The trainer's part of a kept state.
pub(super) struct TrainerState {
    /// With all changes: those that have happened, and then those still to come.
    pub spec: Spec,
    pub at: Position,
    pub task: CurrentTask,
    pub subject: SubjectState,
    pub is_on_host: bool,
}

impl TrainerState {
    /// The checkpoint, with what the analysis remembers.
    pub fn complete(self, meter: Meter) -> Checkpoint {
        Checkpoint {
            step: self.at.step,
            epoch: self.at.past_epochs + self.task.done as f64 / self.task.epoch_steps as f64,
            task: self.task.number,
            measured: self.task.measured,
            spec: self.spec.clone(),
            happened: self.at.happened.len(),
            state: Arc::new(KeptRun { trainer: self, meter }),
        }
    }
}
