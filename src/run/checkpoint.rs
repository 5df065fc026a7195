//! Declares the saved state of a run between two steps, from which forks continue.

use std::any::Any;
use std::sync::Arc;

use crate::spec::{Change, Effect, Spec};

/// The state of a run between two steps. A run resumed from it reports the same numbers, bit for bit, as one of the same spec
/// that was trained from the start.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// Steps done, and the epoch: fractional, cumulative over tasks.
    pub step: u64,
    pub epoch: f64,
    /// Number of the task being trained.
    pub task: usize,
    /// Whether this task's row of this step was reported before the state was saved.
    pub measured: bool,
    /// The spec with all changes: those that have happened, followed by those still to come.
    pub spec: Spec,
    /// The number of changes that have happened.
    pub happened: usize,
    /// Weights, optimiser, and the kernels that velocities need: plain numbers that only the laboratory can read.
    pub state: Arc<dyn Any + Send + Sync>,
}

impl Checkpoint {
    /// Returns the spec of a fork that makes this change here, before all planned changes.
    pub fn future(&self, changes: impl IntoIterator<Item = Effect>) -> Spec {
        let mut spec = self.spec.clone();
        let here = |effect| Change { step: self.step, task: Some(self.task), place: None, effect };
        spec.changes.splice(self.happened..self.happened, changes.into_iter().map(here));
        spec
    }
}
