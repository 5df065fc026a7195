//! Measures how far one step moved the weights, ‖Δw‖: a run's path is the sum of these.
//!
//! On the processor it is the distance between the weights before and after the step, whatever the optimiser did, summed in f64 on
//! one thread, so that it does not depend on how many there are. A graphics card sums in f32, beside what it computes anyway.

use burn::tensor::Tensor;

use crate::model::Values;

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
