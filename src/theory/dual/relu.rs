//! Computes the dual activations of ReLU, leaky ReLU and the absolute value: the arc-cosine kernel (Cho & Saul 2009).
//!
//! Leaky ReLU of slope a is (1 + a)/2 times the identity plus (1 − a)/2 times the absolute value, and the two are
//! uncorrelated.

use std::f64::consts::{FRAC_2_PI, PI, TAU};

use super::erf::beyond_arc;
use super::pair::{Moment, Pair, determinant};

/// Number of pairs processed together.
const GROUP: usize = 64;

/// Computes the dual in groups, step by step, so that everything except the arc cosine is vectorised over pairs.
pub(super) fn relu(
    left: Moment<'_>,
    rights: &[Moment<'_>],
    lows: &[f64],
    covariances: &mut [f64],
    kernels: &mut [f64],
) {
    const OVER_TAU: f64 = 1.0 / TAU;
    let side = left.side;
    let groups = covariances.chunks_mut(GROUP).zip(kernels.chunks_mut(GROUP)).zip(rights.chunks(GROUP));
    for (group, ((covariances, kernels), rights)) in groups.enumerate() {
        let (mut products, mut sines, mut slopes) = ([0.0; GROUP], [0.0; GROUP], [0.0; GROUP]);
        for ((product, covariance), right) in products.iter_mut().zip(&mut *covariances).zip(rights) {
            *product = side.scaled * right.side.scaled;
            *covariance = *covariance * side.inverse * right.side.inverse;
        }
        for (((sine, slope), product), q) in sines.iter_mut().zip(&mut slopes).zip(&products).zip(&*covariances) {
            *slope = q / product.sqrt();
            *sine = (*product - q * q).max(0.0).sqrt();
        }
        for (at, ((slope, sine), covariance)) in slopes.iter_mut().zip(&mut sines).zip(&mut *covariances).enumerate() {
            // atan2(s, q) as an arc cosine, which costs half as much; near the ends, where that loses digits, atan2 is
            // used.
            let (q, right) = (*covariance, rights.get(at).map_or(side, |right| right.side));
            if slope.abs() < 0.999 {
                *slope = (PI - slope.acos()) * OVER_TAU;
                *covariance = *sine * OVER_TAU + *slope * q;
            } else {
                let low = lows.get(group * GROUP + at).map_or(0.0, |low| low * side.inverse * right.inverse);
                let square = determinant([side.scaled, right.scaled, q], [side.low, right.low, low]);
                *sine = if lows.is_empty() && square <= PARALLEL * products[at] { 0.0 } else { square.sqrt() };
                // atan2(0, 0) is to give half, whatever the sign of the zero.
                *slope = sine.atan2(-(q + 0.0)) * OVER_TAU;
                *covariance = match q < 0.0 {
                    true => -q * beyond_arc(*sine / -q) * OVER_TAU,
                    false => *sine * OVER_TAU + *slope * q,
                };
            }
        }
        for (((covariance, kernel), slope), right) in covariances.iter_mut().zip(kernels).zip(&slopes).zip(rights) {
            *covariance = *covariance / side.inverse / right.side.inverse;
            *kernel *= slope;
        }
    }
}

/// Computes the dual; |x| has κ = (2/π)(√(q₁q₂ − q²) + q arcsin ρ) and κ′ = (2/π) arcsin ρ.
pub(super) fn leaky(slope: f64, pair: &Pair) -> (f64, f64) {
    let (even, odd) = (0.25 * (1.0 - slope).powi(2), 0.25 * (1.0 + slope).powi(2));
    let parallel = !pair.known && pair.determinant <= PARALLEL * pair.q1 * pair.q2;
    let sine = if parallel { 0.0 } else { pair.determinant.sqrt() };
    // For two zeros, the value of equal inputs, as for ReLU.
    let arc = if sine == 0.0 && pair.q == 0.0 { 1.0 } else { FRAC_2_PI * pair.q.atan2(sine) };
    let value = even * (FRAC_2_PI * sine + pair.q * arc) + odd * pair.q;
    (pair.times(value), even * arc + odd)
}

/// The value of 1 − ρ² up to which inputs of ReLU count as parallel where the rounding error of their covariance is
/// unknown. The square root of that error would appear as an angle between parallel inputs; two inputs at such a small
/// angle lose at most 1e-8 of κ′.
const PARALLEL: f64 = 8.0 * f64::EPSILON;
