//! Clips a gradient by its norm, on the device.

use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::model::Network;

/// What PyTorch adds to the norm.
const EPSILON: f64 = 1e-6;

/// Scales the gradients of all parameters so that their common norm is at most `most`, as PyTorch's `clip_grad_norm_` does;
/// 0 leaves them as they are.
pub(super) fn clipped(network: &Network, mut gradients: GradientsParams, most: f64) -> GradientsParams {
    if most == 0.0 {
        return gradients;
    }
    let ids: Vec<_> = network.ids().into_iter().map(|(_, id)| id).collect();
    let flat: Vec<Tensor<1>> = ids.iter().filter_map(|id| gradients.get::<1>(*id)).collect();
    if flat.is_empty() {
        return gradients;
    }
    let norm = Tensor::cat(flat, 0).powi_scalar(2).sum().sqrt();
    let share = ((norm + EPSILON).recip() * most).clamp_max(1.0);
    for id in ids {
        if let Some(gradient) = gradients.remove::<1>(id) {
            gradients.register(id, gradient * share.clone());
        }
    }
    gradients
}
