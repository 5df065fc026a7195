//! Defines a network in training, with its optimiser.
//!
//! With laziness α the trained function is F = α (f − f₀); the measured kernel remains that of f.

use burn::module::Module as _;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};

use super::device_transfer;
use super::device_transfer::LearnerState;
use super::linearised::Linearised;
use super::loss::{batch_loss, wanted};
use super::optimiser::optimiser;
use super::step_options::StepOptions;
use crate::data::Targets;
use crate::math::rng::{Stream, rng};
use crate::model::{Network, Statistics};
use crate::ntk::{MeasuredKernels, PartKind, Reduction, Request, jacobian, layerwise};
use crate::spec::{Layer, MOST_FULL_ROWS, Method, PartGranularity, Spec, TrainingSpec};

/// The result of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepOutcome {
    /// Loss of the batch before the step.
    pub loss: f64,
    /// ‖∇L‖ of the batch, if requested.
    pub grad_norm: Option<f64>,
    /// The rate of the step: that of its options, unless its length was given.
    pub rate: f64,
}

/// Trains a network, step by step.
pub struct NetworkTrainer {
    /// The network being trained, with autodiff.
    network: Network,
    /// The network at initialisation, if the laziness needs it.
    initial: Option<Network>,
    pub(super) optimiser: ModuleOptimizer,
    device: Device,
    inputs: usize,
    classes: usize,
    pub(super) training: TrainingSpec,
    alpha: Option<f64>,
    method: Method,
    pub(super) reduction: Reduction,
    /// Sets of logits whose kernels are stored separately.
    logits: Vec<Vec<usize>>,
    /// The layers, to choose the granularity of the kernel's parts.
    layers: Vec<Layer>,
    seed: u64,
    /// Number of steps taken, which seeds the dropout masks.
    steps: u64,
}

/// Largest number of images of one forward pass in evaluation, and of images times parameters, so that it can be cancelled
/// in between.
const EVALUATION_ROWS: usize = 1024;
const EVALUATION_WORK: usize = 8_000_000_000;

impl NetworkTrainer {
    /// Creates a fresh network for images [channels, height, width] and `classes` logits.
    pub fn new(spec: &Spec, image: [usize; 3], classes: usize, device: &Device) -> Self {
        let network = Network::new(&spec.network, spec.seed, image, classes, device);
        Self::of(network, spec, (image, classes), device)
    }

    /// Starts from a copy of this network of the spec, without autodiff, which may be on another device.
    pub fn starting_from(
        network: &Network,
        spec: &Spec,
        (image, classes): ([usize; 3], usize),
        device: &Device,
    ) -> Self {
        Self::of(device_transfer::network(network, device), spec, (image, classes), device)
    }

    fn of(network: Network, spec: &Spec, (image, classes): ([usize; 3], usize), device: &Device) -> Self {
        Self {
            initial: spec.network.laziness().map(|_| network.clone()),
            network: network.train(),
            optimiser: optimiser(&spec.training, device),
            device: device.clone(),
            inputs: image.iter().product(),
            classes,
            training: spec.training.clone(),
            alpha: spec.network.laziness(),
            method: spec.kernel.method,
            reduction: spec.kernel.reduction.into(),
            logits: spec.logit_sets(classes),
            layers: spec.network.layers(image, classes),
            seed: spec.seed,
            steps: 0,
        }
    }

    /// Copies the learner to another device, with the state of its optimiser: from here on both take the same steps. Copies
    /// everything through host memory.
    pub fn copy_to(&self, device: &Device) -> Self {
        Self {
            network: device_transfer::network(&self.network.valid(), device).train(),
            initial: self.initial.as_ref().map(|network| device_transfer::network(network, device)),
            optimiser: device_transfer::state(&self.optimiser, optimiser(&self.training, device)),
            device: device.clone(),
            training: self.training.clone(),
            logits: self.logits.clone(),
            layers: self.layers.clone(),
            ..*self
        }
    }

    /// Continues with the weights of another network of the same spec.
    pub fn set_weights(&mut self, network: &Network) {
        self.network = network.clone().train();
    }

    /// Returns the device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Returns the state of the learner in plain numbers.
    pub fn state(&self) -> LearnerState {
        LearnerState::of(&self.network.valid(), &self.optimiser, self.steps)
    }

    /// Continues from the state of another learner of the same spec.
    pub fn restore(&mut self, state: &LearnerState) {
        let optimiser = optimiser(&self.training, &self.device);
        let (network, optimiser) = state.bring_back(&self.network.valid(), optimiser, &self.device);
        (self.network, self.optimiser, self.steps) = (network.train(), optimiser, state.steps());
    }

