//! Continual-learning strategies: what a network in training does so that it does not forget earlier tasks. One file has one
//! strategy, which implements [`Method`]; [`crate::spec::Strategy`] declares them.
//!
//! A strategy can add to the loss of a batch, change the gradients before the optimiser gets them, and look at the step that was
//! taken and at the task that ends. Everything that it keeps is part of the learner's state, and what it draws at random follows
//! from the seed and the number of the step, so that a run that goes on from a state is the run that was never interrupted.

mod ewc;
mod fisher;

use std::any::Any;
use std::sync::Arc;

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};

use super::{NetworkTrainer, StepOptions};
use crate::data::Images;
use crate::model::read_all;
use crate::spec::{Spec, Strategy};

/// What a strategy keeps, in plain numbers, which can be sent to another thread.
pub(super) type MethodState = Arc<dyn Any + Send + Sync>;

/// A task that ends, as a strategy sees it.
#[derive(Clone, Debug)]
pub struct EndedTask {
    /// Some of its training images, as many as [`crate::spec::ContinualSpec::images_at_end`] asks for.
    pub images: Images,
    /// The logits that its loss included; all if `None`.
    pub present: Option<Vec<usize>>,
}

/// A strategy beside a network in training.
pub(super) trait Method {
    /// Returns a copy that shares the tensors of this one.
    fn copy(&self) -> Box<dyn Method>;

    /// Returns the gradients that the optimiser gets, from those of the loss.
    fn gradients(&self, learner: &NetworkTrainer, terms: &StepOptions, of_loss: GradientsParams) -> GradientsParams;

    /// Looks at the end of a task, before another one. `None` if `cancelled` returns true; nothing has changed then.
    fn end_task(&mut self, learner: &NetworkTrainer, ended: &EndedTask, cancelled: &dyn Fn() -> bool) -> Option<()>;

    /// Returns what it keeps.
    fn state(&self) -> MethodState;

    /// Continues from the state of another one of the same spec, on this device.
    fn restore(&mut self, state: &MethodState, device: &Device);
}

/// Returns the strategy of this spec at its start; `None` for fine-tuning.
pub(super) fn method(spec: &Spec) -> Option<Box<dyn Method>> {
    let continual = &spec.continual;
    match continual.strategy {
        Strategy::None => None,
        Strategy::Ewc => Some(Box::new(ewc::Ewc::new(continual))),
    }
}

/// Numbers for each parameter of a network, in the order of [`crate::model::Network::flatten`].
type PerParameter = Vec<Tensor<1>>;

/// Copies numbers to host memory.
fn plain(numbers: &PerParameter) -> Vec<Vec<f32>> {
    read_all(numbers.clone())
}

/// Copies numbers to a device.
fn placed(numbers: &[Vec<f32>], device: &Device) -> PerParameter {
    let tensor = |values: &Vec<f32>| Tensor::from_data(TensorData::new(values.clone(), [values.len()]), device);
    numbers.iter().map(tensor).collect()
}

/// Returns these gradients with a term added to that of each parameter; the term gets the index of the parameter and its value.
fn with_terms(
    learner: &NetworkTrainer,
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
