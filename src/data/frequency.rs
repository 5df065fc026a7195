//! Computes the frequency shift: two tasks over the same classes with different proportions, D_α = (1−α) D₀ + α D₁.
//!
//! D₀ has the two groups of classes 9:1, D₁ has them 1:9; task 1 is D₀, task 2 is D_α. Both tasks have the same number of
//! images for every α, so that curves over α compare epochs of equal length; α = 0 is the control, the same task twice.

use crate::spec::frequency_totals;

/// Returns the number of images of each class of the two groups in D_α, given the numbers available:
/// `available[group][class]`.
pub(super) fn quotas(alpha: f64, available: &[Vec<usize>; 2]) -> [Vec<usize>; 2] {
    // A group contributes equally many images of each class, so its smallest class is the limit; either group may be the
    // favoured one.
    let capacity = available.each_ref().map(|group| group.len() * group.iter().min().copied().unwrap_or(0));
    let totals = frequency_totals(alpha, capacity);
    std::array::from_fn(|group| {
        let classes = available[group].len();
        (0..classes).map(|class| totals[group] / classes + usize::from(class < totals[group] % classes)).collect()
    })
}
