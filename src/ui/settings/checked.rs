//! A draft of settings and what is known of it: problems, warnings, its cost, and whether it is the run that goes on.

use crate::spec::{Cost, DataShape, Preset, Problem, Spec, preset_of};

/// Speed taken for granted until a run has shown what this machine does, in floating-point operations per second.
pub const ASSUMED_FLOPS: f64 = 2e10;

/// A draft and what is known of it; computed again only when the draft changes.
#[derive(Debug)]
pub struct Checked {
    of: Spec,
    pub problems: Vec<Problem>,
    pub warnings: Vec<Problem>,
    pub shape: DataShape,
    /// The ready-made run that it is, whatever the seed.
    pub preset: Option<&'static Preset>,
    /// Absent while something is wrong: numbers of an impossible network would mislead.
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

    /// Looks again if the draft is another.
    pub fn update(&mut self, spec: &Spec) {
        if self.of != *spec {
            *self = Self::new(spec);
        }
    }
}

/// Whether the draft would be another run than the one that goes on: everything but what can be changed live.
pub fn needs_restart(draft: &Spec, running: &Spec) -> bool {
    let mut same = draft.clone();
    same.training.rate = running.training.rate;
    same.kernel.per_epoch = running.kernel.per_epoch;
    same.tasks.order.clone_from(&running.tasks.order);
    same.changes.clone_from(&running.changes);
    !same.same_run(running)
}
