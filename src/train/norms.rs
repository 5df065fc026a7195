//! Computes norms over all parameters: of a gradient, of a displacement of the weights, and of one step, whose sum over a run is
//! the length of its path.
//!
//! The length of a step is, on the processor, the distance between the weights before and after it, whatever the optimiser did,
//! summed in f64 on one thread, so that it does not depend on how many there are. A graphics card sums in f32, beside what it
//! computes anyway.

use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::model::{Network, Values, is_host, read};

/// Computes ‖∇L‖ over the parameters that have a gradient, in host memory.
pub(super) fn norm(network: &Network, gradients: &GradientsParams) -> f64 {
    network.gradients(gradients).into_iter().map(|(_, gradient)| sum_of_squares(gradient)).sum::<f64>().sqrt()
}

/// Computes ‖∇L‖² on the device, over all tensors at once; `None` if there is no gradient.
pub(super) fn squares(network: &Network, gradients: &GradientsParams) -> Option<Tensor<1>> {
    all_squares(network.gradients(gradients).into_iter().map(|(_, gradient)| gradient).collect())
}

/// Computes ‖a − b‖ over all parameters, summed in f64 over tensors; on a graphics card in f32, over all at once.
pub fn displacement(a: &[Tensor<1>], b: &[Tensor<1>]) -> f64 {
    if a.first().is_some_and(|first| !is_host(&first.device())) {
        let square = all_squares(differences(a, b).collect());
        return square.map_or(0.0, |square| f64::from(read(square)[0]).sqrt());
    }
    differences(a, b).map(sum_of_squares).sum::<f64>().sqrt()
}

/// Returns a − b, parameter by parameter.
pub(super) fn differences(a: &[Tensor<1>], b: &[Tensor<1>]) -> impl Iterator<Item = Tensor<1>> {
    a.iter().zip(b).map(|(a, b)| a.clone() - b.clone())
}

/// Returns the sum of the squares of all entries, on the device; `None` without a tensor.
pub(super) fn all_squares(tensors: Vec<Tensor<1>>) -> Option<Tensor<1>> {
    (!tensors.is_empty()).then(|| Tensor::cat(tensors, 0).powi_scalar(2).sum())
}

fn sum_of_squares(tensor: Tensor<1>) -> f64 {
    read(tensor).into_iter().map(|value| f64::from(value).powi(2)).sum()
}

/// The number of sums that are kept beside each other, so that no addition waits for the one before it. It is a part of the
/// result, whose last digits depend on the order of a sum.
const SUMS: usize = 16;

/// Returns ‖a − b‖ over all parameters in host memory.
pub(super) fn step_length(a: Vec<Tensor<1>>, b: Vec<Tensor<1>>) -> f64 {
    let square = |(a, b): (Tensor<1>, Tensor<1>)| {
        let (a, b) = (Values::of(a), Values::of(b));
        squared_distance(a.slice(), b.slice())
    };
    a.into_iter().zip(b).map(square).sum::<f64>().sqrt()
}

fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    // The difference of two floats that are close to each other is exact.
    let square = |a: f32, b: f32| f64::from(a - b).powi(2);
    let ((whole_a, rest_a), (whole_b, rest_b)) = (a.as_chunks::<SUMS>(), b.as_chunks::<SUMS>());
    let mut sums = [0.0; SUMS];
    for (a, b) in whole_a.iter().zip(whole_b) {
        for place in 0..SUMS {
            sums[place] += square(a[place], b[place]);
        }
    }
    let rest: f64 = rest_a.iter().zip(rest_b).map(|(a, b)| square(*a, *b)).sum();
    sums.iter().sum::<f64>() + rest
}
