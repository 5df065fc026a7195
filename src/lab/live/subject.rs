//! What a run trains and measures: a network of finite width, or the infinitely wide one, asked the same questions.

use std::any::Any;

use burn::tensor::Device;

use super::batches::StepPlan;
use super::position::CurrentTask;
use super::predictors::Predicted;
use crate::data::{Batch, Prepared};
use crate::lab::lag::Lag;
use crate::math::Gram;
use crate::model::is_host;
use crate::ntk::MeasuredKernels;
use crate::run::NamedTensor;
use crate::spec::Spec;
use crate::train::{FeatureKernels, InfiniteWidthModelError, NetworkTrainer, StepOptions, StepOutcome};

/// The state of a subject in plain numbers, from which another one of its kind goes on.
pub(super) type SubjectState = Box<dyn Any + Send + Sync>;

/// The outputs of a subject, and what else it knows, for a snapshot.
pub(super) struct SnapshotOutputs {
    /// Outputs on the probes, [n, C].
    pub probes: Vec<f32>,
    /// Outputs on the test images of each task.
    pub tests: Vec<Vec<f32>>,
    /// What the linear probe of each task learns from and is tested on; none where it is not wanted.
    pub features: Option<Vec<FeatureKernels>>,
    /// ‖Δw‖ over the lag.
    pub moved: Option<f64>,
    /// What static kernels say of the test images.
    pub predicted: Vec<Predicted>,
}

/// A subject of a run. Each method that takes `cancelled` gives up, and returns `None`, once that says so.
pub(super) trait Subject {
    /// The device that it lives on; `None` where it has no tensor.
    fn device(&self) -> Option<&Device>;

    /// Returns whether nothing can be lost with its device.
    fn is_on_host(&self) -> bool {
        self.device().is_none_or(is_host)
    }

    /// A copy of the learner on the CPU, where there is a learner.
    fn copy_to_cpu(&self) -> Option<NetworkTrainer>;

    /// Prepares the task that begins; returns in words what there will be no prediction of.
    fn begin_task(
        &mut self,
        of: (&Spec, &Prepared),
        task: &CurrentTask,
        cancelled: &dyn Fn() -> bool,
    ) -> Option<Vec<String>>;

    /// Prepares the next step of a task, whose batch is drawn from these tasks; returns in words what there will be no prediction
    /// of from here on.
    ///
    /// # Errors
    /// When the step cannot be taken, or when cancelled.
    fn prepare_step(
        &mut self,
        tasks: &[usize],
        task: &CurrentTask,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Vec<String>, InfiniteWidthModelError>;

    /// Takes one step.
    fn step(&mut self, batch: &Batch, terms: &StepOptions, want_norm: bool) -> StepOutcome;

    /// Measures the kernel on the probes.
    fn kernel(&self, want_full: bool, cancelled: &dyn Fn() -> bool) -> Option<MeasuredKernels>;

    /// The optimiser's kernel on the probes, from Θ on them; the inner `None` where there is none (yet).
    fn optimiser_kernel(
        &self,
        theta: &[f64],
        frozen: &[String],
        cancelled: &dyn Fn() -> bool,
    ) -> Option<Option<Vec<f64>>>;

    /// Θ̊ on the probes, where this is what is trained.
    fn infinite_kernel(&self) -> Option<&Gram> {
        None
    }

    /// Computes the outputs for a snapshot, with features where the dearer numbers are wanted.
    fn snapshot_outputs(&self, lag: Lag, dearer: bool, cancelled: &dyn Fn() -> bool) -> Option<SnapshotOutputs>;

    /// Computes outputs on some probes, row-major [probes, C].
    fn outputs_on(&self, rows: &[usize], cancelled: &dyn Fn() -> bool) -> Option<Vec<f32>>;

    /// Outputs on some probes before a step, row-major [probes, C], and what each image of the batch adds to them to first
    /// order, [probes, batch, C].
    fn ledger(
        &self,
        rows: &[usize],
        plan: &StepPlan,
        batch: &Batch,
        cancelled: &dyn Fn() -> bool,
    ) -> Option<(Vec<f32>, Vec<f64>)>;

    /// Keeps the weights, where there are any, for displacements to come.
    fn hold(&mut self, _lag: Lag) {}

    /// Ends a task.
    fn end_task(&mut self) {}

    /// The weights, where there are any.
    fn weights(&self) -> Option<Vec<NamedTensor>>;

    /// The length that a step of plain SGD would have, where there are weights.
    fn step_length(&self, batch: &Batch, terms: &StepOptions) -> Option<f64>;

    /// Keeps the state.
    fn state(&self) -> SubjectState;
}
