//! Dual activations: κ = E φ(u) φ(v) and κ′ = E φ′(u) φ′(v) of centred Gaussians (u, v) with variances q₁, q₂ and covariance q,
//! and the mean E φ(u).
//!
//! ReLU and its variants (Cho & Saul 2009), erf (Williams 1996), GELU (Tsuchida et al. 2021), sine, cosine, the exponential
//! and polynomials have closed forms. Tanh has none, but it is a mean of error functions, tanh x = E erf(x/(√2 σ)) with σ
//! of Kolmogorov's distribution (Andrews & Mallows 1974, the logistic as a mixture of normals). So its dual is a mean over
//! two independent σ of the closed form
//!
//! ```text
//! κ = (2/π) E arctan(q/r)      κ′ = (2/π) E 1/r      r² = (q₁ + σ₁²)(q₂ + σ₂²) − q²
//! ```
//!
//! which Gauss's rule in ln σ integrates with ten nodes. The integrand has its singularities at ln σ ± iπ/2 for all
//! variances and correlations, so one rule serves all of them: its relative error is below 1e-11, from the smallest
//! variances to the largest (`tests/fixtures/make_dual.py` computes the rule, and by another integral the values for its
//! test). Sigmoid, softplus and SiLU are such means too, and the tanh GELU is GELU plus a sum of bells.
//!
//! Small values are never computed as differences of large ones: q₁q₂ − q² is computed without rounding where the
//! correlation is near ±1, ReLU and GELU have separate forms for opposite inputs, and variances are scaled to 1 … 4 by
//! powers of two where φ can saturate or has no scale, so that no product overflows; only a result beyond the range of f64
//! becomes infinite. The remaining error is the rounding of the given covariance; where that is too large the kernel is
//! refused ([`super::LimitKernelError::Unresolved`]).
//!
//! Guarantees, for the given variances and covariance: errors below 1e-10, relative, or of √(κ₁₁κ₂₂) where κ changes its
//! sign and is nearly 0 (of κ′ likewise; and for sine and cosine always); no NaN for any variances from 0 on and any
//! covariance, including one that rounding has carried past √(q₁ q₂), except where the covariance does not determine the
//! kernel to 1e-8 and where a kernel exceeds the range of f64.

mod erf;
mod gelu_tanh;
mod logistic;
mod mean;
mod polynomial;
mod relu;
mod waves;

pub use mean::mean;

use self::logistic::Roots;
use crate::spec::Activation;
use crate::spec::Activation::*;
use crate::spec::ops::Function;

/// The quantities of the samples' variances that the dual of an activation needs, computed once and used in all pairs.
#[derive(Clone, Debug, Default)]
pub(super) struct Moments {
    samples: usize,
    /// Indexed by place, then sample.
    sides: Vec<Side>,
    /// The roots of each variance, for tanh and related functions.
    roots: Vec<Roots>,
    /// The Hermite coefficients of each variance, for polynomials.
    hermite: Vec<f64>,
    degrees: usize,
}

/// A variance q = c² `scaled`.
#[derive(Clone, Copy, Debug)]
struct Side {
    variance: f64,
    /// q/c², and its rounding error.
    scaled: f64,
    low: f64,
    /// 1/c, a power of two.
    inverse: f64,
}

/// One member of a pair.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    side: &'a Side,
    roots: Option<&'a Roots>,
    hermite: &'a [f64],
}

/// The rule that computes the dual of a function.
#[derive(Clone, Copy)]
enum Rule<'a> {
    Relu,
    /// A leaky ReLU of this slope for negative inputs.
    Leaky(f64),
    Erf,
    Gelu,
    GeluTanh,
    Tanh,
    Sigmoid,
    Softplus,
    Silu,
    Sine,
    Cosine,
    Exponential,
    /// A polynomial with these coefficients.
    Polynomial(&'a [f64]),
}

