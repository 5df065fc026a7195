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
mod pair;
mod polynomial;
mod relu;
mod rule;
mod waves;

pub use mean::mean;
pub(super) use pair::{Moment, NEAR};

use self::pair::{Pair, Roots, Side};
use self::rule::Rule;
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

/// Returns whether the dual of a function is computed here.
pub fn has_dual(function: &Function) -> bool {
    !matches!(Rule::of(function), Rule::Unknown)
}

/// Computes κ and κ′ of one pair with these variances and this covariance; NaN for a function without a dual.
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
        Rule::Unknown => each.replace(|_, _| None),
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
