//! A learner's parts, copied to another device through the program's own memory.
//!
//! Moving a tensor is not enough: what burn brings from a GPU is read only when somebody looks at it, which may be after the
//! GPU is gone.

use burn::module::{Module as _, ModuleMapper, Param};
use burn::optim::{ModuleOptimizer, OptimizerRecord};
use burn::tensor::{Device, Tensor, TensorData};

use crate::model::Network;

/// The same network, without autodiff; parameters keep their identity.
pub(super) fn network(network: &Network, device: &Device) -> Network {
    network.clone().map(&mut Copy(device))
}

/// Gives an optimiser the state of another.
pub(super) fn state(from: &ModuleOptimizer, to: ModuleOptimizer) -> ModuleOptimizer {
    let record = from.to_record().into_bytes().and_then(OptimizerRecord::from_bytes);
    to.load_record(record.expect("what was written into memory can be read from it"))
}

struct Copy<'a>(&'a Device);

impl ModuleMapper for Copy<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let shape = tensor.dims();
        let values: Vec<f32> = tensor.into_data().iter::<f32>().collect();
        Param::from_mapped_value(id, Tensor::from_data(TensorData::new(values, shape), self.0), mapper)
    }
}
