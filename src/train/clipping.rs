//! Clips a gradient by its norm, on the device.

use burn::optim::GradientsParams;

use super::norms::squares;
use crate::model::Network;

/// What PyTorch adds to the norm.
const EPSILON: f64 = 1e-6;

/// Scales the gradients of all parameters so that their common norm is at most `most`, as PyTorch's `clip_grad_norm_` does;
/// 0 leaves them as they are.
pub(super) fn clipped(network: &Network, mut gradients: GradientsParams, most: f64) -> GradientsParams {
    if most == 0.0 {
        return gradients;
    }
    let Some(square) = squares(network, &gradients) else { return gradients };
    let share = ((square.sqrt() + EPSILON).recip() * most).clamp_max(1.0);
    for (_, id) in network.ids() {
        if let Some(gradient) = gradients.remove::<1>(id) {
            gradients.register(id, gradient * share.clone());
        }
    }
    gradients
}
