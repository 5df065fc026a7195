//! Defines a network in training, with its optimiser.
//!
//! With laziness α the trained function is F = α (f − f₀); the measured kernel remains that of f.

use burn::module::Module as _;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};

use super::clipping::clipped;
use super::continual::method;
use super::continual::method::{EndedTask, Learner, Method, Pass, TakenStep};
use super::device_transfer;
use super::device_transfer::LearnerState;
use super::linearised::Linearised;
use super::loss::{batch_loss, wanted};
use super::norms::{all_squares, differences, displacement, norm, squares, step_length};
use super::optimiser::optimiser;
use super::past_weights::PastWeights;
use super::step_options::StepOptions;
use crate::data::Targets;
use crate::math::dormancy::UnitResponses;
use crate::math::rng::{Stream, rng};
use crate::model::{Network, PendingRead, Statistics, is_host, read, read_all};
use crate::ntk::{MeasuredKernels, PartKind, Reduction, Request, jacobian, layerwise};
use crate::spec::{self, Layer, MOST_FULL_ROWS, PartGranularity, Spec, TrainingSpec};

/// The result of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepOutcome {
    /// Loss of the batch before the step.
    pub loss: f64,
    /// ‖∇L‖ of the batch, if requested.
    pub grad_norm: Option<f64>,
    /// The rate of the step: that of its options, unless its length was given.
    pub rate: f64,
    /// ‖Δw‖ of the step over all parameters; `None` where there are none, or where it was not taken.
    pub length: Option<f64>,
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
    method: spec::Method,
    pub(super) reduction: Reduction,
    /// Sets of logits whose kernels are stored separately.
    logits: Vec<Vec<usize>>,
    /// The layers, to choose the granularity of the kernel's parts.
    layers: Vec<Layer>,
    seed: u64,
    /// Number of steps taken, which seeds the dropout masks and what a strategy draws.
    steps: u64,
    /// The continual-learning strategy, unless the next task is simply trained.
    strategy: Option<Box<dyn Method>>,
    /// The last step, where its outcome has not been looked at yet.
    unread: Option<UnreadStep>,
    /// Earlier weights, while the displacement is clamped.
    past: PastWeights,
}

/// A step that a graphics card was given, and everything to go back to if its loss turns out not to be a number.
struct UnreadStep {
    /// The loss; ‖Δw‖², unless the step is plain; and ‖∇L‖², if it is requested or the step is plain.
    read: PendingRead,
    rate: f64,
    is_plain: bool,
    want_norm: bool,
    network: Network,
    optimiser: ModuleOptimizer,
    strategy: Option<Box<dyn Method>>,
}