impl<'a> Rule<'a> {
    fn of(function: &'a Function) -> Self {
        match function {
            Function::Activation(activation) => match activation {
                Relu => Self::Relu,
                LeakyRelu => Self::Leaky(Activation::LEAK),
                Abs => Self::Leaky(-1.0),
                Erf => Self::Erf,
                Gelu => Self::Gelu,
                GeluTanh => Self::GeluTanh,
                Tanh => Self::Tanh,
                Sigmoid => Self::Sigmoid,
                Softplus => Self::Softplus,
                Silu => Self::Silu,
                Sin => Self::Sine,
                Cos => Self::Cosine,
                Exp => Self::Exponential,
                Square => Self::Polynomial(&[0.0, 0.0, 1.0]),
                Identity => Self::Polynomial(&[0.0, 1.0]),
            },
            Function::LeakyRelu(0.0) => Self::Relu,
            Function::LeakyRelu(slope) => Self::Leaky(*slope),
            Function::Polynomial(coefficients) => Self::Polynomial(coefficients),
        }
    }

    /// Returns the factor from the given variances to those of its pairs: functions based on the logistic one use half the
    /// number.
    fn share(self) -> f64 {
        match self {
            Self::Sigmoid | Self::Softplus | Self::Silu => 0.25,
            _ => 1.0,
        }
    }

    /// Returns 1/c for a variance.
    fn inverse(self, variance: f64) -> f64 {
        match self {
            // These are homogeneous; the others change their shape with the scale and need c = 1 for variances below 1.
            Self::Relu | Self::Leaky(_) if variance > 0.0 => 1.0 / power(variance),
            // These are as large as their own kernels, so scaling gains nothing.
            Self::Sine | Self::Cosine | Self::Exponential | Self::Polynomial(_) => 1.0,
            _ if variance > 1.0 => 1.0 / power(variance),
            _ => 1.0,
        }
    }
}

impl Moments {
    /// Prepares LayerNorm, which needs only the variances.
    pub fn plain(variances: &[f64], samples: usize) -> Self {
        let side = |&variance: &f64| Side { variance, scaled: variance, low: 0.0, inverse: 1.0 };
        Self { samples, sides: variances.iter().map(side).collect(), ..Self::default() }
    }

    /// Prepares this function; `lows` holds the rounding errors of the variances, or is empty where they are unknown.
    pub fn of(function: &Function, variances: &[f64], lows: &[f64], samples: usize) -> Self {
        let rule = Rule::of(function);
        let side = |(at, &variance): (usize, &f64)| {
            let (variance, low) = (rule.share() * variance, rule.share() * lows.get(at).copied().unwrap_or(0.0));
            let inverse = rule.inverse(variance);
            let scaled = |value: f64| value * inverse * inverse;
            Side { variance, scaled: scaled(variance), low: scaled(low), inverse }
        };
        let mut moments = Self { samples, sides: variances.iter().enumerate().map(side).collect(), ..Self::default() };
        match rule {
            Rule::Tanh | Rule::Sigmoid | Rule::Softplus | Rule::Silu => {
                moments.roots = moments.sides.iter().map(logistic::roots).collect();
            }
            Rule::Polynomial(coefficients) => {
                moments.degrees = coefficients.len();
                moments.hermite =
                    variances.iter().flat_map(|&variance| polynomial::coefficients(coefficients, variance)).collect();
            }
            _ => {}
        }
        moments
    }

    /// Returns whether all variances are finite.
    pub fn is_finite(&self) -> bool {
        self.sides.iter().all(|side| side.variance.is_finite())
    }

    /// Returns the moments of some of the samples.
    pub fn part(&self, samples: std::ops::Range<usize>) -> Self {
        let places = self.sides.len() / self.samples.max(1);
        let rows = || (0..places).map(|place| place * self.samples + samples.start..place * self.samples + samples.end);
        let roots = |rows: std::ops::Range<usize>| self.roots.get(rows).unwrap_or_default();
        let hermite = |rows: std::ops::Range<usize>| &self.hermite[rows.start * self.degrees..rows.end * self.degrees];
        Self {
            samples: samples.len(),
            sides: rows().flat_map(|rows| &self.sides[rows]).copied().collect(),
            roots: rows().flat_map(roots).copied().collect(),
            hermite: rows().flat_map(hermite).copied().collect(),
            degrees: self.degrees,
        }
    }

