//! Dual activations: κ = E φ(u) φ(v) and κ′ = E φ′(u) φ′(v) of centred Gaussians (u, v) with variances q₁, q₂ and covariance q.
//!
//! ReLU (Cho & Saul 2009), erf (Williams 1996) and GELU (Tsuchida et al. 2021) have closed forms. Tanh has none, but it is a mean
//! of error functions, tanh x = E erf(x/(√2 σ)) with σ of Kolmogorov's distribution (Andrews & Mallows 1974, the logistic as a
//! mixture of normals). So its dual is a mean over two independent σ of the closed form
//!
//! ```text
//! κ = (2/π) E arctan(q/r)      κ′ = (2/π) E 1/r      r² = (q₁ + σ₁²)(q₂ + σ₂²) − q²
//! ```
//!
//! which Gauss's rule in ln σ takes with [`NODES`] nodes. The integrand has its singularities at ln σ ± iπ/2 whatever the
//! variances and the correlation are, so one rule serves all of them: its relative error is below 1e-11, from the smallest
//! variances to the largest (`tests/fixtures/make_dual.py` makes the rule, and by another integral what it is tested with).
//!
//! What is small is never left over from what is large: q₁q₂ − q² is taken without rounding where the correlation is near ±1,
//! ReLU and GELU have forms of their own for opposite inputs, and all variances are brought to 1 … 4 by powers of two, so that
//! no product overflows. What remains is the rounding of the covariance that is given; where that is too much there is no kernel
//! ([`super::NoKernels::Unresolved`]).
//!
//! Guarantees: relative error below 1e-10 for the given variances and covariance; no NaN for any variances from 0 on and any
//! covariance, also one that rounding has carried past √(q₁ q₂), but where the covariance does not tell the kernel to 1e-8.

use std::f64::consts::{FRAC_1_PI, FRAC_2_PI, FRAC_PI_2, PI, TAU};

use crate::spec::Activation;
use crate::spec::ops::Function;

/// What of a sample's variances the dual of an activation needs: prepared once, used in all its pairs.
#[derive(Clone, Debug, Default)]
pub(super) struct Moments {
    samples: usize,
    /// By place, then sample.
    sides: Vec<Side>,
    /// For tanh, c/√(q + σᵢ²) of each.
    roots: Vec<[f64; NODES]>,
}

/// One variance q = c² `scaled`.
#[derive(Clone, Copy, Debug)]
struct Side {
    variance: f64,
    /// q/c², and what rounding left out of it.
    scaled: f64,
    low: f64,
    /// 1/c, a power of two.
    inverse: f64,
}

/// One side of a pair.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    side: &'a Side,
    roots: Option<&'a [f64; NODES]>,
}

impl Moments {
    /// For LayerNorm, which needs the variances alone.
    pub fn plain(variances: &[f64], samples: usize) -> Self {
        let side = |&variance: &f64| Side { variance, scaled: variance, low: 0.0, inverse: 1.0 };
        Self { samples, sides: variances.iter().map(side).collect(), roots: Vec::new() }
    }

    /// For this activation; `lows` is what rounding left out of the variances, or empty where nobody knows.
    pub fn of(function: &Function, variances: &[f64], lows: &[f64], samples: usize) -> Self {
        let activation = named(function);
        let side = |(at, &variance): (usize, &f64)| {
            // ReLU is the same at every scale, the others are not what they are at 1 for anything smaller.
            let inverse = match activation {
                Activation::Relu if variance > 0.0 => 1.0 / power(variance),
                _ if variance > 1.0 => 1.0 / power(variance),
                _ => 1.0,
            };
            let scaled = |value: f64| value * inverse * inverse;
            Side { variance, scaled: scaled(variance), low: scaled(lows.get(at).copied().unwrap_or(0.0)), inverse }
        };
        let sides: Vec<Side> = variances.iter().enumerate().map(side).collect();
        let roots = match activation {
            Activation::Tanh => sides.iter().map(Side::roots).collect(),
            _ => Vec::new(),
        };
        Self { samples, sides, roots }
    }

    /// Whether all variances are numbers.
    pub fn is_finite(&self) -> bool {
        self.sides.iter().all(|side| side.variance.is_finite())
    }

    /// Of some of the samples.
    pub fn part(&self, samples: std::ops::Range<usize>) -> Self {
        let places = self.sides.len() / self.samples.max(1);
        let rows = || (0..places).map(|place| place * self.samples + samples.start..place * self.samples + samples.end);
        let roots = |rows: std::ops::Range<usize>| self.roots.get(rows).unwrap_or_default();
        Self {
            samples: samples.len(),
            sides: rows().flat_map(|rows| &self.sides[rows]).copied().collect(),
            roots: rows().flat_map(roots).copied().collect(),
        }
    }

