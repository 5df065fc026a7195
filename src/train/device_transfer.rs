//! Copies a learner's parts to another device through host memory.
//!
//! Moving a tensor is not enough: burn reads a tensor from a GPU lazily, which may be after the GPU is lost.

use burn::module::{Module as _, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::{ModuleOptimizer, OptimizerRecord};
use burn::tensor::{Bytes, Device, Tensor, TensorData};

use super::continual::method::MethodState;
use crate::model::{Network, read_all};

/// Returns a copy of the network, without autodiff; parameters keep their identity.
pub(super) fn network(network: &Network, device: &Device) -> Network {
    Parameters::of(network).bring_back(network, device)
}

/// Copies the state of one optimiser to another.
pub(super) fn state(from: &ModuleOptimizer, to: ModuleOptimizer) -> ModuleOptimizer {
    let record = from.to_record().into_bytes().and_then(OptimizerRecord::from_bytes);
    to.load_record(record.expect("what was written into memory can be read from it"))
}

/// The parameters of a network in plain numbers: identity and values of each, in the network's own order.
#[derive(Clone, Debug)]
pub(super) struct Parameters(Vec<(u64, Vec<f32>)>);

impl Parameters {
    pub fn of(network: &Network) -> Self {
        let mut found = Tensors { ids: Vec::new(), flat: Vec::new() };
        network.visit(&mut found);
        Self(found.ids.into_iter().zip(read_all(found.flat)).collect())
    }

    /// Returns a network with these values and identities. `like` is a network of the same spec, without autodiff.
    pub fn bring_back(&self, like: &Network, device: &Device) -> Network {
        like.clone().map(&mut Writer { parameters: self.0.iter(), device })
    }
}

/// A learner's network and the state of its optimiser in plain numbers, which can be sent to another thread.
#[derive(Clone, Debug)]
pub struct LearnerState {
    parameters: Parameters,
    optimiser: Vec<u8>,
    steps: u64,
    /// What a continual-learning strategy keeps.
    method: Option<MethodState>,
    /// Earlier weights that a clamp needs, tensor by tensor.
    past: Vec<Vec<Vec<f32>>>,
}

impl LearnerState {
    pub(super) fn of(network: &Network, optimiser: &ModuleOptimizer, steps: u64) -> Self {
        let bytes = optimiser.to_record().into_bytes().expect("a state that is made of tensors can be written");
        let past = Vec::new();
        Self { parameters: Parameters::of(network), optimiser: bytes.to_vec(), steps, method: None, past }
    }

    /// Returns the state with what a continual-learning strategy keeps.
    pub(super) fn with_method(self, method: Option<MethodState>) -> Self {
        Self { method, ..self }
    }

    /// Adds the earlier weights that a clamp needs.
    pub(super) fn with_past(self, past: Vec<Vec<Vec<f32>>>) -> Self {
        Self { past, ..self }
    }

    pub(super) fn past(&self) -> &[Vec<Vec<f32>>] {
        &self.past
    }

    /// Returns the number of steps taken.
    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    /// Returns what a continual-learning strategy keeps.
    pub(super) fn method(&self) -> Option<&MethodState> {
        self.method.as_ref()
    }

    /// Restores the network as [`Parameters::bring_back`] does, and the optimiser with its state.
    pub(super) fn bring_back(
        &self,
        like: &Network,
        optimiser: ModuleOptimizer,
        device: &Device,
    ) -> (Network, ModuleOptimizer) {
        let record = OptimizerRecord::from_bytes(Bytes::from_bytes_vec(self.optimiser.clone()));
        let optimiser = optimiser.load_record(record.expect("what was written into memory can be read from it"));
        (self.parameters.bring_back(like, device), optimiser)
    }
}

/// The parameters of a network on their device: identities and values.
struct Tensors {
    ids: Vec<u64>,
    flat: Vec<Tensor<1>>,
}

impl ModuleVisitor for Tensors {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let values = param.val().without_autodiff();
        let count = values.shape().num_elements();
        self.ids.push(param.id.val());
        self.flat.push(values.reshape([count]));
    }
}

struct Writer<'a> {
    parameters: std::slice::Iter<'a, (u64, Vec<f32>)>,
    device: &'a Device,
}

impl ModuleMapper for Writer<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (_, tensor, mapper) = param.consume();
        let (id, values) = self.parameters.next().expect("two networks of one spec have the same parameters");
        let tensor = Tensor::from_data(TensorData::new(values.clone(), tensor.dims()), self.device);
        Param::from_mapped_value(ParamId::from(*id), tensor, mapper)
    }
}
