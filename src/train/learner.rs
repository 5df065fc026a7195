//! The network, its optimiser and one step of training.
//!
//! Conventions (the same as in the theory): cross-entropy is the mean over the batch, so ḟ = −Θ (p − y)/N; MSE is half the
//! mean over the N·C entries, so ḟ = −Θ (f − y)/(N C). With laziness α the trained function is F = α (f − f₀); the kernel
//! that is measured stays that of f.

use burn::module::Module as _;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData, activation};

use super::copy;
use super::optimiser::optimiser;
use crate::model::Network;
use crate::ntk::{Apart, Measured, Reduction, Request, jacobian, layerwise};
use crate::spec::{Loss, MOST_FULL_ROWS, Method, Spec, TrainingSpec, parts_fit};

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepOutcome {
    /// Loss of the batch before the step.
    pub loss: f64,
    /// ‖∇L‖ of the batch, when asked for.
    pub grad_norm: Option<f64>,
}

/// A network in training.
pub struct Learner {
    /// With autodiff.
    network: Network,
    /// The network at initialisation, where the laziness needs it.
    initial: Option<Network>,
    optimiser: ModuleOptimizer,
    device: Device,
    inputs: usize,
    classes: usize,
    training: TrainingSpec,
    alpha: Option<f64>,
    method: Method,
    reduction: Reduction,
    /// Sets of logits whose kernels are kept apart.
    logits: Vec<Vec<usize>>,
    /// How many layers have parameters.
    layers: usize,
}

/// Images of one forward pass in evaluation at most, and images times parameters, so that it can be stopped in between.
const EVALUATION_ROWS: usize = 1024;
const EVALUATION_WORK: usize = 8_000_000_000;

impl Learner {
    /// A fresh network for images [channels, height, width] and `classes` logits.
    pub fn new(spec: &Spec, image: [usize; 3], classes: usize, device: &Device) -> Self {
        let network = Network::new(&spec.network, spec.seed, image, classes, device);
        Self {
            initial: spec.network.alpha.map(|_| network.clone()),
            network: network.train(),
            optimiser: optimiser(&spec.training, device),
            device: device.clone(),
            inputs: image.iter().product(),
            classes,
            training: spec.training.clone(),
            alpha: spec.network.alpha,
            method: spec.kernel.method,
            reduction: spec.kernel.reduction.into(),
            logits: spec.logit_sets(classes),
            layers: spec.network.layers(image, classes).iter().filter(|layer| layer.parameters() > 0.0).count(),
        }
    }

    /// The same learner on another device, with the state of its optimiser: from here on both take the same steps. Copies
    /// everything through the program's memory.
    pub fn copy_to(&self, device: &Device) -> Self {
        Self {
            network: copy::network(&self.network.valid(), device).train(),
            initial: self.initial.as_ref().map(|network| copy::network(network, device)),
            optimiser: copy::state(&self.optimiser, optimiser(&self.training, device)),
            device: device.clone(),
            training: self.training.clone(),
            logits: self.logits.clone(),
            ..*self
        }
    }

    /// Where it lives.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// One step on a batch: pixels `[n, inputs]` and labels `[n]`, at the rate that reaches the optimiser.
    pub fn step(&mut self, pixels: &[f32], labels: &[usize], rate: f64, want_norm: bool) -> StepOutcome {
        let images = self.upload(pixels, labels.len());
        let targets = self.one_hot(labels);
        let outputs = self.network.forward(images.clone());
        let outputs = self.lazy(outputs, &images);
        let loss = batch_loss(self.training.loss, outputs, targets);
        let value = f64::from(loss.clone().into_scalar::<f32>());
        if !value.is_finite() {
            // No step is taken: the weights stay those whose loss was last a number.
            return StepOutcome { loss: value, grad_norm: None };
        }
        let mut gradients = loss.backward();
        let gradients = GradientsParams::from_module(&mut gradients, &self.network);
        let grad_norm = want_norm.then(|| self.norm(&gradients));
        self.network = self.optimiser.step(rate, self.network.clone(), gradients);
        StepOutcome { loss: value, grad_norm }
    }

    /// Outputs that the loss sees, on images [n, inputs]: row-major [n, C]. `None` when `cancelled` says so, which is asked
    /// before each group of images.
    pub fn outputs(&self, images: &Tensor<2>, cancelled: &dyn Fn() -> bool) -> Option<Vec<f32>> {
        let network = self.network.valid();
        let mut outputs = Vec::with_capacity(images.dims()[0] * self.classes);
        for rows in self.groups(&network, images) {
            if cancelled() {
                return None;
            }
            outputs.extend(self.lazy(network.forward(rows.clone()), &rows).into_data().iter::<f32>());
        }
        Some(outputs)
    }

