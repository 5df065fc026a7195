//! The run of an infinitely wide network: its kernel stands still, its outputs follow it, and it answers what a network of
//! finite width does. There are no weights, so nothing is told of them.

use super::analyst::Answers;
use super::batches::Taken;
use crate::data::{Batch, Prepared};
use crate::math::Gram;
use crate::ntk::{Apart, Measured};
use crate::spec::Spec;
use crate::train::{Field, FieldState, NoField, StepOutcome, Terms};

/// An infinitely wide network in training.
pub(super) struct Infinite {
    field: Field,
    /// Θ̊ on the probes.
    gram: Gram,
    /// Sets of logits whose kernels are told apart.
    sets: usize,
    momentum: f64,
}

impl Infinite {
    /// Draws the network, or goes on from a state that was kept.
    pub fn open(
        spec: &Spec,
        data: &Prepared,
        from: Option<&FieldState>,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, NoField> {
        let mut field = Field::new(spec, data)?;
        match from {
            Some(state) => field.restore(state),
            None => field.draw(spec.seed, cancelled)?,
        }
        let gram = field.gram(cancelled)?;
        let sets = spec.logit_sets(data.set.outputs()).len();
        Ok(Self { field, gram, sets, momentum: spec.training.momentum })
    }

    /// Makes a task ready, with those before it where they are replayed.
    pub fn prepare(&mut self, tasks: &[usize], cancelled: &dyn Fn() -> bool) -> Result<(), NoField> {
        self.field.prepare(tasks, cancelled)
    }

    pub fn step(&mut self, batch: &Batch, terms: &Terms) -> StepOutcome {
        self.field.step(batch, terms)
    }

    /// Θ̊ on the probes.
    pub fn gram(&self) -> &Gram {
        &self.gram
    }

    /// Θ̊, of every logit the same.
    pub fn kernel(&self, want_full: bool) -> Measured {
        let trace = self.gram.values().to_vec();
        let full = want_full.then(|| Measured::full_of(&self.gram, self.field.classes())).flatten();
        let logits = vec![trace.clone(); self.sets];
        Measured { trace, apart: Apart::No, parts: Vec::new(), logits, full, optimiser: None }
    }

    pub fn answers(&self, tasks: usize) -> Answers {
        Answers {
            probes: self.field.probes(),
            tests: (0..tasks).map(|place| self.field.test(place)).collect(),
            features: None,
            moved: None,
            predicted: Vec::new(),
        }
    }

    /// P is a number: see [`crate::train::Learner::optimiser_kernel`].
    pub fn optimiser_kernel(&self, theta: &[f64]) -> Vec<f64> {
        theta.iter().map(|value| value / (1.0 - self.momentum)).collect()
    }

    /// As that of a network of finite width, and exact: f is linear in its steps.
    pub fn ledger(&self, rows: &[usize], taken: &Taken, batch: &Batch) -> (Vec<f32>, Vec<f64>) {
        let (_, slopes) = self.field.slopes(batch, &taken.terms);
        let (new, classes) = (batch.labels.len(), self.field.classes());
        let rectangle = self.field.rectangle(rows, batch);
        let part = |at: usize| -taken.terms.rate * rectangle[at / classes] * slopes[at % (new * classes)];
        (self.outputs_on(rows), (0..rows.len() * new * classes).map(part).collect())
    }

    pub fn outputs_on(&self, rows: &[usize]) -> Vec<f32> {
        let (probes, classes) = (self.field.probes(), self.field.classes());
        rows.iter().flat_map(|&row| &probes[row * classes..(row + 1) * classes]).copied().collect()
    }

    pub fn state(&self) -> FieldState {
        self.field.state()
    }
}
