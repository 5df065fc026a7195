//! Trains the infinitely wide network as a model: its function on every image of a run, trained as networks are, on the
//! same batches, with the fixed kernel Θ̊ (Tensor Programs IIb, theorem 5.3).
//!
//! It supports plain SGD, with or without momentum, any of our losses, replay, masked logits and laziness: all of these
//! depend on the outputs alone. Beside a network it starts from that network's outputs; alone, from a sample of the
//! Gaussian process that is the infinite-width limit of random networks. In f64 throughout.
//!
//! The columns Θ̊(·, x) of training images are stored for the task being trained (with replay for earlier tasks, too),
//! because each step needs some of them: images of the run × training images of a task × 8 bytes.

use std::collections::BTreeMap;
use std::ops::Range;

use faer::{Mat, MatRef};
use rand_distr::{Distribution as _, StandardNormal};
use thiserror::Error;

use super::evaluate::slopes;
use super::image_index::ImageIndex;
use super::learner::StepOutcome;
use super::step_options::StepOptions;
use crate::data::{Batch, Prepared};
use crate::math::Gram;
use crate::math::deterministic_product::product;
use crate::math::regression::factorised;
use crate::math::rng::{Stream, rng};
use crate::spec::{Loss, Spec, memory_available};
use crate::theory::{InfiniteNetwork, KernelSgd, LimitKernelError, NoLimit, PreparedInputs};

/// The reason why there is no such model; each prints as one sentence.
#[derive(Debug, Error)]
pub enum InfiniteWidthModelError {
    #[error("the infinite-width network cannot be trained: {0}")]
    NoLimit(#[from] NoLimit),
    #[error("{0}")]
    Training(&'static str),
    #[error(
        "the infinite-width kernel between the {images} images of the run needs about {needed} GB and {free} GB are free: \
         give a smaller data.per_class or data.test_per_class"
    )]
    Memory { images: usize, needed: u64, free: u64 },
    #[error(
        "the infinite-width kernel of this network costs about {pairs:.0e} operations on the images of the run: take smaller \
         images, another head or fewer of them"
    )]
    Work { pairs: f64 },
    #[error("{0}")]
    Kernels(LimitKernelError),
    #[error("the initial function of the infinite-width network cannot be sampled: {0}")]
    Draw(String),
    #[error("cancelled")]
    Cancelled,
}

impl From<LimitKernelError> for InfiniteWidthModelError {
    fn from(why: LimitKernelError) -> Self {
        if why == LimitKernelError::Cancelled { Self::Cancelled } else { Self::Kernels(why) }
    }
}

/// Largest amount of work for a kernel, in values of its pairs over all steps: about a minute.
const MOST_WORK: f64 = 1e10;

/// Holds the outputs of the infinitely wide network during training.
pub struct InfiniteWidthModel {
    limit: InfiniteNetwork,
    points: PreparedInputs,
    places: ImageIndex,
    /// Θ̊ between the training images of a task (rows) and all images, by task.
    columns: BTreeMap<usize, Vec<f64>>,
    recursion: KernelSgd,
    loss: Loss,
    smoothing: f64,
    classes: usize,
    /// α² of the laziness: the trained function is α (f − f₀).
    gain: f64,
    momentum: f64,
}

/// The state in plain numbers.
#[derive(Clone, Debug)]
pub struct InfiniteWidthModelState(KernelSgd);

