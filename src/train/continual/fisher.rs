//! Computes the diagonal of the Fisher information of a network on images of a task.
//!
//! It is that of the distribution which the loss assumes, in expectation over the labels that the *network* would give (the
//! "exact" one; van de Ven 2025, 2502.11756, compares it with what libraries compute from the true labels or from whole
//! batches): F_i = (1/N) Σ_n Σ_c (v_nc · ∂f_n/∂w_i)² with V Vᵀ the second derivative of the loss of a sample. For cross-entropy
//! that is diag p − p pᵀ and v_c = √p_c (e_c − p); for the squared error, ½ · mean over C logits, v_c = e_c/√C. So F is the
//! diagonal of the Gauss–Newton matrix of exactly the loss that is trained.

use std::collections::HashMap;

use burn::module::Module as _;
use burn::tensor::{Tensor, TensorData};

use super::method::{Learner, PerParameter};
use crate::data::Images;
use crate::model::read;
use crate::ntk::squared_gradients;

/// Computes the diagonal on these images, where the loss includes these logits, all if `None`; of a tensor that is not trained
/// it is 0. `None` if `cancelled` returns true.
pub(super) fn fisher(
    learner: &dyn Learner,
    images: &Images,
    present: Option<&[usize]>,
    cancelled: &dyn Fn() -> bool,
) -> Option<PerParameter> {
    let network = learner.network().valid();
    let (classes, ..) = learner.readout();
    let all: Vec<usize> = (0..classes).collect();
    let present = present.unwrap_or(&all);
    let (n, inputs) = (images.len(), images.dim());
    let mut sums: HashMap<String, Tensor<1>> = HashMap::new();
    let mut first = 0;
    let mut group = 1;
    while first < n {
        let count = group.min(n - first);
        let pixels = &images.pixels[first * inputs..][..count * inputs];
        let pixels = learner.upload(pixels, count);
        if first == 0 {
            group = squared_gradients::samples_at_once(&network, &pixels, present.len());
        }
        let directions = directions(learner, &pixels, present);
        for (name, squares) in squared_gradients::sum(&network, &pixels, directions, cancelled)? {
            let sum = match sums.remove(&name) {
                Some(sum) => sum + squares,
                None => squares,
            };
            sums.insert(name, sum);
        }
        first += count;
    }
    let of = |((name, _), weights): ((String, _), Tensor<1>)| match sums.remove(&name) {
        Some(sum) => sum * (1.0 / n as f64),
        None => weights.zeros_like(),
    };
    Some(network.ids().into_iter().zip(network.flatten()).map(of).collect())
}

/// Returns the directions v_nc of these images, [n, present, C], times α, because the loss acts on α (f − f₀).
fn directions(learner: &dyn Learner, images: &Tensor<2>, present: &[usize]) -> Tensor<3> {
    let ([n, _], (classes, training, alpha)) = (images.dims(), learner.readout());
    let mut directions = vec![0.0; n * present.len() * classes];
    if training.loss.is_squared() {
        let length = alpha / (classes as f64).sqrt();
        for (row, direction) in directions.chunks_exact_mut(classes).enumerate() {
            direction[present[row % present.len()]] = length as f32;
        }
    } else {
        let outputs = read(learner.lazy(learner.network().valid().forward(images.clone()), images));
        for (outputs, directions) in
            outputs.chunks_exact(classes).zip(directions.chunks_exact_mut(present.len() * classes))
        {
            let shares = shares(outputs, present);
            for (own, direction) in directions.chunks_exact_mut(classes).enumerate() {
                for (other, (&logit, share)) in present.iter().zip(&shares).enumerate() {
                    let along = f64::from(u8::from(other == own)) - share;
                    direction[logit] = (alpha * shares[own].sqrt() * along) as f32;
                }
            }
        }
    }
    Tensor::from_data(TensorData::new(directions, [n, present.len(), classes]), learner.device())
}

/// Computes the softmax over the logits that are present.
fn shares(outputs: &[f32], present: &[usize]) -> Vec<f64> {
    let top = present.iter().map(|&logit| outputs[logit]).fold(f32::NEG_INFINITY, f32::max);
    let parts: Vec<f64> = present.iter().map(|&logit| f64::from(outputs[logit] - top).exp()).collect();
    let sum: f64 = parts.iter().sum();
    parts.into_iter().map(|part| part / sum).collect()
}
