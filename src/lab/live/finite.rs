//! Implements the subject of a run as a network of finite width, with everything that is on a device: the network, its
//! optimiser, its input images, and the models that are trained beside it.

use burn::tensor::{Device, Tensor, TensorData};

use super::batches::StepPlan;
use super::position::CurrentTask;
use super::predictors::{PredictorState, Predictors};
use super::subject::{SnapshotOutputs, Subject, SubjectState};
use crate::data::{Batch, Prepared, Task};
use crate::lab::lag::{Lag, Lagged};
use crate::model::read_all;
use crate::ntk::{MeasuredKernels, Reduction, Request, layerwise};
use crate::run::NamedTensor;
use crate::spec::{LINEAR_PROBE_IMAGES, Spec};
use crate::train::{
    EndedTask, FeatureKernels, InfiniteWidthModelError, LearnerState, NetworkTrainer, StepOptions, StepOutcome,
    displacement,
};

/// In a stream of more tasks the linear probe is that of a few, because each is a regression of its own.
const MANY_TASKS: usize = 16;

/// A network of finite width in training.
pub(super) struct Finite {
    learner: NetworkTrainer,
    probes: Tensor<2>,
    /// The test images of each task, [n, inputs].
    tests: Vec<Tensor<2>>,
    /// The training images of each task that its linear probe learns from, [n, inputs].
    probe_images: Vec<Tensor<2>>,
    /// The earlier weights, from which a displacement is measured.
    trail: Lagged<Vec<Tensor<1>>>,
    /// The predictors, on the CPU only: a run with predictors uses no device that can fail.
    predictors: Option<Predictors>,
    /// The outcome of a step that was lost with the graphics card and repeated, until it is returned.
    known: Vec<StepOutcome>,
}

/// The state of a [`Finite`] in plain numbers.
pub(super) struct FiniteState {
    learner: LearnerState,
    trail: Lagged<Vec<Vec<f32>>>,
    predictors: Option<PredictorState>,
}

impl Finite {
    pub fn new(learner: NetworkTrainer, data: &Prepared) -> Self {
        let upload = |images: &[f32], n| learner.upload(images, n);
        let test = |task: &Task| {
            let images = task.test();
            upload(&images.pixels, images.len())
        };
        let first_images = |task: &Task| {
            let images = task.first_of_each_class(LINEAR_PROBE_IMAGES);
            upload(&images.pixels, images.len())
        };
        Self {
            probe_images: data.stream.tasks().iter().map(first_images).collect(),
            probes: upload(&data.probes.pixels, data.probes.len()),
            tests: data.stream.tasks().iter().map(test).collect(),
            trail: Lagged::default(),
            predictors: None,
            known: Vec::new(),
            learner,
        }
    }

    /// Returns the subject that has the outcome of its last step still to return, if it is given.
    pub fn with_known(self, outcome: Option<StepOutcome>) -> Self {
        Self { known: outcome.into_iter().collect(), ..self }
    }

    /// Restores the parts of a stored state beside the learner, which this subject was started with.
    pub fn restore(&mut self, state: &FiniteState, (spec, data): (&Spec, &Prepared)) {
        self.predictors = state.predictors.as_ref().map(|kept| Predictors::restored(&self.learner, kept, (spec, data)));
        let like = self.learner.parameters();
        self.trail = state.trail.map(|weights| {
            let tensor = |(values, like): (&Vec<f32>, &Tensor<1>)| {
                Tensor::from_data(TensorData::new(values.clone(), like.dims()), &like.device())
            };
            weights.iter().zip(&like).map(tensor).collect()
        });
    }
}

impl Subject for Finite {
    fn device(&self) -> Option<&Device> {
        Some(self.learner.device())
    }

    fn copy_to_cpu(&self) -> Option<NetworkTrainer> {
        Some(self.learner.copy_to(&Device::flex()))
    }

    fn begin_task(
        &mut self,
        (spec, data): (&Spec, &Prepared),
        task: &CurrentTask,
        cancelled: &dyn Fn() -> bool,
    ) -> Option<Vec<String>> {
        if !spec.kernel.predict {
            return Some(Vec::new());
        }
        if task.place > 0 {
            let Some(predictors) = &mut self.predictors else { return Some(Vec::new()) };
            return predictors.begin_task((&self.learner, &self.tests), data, task.number, cancelled);
        }
        let (predictors, why) = Predictors::new(&self.learner, (spec, data), cancelled)?;
        self.predictors = Some(predictors);
        let problem = why.map(|why| format!("There is no prediction with the infinite-width kernel: {why}"));
        Some(problem.into_iter().collect())
    }

