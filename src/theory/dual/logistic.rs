//! Computes the dual activations of tanh, sigmoid, softplus and SiLU: means over σ of functions with closed forms.
//!
//! tanh x = E erf(x/(√2 σ)) with σ of Kolmogorov's distribution (Andrews & Mallows 1974, the logistic as a mixture of
//! normals). With y = x/2 and Φ and ϕ of the normal distribution, sigmoid x = E Φ(y/σ), so SiLU is x sigmoid x = 2 E y
//! Φ(y/σ), and softplus, the integral of the sigmoid, is 2 E (y Φ(y/σ) + σ ϕ(y/σ)) = 2 E max(y + σz, 0) with z of N(0,1).
//! These three therefore only need the variance and covariance q/4, from which their moments and pairs are prepared.
//!
//! The relative error of the quadrature rule, for all variances and correlations, is below 1e-11 for tanh, sigmoid and
//! softplus; for SiLU it is below 1e-10, and where the value is nearly 0 below 1e-11 of √(κ₁₁κ₂₂) (`tests/suite/dual.rs`).

use std::f64::consts::{FRAC_2_PI, FRAC_PI_2, PI, TAU};

use super::erf::beyond_arc;
use super::pair::{Moment, NODES, Pair, Roots, Side};

pub(super) fn roots(side: &Side) -> Roots {
    SQUARES.map(|square| 1.0 / (side.scaled + square * side.shrunk()).sqrt())
}

pub(super) fn tanh(left: Moment<'_>, right: Moment<'_>, pair: &Pair) -> (f64, f64) {
    let (Some(lefts), Some(rights)) = (left.roots, right.roots) else { return (f64::NAN, f64::NAN) };
    let size = pair.q.abs();
    let squares = SQUARES.map(|square| square * pair.shrunk[1]);
    let (mut value, mut slope) = (0.0, 0.0);
    for (node, near) in lefts.iter().enumerate() {
        let a = SQUARES[node] * pair.shrunk[0];
        let (base, step, along) = (pair.determinant + a * pair.q2, pair.q1 + a, size * near);
        let (mut values, mut slopes) = ([0.0; NODES], [0.0; NODES]);
        for at in 0..NODES {
            let root = (base + step * squares[at]).sqrt();
            slopes[at] = WEIGHTS[at] / root;
            let (arc, steep) = arc(along * rights[at], root * near * rights[at]);
            values[at] = WEIGHTS[at] * if steep { FRAC_PI_2 - arc } else { arc };
        }
        value += WEIGHTS[node] * values.iter().sum::<f64>();
        slope += WEIGHTS[node] * slopes.iter().sum::<f64>();
    }
    ((FRAC_2_PI * value).copysign(pair.q), FRAC_2_PI * pair.over(slope))
}

/// Computes the dual of (1 + tanh y)/2.
pub(super) fn sigmoid(left: Moment<'_>, right: Moment<'_>, pair: &Pair) -> (f64, f64) {
    let (value, slope) = tanh(left, right, pair);
    (0.25 + 0.25 * value, 0.0625 * slope)
}

/// Computes the dual of softplus, the arc-cosine kernel of variances q₁/4 + σ₁² and q₂/4 + σ₂²: with r as for tanh and α =
/// arctan(r/−q) in 0 … π,
///
/// ```text
/// κ = (2/π) E (r + q α)      κ′ = 1/(2π) E α
/// ```
pub(super) fn softplus(left: Moment<'_>, right: Moment<'_>, pair: &Pair) -> (f64, f64) {
    over_nodes(left, right, pair, |_, _, _, root, alpha| {
        let steep = root / -pair.q;
        let value = match pair.q < 0.0 && steep < 0.25 {
            true => -pair.q * beyond_arc(steep),
            false => root + pair.q * alpha,
        };
        (value, alpha)
    })
}

/// Computes the dual of SiLU, which is GELU's ([`super::erf::gelu`]) at every scale: with T = (q₁ + σ₁²)(q₂ + σ₂²) and S =
/// T − q²,
///
/// ```text
/// κ = (2/π) E ((σ₁²σ₂² q²/√S + q₁q₂ √S)/T + q α)
/// κ′ = 1/(2π) E ((q/√S)(σ₁²σ₂²/S + (2σ₁²σ₂² + q₁σ₂² + q₂σ₁²)/T) + α)
/// ```
pub(super) fn silu(left: Moment<'_>, right: Moment<'_>, pair: &Pair) -> (f64, f64) {
    let &Pair { q1, q2, q, .. } = pair;
    over_nodes(left, right, pair, |a, b, over_shifted, root, alpha| {
        let (both, inverse) = (a * b, 1.0 / root);
        let rest = (both + q1 * b + q2 * a) * over_shifted;
        let steep = root / -q;
        let (small, slope) = (both * q * q * over_shifted * inverse, q * inverse);
        let value = match q < 0.0 && steep < 0.25 {
            // q₁q₂ = T − (σ₁²σ₂² + q₁σ₂² + q₂σ₁²), and T √S/T cancels most of q α.
            true => small - rest * root - q * beyond_arc(steep),
            false => small + q1 * q2 * over_shifted * root + q * alpha,
        };
        (value, slope * (both * inverse * inverse + (both * over_shifted + rest)) + alpha)
    })
}

