//! Maps names of tensors to their layers.
//!
//! Names and layouts are PyTorch's: `fc1.weight` is [out, in], y = x Wᵀ + b.

/// Returns whether a tensor belongs to this layer, or is itself named: `fc1` has `fc1.weight` and not `fc10.weight`.
pub fn belongs(tensor: &str, layer: &str) -> bool {
    tensor.strip_prefix(layer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) || layer_of(tensor) == layer
}

/// Returns the layer of a tensor: `fc1` of `fc1.bias`, `rnn.ih` of `rnn.weight_ih`, and the tensor itself where it is the
/// layer.
pub fn layer_of(tensor: &str) -> String {
    match tensor.rsplit_once('.') {
        Some((layer, "weight" | "bias" | "running_mean" | "running_var")) => layer.to_owned(),
        Some((cell, name)) => match name.split_once('_') {
            Some(("weight" | "bias", map)) => format!("{cell}.{map}"),
            _ => tensor.to_owned(),
        },
        None => tensor.to_owned(),
    }
}