/// What the pass of a batch leaves beside its loss.
struct Passed {
    /// The running statistics after it.
    statistics: Statistics,
    /// What the loss acted on, without autodiff.
    outputs: Tensor<2>,
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
            strategy: method(spec),
            unread: None,
            past: PastWeights::default(),
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
            strategy: self.strategy.as_ref().map(|strategy| {
                let mut copy = strategy.copy();
                copy.restore(&strategy.state(), &self.network.valid(), device);
                copy
            }),
            unread: None,
            past: PastWeights::of_plain(&self.past.plain(), &self.network, device),
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
        let strategy = self.strategy.as_ref().map(|strategy| strategy.state());
        let state = LearnerState::of(&self.network.valid(), &self.optimiser, self.steps);
        state.with_method(strategy).with_past(self.past.plain())
    }

    /// Continues from the state of another learner of the same spec.
    pub fn restore(&mut self, state: &LearnerState) {
        let optimiser = optimiser(&self.training, &self.device);
        let (network, optimiser) = state.bring_back(&self.network.valid(), optimiser, &self.device);
        (self.network, self.optimiser, self.steps) = (network.train(), optimiser, state.steps());
        if let (Some(strategy), Some(state)) = (&mut self.strategy, state.method()) {
            strategy.restore(state, &self.network.valid(), &self.device);
        }
        self.past = PastWeights::of_plain(state.past(), &self.network, &self.device);
        self.unread = None;
    }

    /// Takes one step on a batch: pixels `[n, inputs]` and the targets of its outputs.
    pub fn step<'a>(
        &mut self,
        pixels: &[f32],
        targets: impl Into<Targets<'a>>,
        terms: &StepOptions,
        want_norm: bool,
    ) -> StepOutcome {
        let known = self.begin_step(pixels, targets, terms, want_norm);
        let outcome = self.settle().or(known.last().copied());
        outcome.expect("the outcome of a step is known when it is begun or when it is settled")
    }

    /// Takes one step as [`Self::step`] does, and returns the outcomes that are known and have not been returned, the oldest
    /// first. In host memory that is this step's. A graphics card is given the step, and only then is the outcome of the one
    /// before waited for, so that it never stands still while the processor looks; [`Self::settle`] waits for the last one.
    /// If a loss is not finite, neither that step nor the one after it is taken.
    pub fn begin_step<'a>(
        &mut self,
        pixels: &[f32],
        targets: impl Into<Targets<'a>>,
        terms: &StepOptions,
        want_norm: bool,
    ) -> Vec<StepOutcome> {
        let targets = targets.into();
        let is_ahead = !is_host(&self.device) && !terms.is_clamped();
        let mut known: Vec<StepOutcome> = if is_ahead { Vec::new() } else { self.settle().into_iter().collect() };
        if known.iter().any(|outcome| !outcome.loss.is_finite()) {
            return known;
        }
        if !is_ahead {
            known.push(self.finish_step(pixels, targets, terms, want_norm));
            return known;
        }
        let (loss, passed) = self.loss(pixels, targets, terms);
        let mut read = vec![loss.clone().without_autodiff()];
        let gradients = self.network.trained_gradients(&mut loss.backward(), &terms.frozen);
        // A plain step is −η ∇L: its length needs no programs of its own.
        let is_plain = self.is_plain();
        let of_gradient = if want_norm || is_plain { squares(&self.network, &gradients) } else { None };
        let (network, optimiser) = (self.network.clone(), self.optimiser.clone());
        let strategy = self.strategy.as_ref().map(|strategy| strategy.copy());
        self.take(terms, terms.rate, gradients, passed, (pixels, targets));
        if !is_plain {
            let moved = all_squares(differences(&self.parameters(), &network.flatten()).collect());
            read.push(moved.unwrap_or_else(|| Tensor::zeros([1], &self.device)));
        }
        read.extend(of_gradient);
        let read = PendingRead::of(read);
        let step = UnreadStep { read, rate: terms.rate, is_plain, want_norm, network, optimiser, strategy };
        let before = self.unread.replace(step);
        let Some(before) = before else { return known };
        let outcome = self.looked_at(before, 2);
        if !outcome.loss.is_finite() {
            self.unread = None;
        }
        vec![outcome]
    }

    /// Waits for the outcome of the last step; `None` if it has been returned.
    pub fn settle(&mut self) -> Option<StepOutcome> {
        let unread = self.unread.take()?;
        Some(self.looked_at(unread, 1))
    }

    /// Waits for the outcome of a step, and goes back to before it if its loss is not finite: `taken` steps back.
    fn looked_at(&mut self, step: UnreadStep, taken: u64) -> StepOutcome {
        let values: Vec<f64> = step.read.wait().into_iter().flatten().map(f64::from).collect();
        let loss = values[0];
        if !loss.is_finite() {
            (self.network, self.optimiser, self.strategy) = (step.network, step.optimiser, step.strategy);
            self.steps -= taken;
            return StepOutcome { loss, grad_norm: None, rate: step.rate, length: None };
        }
        let root = |place: usize| values.get(place).map(|square| square.sqrt());
        let norm = root(if step.is_plain { 1 } else { 2 });
        let length = if step.is_plain { Some(step.rate * norm.unwrap_or(0.0)) } else { root(1) };
        StepOutcome { loss, grad_norm: norm.filter(|_| step.want_norm), rate: step.rate, length }
    }

    /// Takes one step, and looks at the loss before.
    fn finish_step(
        &mut self,
        pixels: &[f32],
        targets: Targets<'_>,
        terms: &StepOptions,
        want_norm: bool,
    ) -> StepOutcome {
        let want_length = want_norm || terms.length.is_some();
        let (value, gradients, grad_norm, passed) = self.gradients(pixels, targets, terms, want_length);
        let Some(gradients) = gradients else {
            // No step is taken: the weights remain the last ones with a finite loss.
            return StepOutcome { loss: value, grad_norm: None, rate: terms.rate, length: None };
        };
        let clamped = terms.length.zip(grad_norm.filter(|norm| *norm > 0.0)).map(|(length, norm)| length / norm);
        let mut rate = clamped.unwrap_or(terms.rate);
        match terms.displacement {
            Some(held) => {
                self.past.store(&self.network, held);
                rate = self.past.rate(&self.network, &gradients, held, rate);
            }
            None => self.past = PastWeights::default(),
        }
        let before = self.parameters();
        self.take(terms, rate, gradients, passed, (pixels, targets));
        let after = self.parameters();
        let length = match grad_norm.filter(|_| self.is_plain()) {
            _ if is_host(&self.device) => step_length(after, before),
            Some(norm) => rate * norm,
            None => displacement(&after, &before),
        };
        StepOutcome { loss: value, grad_norm: grad_norm.filter(|_| want_norm), rate, length: Some(length) }
    }

    /// Returns whether a step is exactly −η ∇L of its batch: a strategy may give the optimiser other gradients.
    fn is_plain(&self) -> bool {
        self.training.is_plain() && self.strategy.is_none()
    }

    fn take(
        &mut self,
        terms: &StepOptions,
        rate: f64,
        gradients: GradientsParams,
        passed: Passed,
        (pixels, targets): (&[f32], Targets<'_>),
    ) {
        let Some(mut strategy) = self.strategy.take() else {
            let gradients = clipped(&self.network, gradients, self.training.clip);
            let network = self.optimiser.step(rate, self.network.clone(), gradients);
            self.network = network.with_statistics(passed.statistics);
            self.steps += 1;
            return;
        };
        let before = self.network.clone();
        let of_loss = before.ids().into_iter().map(|(_, id)| gradients.get::<1>(id)).collect();
        let gradients = clipped(&before, strategy.gradients(self, terms, gradients), self.training.clip);
        self.network = self.optimiser.step(rate, before.clone(), gradients).with_statistics(passed.statistics);
        strategy.stepped(TakenStep {
            address: (self.seed, self.steps),
            before: &before,
            after: &self.network,
            gradients: of_loss,
            pixels,
            targets,
            outputs: passed.outputs,
        });
        self.steps += 1;
        self.strategy = Some(strategy);
    }

    /// Tells the continual-learning strategy that a task ends, before another one. `None` if `cancelled` returns true.
    pub fn end_task(&mut self, ended: &EndedTask, cancelled: &dyn Fn() -> bool) -> Option<()> {
        let Some(mut strategy) = self.strategy.take() else { return Some(()) };
        let done = strategy.end_task(self, ended, cancelled);
        self.strategy = Some(strategy);
        done
    }

    /// Returns the length of a step of plain SGD on this batch: η ‖∇L‖ over the parameters that are trained.
    pub fn step_length(&self, pixels: &[f32], targets: Targets<'_>, terms: &StepOptions) -> f64 {
        let (_, _, norm, _) = self.gradients(pixels, targets, terms, true);
        norm.map_or(f64::NAN, |norm| terms.rate * norm)
    }

    /// Returns ∂L/∂F of each image and logit, row-major [n, C] (times α², since F = α (f − f₀) evolves with α² Θ), and the
    /// rate of the step. A step of plain SGD changes F by −rate · Θ times this, to first order.
    pub fn slopes(&self, pixels: &[f32], targets: Targets<'_>, terms: &StepOptions) -> (Vec<f64>, f64) {
        let images = self.upload(pixels, targets.len());
        let tensor = wanted(targets, self.classes, &self.device);
        let network = self.network.valid();
        let outputs = self.lazy(network.forward(images.clone()), &images).autodiff().require_grad();
        let loss = batch_loss(&self.training, outputs.clone(), tensor, terms.present.as_deref());
        let slopes = outputs.grad(&loss.backward()).expect("the loss depends on the outputs");
        let scale = self.alpha.unwrap_or(1.0).powi(2);
        let mut rate = match terms.length {
            None => terms.rate,
            Some(length) => length * terms.rate / self.step_length(pixels, targets, terms),
        };
        if let Some(held) = terms.displacement
            && let (_, Some(gradients), ..) = self.gradients(pixels, targets, terms, false)
        {
            let mut past = self.past.clone();
            past.store(&self.network, held);
            rate = past.rate(&self.network, &gradients, held, rate);
        }
        (read(slopes).into_iter().map(|slope| scale * f64::from(slope)).collect(), rate)
    }

    /// Returns the network without autodiff.
    pub fn without_autodiff(&self) -> Network {
        self.network.valid()
    }

    /// Returns the tensors that are trained while these layers or tensors are frozen; `None` if all are.
    pub fn trained_names(&self, frozen: &[String]) -> Option<Vec<String>> {
        (!frozen.is_empty()).then(|| self.network.trained_names(frozen))
    }

    /// Returns the loss of a batch, the gradients of the trained tensors, with their norm if it is wanted, neither if the loss
    /// is not finite, and what else the pass leaves.
    fn gradients(
        &self,
        pixels: &[f32],
        targets: Targets<'_>,
        terms: &StepOptions,
        want_norm: bool,
    ) -> (f64, Option<GradientsParams>, Option<f64>, Passed) {
        let (loss, passed) = self.loss(pixels, targets, terms);
        let trained = |loss: Tensor<1>| self.network.trained_gradients(&mut loss.backward(), &terms.frozen);
        if !is_host(&self.device) {
            let mut wanted = vec![loss.clone().without_autodiff()];
            let gradients = trained(loss);
            if want_norm {
                wanted.extend(squares(&self.network, &gradients));
            }
            let read: Vec<f64> = read_all(wanted).into_iter().flatten().map(f64::from).collect();
            let finite = read[0].is_finite();
            let norm = read.get(1).filter(|_| finite).map(|square| square.sqrt());
            return (read[0], finite.then_some(gradients), norm, passed);
        }
        let value = f64::from(read(loss.clone())[0]);
        if !value.is_finite() {
            return (value, None, None, passed);
        }
        let gradients = trained(loss);
        let norm = want_norm.then(|| norm(&self.network, &gradients));
        (value, Some(gradients), norm, passed)
    }

    /// Computes the loss of a batch, with autodiff, as the continual-learning strategy has it, and what else the pass leaves.
    fn loss(&self, pixels: &[f32], targets: Targets<'_>, terms: &StepOptions) -> (Tensor<1>, Passed) {
        let images = self.upload(pixels, targets.len());
        let targets = wanted(targets, self.classes, &self.device);
        let (outputs, statistics) = self.outputs_in_training(&images, 0);
        let passed = Passed { statistics, outputs: outputs.clone().without_autodiff() };
        let loss = batch_loss(&self.training, outputs.clone(), targets, terms.present.as_deref());
        let Some(strategy) = &self.strategy else { return (loss, passed) };
        let pass = Pass { images: &images, outputs: &outputs, terms };
        (strategy.objective(self, &pass, loss), passed)
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
            outputs.extend(read(self.lazy(network.forward(rows.clone()), &rows)));
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
        in_groups(images, group, cancelled, |rows| outputs.extend(read(linearised.apply(&rows))))?;
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
            outputs.extend(read(self.lazy(logits, &rows)));
            features.push(seen);
        })?;
        Some((outputs, Tensor::cat(features, 0)))
    }

    /// Returns the responses of the units after each nonlinearity.
    pub fn responses(&self, images: &Tensor<2>, cancelled: &dyn Fn() -> bool) -> Option<Vec<UnitResponses>> {
        let network = self.network.valid();
        let mut found: Vec<UnitResponses> = Vec::new();
        in_groups(images, group(&network, 1, EVALUATION_ROWS), cancelled, |rows| {
            let layers = network.responses(rows);
            let units: Vec<usize> = layers.iter().map(|layer| layer.dims()[1]).collect();
            found.resize_with(units.len(), || UnitResponses { units: 0, values: Vec::new() });
            for ((layer, units), values) in found.iter_mut().zip(units).zip(read_all(layers)) {
                layer.units = units;
                layer.values.extend(values);
            }
        })?;
        Some(found)
    }

    /// Measures the kernel of f on images [n, inputs], by the spec's method, with the parts of its tensors (else of its
    /// layers) and sets of logits if they are not too large; also the full kernel, if wanted and not too large. `None` if
    /// `cancelled` returns true.
    pub fn kernel(&self, images: &Tensor<2>, want_full: bool, cancelled: &dyn Fn() -> bool) -> Option<MeasuredKernels> {
        let network = self.network.valid();
        let [n, _] = images.dims();
        let full = want_full && n * self.classes <= MOST_FULL_ROWS && self.method.is_layerwise();
        let measure = |request: &Request| match self.method {
            spec::Method::Layerwise => layerwise::measure(&network, images, None, request, cancelled),
            spec::Method::Jacobian => jacobian::measure(&network, images, None, request, cancelled),
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

impl Learner for NetworkTrainer {
    fn network(&self) -> &Network {
        &self.network
    }

    fn readout(&self) -> (usize, &TrainingSpec, f64) {
        (self.classes, &self.training, self.alpha.unwrap_or(1.0))
    }

    fn batch(&self) -> usize {
        self.training.batch
    }

    fn address(&self) -> (u64, u64) {
        (self.seed, self.steps)
    }

    fn device(&self) -> &Device {
        &self.device
    }

    fn upload(&self, pixels: &[f32], n: usize) -> Tensor<2> {
        Self::upload(self, pixels, n)
    }

    fn lazy(&self, outputs: Tensor<2>, images: &Tensor<2>) -> Tensor<2> {
        Self::lazy(self, outputs, images)
    }

    fn outputs_in_training(&self, images: &Tensor<2>, pass: u64) -> (Tensor<2>, Statistics) {
        let (outputs, statistics) = if self.network.differs_in_training() {
            self.network.forward_in_training(images.clone(), rng(self.seed, Stream::Dropout, self.steps, pass))
        } else {
            (self.network.forward(images.clone()), Statistics::default())
        };
        (self.lazy(outputs, images), statistics)
    }
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
