//! Declares what a continual-learning strategy is: the trait that each implements, and what it sees of training.

use std::any::Any;
use std::sync::Arc;

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};

use crate::data::{Images, Targets};
use crate::model::{Network, Statistics, read_all};
use crate::spec::TrainingSpec;
use crate::train::step_options::StepOptions;

/// What a strategy sees of the network in training.
pub(crate) trait Learner {
    /// Returns the network, with autodiff.
    fn network(&self) -> &Network;

    /// Returns the number of logits, the settings of the loss, and α, 1 where the loss acts on the logits themselves.
    fn readout(&self) -> (usize, &TrainingSpec, f64);

    /// Returns the size of a batch.
    fn batch(&self) -> usize;

    /// Returns the seed of the run, and the number of steps that were taken.
    fn address(&self) -> (u64, u64);

    fn device(&self) -> &Device;

    /// Copies images [n, inputs] to the device.
    fn upload(&self, pixels: &[f32], n: usize) -> Tensor<2>;

    /// Computes what the loss acts on from the logits of these images.
    fn lazy(&self, outputs: Tensor<2>, images: &Tensor<2>) -> Tensor<2>;

    /// Returns what the loss acts on for these images, with autodiff, as training computes it, and the running statistics after
    /// it; the passes of a step are told apart by number.
    fn outputs_in_training(&self, images: &Tensor<2>, pass: u64) -> (Tensor<2>, Statistics);
}

/// What a strategy keeps, in plain numbers, which can be sent to another thread.
pub(crate) type MethodState = Arc<dyn Any + Send + Sync>;

/// A task that ends, as a strategy sees it.
#[derive(Clone, Debug)]
pub struct EndedTask {
    /// Some of its training images, as many as [`crate::spec::ContinualSpec::images_at_end`] asks for.
    pub images: Images,
    /// The logits of its classes.
    pub classes: Vec<usize>,
    /// The logits that its loss included; all if `None`.
    pub present: Option<Vec<usize>>,
}

/// The pass of a batch through the network that a step begins with.
pub(crate) struct Pass<'a> {
    pub images: &'a Tensor<2>,
    /// What the loss acts on, with autodiff.
    pub outputs: &'a Tensor<2>,
    pub terms: &'a StepOptions,
}

/// A step that was taken.
pub(crate) struct TakenStep<'a> {
    /// The seed of the run and the number of steps before this one.
    pub address: (u64, u64),
    pub before: &'a Network,
    pub after: &'a Network,
    /// The gradient of the loss, before [`Method::gradients`] changed it, of each parameter that has one.
    pub gradients: Vec<Option<Tensor<1>>>,
    pub pixels: &'a [f32],
    pub targets: Targets<'a>,
    /// What the loss acted on, without autodiff.
    pub outputs: Tensor<2>,
}

/// A strategy beside a network in training.
pub(crate) trait Method {
    /// Returns a copy that shares the tensors of this one.
    fn copy(&self) -> Box<dyn Method>;

    /// Returns the loss that a step makes small, from that of its batch.
    fn objective(&self, _learner: &dyn Learner, _pass: &Pass<'_>, loss: Tensor<1>) -> Tensor<1> {
        loss
    }

    /// Returns the gradients that the optimiser gets, from those of the loss.
    fn gradients(&self, learner: &dyn Learner, terms: &StepOptions, of_loss: GradientsParams) -> GradientsParams;

    /// Looks at a step that was taken.
    fn stepped(&mut self, _step: TakenStep<'_>) {}

    /// Looks at the end of a task, before another one. `None` if `cancelled` returns true; nothing has changed then.
    fn end_task(&mut self, learner: &dyn Learner, ended: &EndedTask, cancelled: &dyn Fn() -> bool) -> Option<()>;

    /// Returns what it keeps.
    fn state(&self) -> MethodState;

    /// Continues from the state of another one of the same spec, on this device; `like` is a network of that spec, without
    /// autodiff.
    fn restore(&mut self, state: &MethodState, like: &Network, device: &Device);
}

/// Numbers for each parameter of a network, in the order of [`crate::model::Network::flatten`].
pub(super) type PerParameter = Vec<Tensor<1>>;

/// Copies numbers to host memory.
pub(super) fn plain(numbers: &PerParameter) -> Vec<Vec<f32>> {
    read_all(numbers.clone())
}

/// Copies numbers to a device.
pub(super) fn placed(numbers: &[Vec<f32>], device: &Device) -> PerParameter {
    let tensor = |values: &Vec<f32>| Tensor::from_data(TensorData::new(values.clone(), [values.len()]), device);
    numbers.iter().map(tensor).collect()
}

/// Returns these gradients with a term added to that of each parameter; the term gets the index of the parameter and its value.
pub(super) fn with_terms(
    learner: &dyn Learner,
    mut gradients: GradientsParams,
    term: impl Fn(usize, Tensor<1>) -> Tensor<1>,
) -> GradientsParams {
    let network = learner.network();
    for (place, ((_, id), weights)) in network.ids().into_iter().zip(network.flatten()).enumerate() {
        // A frozen tensor has none.
        if let Some(gradient) = gradients.remove::<1>(id) {
            gradients.register(id, gradient + term(place, weights));
        }
    }
    gradients
}