impl InfiniteWidthModel {
    /// Prepares the images of a run; the function is 0 on all of them.
    ///
    /// # Errors
    /// Fails if the network has no limit, is trained in a way that changes its kernel, or the images are too many.
    pub fn new(spec: &Spec, data: &Prepared) -> Result<Self, InfiniteWidthModelError> {
        if !spec.training.optimiser.follows_gradient() {
            return Err(InfiniteWidthModelError::Training(
                "no fixed kernel describes training with this optimiser, at any width: take sgd",
            ));
        }
        if spec.training.weight_decay > 0.0 {
            return Err(InfiniteWidthModelError::Training(
                "weight decay moves the kernel at every width: set training.weight_decay = 0",
            ));
        }
        if spec.training.clip > 0.0 {
            return Err(InfiniteWidthModelError::Training(
                "clipping needs the gradient of the weights, and at infinite width there is none: set training.clip = 0",
            ));
        }
        if !spec.training.frozen.is_empty() {
            return Err(InfiniteWidthModelError::Training("frozen layers change the kernel: empty training.frozen"));
        }
        if spec.network.weights.is_some() {
            return Err(InfiniteWidthModelError::Training(
                "weights of a file are no draw, so the infinite-width kernel is not theirs: leave network.weights out",
            ));
        }
        if spec.network.alpha_width.is_some() {
            return Err(NoLimit::MeanField.into());
        }
        let image = data.set.train.shape;
        let limit = InfiniteNetwork::of(&spec.network, image, data.set.outputs())?;
        let dim: usize = image.iter().product();
        let (places, pixels) = ImageIndex::of(data);
        let inputs: Vec<f64> = pixels.iter().map(|&value| f64::from(value)).collect();
        let images = inputs.len() / dim;
        let trained = || places.train.iter().map(Range::len);
        let most = trained().max().unwrap_or(0);
        let kept = if spec.training.replay > 0 || spec.continual.strategy.is_joint() { trained().sum() } else { most };
        // While columns are computed a second kernel exists beside them; the inputs are stored twice with their variances.
        let bytes = 8.0 * (images as f64 * (kept + most) as f64 + 2.0 * inputs.len() as f64);
        check_memory(images, bytes)?;
        let pairs = limit.per_pair() as f64 * images as f64 * kept as f64;
        if pairs > MOST_WORK {
            return Err(InfiniteWidthModelError::Work { pairs });
        }
        let points = limit.points(&inputs);
        if !points.is_finite() {
            return Err(LimitKernelError::TooLarge.into());
        }
        let classes = data.set.outputs();
        Ok(Self {
            limit,
            points,
            places,
            columns: BTreeMap::new(),
            recursion: KernelSgd::new(vec![0.0; images * classes], classes),
            loss: spec.training.loss,
            smoothing: spec.training.smoothing,
            classes,
            gain: spec.network.laziness().map_or(1.0, |alpha| alpha * alpha),
            momentum: spec.training.momentum,
        })
    }

    /// Samples the initial function from the Gaussian process of random networks; with laziness the trained function starts
    /// at 0.
    ///
    /// # Errors
    /// Fails if the covariance is too large or too far from positive, or if `cancelled` returns true.
    pub fn sample_start(&mut self, seed: u64, cancelled: &dyn Fn() -> bool) -> Result<(), InfiniteWidthModelError> {
        if self.gain != 1.0 {
            return Ok(());
        }
        let n = self.points.len();
        check_memory(n, 8.0 * 4.0 * (n * n) as f64)?;
        let covariance = self.limit.own(&self.points, cancelled)?.nngp;
        let unit = (0..n).map(|at| covariance[at * n + at]).sum::<f64>() / n as f64;
        let system = MatRef::from_row_major_slice(&covariance, n, n).to_owned();
        drop(covariance);
        let (factor, _) = factorised(&system, unit).map_err(|err| InfiniteWidthModelError::Draw(err.to_string()))?;
        let mut generator = rng(seed, Stream::Init, 0, 0);
        let noise = Mat::<f64>::from_fn(n, self.classes, |_, _| StandardNormal.sample(&mut generator));
        let drawn = product(factor.as_ref(), noise.as_ref());
        let start = (0..n * self.classes).map(|at| drawn[(at / self.classes, at % self.classes)]).collect();
        self.recursion = KernelSgd::new(start, self.classes);
        Ok(())
    }

    /// Starts from outputs on all images, in the order of [`ImageIndex`], row-major [images, C].
    pub fn start(&mut self, outputs: Vec<f64>) {
        self.recursion = KernelSgd::new(outputs, self.classes);
    }

    /// Computes the columns of these tasks, by number, and drops those of all others.
    ///
    /// # Errors
    /// Fails if a kernel cannot be computed, or if `cancelled` returns true.
    pub fn prepare(&mut self, tasks: &[usize], cancelled: &dyn Fn() -> bool) -> Result<(), InfiniteWidthModelError> {
        self.columns.retain(|task, _| tasks.contains(task));
        for &task in tasks {
            if !self.columns.contains_key(&task) {
                let rows = self.points.part(self.places.train[task - 1].clone());
                let columns = self.limit.between(&rows, &self.points, cancelled)?.ntk;
                self.columns.insert(task, columns);
            }
        }
        Ok(())
    }

