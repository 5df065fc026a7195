//! Trains the network linearised at earlier weights beside the network: the training that would follow if the kernel were
//! fixed.
//!
//! ```text
//! f_lin(x; w) = f(x; w*) + J(x; w*) (w − w*)                                        (Lee et al. 2019, eq. 5)
//! ```
//!
//! It takes the same steps on the same batches with the same loss, rate and optimiser as the network, so the gap between
//! the two is due to the change of the kernel alone (and 32-bit rounding). Theories of continual learning that assume a
//! static kernel (Bennani et al. 2020; Doan et al. 2021; Karakida & Akaho 2022) describe this network.

use burn::module::Module as _;
use burn::optim::ModuleOptimizer;
use burn::tensor::{Device, Tensor};

use super::clipping::clipped;
use super::device_transfer::{LearnerState, Parameters};
use super::loss::{batch_loss, wanted};
use super::optimiser::optimiser;
use super::step_options::StepOptions;
use crate::data::Targets;
use crate::model::Network;
use crate::ntk::tangent;
use crate::spec::TrainingSpec;

/// A linearised network in training.
pub struct Linearised {
    /// f(·; w*), without autodiff.
    base: Network,
    /// Holds w; the network function of these weights is never evaluated.
    moving: Network,
    optimiser: ModuleOptimizer,
    device: Device,
    classes: usize,
    training: TrainingSpec,
    /// α and f₀, where the trained function is F = α (f − f₀).
    lazy: Option<(f64, Network)>,
}

/// The state in plain numbers.
#[derive(Clone, Debug)]
pub struct LinearisedState {
    base: Parameters,
    moving: LearnerState,
}

impl Linearised {
    /// Linearises a network at its current weights; the optimiser continues from the network's.
    pub(super) fn new(
        network: &Network,
        optimiser: ModuleOptimizer,
        (training, classes): (&TrainingSpec, usize),
        lazy: Option<(f64, Network)>,
        device: &Device,
    ) -> Self {
        let base = network.valid();
        let moving = base.clone().train();
        Self { base, moving, optimiser, device: device.clone(), classes, training: training.clone(), lazy }
    }

    /// Takes one step on the same batch as the network: images [n, inputs] and the targets of their outputs. The rate is
    /// that of the network's step, also where its length was given. `offset`, [n, C], is a constant added to the outputs.
    pub fn step<'a>(
        &mut self,
        images: &Tensor<2>,
        targets: impl Into<Targets<'a>>,
        offset: Option<Tensor<2>>,
        terms: &StepOptions,
    ) {
        let targets = wanted(targets.into(), self.classes, &self.device);
        let outputs = self.apply(images);
        let outputs = match offset {
            Some(offset) => outputs + offset,
            None => outputs,
        };
        let outputs = outputs.autodiff().require_grad();
        let loss = batch_loss(&self.training, outputs.clone(), targets, terms.present.as_deref());
        let pull = outputs.grad(&loss.backward()).expect("the loss depends on the outputs");
        let pull = match &self.lazy {
            Some((alpha, _)) => pull * *alpha,
            None => pull,
        };
        // J(x; w*)′ ∂L/∂f: the gradient of ⟨∂L/∂f, f(x; w)⟩ at w = w*, with ∂L/∂f held constant.
        let at_base = self.base.clone().train();
        let mut gradients = (at_base.forward(images.clone()) * pull.autodiff()).sum().backward();
        let gradients = at_base.trained_gradients(&mut gradients, &terms.frozen);
        let gradients = clipped(&self.moving, gradients, self.training.clip);
        self.moving = self.optimiser.step(terms.rate, self.moving.clone(), gradients);
    }

    /// Returns the network at w*, whose kernel is the fixed kernel here.
    pub fn base(&self) -> &Network {
        &self.base
    }

    /// Returns the outputs on which the loss acts, on images [n, inputs]: [n, C].
    pub fn apply(&self, images: &Tensor<2>) -> Tensor<2> {
        let moved = self.moving.valid().displacement_from(&self.base).into_iter().collect();
        let (start, change) = tangent::outputs_and_change(&self.base, images.clone(), &moved);
        match &self.lazy {
            Some((alpha, initial)) => (start - initial.forward(images.clone()) + change) * *alpha,
            None => start + change,
        }
    }

    /// Returns the state in plain numbers.
    pub fn state(&self) -> LinearisedState {
        LinearisedState {
            base: Parameters::of(&self.base),
            moving: LearnerState::of(&self.moving.valid(), &self.optimiser, 0),
        }
    }

    /// Continues from the state of another linearised network of the same spec.
    pub fn restore(&mut self, state: &LinearisedState) {
        let fresh = optimiser(&self.training, &self.device);
        let (moving, optimiser) = state.moving.bring_back(&self.base, fresh, &self.device);
        let base = state.base.bring_back(&self.base, &self.device);
        (self.base, self.moving, self.optimiser) = (base, moving.train(), optimiser);
    }
}
