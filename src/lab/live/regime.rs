//! The terms of training as they stand: those of the spec, and what was changed since.

use super::batches::Taken;
use super::{Current, Live};
use crate::spec::{Effect, TrainingSpec};
use crate::train::Terms;

/// What a change can change between two steps.
#[derive(Clone, Debug)]
pub(super) struct Regime {
    /// `training.rate`, before `rate_width` and α.
    pub rate: f64,
    replay: usize,
    pub frozen: Vec<String>,
    masked: bool,
    /// ‖Δw‖ of each step, once it is clamped.
    pub length: Option<f64>,
}

impl Regime {
    pub fn of(training: &TrainingSpec) -> Self {
        Self {
            rate: training.rate,
            replay: training.replay,
            frozen: training.frozen.clone(),
            masked: training.masked,
            length: None,
        }
    }

    /// Takes over what this change changes.
    pub fn change(&mut self, effect: &Effect) {
        match effect {
            Effect::Rate(rate) => self.rate = *rate,
            Effect::Replay(kept) => self.replay = *kept,
            Effect::Frozen(names) => self.frozen.clone_from(names),
            Effect::Masked(masked) => self.masked = *masked,
            Effect::PerEpoch(_) | Effect::Order(_) | Effect::Switch | Effect::Clamped => {}
        }
    }
}

impl Live<'_> {
    /// The step of a task that follows `done` others, as it would be taken now.
    pub(super) fn taken(&self, place: usize, task: usize, done: u64) -> Taken {
        let regime = &self.at.regime;
        let present = regime.masked.then(|| {
            // With replay, images of earlier tasks are in the batch, too.
            let earlier = if regime.replay > 0 { &self.at.trained[..place] } else { &[] };
            let tasks = earlier.iter().chain([&task]);
            let classes = tasks.flat_map(|&task| self.data.stream.task(task).classes()).copied();
            self.data.set.readout().outputs(classes)
        });
        let terms = Terms {
            rate: self.spec.effective_rate(regime.rate),
            present,
            frozen: regime.frozen.clone(),
            length: regime.length,
        };
        Taken { place, task, done, replay: regime.replay, terms }
    }

    /// The rate that reaches the optimiser in the next step; with clamped steps it is another in each, and this is the last one.
    pub(super) fn rate(&self) -> f64 {
        let clamped = self.at.last_rate.filter(|_| self.at.regime.length.is_some());
        clamped.unwrap_or_else(|| self.spec.effective_rate(self.at.regime.rate))
    }

    /// The next step.
    pub(super) fn next_step(&self, current: &Current) -> Taken {
        self.taken(current.place, current.number, current.done)
    }
}