    /// The same, and what the last layer sees: [n, features].
    pub fn outputs_and_features(
        &self,
        images: &Tensor<2>,
        cancelled: &dyn Fn() -> bool,
    ) -> Option<(Vec<f32>, Tensor<2>)> {
        let network = self.network.valid();
        let (mut outputs, mut features) = (Vec::with_capacity(images.dims()[0] * self.classes), Vec::new());
        for rows in self.groups(&network, images) {
            if cancelled() {
                return None;
            }
            let (logits, seen) = network.forward_seen(rows.clone());
            outputs.extend(self.lazy(logits, &rows).into_data().iter::<f32>());
            features.push(seen);
        }
        Some((outputs, Tensor::cat(features, 0)))
    }

    /// Images in groups of a size that an evaluation can be stopped between.
    fn groups<'a>(&self, network: &Network, images: &'a Tensor<2>) -> impl Iterator<Item = Tensor<2>> + use<'a> {
        let [n, _] = images.dims();
        let group = (EVALUATION_WORK / network.num_params().max(1)).clamp(16, EVALUATION_ROWS);
        (0..n).step_by(group).map(move |first| images.clone().narrow(0, first, group.min(n - first)))
    }

    /// The kernel of f on images [n, inputs], by the spec's method, and the parts of its layers and sets of logits where they
    /// are not too large; the full one, too, where it is wanted and not too large. `None` when `cancelled` says so on the way.
    pub fn kernel(&self, images: &Tensor<2>, want_full: bool, cancelled: &dyn Fn() -> bool) -> Option<Measured> {
        let network = self.network.valid();
        let [n, _] = images.dims();
        let full = want_full && n * self.classes <= MOST_FULL_ROWS && self.method == Method::Layerwise;
        let measure = |request: &Request| match self.method {
            Method::Layerwise => layerwise::measure(&network, images, None, request, cancelled),
            Method::Jacobian => jacobian::measure(&network, images, None, request, cancelled),
        };
        let mut request = Request::of(self.reduction);
        if parts_fit(n, self.layers * self.logits.len().max(1)) {
            (request.apart, request.logits) = (Apart::Layers, self.logits.clone());
        }
        // Not the trace of the full one, whose sums are rounded otherwise: two snapshots of weights that did not move must be
        // the same to the last bit.
        let reduced = measure(&request)?;
        let full = if full { Some(measure(&Request::of(Reduction::Full))?) } else { None };
        Some(Measured::new(reduced, &request, full))
    }

    /// Copies images [n, inputs] to the device.
    pub fn upload(&self, pixels: &[f32], n: usize) -> Tensor<2> {
        Tensor::from_data(TensorData::new(pixels.to_vec(), [n, self.inputs]), &self.device)
    }

    /// The parameters as they are now; shares their memory until the next step.
    pub fn parameters(&self) -> Vec<Tensor<1>> {
        self.network.flatten()
    }

    /// The network, with autodiff.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// F = α (f − f₀), or f where there is no α.
    fn lazy(&self, outputs: Tensor<2>, images: &Tensor<2>) -> Tensor<2> {
        match (self.alpha, &self.initial) {
            (Some(alpha), Some(initial)) => (outputs - initial.forward(images.clone())) * alpha,
            _ => outputs,
        }
    }

    fn one_hot(&self, labels: &[usize]) -> Tensor<2> {
        let mut targets = vec![0.0f32; labels.len() * self.classes];
        for (row, label) in labels.iter().enumerate() {
            targets[row * self.classes + label] = 1.0;
        }
        Tensor::from_data(TensorData::new(targets, [labels.len(), self.classes]), &self.device)
    }

    fn norm(&self, gradients: &GradientsParams) -> f64 {
        self.network.gradients(gradients).into_iter().map(|(_, gradient)| sum_of_squares(gradient)).sum::<f64>().sqrt()
    }
}

/// ‖a − b‖ over all parameters, summed in f64 over tensors.
pub fn displacement(a: &[Tensor<1>], b: &[Tensor<1>]) -> f64 {
    a.iter().zip(b).map(|(a, b)| sum_of_squares(a.clone() - b.clone())).sum::<f64>().sqrt()
}

fn sum_of_squares(tensor: Tensor<1>) -> f64 {
    tensor.into_data().iter::<f32>().map(|value| f64::from(value).powi(2)).sum()
}

fn batch_loss(kind: Loss, outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    let [n, classes] = outputs.dims();
    match kind {
        Loss::CrossEntropy => (activation::log_softmax(outputs, 1) * targets).sum() * (-1.0 / n as f64),
        Loss::Mse => (outputs - targets).powi_scalar(2).sum() * (0.5 / (n * classes) as f64),
    }
}