    /// Takes one step on a batch: pixels `[n, inputs]` and the targets of its outputs.
    pub fn step<'a>(
        &mut self,
        pixels: &[f32],
        targets: impl Into<Targets<'a>>,
        terms: &StepOptions,
        want_norm: bool,
    ) -> StepOutcome {
        let (value, gradients, statistics) = self.gradients(pixels, targets.into(), terms);
        let Some(gradients) = gradients else {
            // No step is taken: the weights remain the last ones with a finite loss.
            return StepOutcome { loss: value, grad_norm: None, rate: terms.rate };
        };
        let grad_norm = (want_norm || terms.length.is_some()).then(|| norm(&self.network, &gradients));
        let clamped = terms.length.zip(grad_norm.filter(|norm| *norm > 0.0)).map(|(length, norm)| length / norm);
        let rate = clamped.unwrap_or(terms.rate);
        self.network = self.optimiser.step(rate, self.network.clone(), gradients).with_statistics(statistics);
        self.steps += 1;
        StepOutcome { loss: value, grad_norm: grad_norm.filter(|_| want_norm), rate }
    }

    /// Returns the length of a step of plain SGD on this batch: η ‖∇L‖ over the parameters that are trained.
    pub fn step_length(&self, pixels: &[f32], targets: Targets<'_>, terms: &StepOptions) -> f64 {
        let (_, gradients, _) = self.gradients(pixels, targets, terms);
        gradients.map_or(f64::NAN, |gradients| terms.rate * norm(&self.network, &gradients))
    }

    /// Returns ∂L/∂F of each image and logit, row-major [n, C] (times α², since F = α (f − f₀) evolves with α² Θ), and the
    /// rate of the step. A step of plain SGD changes F by −rate · Θ times this, to first order.
    pub fn slopes(&self, pixels: &[f32], targets: Targets<'_>, terms: &StepOptions) -> (Vec<f64>, f64) {
        let images = self.upload(pixels, targets.len());
        let tensor = wanted(targets, self.classes, &self.device);
        let network = self.network.valid();
        let outputs = self.lazy(network.forward(images.clone()), &images).autodiff().require_grad();
        let loss = batch_loss(self.training.loss, outputs.clone(), tensor, terms.present.as_deref());
        let slopes = outputs.grad(&loss.backward()).expect("the loss depends on the outputs");
        let scale = self.alpha.unwrap_or(1.0).powi(2);
        let rate = match terms.length {
            None => terms.rate,
            Some(length) => length * terms.rate / self.step_length(pixels, targets, terms),
        };
        (slopes.into_data().iter::<f32>().map(|slope| scale * f64::from(slope)).collect(), rate)
    }

    /// Returns the network without autodiff.
    pub fn without_autodiff(&self) -> Network {
        self.network.valid()
    }

    /// Returns the tensors that are trained while these layers or tensors are frozen; `None` if all are.
    pub fn trained_names(&self, frozen: &[String]) -> Option<Vec<String>> {
        (!frozen.is_empty()).then(|| self.network.trained_names(frozen))
    }

    /// Returns the loss of a batch, the gradients of the trained tensors, none if the loss is not finite, and the running
    /// statistics after it.
    fn gradients(
        &self,
        pixels: &[f32],
        targets: Targets<'_>,
        terms: &StepOptions,
    ) -> (f64, Option<GradientsParams>, Statistics) {
        let images = self.upload(pixels, targets.len());
        let targets = wanted(targets, self.classes, &self.device);
        let (outputs, statistics) = if self.network.differs_in_training() {
            self.network.forward_in_training(images.clone(), rng(self.seed, Stream::Dropout, self.steps, 0))
        } else {
            (self.network.forward(images.clone()), Statistics::default())
        };
        let outputs = self.lazy(outputs, &images);
        let loss = batch_loss(self.training.loss, outputs, targets, terms.present.as_deref());
        let value = f64::from(loss.clone().into_scalar::<f32>());
        if !value.is_finite() {
            return (value, None, statistics);
        }
        let mut gradients = loss.backward();
        (value, Some(self.network.trained_gradients(&mut gradients, &terms.frozen)), statistics)
    }

    /// Returns the network linearised at its current weights, to be trained beside it.
    pub fn linearised(&self) -> Linearised {
        let optimiser = device_transfer::state(&self.optimiser, optimiser(&self.training, &self.device));
        let lazy = self.alpha.zip(self.initial.clone());
        Linearised::new(&self.network, optimiser, (&self.training, self.classes), lazy, &self.device)
    }

    /// Returns the outputs on which the loss acts, on images [n, inputs]: row-major [n, C]. `None` if `cancelled` returns
    /// true; it is called before each group of images.
    pub fn outputs(&self, images: &Tensor<2>, cancelled: &dyn Fn() -> bool) -> Option<Vec<f32>> {
        let network = self.network.valid();
        let mut outputs = Vec::with_capacity(images.dims()[0] * self.classes);
        in_groups(images, group(&network, 1, EVALUATION_ROWS), cancelled, |rows| {
            outputs.extend(self.lazy(network.forward(rows.clone()), &rows).into_data().iter::<f32>());
        })?;
        Some(outputs)
    }

    /// Returns the outputs of a linearised network, on the same device.
    pub fn outputs_of(
        &self,
        linearised: &Linearised,
        images: &Tensor<2>,
        cancelled: &dyn Fn() -> bool,
    ) -> Option<Vec<f32>> {
        let mut outputs = Vec::with_capacity(images.dims()[0] * self.classes);
        // Each logit has its own backward pass.
        let group = group(linearised.base(), self.classes, EVALUATION_ROWS / 4);
        in_groups(images, group, cancelled, |rows| outputs.extend(linearised.apply(&rows).into_data().iter::<f32>()))?;
        Some(outputs)
    }

    /// Returns the outputs, and the input of the last layer: [n, features].
    pub fn outputs_and_features(
        &self,
        images: &Tensor<2>,
        cancelled: &dyn Fn() -> bool,
    ) -> Option<(Vec<f32>, Tensor<2>)> {
        let network = self.network.valid();
        let (mut outputs, mut features) = (Vec::with_capacity(images.dims()[0] * self.classes), Vec::new());
        in_groups(images, group(&network, 1, EVALUATION_ROWS), cancelled, |rows| {
            let (logits, seen) = network.forward_with_features(rows.clone());
            outputs.extend(self.lazy(logits, &rows).into_data().iter::<f32>());
            features.push(seen);
        })?;
        Some((outputs, Tensor::cat(features, 0)))
    }

    /// Measures the kernel of f on images [n, inputs], by the spec's method, with the parts of its tensors (else of its
    /// layers) and sets of logits if they are not too large; also the full kernel, if wanted and not too large. `None` if
    /// `cancelled` returns true.
    pub fn kernel(&self, images: &Tensor<2>, want_full: bool, cancelled: &dyn Fn() -> bool) -> Option<MeasuredKernels> {
        let network = self.network.valid();
        let [n, _] = images.dims();
        let full = want_full && n * self.classes <= MOST_FULL_ROWS && self.method.is_layerwise();
        let measure = |request: &Request| match self.method {
            Method::Layerwise => layerwise::measure(&network, images, None, request, cancelled),
            Method::Jacobian => jacobian::measure(&network, images, None, request, cancelled),
        };
        let mut request = Request::of(self.reduction);
        let apart = match PartGranularity::fitting(n, &self.layers, self.logits.len()) {
            PartGranularity::None => None,
            PartGranularity::Layers => Some(PartKind::Layers),
            PartGranularity::Tensors => Some(PartKind::Tensors),
        };
        if let Some(apart) = apart {
            (request.apart, request.logits) = (apart, self.logits.clone());
        }
        // Not the trace of the full kernel, whose sums are rounded differently: two snapshots of the same weights must be
        // equal to the last bit.
        let reduced = measure(&request)?;
        let full = if full { Some(measure(&Request::of(Reduction::Full))?) } else { None };
        Some(MeasuredKernels::new(reduced, &request, full))
    }

    /// Copies images [n, inputs] to the device.
    pub fn upload(&self, pixels: &[f32], n: usize) -> Tensor<2> {
        Tensor::from_data(TensorData::new(pixels.to_vec(), [n, self.inputs]), &self.device)
    }

    /// Returns the current parameters; shares their memory until the next step.
    pub fn parameters(&self) -> Vec<Tensor<1>> {
        self.network.flatten()
    }

    /// Returns the network, with autodiff.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Computes F = α (f − f₀), or f without α.
    fn lazy(&self, outputs: Tensor<2>, images: &Tensor<2>) -> Tensor<2> {
        match (self.alpha, &self.initial) {
            (Some(alpha), Some(initial)) => (outputs - initial.forward(images.clone())) * alpha,
            _ => outputs,
        }
    }
}

