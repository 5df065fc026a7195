//! Computes the dual activations of polynomials, including the square and the identity, by their finite Hermite
//! expansion.
//!
//! ```text
//! κ = Σ hₙ(q₁) hₙ(q₂) qⁿ      κ′ = Σ n hₙ(q₁) hₙ(q₂) qⁿ⁻¹      hₙ(q) = E φ⁽ⁿ⁾(u)/√n!
//! ```

use super::pair::{Moment, Pair};

/// Returns every hₙ for a variance.
pub(super) fn coefficients(polynomial: &[f64], q: f64) -> impl Iterator<Item = f64> {
    let mut root = 1.0;
    (0..polynomial.len()).map(move |n| {
        root *= (n.max(1) as f64).sqrt();
        root * moment(polynomial, n, q)
    })
}

/// Computes E φ⁽ⁿ⁾(u)/n!, the sum over j of cₙ₊₂ⱼ qʲ (n + 2j)!/(n! j! 2ʲ).
fn moment(polynomial: &[f64], n: usize, q: f64) -> f64 {
    let (mut sum, mut factor) = (0.0, 1.0);
    for (j, coefficient) in polynomial[n..].iter().step_by(2).enumerate() {
        if j > 0 {
            let top = (n + 2 * j) as f64;
            factor *= top * (top - 1.0) / (2 * j) as f64 * q;
        }
        // A power that overflows must not affect a polynomial without that term.
        if *coefficient != 0.0 {
            sum += coefficient * factor;
        }
    }
    sum
}

/// Computes κ and κ′. Error: one or two roundings relative to √(κ₁₁κ₂₂).
pub(super) fn polynomial(left: Moment<'_>, right: Moment<'_>, pair: &Pair) -> (f64, f64) {
    let (mut value, mut slope) = (0.0, 0.0);
    for (n, (left, right)) in left.hermite.iter().zip(right.hermite).enumerate().rev() {
        value = left * right + pair.q * value;
        if n > 0 {
            slope = n as f64 * left * right + pair.q * slope;
        }
    }
    (value, slope)
}

/// Computes E φ.
pub(super) fn mean(polynomial: &[f64], q: f64) -> f64 {
    if polynomial.is_empty() { 0.0 } else { moment(polynomial, 0, q) }
}
