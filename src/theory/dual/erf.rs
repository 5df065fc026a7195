//! Computes the dual activations of the error function (Williams 1996) and GELU (Tsuchida et al. 2021).

use std::f64::consts::{FRAC_1_PI, FRAC_2_PI};

use super::pair::Pair;

pub(super) fn erf(pair: &Pair) -> (f64, f64) {
    let root = pair.widened(0.5, 0.5).sqrt();
    (FRAC_2_PI * pair.q.atan2(root), FRAC_2_PI * pair.over(1.0 / root))
}

/// Computes the dual of φ(x) = x Φ(x), exactly. With T = (1 + q₁)(1 + q₂), S = T − q² and α = arctan(√S/−q) in 0 … π:
///
/// ```text
/// 2π κ = (q²/√S + q₁q₂ √S)/T + q α      2π κ′ = (q/√S)(1/S + (2 + q₁ + q₂)/T) + α
/// ```
pub(super) fn gelu(pair: &Pair) -> (f64, f64) {
    const OVER_TAU: f64 = 0.5 * FRAC_1_PI;
    let Pair { q1, q2, q, shrunk: [one, other], .. } = *pair;
    let square = pair.widened(1.0, 1.0);
    let root = square.sqrt();
    let shifted = (q1 + one) * (q2 + other);
    let alpha = root.atan2(-q);
    let both = one * other;
    let slope = (q / root) * (both / square + (2.0 * both + q1 * other + q2 * one) / shifted) + alpha;
    let steep = root / -q;
    let value = if q < 0.0 && steep < 0.25 {
        // q₁q₂ = T − (1 + q₁ + q₂), and T √S/T cancels most of q α.
        let rest = (both + q1 * other + q2 * one) / shifted;
        pair.over(q * q / shifted / root) - pair.times(rest * root) + pair.times(-q * beyond_arc(steep))
    } else {
        pair.over(q * q / shifted / root) + pair.times(q1 * q2 / shifted * root + q * alpha)
    };
    (value * OVER_TAU, slope * OVER_TAU)
}

/// Returns x − arctan x, as x³/3 without cancellation for small x.
pub(super) fn beyond_arc(x: f64) -> f64 {
    if x > 0.25 {
        return x - x.atan();
    }
    let square = x * x;
    let sum = (1..=14).rev().fold(0.0, |sum, k| 1.0 / f64::from(2 * k + 1) - square * sum);
    x * square * sum
}