/// Computes ‖∇L‖ over the parameters that have a gradient.
pub(super) fn norm(network: &Network, gradients: &GradientsParams) -> f64 {
    network.gradients(gradients).into_iter().map(|(_, gradient)| sum_of_squares(gradient)).sum::<f64>().sqrt()
}

/// Computes ‖a − b‖ over all parameters, summed in f64 over tensors.
pub fn displacement(a: &[Tensor<1>], b: &[Tensor<1>]) -> f64 {
    a.iter().zip(b).map(|(a, b)| sum_of_squares(a.clone() - b.clone())).sum::<f64>().sqrt()
}

fn sum_of_squares(tensor: Tensor<1>) -> f64 {
    tensor.into_data().iter::<f32>().map(|value| f64::from(value).powi(2)).sum()
}

/// Returns the number of images evaluated at once, at most `most`, where each takes `passes` passes through the network.
fn group(network: &Network, passes: usize, most: usize) -> usize {
    (EVALUATION_WORK / (network.num_params().max(1) * passes.max(1))).clamp(16, most)
}

/// Processes images in groups; `None` if `cancelled` returns true in between.
fn in_groups(
    images: &Tensor<2>,
    group: usize,
    cancelled: &dyn Fn() -> bool,
    mut take: impl FnMut(Tensor<2>),
) -> Option<()> {
    let [n, _] = images.dims();
    for first in (0..n).step_by(group) {
        if cancelled() {
            return None;
        }
        take(images.clone().narrow(0, first, group.min(n - first)));
    }
    Some(())
}