    pub fn at(&self, place: usize, sample: usize) -> Moment<'_> {
        let index = place * self.samples + sample;
        let hermite = &self.hermite[index * self.degrees..(index + 1) * self.degrees];
        Moment { side: &self.sides[index], roots: self.roots.get(index), hermite }
    }
}

impl Moment<'_> {
    pub fn variance(&self) -> f64 {
        self.side.variance
    }
}

impl Side {
    /// Returns 1/c².
    fn shrunk(&self) -> f64 {
        self.inverse * self.inverse
    }
}

/// Returns the power of two c with q/c² in 1 … 4.
fn power(q: f64) -> f64 {
    let exponent = (q.to_bits() >> 52) as i64 - 1023;
    f64::from_bits(((exponent.div_euclid(2) + 1023) as u64) << 52)
}

/// A pair scaled so that its entries are of order one.
struct Pair {
    q1: f64,
    q2: f64,
    q: f64,
    /// q₁q₂ − q².
    determinant: f64,
    /// The rounding error of q, if known.
    low: f64,
    known: bool,
    /// 1/c₁ and 1/c₂, and their squares.
    inverse: [f64; 2],
    shrunk: [f64; 2],
}

impl Pair {
    fn of(left: Moment<'_>, right: Moment<'_>, covariance: f64, low: Option<f64>) -> Self {
        let (left, right) = (left.side, right.side);
        let scaled = |value: f64| value * left.inverse * right.inverse;
        let (q1, q2, q) = (left.scaled, right.scaled, scaled(covariance));
        let (known, low) = (low.is_some(), scaled(low.unwrap_or(0.0)));
        let determinant = determinant([q1, q2, q], [left.low, right.low, low]);
        let shrunk = [left.shrunk(), right.shrunk()];
        Self { q1, q2, q, determinant, low, known, inverse: [left.inverse, right.inverse], shrunk }
    }

    /// Returns (q₁ + a)(q₂ + b) − q².
    fn widened(&self, a: f64, b: f64) -> f64 {
        let (a, b) = (a * self.shrunk[0], b * self.shrunk[1]);
        self.determinant + (self.q1 * b + self.q2 * a + a * b)
    }

    /// Divides a value by c₁c₂, or multiplies it.
    fn over(&self, value: f64) -> f64 {
        value * self.inverse[0] * self.inverse[1]
    }

    fn times(&self, value: f64) -> f64 {
        value / self.inverse[0] / self.inverse[1]
    }

    /// Returns whether the rounding error of the covariance is known or irrelevant: a covariance with ordinary rounding
    /// determines 1/√(q₁ + q₂ + q₁q₂ − q²) to [`RESOLVED`]. Exactly equal or opposite inputs always qualify.
    fn resolved(&self) -> bool {
        let exact = self.q1 == self.q2 && self.q.abs() == self.q1 && self.inverse[0] == self.inverse[1];
        self.known || exact || 4.0 * f64::EPSILON * self.q1 * self.q2 <= 2.0 * RESOLVED * self.widened(1.0, 1.0)
    }
}

/// Returns q₁q₂ − q² for numbers with these rounding errors; at least 0.
fn determinant([q1, q2, q]: [f64; 3], [low1, low2, low]: [f64; 3]) -> f64 {
    let (product, square) = (q1 * q2, q * q);
    let plain = product - square;
    if plain > NEAR * product {
        return plain;
    }
    let lost = q1.mul_add(q2, -product) - q.mul_add(q, -square);
    (plain + (lost + (q1 * low2 + q2 * low1 - 2.0 * q * low))).max(0.0)
}

