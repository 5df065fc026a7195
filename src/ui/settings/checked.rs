//! Holds a draft of settings with its checks: problems, warnings, cost, and whether it differs from the live run.

use crate::spec::{Cost, DataShape, Preset, Problem, Spec, preset_of};

/// Assumed speed until a run has measured that of this machine, in floating-point operations per second.
pub const ASSUMED_FLOPS: f64 = 2e10;

/// A draft and its checks, which are computed again only when the draft changes.
#[derive(Debug)]
pub struct Checked {
    of: Spec,
    pub problems: Vec<Problem>,
    pub warnings: Vec<Problem>,
    pub shape: DataShape,
    /// The preset that the draft matches, whatever the seed.
    pub preset: Option<&'static Preset>,
    /// Absent while the draft has problems, because the cost of an invalid network would mislead.
    pub cost: Option<Cost>,
}

impl Checked {
    pub fn new(spec: &Spec) -> Self {
        let shape = DataShape::expected(spec);
        let problems = spec.problems(&shape);
        let cost = problems.is_empty().then(|| Cost::of(spec, &shape));
        let (warnings, preset) = (spec.warnings(), preset_of(spec));
        Self { of: spec.clone(), problems, warnings, shape, preset, cost }
    }

    /// Checks the draft again if it has changed.
    pub fn update(&mut self, spec: &Spec) {
        if self.of != *spec {
            *self = Self::new(spec);
        }
    }
}

/// Returns whether the draft differs from the live run in a setting that cannot be changed live.
pub fn needs_restart(draft: &Spec, running: &Spec) -> bool {
    let mut same = draft.clone();
    same.training.rate = running.training.rate;
    (same.training.schedule, same.training.warmup) = (running.training.schedule, running.training.warmup);
    same.kernel.per_epoch = running.kernel.per_epoch;
    same.tasks.order.clone_from(&running.tasks.order);
    same.changes.clone_from(&running.changes);
    !same.same_run(running)
}
