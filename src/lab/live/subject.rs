//! Defines the interface of what a run trains and measures: a network of finite width, or the infinitely wide one.

use std::any::Any;

use burn::tensor::Device;

use super::batches::StepPlan;
use super::position::CurrentTask;
use super::predictors::Predicted;
use crate::data::{Batch, Prepared};
use crate::lab::lag::Lag;
use crate::math::Gram;
use crate::math::dormancy::UnitResponses;
use crate::model::is_host;
use crate::ntk::MeasuredKernels;
use crate::run::NamedTensor;
use crate::spec::Spec;
use crate::train::{EndedTask, FeatureKernels, InfiniteWidthModelError, NetworkTrainer, StepOptions, StepOutcome};

/// The state of a subject in plain numbers, from which another one of its kind continues.
pub(super) type SubjectState = Box<dyn Any + Send + Sync>;

/// The outputs of a subject for a snapshot, and its other numbers.
pub(super) struct SnapshotOutputs {
    /// The outputs on the probes, [n, C].
    pub probes: Vec<f32>,
    /// The outputs on the test images of each task.
    pub tests: Vec<Vec<f32>>,
    /// The features that the linear probe of each task is trained and tested on; `None` where they were not requested, or
    /// where it is one of many tasks and neither the first, the one being trained nor the next.
    pub features: Vec<Option<FeatureKernels>>,
    /// The responses of the units on the probes, likewise; a layer each.
    pub responses: Option<Vec<UnitResponses>>,
    /// ‖Δw‖ over the lag.
    pub moved: Option<f64>,
    /// The predictions of static kernels for the test images.
    pub predicted: Vec<Predicted>,
}

/// A subject of a run. Each method that takes `cancelled` stops and returns `None` once that returns true.
pub(super) trait Subject {
    /// Returns its device; `None` where it has no tensor.
    fn device(&self) -> Option<&Device>;

    /// Returns whether its device cannot fail.
    fn is_on_host(&self) -> bool {
        self.device().is_none_or(is_host)
    }

    /// Returns a copy of the learner on the CPU, where there is a learner.
    fn copy_to_cpu(&self) -> Option<NetworkTrainer>;

    /// Prepares the task that begins; returns messages on predictions that will be missing.
    fn begin_task(
        &mut self,
        of: (&Spec, &Prepared),
        task: &CurrentTask,
        cancelled: &dyn Fn() -> bool,
    ) -> Option<Vec<String>>;

    /// Prepares the next step of a task, whose batch is drawn from these tasks; returns messages on predictions that will
    /// be missing from here on.
    ///
    /// # Errors
    /// When the step cannot be taken, or when cancelled.
    fn prepare_step(
        &mut self,
        tasks: &[usize],
        task: &CurrentTask,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Vec<String>, InfiniteWidthModelError>;

    /// Takes one step, and returns the outcomes that are known and have not been returned, the oldest first: that of a step on
    /// a graphics card comes with the next one.
    fn step(&mut self, batch: &Batch, terms: &StepOptions, want_norm: bool) -> Vec<StepOutcome>;

    /// Waits for the outcomes that have not been returned.
    fn settle(&mut self) -> Vec<StepOutcome> {
        Vec::new()
    }

    /// Measures the kernel on the probes.
    fn kernel(&self, want_full: bool, cancelled: &dyn Fn() -> bool) -> Option<MeasuredKernels>;

    /// Returns the optimiser's kernel on the probes, from Θ on them; the inner `None` where there is none (yet).
    fn optimiser_kernel(
        &self,
        theta: &[f64],
        frozen: &[String],
        cancelled: &dyn Fn() -> bool,
    ) -> Option<Option<Vec<f64>>>;

    /// Returns Θ̊ on the probes, if this is the infinitely wide network.
    fn infinite_kernel(&self) -> Option<&Gram> {
        None
    }

    /// Computes the outputs for a snapshot, with features and responses where the more expensive numbers are requested, while
    /// this task is trained.
    fn snapshot_outputs(
        &self,
        lag: Lag,
        dearer: Option<usize>,
        cancelled: &dyn Fn() -> bool,
    ) -> Option<SnapshotOutputs>;

    /// Computes outputs on some probes, row-major [probes, C].
    fn outputs_on(&self, rows: &[usize], cancelled: &dyn Fn() -> bool) -> Option<Vec<f32>>;

    /// Returns outputs on some probes before a step, row-major [probes, C], and the contribution of each image of the
    /// batch to first order, [probes, batch, C].
    fn ledger(
        &self,
        rows: &[usize],
        plan: &StepPlan,
        batch: &Batch,
        cancelled: &dyn Fn() -> bool,
    ) -> Option<(Vec<f32>, Vec<f64>)>;

    /// Stores the weights, where there are any, for later displacements.
    fn store_weights(&mut self, _lag: Lag) {}

    /// Ends a task; `ended` tells of it where another one follows. `None` only if `cancelled` returns true.
    fn end_task(&mut self, _ended: Option<&EndedTask>, _cancelled: &dyn Fn() -> bool) -> Option<()> {
        Some(())
    }

    /// Returns the weights, where there are any.
    fn weights(&self) -> Option<Vec<NamedTensor>>;

    /// Returns the length that a step of plain SGD would have, where there are weights.
    fn step_length(&self, batch: &Batch, terms: &StepOptions) -> Option<f64>;

    /// Returns a copy of the state.
    fn state(&self) -> SubjectState;
}