    /// Takes one step on a batch whose tasks are prepared.
    pub fn step(&mut self, batch: &Batch, terms: &StepOptions) -> StepOutcome {
        let images = self.points.len();
        let (loss, slopes) = self.slopes(batch, terms);
        let mut columns = Vec::with_capacity(batch.images.len() * images);
        for &(task, index) in &batch.images {
            columns.extend_from_slice(&self.columns[&task][index * images..][..images]);
        }
        if loss.is_finite() {
            self.recursion.step(&columns, &slopes, terms.rate, self.momentum);
        }
        StepOutcome { loss, grad_norm: None, rate: terms.rate, length: None }
    }

    /// Returns the loss of a batch, and ∂L/∂F of its images, row-major [n, C], times α².
    pub fn slopes(&self, batch: &Batch, terms: &StepOptions) -> (f64, Vec<f64>) {
        let row = |&(task, index): &(usize, usize)| self.recursion.output(self.places.trained(task, index));
        let outputs: Vec<f64> = batch.images.iter().flat_map(row).copied().collect();
        let (loss, mut slopes) =
            slopes((self.loss, self.smoothing), &outputs, batch.targets(), terms.present.as_deref());
        slopes.iter_mut().for_each(|slope| *slope *= self.gain);
        (loss, slopes)
    }

    /// Returns Θ̊ of some probes (rows) with the images of a batch, row-major.
    pub fn rectangle(&self, probes: &[usize], batch: &Batch) -> Vec<f64> {
        let images = self.points.len();
        let entry = |probe: usize, &(task, index): &(usize, usize)| {
            self.columns[&task][index * images + self.places.probes.start + probe]
        };
        probes.iter().flat_map(|&probe| batch.images.iter().map(move |image| entry(probe, image))).collect()
    }

    /// Returns the outputs on the test images of a task, by the task's index, row-major [n, C].
    pub fn test(&self, place: usize) -> Vec<f32> {
        self.outputs(self.places.tests[place].clone())
    }

    /// Returns the outputs on the probes, row-major [n, C].
    pub fn probes(&self) -> Vec<f32> {
        self.outputs(self.places.probes.clone())
    }

    fn outputs(&self, rows: Range<usize>) -> Vec<f32> {
        self.recursion.outputs()[rows.start * self.classes..rows.end * self.classes]
            .iter()
            .map(|&value| value as f32)
            .collect()
    }

    /// Returns C.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Computes Θ̊ on the probes.
    ///
    /// # Errors
    /// As [`InfiniteWidthModel::prepare`].
    pub fn gram(&self, cancelled: &dyn Fn() -> bool) -> Result<Gram, InfiniteWidthModelError> {
        let probes = self.points.part(self.places.probes.clone());
        let kernel = self.limit.own(&probes, cancelled)?.ntk;
        Ok(Gram::symmetrised(probes.len(), kernel).expect("kernels are numbers").0)
    }

    /// Computes Θ̊ of some images (pixels, row-major) among themselves, and of the test images of each task with them,
    /// row-major.
    ///
    /// # Errors
    /// As [`InfiniteWidthModel::prepare`].
    pub fn kernels_of(
        &self,
        pixels: &[f32],
        cancelled: &dyn Fn() -> bool,
    ) -> Result<(Vec<f64>, Vec<Vec<f64>>), InfiniteWidthModelError> {
        let inputs: Vec<f64> = pixels.iter().map(|&value| f64::from(value)).collect();
        let points = self.limit.points(&inputs);
        let with = |rows: &Range<usize>| {
            Ok::<_, LimitKernelError>(self.limit.between(&self.points.part(rows.clone()), &points, cancelled)?.ntk)
        };
        Ok((self.limit.own(&points, cancelled)?.ntk, self.places.tests.iter().map(with).collect::<Result<_, _>>()?))
    }

    /// Returns the state in plain numbers.
    pub fn state(&self) -> InfiniteWidthModelState {
        InfiniteWidthModelState(self.recursion.clone())
    }

    /// Continues from the state of another model of the same spec.
    pub fn restore(&mut self, state: &InfiniteWidthModelState) {
        self.recursion = state.0.clone();
    }
}

/// Fails if less than a fifth of the free memory would remain.
fn check_memory(images: usize, needed: f64) -> Result<(), InfiniteWidthModelError> {
    let free = memory_available() as f64;
    let gigabytes = |bytes: f64| (bytes / 1e9).round() as u64;
    if needed > 0.8 * free {
        return Err(InfiniteWidthModelError::Memory { images, needed: gigabytes(needed), free: gigabytes(free) });
    }
    Ok(())
}
