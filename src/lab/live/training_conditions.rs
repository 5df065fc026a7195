//! Defines the current conditions of training: those of the spec, with the changes since.

use super::batches::{StepAddress, StepPlan};
use crate::data::Prepared;
use crate::spec::{Effect, Spec, TrainingSpec};
use crate::train::StepOptions;

/// The conditions that a [`Effect`] can change between two steps.
#[derive(Clone, Debug)]
pub(super) struct TrainingConditions {
    /// `training.rate`, before `rate_width` and α.
    pub rate: f64,
    replay: usize,
    pub frozen: Vec<String>,
    masked: bool,
    /// ‖Δw‖ of each step, once it is clamped.
    pub length: Option<f64>,
}

impl TrainingConditions {
    pub fn of(training: &TrainingSpec) -> Self {
        Self {
            rate: training.rate,
            replay: training.replay,
            frozen: training.frozen.clone(),
            masked: training.masked,
            length: None,
        }
    }

    /// Applies a change.
    pub fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::Rate(rate) => self.rate = *rate,
            Effect::Replay(kept) => self.replay = *kept,
            Effect::Frozen(names) => self.frozen.clone_from(names),
            Effect::Masked(masked) => self.masked = *masked,
            Effect::PerEpoch(_) | Effect::Order(_) | Effect::Switch | Effect::Clamped => {}
        }
    }
    /// Plans the step of a task that follows `done` others, under these conditions; `trained` are the tasks begun before.
    pub fn plan(
        &self,
        (spec, data): (&Spec, &Prepared),
        trained: &[usize],
        StepAddress { place, task, done }: StepAddress,
    ) -> StepPlan {
        let present = self.masked.then(|| {
            // With replay, the batch contains images of earlier tasks, too.
            let replays = self.replay > 0 || spec.continual.strategy.replays();
            let earlier = if replays { &trained[..place] } else { &[] };
            let tasks = earlier.iter().chain([&task]);
            let classes = tasks.flat_map(|&task| data.stream.task(task).classes()).copied();
            data.set.readout().outputs(classes)
        });
        let terms = StepOptions {
            rate: spec.effective_rate(self.rate),
            present,
            frozen: self.frozen.clone(),
            length: self.length,
        };
        StepPlan { at: StepAddress { place, task, done }, replay: self.replay, terms }
    }
}
