//! Computes the training loss of a batch, on the device.
//!
//! Conventions (the same as in the theory): cross-entropy is the mean over the batch, so ḟ = −Θ (p − y)/N; MSE is half the
//! mean over the N·C entries, so ḟ = −Θ (f − y)/(N C). Logits of classes that are not present are masked: for cross-entropy
//! they have no share of the probability, for MSE no error, and in both cases no gradient. Label smoothing spreads ε of a
//! target evenly over the classes that are present, as PyTorch's `CrossEntropyLoss` does over all.

use burn::tensor::{Device, Tensor, TensorData, activation};

use crate::data::Targets;
use crate::spec::{Loss, TrainingSpec};

/// The logit of a masked class: its exp is 0 in any float.
const ABSENT: f32 = -1e30;

/// Returns the targets of outputs [n, C].
pub(super) fn wanted(targets: Targets<'_>, outputs: usize, device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(targets.matrix(outputs), [targets.len(), outputs]), device)
}

/// Returns the loss of outputs [n, C] against their targets (for cross-entropy one-hot); `present` are the classes whose
/// logits count; all if `None`.
pub(super) fn batch_loss(
    training: &TrainingSpec,
    outputs: Tensor<2>,
    targets: Tensor<2>,
    present: Option<&[usize]>,
) -> Tensor<1> {
    let [n, classes] = outputs.dims();
    let device = targets.device();
    let row = |there: f32, absent: f32| {
        let value = |class| if present.is_none_or(|present| present.contains(&class)) { there } else { absent };
        let values: Vec<f32> = (0..classes).map(value).collect();
        Tensor::<2>::from_data(TensorData::new(values, [1, classes]), &device)
    };
    match training.loss {
        Loss::CrossEntropy => {
            let targets = if training.smoothing > 0.0 {
                let share = training.smoothing / present.map_or(classes, <[usize]>::len).max(1) as f64;
                targets * (1.0 - training.smoothing) + row(share as f32, 0.0)
            } else {
                targets
            };
            let outputs = if present.is_some() { outputs + row(0.0, ABSENT) } else { outputs };
            (activation::log_softmax(outputs, 1) * targets).sum() * (-1.0 / n as f64)
        }
        Loss::Mse => {
            let errors = outputs - targets.clone();
            let errors = if present.is_some() { errors * row(1.0, 0.0) } else { errors };
            errors.powi_scalar(2).sum() * (0.5 / (n * classes) as f64)
        }
    }
}
