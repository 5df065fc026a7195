//! Defines the current conditions of training: those of the spec, with the changes since.

use super::batches::{StepAddress, StepPlan};
use crate::data::Prepared;
use crate::spec::{Effect, Schedule, Spec, TrainingSpec};
use crate::train::{HeldDisplacement, StepOptions};

/// The conditions that a [`Effect`] can change between two steps.
#[derive(Clone, Debug)]
pub(super) struct TrainingConditions {
    /// `training.rate`, before `rate_width` and α.
    pub rate: f64,
    pub schedule: Schedule,
    pub warmup: f64,
    replay: usize,
    pub frozen: Vec<String>,
    masked: bool,
    /// ‖Δw‖ of each step, once it is clamped.
    pub length: Option<f64>,
    /// The largest ‖Δw‖ over the lag, once that is clamped.
    pub displacement: Option<HeldDisplacement>,
}

impl TrainingConditions {
    pub fn of(training: &TrainingSpec) -> Self {
        Self {
            rate: training.rate,
            schedule: training.schedule,
            warmup: training.warmup,
            replay: training.replay,
            frozen: training.frozen.clone(),
            masked: training.masked,
            length: None,
            displacement: None,
        }
    }

    /// Applies a change.
    pub fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::Rate(rate) => self.rate = *rate,
            Effect::Schedule(schedule) => self.schedule = *schedule,
            Effect::Warmup(epochs) => self.warmup = *epochs,
            Effect::Replay(kept) => self.replay = *kept,
            Effect::Frozen(names) => self.frozen.clone_from(names),
            Effect::Masked(masked) => self.masked = *masked,
            Effect::PerEpoch(_) | Effect::Order(_) | Effect::Switch | Effect::Clamped(_) => {}
        }
    }

    /// Plans the step of a task that follows `done` others, under these conditions; `trained` are the tasks begun before.
    pub fn plan(&self, (spec, data): (&Spec, &Prepared), trained: &[usize], at: StepAddress) -> StepPlan {
        let StepAddress { place, task, .. } = at;
        let present = self.masked.then(|| {
            // With replay, the batch contains images of earlier tasks, too.
            let replays = self.replay > 0 || spec.continual.strategy.replays();
            let earlier = if replays { &trained[..place] } else { &[] };
            let tasks = earlier.iter().chain([&task]);
            let classes = tasks.flat_map(|&task| data.stream.task(task).classes()).copied();
            data.set.readout().outputs(classes)
        });
        let terms = StepOptions {
            rate: spec.effective_rate(self.rate) * self.share_of_rate((spec, data), at),
            present,
            frozen: self.frozen.clone(),
            length: self.length,
            displacement: self.displacement,
        };
        StepPlan { at, replay: self.replay, terms }
    }

    /// Returns the rate of a step as a multiple of the set one, by the schedule.
    fn share_of_rate(&self, (spec, data): (&Spec, &Prepared), at: StepAddress) -> f64 {
        let training = TrainingSpec { schedule: self.schedule, warmup: self.warmup, ..spec.training.clone() };
        if training.has_constant_rate() {
            return 1.0;
        }
        let epoch_steps = |task: usize| data.stream.task(task).info().steps_per_epoch;
        let steps = |(place, &task): (usize, &usize)| spec.tasks.steps_at(place, epoch_steps(task)).max(1);
        if training.restart {
            return training.rate_curve(epoch_steps(at.task), steps((at.place, &at.task))).at(at.done);
        }
        // One course over the planned run, in epochs of its first task.
        let sequence = spec.tasks.sequence();
        let total = sequence.iter().enumerate().map(steps).sum();
        let first = sequence.first().map_or(1, |&task| epoch_steps(task));
        training.rate_curve(first, total).at(at.begun + at.done)
    }
}
