//! ReLU, leaky ReLU and the absolute value: the arc-cosine kernel (Cho & Saul 2009).
//!
//! Leaky ReLU of slope a is (1 + a)/2 of the identity and (1 − a)/2 of the absolute value, and the two are uncorrelated.

use std::f64::consts::{FRAC_2_PI, PI, TAU};

use super::erf::beyond_arc;
use super::{Moment, Pair, determinant};

/// Pairs that are gone through together.
const GROUP: usize = 64;

/// In groups, step by step, because then all but the arc cosine is done for several pairs at once.
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
            // atan2(s, q) as an arc cosine, which costs half of it; at the ends, where it would lose its digits, as it is.
            let (q, right) = (*covariance, rights.get(at).map_or(side, |right| right.side));
            if slope.abs() < 0.999 {
                *slope = (PI - slope.acos()) * OVER_TAU;
                *covariance = *sine * OVER_TAU + *slope * q;
            } else {
                let low = lows.get(group * GROUP + at).map_or(0.0, |low| low * side.inverse * right.inverse);
                let square = determinant([side.scaled, right.scaled, q], [side.low, right.low, low]);
                *sine = if lows.is_empty() && square <= PARALLEL * products[at] { 0.0 } else { square.sqrt() };
                // Of 0 and 0 the half, whichever sign a zero has.
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

/// |x| has κ = (2/π)(√(q₁q₂ − q²) + q arcsin ρ) and κ′ = (2/π) arcsin ρ.
pub(super) fn leaky(slope: f64, pair: &Pair) -> (f64, f64) {
    let (even, odd) = (0.25 * (1.0 - slope).powi(2), 0.25 * (1.0 + slope).powi(2));
    let parallel = !pair.known && pair.determinant <= PARALLEL * pair.q1 * pair.q2;
    let sine = if parallel { 0.0 } else { pair.determinant.sqrt() };
    // Of 0 and 0 as of equal inputs, as ReLU has it.
    let arc = if sine == 0.0 && pair.q == 0.0 { 1.0 } else { FRAC_2_PI * pair.q.atan2(sine) };
    let value = even * (FRAC_2_PI * sine + pair.q * arc) + odd * pair.q;
    (pair.times(value), even * arc + odd)
}

/// 1 − ρ² up to which inputs of ReLU are parallel where nobody knows what rounding left out of their covariance. The root of
/// that rounding would be an angle between parallel inputs; two that do have so small an angle lose 1e-8 of κ′ at most.
const PARALLEL: f64 = 8.0 * f64::EPSILON;