/// Computes κ and κ′ of one pair with these variances and this covariance.
///
/// The covariance is taken as exact: the relative error of both is below 1e-10 (where the value changes its sign and is
/// nearly 0, below 1e-10 of √(κ₁₁κ₂₂)).
pub fn dual(function: &Function, [q1, q2]: [f64; 2], covariance: f64) -> (f64, f64) {
    let moments = Moments::of(function, &[q1, q2], &[], 2);
    let (mut value, mut slope) = ([covariance], [1.0]);
    apply(function, moments.at(0, 0), &[moments.at(0, 1)], &[0.0], &mut value, &mut slope);
    (value[0], slope[0])
}

/// Replaces K by κ and Θ by κ′ Θ for a sample against several, pair by pair. `lows` holds the rounding errors of the
/// covariances, or is empty where they are unknown: then the result is NaN where they could matter.
pub(super) fn apply(
    function: &Function,
    left: Moment<'_>,
    rights: &[Moment<'_>],
    lows: &[f64],
    covariances: &mut [f64],
    kernels: &mut [f64],
) {
    let rule = Rule::of(function);
    let share = rule.share();
    let each = Pairs { left, rights, lows, share, covariances, kernels };
    match rule {
        Rule::Relu => relu::relu(left, rights, lows, each.covariances, each.kernels),
        Rule::Leaky(slope) => each.replace(|_, pair| Some(relu::leaky(slope, pair))),
        Rule::Erf => each.replace(|_, pair| pair.resolved().then(|| erf::erf(pair))),
        Rule::Gelu => each.replace(|_, pair| pair.resolved().then(|| erf::gelu(pair))),
        Rule::GeluTanh => each.replace(|_, pair| pair.resolved().then(|| gelu_tanh::gelu_tanh(pair))),
        Rule::Tanh => each.replace(|right, pair| pair.resolved().then(|| logistic::tanh(left, right, pair))),
        Rule::Sigmoid => each.replace(|right, pair| pair.resolved().then(|| logistic::sigmoid(left, right, pair))),
        // Softplus depends on the angle at least as smoothly as ReLU, so rounding costs at most 1e-8 as well.
        Rule::Softplus => each.replace(|right, pair| Some(logistic::softplus(left, right, pair))),
        Rule::Silu => each.replace(|right, pair| pair.resolved().then(|| logistic::silu(left, right, pair))),
        Rule::Sine => each.replace(|right, pair| waves::sine(left, right, pair)),
        Rule::Cosine => each.replace(|right, pair| waves::cosine(left, right, pair)),
        Rule::Exponential => each.replace(|_, pair| Some(waves::exponential(pair))),
        Rule::Polynomial(_) => each.replace(|right, pair| Some(polynomial::polynomial(left, right, pair))),
    }
}

/// A sample against several others.
struct Pairs<'a, 'b> {
    left: Moment<'a>,
    rights: &'b [Moment<'a>],
    lows: &'b [f64],
    share: f64,
    covariances: &'b mut [f64],
    kernels: &'b mut [f64],
}

impl<'a> Pairs<'a, '_> {
    /// Replaces K and Θ, pair by pair.
    #[inline(always)]
    fn replace(self, dual: impl Fn(Moment<'a>, &Pair) -> Option<(f64, f64)>) {
        for (at, ((covariance, kernel), right)) in
            self.covariances.iter_mut().zip(self.kernels).zip(self.rights).enumerate()
        {
            let low = match self.lows.is_empty() {
                true => None,
                false => Some(self.share * self.lows.get(at).copied().unwrap_or(0.0)),
            };
            let pair = Pair::of(self.left, *right, self.share * *covariance, low);
            let (value, slope) = dual(*right, &pair).unwrap_or((f64::NAN, f64::NAN));
            (*covariance, *kernel) = (value, slope * *kernel);
        }
    }
}

/// The value of 1 − ρ² below which q₁q₂ − q² is computed without rounding.
pub(super) const NEAR: f64 = 1e-6;
/// Largest relative error that rounding of the covariance may cause in a kernel.
const RESOLVED: f64 = 1e-8;