    fn prepare_step(
        &mut self,
        tasks: &[usize],
        task: &CurrentTask,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Vec<String>, InfiniteWidthModelError> {
        let Some(predictors) = &mut self.predictors else { return Ok(Vec::new()) };
        let problem = match predictors.prepare(tasks, cancelled) {
            Ok(()) => None,
            Err(InfiniteWidthModelError::Cancelled) => return Err(InfiniteWidthModelError::Cancelled),
            Err(why) => Some(format!("There is no prediction with the infinite-width kernel from here on: {why}")),
        };
        predictors.renew_piece(&self.learner, task, cancelled).ok_or(InfiniteWidthModelError::Cancelled)?;
        Ok(problem.into_iter().collect())
    }

    fn kernel(&self, want_full: bool, cancelled: &dyn Fn() -> bool) -> Option<MeasuredKernels> {
        self.learner.kernel(&self.probes, want_full, cancelled)
    }

    fn optimiser_kernel(
        &self,
        theta: &[f64],
        frozen: &[String],
        cancelled: &dyn Fn() -> bool,
    ) -> Option<Option<Vec<f64>>> {
        self.learner.optimiser_kernel(&self.probes, theta, frozen, cancelled)
    }

    fn weights(&self) -> Option<Vec<NamedTensor>> {
        Some(self.learner.network().named())
    }

    fn step_length(&self, batch: &Batch, terms: &StepOptions) -> Option<f64> {
        Some(self.learner.step_length(&batch.pixels, batch.targets(), terms))
    }

    // The network takes the step, and so do the models beside it.
    fn step(&mut self, batch: &Batch, terms: &StepOptions, want_norm: bool) -> Vec<StepOutcome> {
        let mut outcomes = std::mem::take(&mut self.known);
        outcomes.extend(self.learner.begin_step(&batch.pixels, batch.targets(), terms, want_norm));
        // With predictors there is no graphics card, so the last outcome is this step's.
        if let (Some(predictors), Some(outcome)) = (&mut self.predictors, outcomes.last())
            && outcome.loss.is_finite()
        {
            let terms = StepOptions { rate: outcome.rate, length: None, displacement: None, ..terms.clone() };
            predictors.step(&self.learner, batch, &terms);
        }
        outcomes
    }

    fn settle(&mut self) -> Vec<StepOutcome> {
        let mut outcomes = std::mem::take(&mut self.known);
        outcomes.extend(self.learner.settle());
        outcomes
    }

    fn snapshot_outputs(
        &self,
        lag: Lag,
        dearer: Option<usize>,
        cancelled: &dyn Fn() -> bool,
    ) -> Option<SnapshotOutputs> {
        let moved = |before: &Vec<Tensor<1>>| displacement(&self.learner.parameters(), before);
        let (mut tests, mut features) = (Vec::new(), Vec::new());
        let is_near = |number: usize| {
            dearer.is_some_and(|task| self.tests.len() <= MANY_TASKS || [1, task, task + 1].contains(&number))
        };
        for (number, (test, first_images)) in (1..).zip(self.tests.iter().zip(&self.probe_images)) {
            if is_near(number) {
                let seen = |images| self.learner.outputs_and_features(images, cancelled);
                let ((outputs, found), (_, learnt)) = (seen(test)?, seen(first_images)?);
                features.push(Some(FeatureKernels::of(learnt, found)));
                tests.push(outputs);
            } else {
                features.push(None);
                tests.push(self.learner.outputs(test, cancelled)?);
            }
        }
        let responses = match dearer {
            Some(_) => Some(self.learner.responses(&self.probes, cancelled)?),
            None => None,
        };
        let predicted = match &self.predictors {
            Some(predictors) => predictors.outputs(&self.learner, (&self.tests, &self.probes), cancelled)?,
            None => Vec::new(),
        };
        let probes = self.learner.outputs(&self.probes, cancelled)?;
        Some(SnapshotOutputs {
            probes,
            tests,
            features,
            responses,
            moved: self.trail.before(lag).map(moved),
            predicted,
        })
    }

    fn store_weights(&mut self, lag: Lag) {
        self.trail.store(lag, self.learner.parameters());
    }

    fn end_task(&mut self, ended: Option<&EndedTask>, cancelled: &dyn Fn() -> bool) -> Option<()> {
        ended.map_or(Some(()), |ended| self.learner.end_task(ended, cancelled))?;
        self.trail.switch();
        Some(())
    }

    fn ledger(
        &self,
        rows: &[usize],
        plan: &StepPlan,
        batch: &Batch,
        cancelled: &dyn Fn() -> bool,
    ) -> Option<(Vec<f32>, Vec<f64>)> {
        let learner = &self.learner;
        let (old, new) = (select(&self.probes, rows), learner.upload(&batch.pixels, batch.labels.len()));
        let outputs = learner.outputs(&old, cancelled)?;
        let classes = outputs.len() / rows.len();
        let (slopes, rate) = learner.slopes(&batch.pixels, batch.targets(), &plan.terms);
        let only = learner.trained_names(&plan.terms.frozen);
        let request = Request { only, ..Request::of(Reduction::Full) };
        let kernel = layerwise::measure(&learner.without_autodiff(), &old, Some(&new), &request, cancelled)?;
        let width = batch.labels.len() * classes;
        let mut parts = vec![0.0; rows.len() * width];
        for (row, values) in kernel.values.chunks_exact(width).enumerate() {
            let (place, logit) = (row / classes, row % classes);
            for (image, (values, slopes)) in values.chunks_exact(classes).zip(slopes.chunks_exact(classes)).enumerate()
            {
                let pull: f64 = values.iter().zip(slopes).map(|(value, slope)| value * slope).sum();
                parts[place * width + image * classes + logit] = -rate * pull;
            }
        }
        Some((outputs, parts))
    }

    fn outputs_on(&self, rows: &[usize], cancelled: &dyn Fn() -> bool) -> Option<Vec<f32>> {
        self.learner.outputs(&select(&self.probes, rows), cancelled)
    }

    fn state(&self) -> SubjectState {
        let plain = |weights: &Vec<Tensor<1>>| -> Vec<Vec<f32>> { read_all(weights.clone()) };
        Box::new(FiniteState {
            learner: self.learner.state(),
            trail: self.trail.map(plain),
            predictors: self.predictors.as_ref().map(Predictors::state),
        })
    }
}

impl FiniteState {
    pub fn learner(&self) -> &LearnerState {
        &self.learner
    }
}

/// Selects these rows of the probes.
fn select(probes: &Tensor<2>, rows: &[usize]) -> Tensor<2> {
    Tensor::cat(rows.iter().map(|&row| probes.clone().narrow(0, row, 1)).collect(), 0)
}
