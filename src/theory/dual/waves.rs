//! Computes the dual activations of sine, cosine and the exponential, from characteristic functions of u ± v.

use super::pair::{Moment, Pair, RESOLVED};

/// Computes κ = e^−(q₁+q₂)/2 sinh q and κ′ = e^−(q₁+q₂)/2 cosh q.
///
/// Errors are relative to √(κ₁₁κ₂₂). Returns `None` where the covariance does not determine the result: for large
/// variances, all pairs except those so far apart that both values vanish.
pub(super) fn sine(left: Moment<'_>, right: Moment<'_>, pair: &Pair) -> Option<(f64, f64)> {
    // Half the variance of u − v, or of u + v: avoids the difference of large exponents.
    let size = pair.q.abs();
    let lows = 0.5 * (left.side.low + right.side.low) - pair.low * 1f64.copysign(pair.q);
    let apart = (0.5 * ((pair.q1 - size) + (pair.q2 - size)) + lows).max(0.0);
    let half = 0.5 * (-apart).exp();
    let exact = pair.q1 == pair.q2 && size == pair.q1;
    let rounding = 4.0 * f64::EPSILON * pair.q1.max(pair.q2);
    let determined = pair.known || exact || half * rounding <= RESOLVED;
    determined.then(|| ((-half * (-2.0 * size).exp_m1()).copysign(pair.q), half * (1.0 + (-2.0 * size).exp())))
}

/// Computes κ and κ′ from those of the sine, whose derivative it is.
pub(super) fn cosine(left: Moment<'_>, right: Moment<'_>, pair: &Pair) -> Option<(f64, f64)> {
    sine(left, right, pair).map(|(value, slope)| (slope, value))
}

/// Computes κ = κ′ = e^((q₁+q₂)/2 + q).
pub(super) fn exponential(pair: &Pair) -> (f64, f64) {
    let value = (0.5 * ((pair.q1 + pair.q) + (pair.q2 + pair.q))).exp();
    (value, value)
}
