//! Implements the subject of a run as the infinitely wide network: its kernel is constant and determines its outputs. It
//! has no weights.

use burn::tensor::Device;

use super::batches::StepPlan;
use super::position::CurrentTask;
use super::subject::{SnapshotOutputs, Subject, SubjectState};
use crate::data::{Batch, Prepared};
use crate::lab::lag::Lag;
use crate::math::Gram;
use crate::ntk::{MeasuredKernels, PartKind};
use crate::run::NamedTensor;
use crate::spec::Spec;
use crate::train::{
    InfiniteWidthModel, InfiniteWidthModelError, InfiniteWidthModelState, NetworkTrainer, StepOptions, StepOutcome,
};

/// An infinitely wide network in training.
pub(super) struct Infinite {
    field: InfiniteWidthModel,
    /// Θ̊ on the probes.
    gram: Gram,
    /// The number of sets of logits with separate kernels.
    sets: usize,
    tasks: usize,
    momentum: f64,
}

impl Infinite {
    /// Creates the network, from its start or from a stored state.
    pub fn open(
        spec: &Spec,
        data: &Prepared,
        from: Option<&SubjectState>,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, InfiniteWidthModelError> {
        let mut field = InfiniteWidthModel::new(spec, data)?;
        match from.and_then(|state| state.downcast_ref::<InfiniteWidthModelState>()) {
            Some(state) => field.restore(state),
            None => field.sample_start(spec.seed, cancelled)?,
        }
        let gram = field.gram(cancelled)?;
        let sets = spec.logit_sets(data.set.outputs()).len();
        let tasks = data.stream.tasks().len();
        Ok(Self { field, gram, sets, tasks, momentum: spec.training.momentum })
    }
}

impl Subject for Infinite {
    fn device(&self) -> Option<&Device> {
        None
    }

    fn copy_to_cpu(&self) -> Option<NetworkTrainer> {
        None
    }

    fn weights(&self) -> Option<Vec<NamedTensor>> {
        None
    }

    fn step_length(&self, _: &Batch, _: &StepOptions) -> Option<f64> {
        None
    }

    fn begin_task(&mut self, _: (&Spec, &Prepared), _: &CurrentTask, _: &dyn Fn() -> bool) -> Option<Vec<String>> {
        Some(Vec::new())
    }

    // With a constant kernel, a step needs the columns of its batch.
    fn prepare_step(
        &mut self,
        tasks: &[usize],
        _: &CurrentTask,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Vec<String>, InfiniteWidthModelError> {
        self.field.prepare(tasks, cancelled).map(|()| Vec::new())
    }

    fn step(&mut self, batch: &Batch, terms: &StepOptions, _: bool) -> Vec<StepOutcome> {
        vec![self.field.step(batch, terms)]
    }

    fn infinite_kernel(&self) -> Option<&Gram> {
        Some(&self.gram)
    }

    // The kernel is Θ̊, the same for every logit.
    fn kernel(&self, want_full: bool, _: &dyn Fn() -> bool) -> Option<MeasuredKernels> {
        let trace = self.gram.values().to_vec();
        let full = want_full.then(|| MeasuredKernels::full_of(&self.gram, self.field.classes())).flatten();
        let logits = vec![trace.clone(); self.sets];
        Some(MeasuredKernels { trace, apart: PartKind::No, parts: Vec::new(), logits, full, optimiser: None })
    }

    fn snapshot_outputs(&self, _: Lag, _: Option<usize>, _: &dyn Fn() -> bool) -> Option<SnapshotOutputs> {
        Some(SnapshotOutputs {
            probes: self.field.probes(),
            tests: (0..self.tasks).map(|place| self.field.test(place)).collect(),
            features: Vec::new(),
            responses: None,
            moved: None,
            predicted: Vec::new(),
        })
    }

    // P is a scalar: see `NetworkTrainer::optimiser_kernel`.
    fn optimiser_kernel(&self, theta: &[f64], _: &[String], _: &dyn Fn() -> bool) -> Option<Option<Vec<f64>>> {
        Some(Some(theta.iter().map(|value| value / (1.0 - self.momentum)).collect()))
    }

    // The prediction is exact: f is linear in its steps.
    fn ledger(
        &self,
        rows: &[usize],
        plan: &StepPlan,
        batch: &Batch,
        cancelled: &dyn Fn() -> bool,
    ) -> Option<(Vec<f32>, Vec<f64>)> {
        let (_, slopes) = self.field.slopes(batch, &plan.terms);
        let (new, classes) = (batch.labels.len(), self.field.classes());
        let rectangle = self.field.rectangle(rows, batch);
        let part = |at: usize| -plan.terms.rate * rectangle[at / classes] * slopes[at % (new * classes)];
        Some((self.outputs_on(rows, cancelled)?, (0..rows.len() * new * classes).map(part).collect()))
    }

    fn outputs_on(&self, rows: &[usize], _: &dyn Fn() -> bool) -> Option<Vec<f32>> {
        let (probes, classes) = (self.field.probes(), self.field.classes());
        Some(rows.iter().flat_map(|&row| &probes[row * classes..(row + 1) * classes]).copied().collect())
    }

    fn state(&self) -> SubjectState {
        Box::new(self.field.state())
    }
}