/// Computes κ = (2/π) E and κ′ = 1/(2π) E of `inner`, a function of σ₁², σ₂², 1/T, r = √S and α.
#[inline(always)]
fn over_nodes(
    left: Moment<'_>,
    right: Moment<'_>,
    pair: &Pair,
    inner: impl Fn(f64, f64, f64, f64, f64) -> (f64, f64),
) -> (f64, f64) {
    let (Some(lefts), Some(rights)) = (left.roots, right.roots) else { return (f64::NAN, f64::NAN) };
    let size = pair.q.abs();
    let squares = SQUARES.map(|square| square * pair.shrunk[1]);
    let (mut value, mut slope) = (0.0, 0.0);
    for (node, near) in lefts.iter().enumerate() {
        let a = SQUARES[node] * pair.shrunk[0];
        let (base, step) = (pair.determinant + a * pair.q2, pair.q1 + a);
        let (mut values, mut slopes) = ([0.0; NODES], [0.0; NODES]);
        for at in 0..NODES {
            let root = (base + step * squares[at]).sqrt();
            let both = near * rights[at];
            let (arc, steep) = arc(size * both, root * both);
            // α is measured from the opposite side.
            let alpha = match (pair.q < 0.0, steep) {
                (true, true) => arc,
                (true, false) => FRAC_PI_2 - arc,
                (false, true) => PI - arc,
                (false, false) => FRAC_PI_2 + arc,
            };
            let (inner_value, inner_slope) = inner(a, squares[at], both * both, root, alpha);
            (values[at], slopes[at]) = (WEIGHTS[at] * inner_value, WEIGHTS[at] * inner_slope);
        }
        value += WEIGHTS[node] * values.iter().sum::<f64>();
        slope += WEIGHTS[node] * slopes.iter().sum::<f64>();
    }
    (pair.times(FRAC_2_PI * value), slope / TAU)
}

/// Returns the arc from the nearer axis of an angle with this sine and cosine in 0 … 1, and whether that axis is the
/// cosine's: the arc sine of the smaller of the two.
#[inline(always)]
fn arc(sine: f64, cosine: f64) -> (f64, bool) {
    let steep = sine > cosine;
    let least = if steep { cosine } else { sine };
    let square = least * least;
    let mut series = ARC[0];
    for coefficient in &ARC[1..] {
        series = series * square + coefficient;
    }
    (least * series, steep)
}

/// Computes the mean over σ of a function of σ².
pub(super) fn over_squares(of: impl Fn(f64) -> f64) -> f64 {
    SQUARES.iter().zip(&WEIGHTS).map(|(&square, weight)| weight * of(square)).sum()
}

/// The nodes σ² and their weights; the weights sum to 1.
const SQUARES: [f64; NODES] = [
    0.091_356_013_126_666_91,
    0.143_141_176_167_193_97,
    0.222_858_690_216_236_84,
    0.353_008_924_474_909_67,
    0.571_598_895_939_485_9,
    0.939_377_601_020_022_8,
    1.540_728_236_083_284,
    2.485_031_794_424_119_7,
    3.941_419_370_867_388,
    6.287_022_193_047_58,
];
const WEIGHTS: [f64; NODES] = [
    6.956_693_914_267_017e-5,
    0.004_269_207_908_540_238,
    0.047_389_418_027_841_34,
    0.180_704_830_074_131_58,
    0.312_182_657_536_901_6,
    0.282_386_436_033_262_4,
    0.137_923_705_813_727_68,
    0.032_311_345_253_858_26,
    0.002_720_151_435_017_247_7,
    4.268_097_757_699_987e-5,
];
/// Coefficients of arcsin(x)/x as a polynomial in x², highest power first, for x² up to ½; error at most 2e-13.
const ARC: [f64; 14] = [
    0.295_681_088_905_006_1,
    -0.712_846_387_808_750_9,
    0.842_568_677_096_765_2,
    -0.572_212_699_734_453_1,
    0.274_511_796_190_331_7,
    -0.070_849_980_382_613_6,
    0.031_702_065_904_113_61,
    0.014_726_881_144_511_283,
    0.022_633_413_432_337_684,
    0.030_365_237_426_693_055,
    0.044_643_492_969_992_8,
    0.074_999_987_444_061_7,
    0.166_666_666_763_830_3,
    0.999_999_999_999_875_9,
];