    pub fn at(&self, place: usize, sample: usize) -> Moment<'_> {
        let index = place * self.samples + sample;
        Moment { side: &self.sides[index], roots: self.roots.get(index) }
    }
}

impl Moment<'_> {
    pub fn variance(&self) -> f64 {
        self.side.variance
    }
}

impl Side {
    fn roots(&self) -> [f64; NODES] {
        SQUARES.map(|square| 1.0 / (self.scaled + square * self.shrunk()).sqrt())
    }

    /// 1/c².
    fn shrunk(&self) -> f64 {
        self.inverse * self.inverse
    }
}

/// The power of two c with q/c² in 1 … 4.
fn power(q: f64) -> f64 {
    let exponent = (q.to_bits() >> 52) as i64 - 1023;
    f64::from_bits(((exponent.div_euclid(2) + 1023) as u64) << 52)
}

/// A pair of which all is of order one.
struct Pair {
    q1: f64,
    q2: f64,
    q: f64,
    /// q₁q₂ − q².
    determinant: f64,
    /// 1/c₁ and 1/c₂, and their squares.
    inverse: [f64; 2],
    shrunk: [f64; 2],
}

impl Pair {
    fn of(left: Moment<'_>, right: Moment<'_>, covariance: f64, low: f64) -> Self {
        let (left, right) = (left.side, right.side);
        let scaled = |value: f64| value * left.inverse * right.inverse;
        let (q1, q2, q) = (left.scaled, right.scaled, scaled(covariance));
        let determinant = determinant([q1, q2, q], [left.low, right.low, scaled(low)]);
        let shrunk = [left.shrunk(), right.shrunk()];
        Self { q1, q2, q, determinant, inverse: [left.inverse, right.inverse], shrunk }
    }

    /// (q₁ + a)(q₂ + b) − q².
    fn widened(&self, a: f64, b: f64) -> f64 {
        let (a, b) = (a * self.shrunk[0], b * self.shrunk[1]);
        self.determinant + (self.q1 * b + self.q2 * a + a * b)
    }

    /// A value over c₁c₂, or times it.
    fn over(&self, value: f64) -> f64 {
        value * self.inverse[0] * self.inverse[1]
    }

    fn times(&self, value: f64) -> f64 {
        value / self.inverse[0] / self.inverse[1]
    }

    /// Whether a covariance that is rounded like other numbers tells 1/√(q₁ + q₂ + q₁q₂ − q²) to [`RESOLVED`]. What is exactly
    /// equal or opposite is.
    fn resolved(&self) -> bool {
        let exact = self.q1 == self.q2 && self.q.abs() == self.q1 && self.inverse[0] == self.inverse[1];
        exact || 4.0 * f64::EPSILON * self.q1 * self.q2 <= 2.0 * RESOLVED * self.widened(1.0, 1.0)
    }
}

/// q₁q₂ − q² of numbers of which rounding has left so much out, from 0 on.
fn determinant([q1, q2, q]: [f64; 3], [low1, low2, low]: [f64; 3]) -> f64 {
    let (product, square) = (q1 * q2, q * q);
    let plain = product - square;
    if plain > NEAR * product {
        return plain;
    }
    let lost = q1.mul_add(q2, -product) - q.mul_add(q, -square);
    (plain + (lost + (q1 * low2 + q2 * low1 - 2.0 * q * low))).max(0.0)
}

/// κ and κ′ of one pair with these variances and this covariance.
///
/// The covariance is taken for exact: the relative error of both is below 1e-10 (of GELU's κ, which changes its sign, below
/// 1e-10 of √(κ₁₁κ₂₂) where it is nearly 0).
pub fn dual(activation: Activation, [q1, q2]: [f64; 2], covariance: f64) -> (f64, f64) {
    let function = &Function::Activation(activation);
    let moments = Moments::of(function, &[q1, q2], &[], 2);
    let (mut value, mut slope) = ([covariance], [1.0]);
    apply(function, moments.at(0, 0), &[moments.at(0, 1)], &[0.0], &mut value, &mut slope);
    (value[0], slope[0])
}

