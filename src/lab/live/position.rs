//! Defines the position of a run in its stream of tasks, and in the task being trained. It consists of plain values,
//! which a fork copies.

use std::collections::VecDeque;

use super::training_conditions::TrainingConditions;
use crate::lab::cadence::Cadence;
use crate::lab::lag::Lagged;
use crate::spec::{Change, Spec};
use crate::train::HeldDisplacement;

/// The position of a run between two tasks.
#[derive(Clone)]
pub(super) struct Position {
    /// The changes of the spec that are still to come, and those that have happened.
    pub script: VecDeque<Change>,
    pub happened: Vec<Change>,
    pub upcoming: VecDeque<usize>,
    /// The numbers of the tasks that are over, in the order of training.
    pub trained: Vec<usize>,
    /// The index, number and steps of the last of them.
    pub ended: Option<(usize, usize, u64)>,
    pub step: u64,
    /// The steps at which the tasks so far began, in the order of training.
    pub begun: Vec<u64>,
    /// The epochs of the tasks that are over.
    pub past_epochs: f64,
    pub conditions: TrainingConditions,
    pub per_epoch: usize,
    /// The learning rate of the last step.
    pub last_rate: Option<f64>,
    /// Σ ‖Δw‖ over all steps; `None` where there are no weights.
    pub path: Option<f64>,
    /// The last displacement over a lag that was measured.
    pub displacement: Option<HeldDisplacement>,
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
            begun: Vec::new(),
            past_epochs: 0.0,
            conditions: TrainingConditions::of(&spec.training),
            per_epoch: spec.kernel.per_epoch,
            last_rate: None,
            path: (!spec.network.is_infinite()).then_some(0.0),
            displacement: None,
        }
    }

    /// Returns the same position for a fork with another spec.
    pub fn in_future(&self, spec: &Spec) -> Self {
        let rest = self.happened.len().min(spec.changes.len());
        Self { script: spec.changes[rest..].iter().cloned().collect(), ..self.clone() }
    }
}

/// The task being trained, and the progress in it.
#[derive(Clone)]
pub(super) struct CurrentTask {
    pub number: usize,
    pub place: usize,
    pub epoch_steps: u64,
    pub total: u64,
    pub done: u64,
    pub cadence: Cadence,
    /// Whether a snapshot was taken at this step already.
    pub measured: bool,
    pub losses: (f64, u64),
    /// The path of the run at each measured kernel.
    pub paths: Lagged<Option<f64>>,
    /// The least loss on its probes at the end of an epoch so far, and the steps done by then.
    pub least: Option<(f64, u64)>,
}
