//! The weights of a run as safetensors, named and laid out as in PyTorch.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::guard::read_file;
use super::npz::invalid;
use super::{FolderError, NamedTensor, Weights, atomic};

pub(super) const MODEL: &str = "model.safetensors";

/// Writes all tensors as f32; the step is in the file's metadata.
pub(super) fn write(path: &Path, weights: &Weights) -> Result<(), FolderError> {
    let bytes: Vec<Vec<u8>> = weights
        .tensors
        .iter()
        .map(|tensor| tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect())
        .collect();
    atomic::replace(path, |writer| {
        let view = |(tensor, bytes)| {
            let NamedTensor { name, shape, .. }: &NamedTensor = tensor;
            let bytes: &Vec<u8> = bytes;
            TensorView::new(Dtype::F32, shape.clone(), bytes).map(|view| (name.as_str(), view))
        };
        let views = weights.tensors.iter().zip(&bytes).map(view).collect::<Result<Vec<_>, _>>();
        let metadata = HashMap::from([("step".to_owned(), weights.step.to_string())]);
        let file = views.and_then(|views| safetensors::serialize(views, Some(metadata)));
        writer.write_all(&file.map_err(|err| invalid(err.to_string()))?)
    })
}

/// Reads them back; only tensors of f32 are ours.
pub(super) fn read(path: &Path) -> io::Result<Weights> {
    let bytes = read_file(path)?;
    let failed = |err: safetensors::SafeTensorError| invalid(err.to_string());
    let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(failed)?;
    let step = metadata.metadata().as_ref().and_then(|texts| texts.get("step")?.parse().ok()).unwrap_or(0);
    let mut tensors = Vec::new();
    for (name, view) in SafeTensors::deserialize(&bytes).map_err(failed)?.tensors() {
        if view.dtype() != Dtype::F32 {
            return Err(invalid(format!("the tensor {name} is not of 32-bit floats")));
        }
        let values = view.data().chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]));
        tensors.push(NamedTensor { name, shape: view.shape().to_vec(), values: values.collect() });
    }
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Weights { step, tensors })
}