/// K ← κ and Θ ← κ′ Θ for a sample against several, pair by pair. `lows` is what rounding left out of the covariances, or empty
/// where nobody knows: then NaN where that could matter.
pub(super) fn apply(
    function: &Function,
    left: Moment<'_>,
    rights: &[Moment<'_>],
    lows: &[f64],
    covariances: &mut [f64],
    kernels: &mut [f64],
) {
    let dual = match named(function) {
        Activation::Relu => return relu(left, rights, lows, covariances, kernels),
        Activation::Erf => erf,
        Activation::Gelu => gelu,
        Activation::Tanh => tanh,
        _ => |_: Moment<'_>, _: Moment<'_>, _: &Pair| (f64::NAN, f64::NAN),
    };
    for (at, ((covariance, kernel), right)) in covariances.iter_mut().zip(kernels).zip(rights).enumerate() {
        let pair = Pair::of(left, *right, *covariance, lows.get(at).copied().unwrap_or(0.0));
        let (value, slope) = match lows.is_empty() && !pair.resolved() {
            true => (f64::NAN, f64::NAN),
            false => dual(left, *right, &pair),
        };
        (*covariance, *kernel) = (value, slope * *kernel);
    }
}

/// The activation that a function is; what has none here has no dual, as a softplus has none.
fn named(function: &Function) -> Activation {
    match function {
        Function::Activation(activation) => *activation,
        Function::LeakyRelu(_) | Function::Polynomial(_) => Activation::Softplus,
    }
}

/// Pairs that are gone through together.
const GROUP: usize = 64;

/// In groups, step by step, because then all but the arc cosine is done for several pairs at once.
fn relu(left: Moment<'_>, rights: &[Moment<'_>], lows: &[f64], covariances: &mut [f64], kernels: &mut [f64]) {
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

fn erf(_: Moment<'_>, _: Moment<'_>, pair: &Pair) -> (f64, f64) {
    let root = pair.widened(0.5, 0.5).sqrt();
    (FRAC_2_PI * pair.q.atan2(root), FRAC_2_PI * pair.over(1.0 / root))
}

/// With φ(x) = x Φ(x), exact. With T = (1 + q₁)(1 + q₂), S = T − q² and α = arctan(√S/−q) in 0 … π:
///
/// ```text
/// 2π κ = (q²/√S + q₁q₂ √S)/T + q α      2π κ′ = (q/√S)(1/S + (2 + q₁ + q₂)/T) + α
/// ```
fn gelu(_: Moment<'_>, _: Moment<'_>, pair: &Pair) -> (f64, f64) {
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
        // q₁q₂ = T − (1 + q₁ + q₂), and T √S/T cancels nearly all of q α.
        let rest = (both + q1 * other + q2 * one) / shifted;
        pair.over(q * q / shifted / root) - pair.times(rest * root) + pair.times(-q * beyond_arc(steep))
    } else {
        pair.over(q * q / shifted / root) + pair.times(q1 * q2 / shifted * root + q * alpha)
    };
    (value * OVER_TAU, slope * OVER_TAU)
}

/// x − arctan x, which for small x is x³/3 and no difference.
fn beyond_arc(x: f64) -> f64 {
    if x > 0.25 {
        return x - x.atan();
    }
    let square = x * x;
    let sum = (1..=14).rev().fold(0.0, |sum, k| 1.0 / f64::from(2 * k + 1) - square * sum);
    x * square * sum
}

fn tanh(left: Moment<'_>, right: Moment<'_>, pair: &Pair) -> (f64, f64) {
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
            // Sine and cosine of arctan(q/r): of the smaller the arc sine is taken.
            let (sine, cosine) = (along * rights[at], root * near * rights[at]);
            let steep = sine > cosine;
            let least = if steep { cosine } else { sine };
            let square = least * least;
            let mut series = ARC[0];
            for coefficient in &ARC[1..] {
                series = series * square + coefficient;
            }
            let arc = least * series;
            values[at] = WEIGHTS[at] * if steep { FRAC_PI_2 - arc } else { arc };
        }
        value += WEIGHTS[node] * values.iter().sum::<f64>();
        slope += WEIGHTS[node] * slopes.iter().sum::<f64>();
    }
    ((FRAC_2_PI * value).copysign(pair.q), FRAC_2_PI * pair.over(slope))
}

/// 1 − ρ² below which q₁q₂ − q² is taken without rounding.
pub(super) const NEAR: f64 = 1e-6;
/// 1 − ρ² up to which inputs of ReLU are parallel where nobody knows what rounding left out of their covariance. The root of that
/// rounding would be an angle between parallel inputs; two that do have so small an angle lose 1e-8 of κ′ at most.
const PARALLEL: f64 = 8.0 * f64::EPSILON;
/// The relative error that rounding of the covariance may leave in a kernel.
const RESOLVED: f64 = 1e-8;

/// Nodes of the rule for σ.
const NODES: usize = 10;
/// Their σ² and weights; the weights sum to 1.
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
/// arcsin(x)/x as a polynomial in x², highest power first, for x² up to ½: off by 2e-13 at most.
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
