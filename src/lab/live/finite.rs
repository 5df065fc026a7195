//! Everything of a run that lives on a device: the network, its optimiser, the images it is asked about, and what is trained
//! beside it.

use burn::tensor::Tensor;

use super::analyst::Answers;
use super::batches::Taken;
use super::predict::{PredictorState, Predictors};
use crate::data::{Batch, Prepared};
use crate::lab::lag::{Lag, Lagged};
use crate::ntk::{Reduction, Request, layerwise};
use crate::spec::PROBE_IMAGES;
use crate::train::{FeatureKernels, Learner, LearnerState, StepOutcome, Terms, displacement};

/// A network of finite width in training.
pub(super) struct Finite {
    pub learner: Learner,
    pub probes: Tensor<2>,
    /// Test images of each task, [n, inputs].
    pub tests: Vec<Tensor<2>>,
    /// Training images of each task that its linear probe learns from, [n, inputs].
    lessons: Vec<Tensor<2>>,
    /// The weights that a displacement is measured from.
    trail: Lagged<Vec<Tensor<1>>>,
    /// On the CPU only: a run that predicts is on no device that can fail.
    pub predictors: Option<Predictors>,
}

/// The same in plain numbers.
pub(super) struct FiniteState {
    learner: LearnerState,
    trail: Lagged<Vec<Vec<f32>>>,
    predictors: Option<PredictorState>,
}

impl Finite {
    pub fn new(learner: Learner, data: &Prepared) -> Self {
        let upload = |images: &[f32], n| learner.upload(images, n);
        let test = |task: &crate::data::Task| {
            let images = task.test();
            upload(&images.pixels, images.len())
        };
        let lesson = |task: &crate::data::Task| {
            let images = task.first_of_each_class(PROBE_IMAGES);
            upload(&images.pixels, images.len())
        };
        Self {
            lessons: data.stream.tasks().iter().map(lesson).collect(),
            probes: upload(&data.probes.pixels, data.probes.len()),
            tests: data.stream.tasks().iter().map(test).collect(),
            trail: Lagged::default(),
            predictors: None,
            learner,
        }
    }

    /// One step of the network, and of what is trained beside it.
    pub fn step(&mut self, batch: &Batch, terms: &Terms, want_norm: bool) -> StepOutcome {
        let outcome = self.learner.step(&batch.pixels, batch.targets(), terms, want_norm);
        if let Some(predictors) = self.predictors.as_mut().filter(|_| outcome.loss.is_finite()) {
            let terms = Terms { rate: outcome.rate, length: None, ..terms.clone() };
            predictors.step(&self.learner, batch, &terms);
        }
        outcome
    }

    /// What the network and its predictors say for a snapshot; where the dearer numbers are wanted, with features.
    pub fn answers(&self, lag: Lag, dearer: bool, cancelled: &dyn Fn() -> bool) -> Option<Answers> {
        let moved = |before: &Vec<Tensor<1>>| displacement(&self.learner.parameters(), before);
        let (mut tests, mut features) = (Vec::new(), dearer.then(Vec::new));
        for (test, lesson) in self.tests.iter().zip(&self.lessons) {
            if let Some(features) = &mut features {
                let seen = |images| self.learner.outputs_and_features(images, cancelled);
                let ((outputs, found), (_, learnt)) = (seen(test)?, seen(lesson)?);
                features.push(FeatureKernels::of(learnt, found));
                tests.push(outputs);
            } else {
                tests.push(self.learner.outputs(test, cancelled)?);
            }
        }
        let predicted = match &self.predictors {
            Some(predictors) => predictors.outputs(&self.learner, (&self.tests, &self.probes), cancelled)?,
            None => Vec::new(),
        };
        let probes = self.learner.outputs(&self.probes, cancelled)?;
        Some(Answers { probes, tests, features, moved: self.trail.before(lag).map(moved), predicted })
    }

    /// Keeps the weights as they are for displacements to come.
    pub fn hold(&mut self, lag: Lag) {
        self.trail.hold(lag, self.learner.parameters());
    }

    pub fn switch(&mut self) {
        self.trail.switch();
    }

    /// Outputs on some probes before a step, row-major [probes, C], and what each image of the batch adds to them,
    /// [probes, batch, C], to first order.
    pub fn ledger(
        &self,
        rows: &[usize],
        taken: &Taken,
        batch: &Batch,
        cancelled: &dyn Fn() -> bool,
    ) -> Option<(Vec<f32>, Vec<f64>)> {
        let learner = &self.learner;
        let (old, new) = (select(&self.probes, rows), learner.upload(&batch.pixels, batch.labels.len()));
        let outputs = learner.outputs(&old, cancelled)?;
        let classes = outputs.len() / rows.len();
        let (slopes, rate) = learner.slopes(&batch.pixels, batch.targets(), &taken.terms);
        let only = learner.moving(&taken.terms.frozen);
        let request = Request { only, ..Request::of(Reduction::Full) };
        let kernel = layerwise::measure(&learner.plain(), &old, Some(&new), &request, cancelled)?;
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

    /// Outputs on some probes, row-major [probes, C].
    pub fn outputs_on(&self, rows: &[usize], cancelled: &dyn Fn() -> bool) -> Option<Vec<f32>> {
        self.learner.outputs(&select(&self.probes, rows), cancelled)
    }

    pub fn state(&self) -> FiniteState {
        let plain = |weights: &Vec<Tensor<1>>| -> Vec<Vec<f32>> {
            weights.iter().map(|tensor| tensor.clone().into_data().iter::<f32>().collect()).collect()
        };
        FiniteState {
            learner: self.learner.state(),
            trail: self.trail.map(plain),
            predictors: self.predictors.as_ref().map(Predictors::state),
        }
    }

    /// Takes over what is known beside the learner of a state that was kept; it was started from that learner.
    pub fn restore(&mut self, state: &FiniteState, (spec, data): (&crate::spec::Spec, &Prepared)) {
        self.predictors = state.predictors.as_ref().map(|kept| Predictors::restored(&self.learner, kept, (spec, data)));
        let like = self.learner.parameters();
        self.trail = state.trail.map(|weights| {
            let tensor = |(values, like): (&Vec<f32>, &Tensor<1>)| {
                Tensor::from_data(burn::tensor::TensorData::new(values.clone(), like.dims()), &like.device())
            };
            weights.iter().zip(&like).map(tensor).collect()
        });
    }
}

impl FiniteState {
    pub fn learner(&self) -> &LearnerState {
        &self.learner
    }
}

/// These rows of the probes.
fn select(probes: &Tensor<2>, rows: &[usize]) -> Tensor<2> {
    Tensor::cat(rows.iter().map(|&row| probes.clone().narrow(0, row, 1)).collect(), 0)
}
