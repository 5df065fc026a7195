//! Parameters in and out, named and laid out as PyTorch does: `fc1.weight` [out, in], y = x Wᵀ + b.

use burn::tensor::{Device, Tensor};
use safetensors::{Dtype, SafeTensors};
use thiserror::Error;

use super::{Affine, Mlp};
use crate::record::NamedTensor;
use crate::spec::Activation;

/// Why weights could not be read.
#[derive(Debug, Error)]
pub enum WeightsError {
    #[error("the weights are no safetensors file: {0}")]
    Format(String),
    #[error("the weights have no tensor {0}; a network of dense layers has fc1.weight, fc1.bias, fc2.weight …")]
    Missing(String),
    #[error("the tensor {name} has shape {found:?} where {expected} was expected")]
    Shape { name: String, found: Vec<usize>, expected: String },
    #[error("the tensor {0} is not of 32-bit floats")]
    Dtype(String),
}

/// All parameters of a network, copied to plain memory in PyTorch's layout.
pub fn named(network: &Mlp) -> Vec<NamedTensor> {
    let mut tensors = Vec::new();
    for (name, layer) in network.layers() {
        let weight = layer.weight.val().without_autodiff();
        let [fan_in, fan_out] = weight.dims();
        let values = values_of(weight.transpose().reshape([fan_in * fan_out]));
        tensors.push(NamedTensor { name: format!("{name}.weight"), shape: vec![fan_out, fan_in], values });
        let values = values_of(layer.bias.val().without_autodiff());
        tensors.push(NamedTensor { name: format!("{name}.bias"), shape: vec![fan_out], values });
    }
    tensors
}

/// All parameters as flat vectors that share memory with the network: cheap to keep, one per tensor.
pub fn flatten(network: &Mlp) -> Vec<Tensor<1>> {
    network
        .layers()
        .flat_map(|(_, layer)| {
            let weight = layer.weight.val().without_autodiff();
            let count = weight.shape().num_elements();
            [weight.reshape([count]), layer.bias.val().without_autodiff()]
        })
        .collect()
}

/// Reads an MLP in the standard parametrisation from the bytes of a safetensors file; depth and widths come from the shapes.
pub fn load_mlp(bytes: &[u8], activation: Activation, device: &Device) -> Result<Mlp, WeightsError> {
    let file = SafeTensors::deserialize(bytes).map_err(|err| WeightsError::Format(err.to_string()))?;
    let mut layers = Vec::new();
    while let Ok(weight) = file.tensor(&format!("fc{}.weight", layers.len() + 1)) {
        let name = format!("fc{}", layers.len() + 1);
        let &[fan_out, fan_in] = weight.shape() else {
            return Err(shape_error(&format!("{name}.weight"), weight.shape(), "[out, in]"));
        };
        let stored = floats(&format!("{name}.weight"), weight.dtype(), weight.data())?;
        let transposed = (0..fan_in * fan_out).map(|at| stored[(at % fan_out) * fan_in + at / fan_out]).collect();
        let bias = file.tensor(&format!("{name}.bias")).map_err(|_| WeightsError::Missing(format!("{name}.bias")))?;
        if bias.shape() != [fan_out] {
            return Err(shape_error(&format!("{name}.bias"), bias.shape(), &format!("[{fan_out}]")));
        }
        let bias = floats(&format!("{name}.bias"), bias.dtype(), bias.data())?;
        layers.push(Affine::from_values(fan_in, fan_out, transposed, bias, (1.0, 1.0), device));
    }
    if layers.is_empty() {
        return Err(WeightsError::Missing("fc1.weight".to_owned()));
    }
    Ok(Mlp::from_layers(layers, activation))
}

fn shape_error(name: &str, found: &[usize], expected: &str) -> WeightsError {
    WeightsError::Shape { name: name.to_owned(), found: found.to_vec(), expected: expected.to_owned() }
}

fn floats(name: &str, dtype: Dtype, bytes: &[u8]) -> Result<Vec<f32>, WeightsError> {
    if dtype != Dtype::F32 {
        return Err(WeightsError::Dtype(name.to_owned()));
    }
    Ok(bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect())
}

fn values_of(tensor: Tensor<1>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("parameters are 32-bit floats")
}
