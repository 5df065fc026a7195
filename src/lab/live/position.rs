//! The position of a run: where it stands in its stream of tasks, and within the task being trained. Plain values, which a fork copies.

use std::collections::VecDeque;

use super::training_conditions::TrainingConditions;
use crate::lab::cadence::Cadence;
use crate::spec::{Change, Spec};

/// The position of a run between two tasks.
#[derive(Clone)]
pub(super) struct Position {
    /// Changes of the spec that are still to come, and those that have happened.
    pub script: VecDeque<Change>,
    pub happened: Vec<Change>,
    pub upcoming: VecDeque<usize>,
    /// Numbers of the tasks that are over, in the order in which they were trained.
    pub trained: Vec<usize>,
    /// Place, number and steps of the last of them.
    pub ended: Option<(usize, usize, u64)>,
    pub step: u64,
    /// Epochs of the tasks that are over.
    pub past_epochs: f64,
    pub conditions: TrainingConditions,
    pub per_epoch: usize,
    /// The rate that reached the optimiser in the last step.
    pub last_rate: Option<f64>,
}

impl Position {
    pub fn first(spec: &Spec) -> Self {
        Self {
            script: spec.changes.iter().cloned().collect(),
            happened: Vec::new(),
            upcoming: spec.tasks.sequence().into(),
            trained: Vec::new(),
            ended: None,
            step: 0,
            past_epochs: 0.0,
            conditions: TrainingConditions::of(&spec.training),
            per_epoch: spec.kernel.per_epoch,
            last_rate: None,
        }
    }

    /// Returns the same position in a future of another spec.
    pub fn in_future(&self, spec: &Spec) -> Self {
        let rest = self.happened.len().min(spec.changes.len());
        Self { script: spec.changes[rest..].iter().cloned().collect(), ..self.clone() }
    }
}

/// The task being trained.
#[derive(Clone)]
pub(super) struct CurrentTask {
    pub number: usize,
    pub place: usize,
    pub epoch_steps: u64,
    pub total: u64,
    pub done: u64,
    pub cadence: Cadence,
    /// A snapshot was taken at this step already.
    pub measured: bool,
    pub losses: (f64, u64),
}
