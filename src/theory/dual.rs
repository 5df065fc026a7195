//! Dual activations: κ = E φ(u) φ(v) and κ′ = E φ′(u) φ′(v) of centred Gaussians (u, v) with variances q₁, q₂ and covariance q.
//!
//! ReLU (Cho & Saul 2009), erf (Williams 1996) and GELU (Tsuchida et al. 2021) have closed forms. Tanh has none: it is
//! expanded in Hermite polynomials, φ(√q z) = Σ aₖ(q) hₖ(z), with coefficients by quadrature; then κ = Σ aₖ(q₁) aₖ(q₂) ρᵏ
//! (Mehler 1866), and κ′ is its derivative by q. One quadrature serves a sample in all its pairs, and the error is known:
//! by Parseval, the coefficients that are left out weigh E φ² − Σ aₖ², which is added where it counts.
//!
//! Guarantees: no NaN for any variances from 0 on and any covariance, also one that rounding has carried past √(q₁ q₂).

use std::f64::consts::{FRAC_2_PI, PI, TAU};

use crate::spec::Activation;

/// What of a sample's variances the dual of an activation needs: prepared once, used in all its pairs.
#[derive(Clone, Debug)]
pub(super) struct Moments {
    /// By place, then sample.
    variances: Vec<f64>,
    samples: usize,
    /// aₖ of odd k, [variances, terms]; empty for closed forms.
    series: Vec<f64>,
    terms: usize,
    /// √ of what the terms leave out of E φ² and of E φ′².
    tails: Vec<[f64; 2]>,
}

/// One side of a pair.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    pub variance: f64,
    series: &'a [f64],
    tail: [f64; 2],
}

impl Moments {
    /// For LayerNorm, which needs the variances alone.
    pub fn plain(variances: Vec<f64>, samples: usize) -> Self {
        Self { variances, samples, series: Vec::new(), terms: 0, tails: Vec::new() }
    }

    /// For this activation.
    pub fn of(activation: Activation, variances: Vec<f64>, samples: usize) -> Self {
        if activation != Activation::Tanh {
            return Self::plain(variances, samples);
        }
        // As many terms for all as the largest variance needs: what one leaves out another may have.
        let largest = variances.iter().copied().fold(0.0, f64::max);
        let terms = tanh_series(largest, None).0.len();
        Self::expanded(variances, samples, terms)
    }

    fn expanded(variances: Vec<f64>, samples: usize, terms: usize) -> Self {
        let (each, tails): (Vec<Vec<f64>>, _) = variances.iter().map(|&q| tanh_series(q, Some(terms))).unzip();
        Self { series: each.concat(), variances, samples, terms, tails }
    }

    /// With at least as many terms as the other side has, for the same reason; `None` where it has them.
    pub fn reaching(&self, other: &Self) -> Option<Self> {
        (self.terms < other.terms).then(|| Self::expanded(self.variances.clone(), self.samples, other.terms))
    }

    /// Of some of the samples.
    pub fn part(&self, samples: std::ops::Range<usize>) -> Self {
        let places = self.variances.len() / self.samples.max(1);
        let rows = || (0..places).map(|place| place * self.samples + samples.start..place * self.samples + samples.end);
        let scaled = |rows: std::ops::Range<usize>| rows.start * self.terms..rows.end * self.terms;
        Self {
            variances: rows().flat_map(|rows| &self.variances[rows]).copied().collect(),
            samples: samples.len(),
            series: rows().flat_map(|rows| &self.series[scaled(rows)]).copied().collect(),
            terms: self.terms,
            tails: if self.tails.is_empty() {
                Vec::new()
            } else {
                rows().flat_map(|rows| &self.tails[rows]).copied().collect()
            },
        }
    }

    pub fn at(&self, place: usize, sample: usize) -> Moment<'_> {
        let index = place * self.samples + sample;
        let tail = self.tails.get(index).copied().unwrap_or_default();
        Moment { variance: self.variances[index], series: &self.series[index * self.terms..][..self.terms], tail }
    }
}

/// K ← κ and Θ ← κ′ Θ for a sample against several, pair by pair.
pub(super) fn apply(
    activation: Activation,
    left: Moment<'_>,
    rights: &[Moment<'_>],
    covariances: &mut [f64],
    kernels: &mut [f64],
) {
    let dual = match activation {
        Activation::Relu => return relu(left, rights, covariances, kernels),
        Activation::Erf => erf,
        Activation::Gelu => gelu,
        Activation::Tanh => mehler,
    };
    for ((covariance, kernel), right) in covariances.iter_mut().zip(kernels).zip(rights) {
        let (value, slope) = dual(left, *right, *covariance);
        (*covariance, *kernel) = (value, slope * *kernel);
    }
}

/// Pairs that are gone through together.
const GROUP: usize = 64;

/// In groups, step by step, because then all but the arc cosine is done for several pairs at once.
fn relu(left: Moment<'_>, rights: &[Moment<'_>], covariances: &mut [f64], kernels: &mut [f64]) {
    const OVER_TAU: f64 = 1.0 / TAU;
    let groups = covariances.chunks_mut(GROUP).zip(kernels.chunks_mut(GROUP)).zip(rights.chunks(GROUP));
    for ((covariances, kernels), rights) in groups {
        let (mut sines, mut slopes) = ([0.0; GROUP], [0.0; GROUP]);
        for (sine, right) in sines.iter_mut().zip(rights) {
            *sine = left.variance * right.variance;
        }
        for ((sine, slope), q) in sines.iter_mut().zip(&mut slopes).zip(&*covariances) {
            *slope = q / sine.sqrt();
            *sine = (*sine - q * q).max(0.0).sqrt();
        }
        for ((slope, sine), q) in slopes.iter_mut().zip(&sines).zip(&*covariances) {
            // atan2(s, q) as an arc cosine, which costs half of it; at the ends, where it would lose its digits, as it is.
            let angle = if slope.abs() < 0.999 { slope.acos() } else { sine.atan2(*q) };
            *slope = (PI - angle) * OVER_TAU;
        }
        for (((covariance, kernel), sine), slope) in covariances.iter_mut().zip(kernels).zip(&sines).zip(&slopes) {
            *covariance = sine * OVER_TAU + slope * *covariance;
            *kernel *= slope;
        }
    }
}

fn erf(left: Moment<'_>, right: Moment<'_>, q: f64) -> (f64, f64) {
    let (q1, q2) = (left.variance, right.variance);
    let root = ((1.0 + 2.0 * q1) * (1.0 + 2.0 * q2) - 4.0 * q * q).max(1.0).sqrt();
    (FRAC_2_PI * (2.0 * q).atan2(root), 4.0 / (PI * root))
}

/// With φ(x) = x Φ(x), exact.
fn gelu(left: Moment<'_>, right: Moment<'_>, q: f64) -> (f64, f64) {
    let (q1, q2) = (left.variance, right.variance);
    let (product, shifted) = (q1 * q2, (1.0 + q1) * (1.0 + q2));
    let square = (shifted - q * q).max(1.0);
    let root = square.sqrt();
    let angle = q.atan2(root);
    let value = ((q * q + product * square) / (shifted * root) + q * angle) / TAU + 0.25 * q;
    let slope = (q / root) * (1.0 / square + (1.0 - product) / shifted + 1.0) / TAU + 0.25 + angle / TAU;
    (value, slope)
}

/// Σ over odd k, by Horner's rule in ρ².
fn mehler(left: Moment<'_>, right: Moment<'_>, q: f64) -> (f64, f64) {
    let norm = (left.variance.max(LEAST) * right.variance.max(LEAST)).sqrt();
    let rho = (q / norm).clamp(-1.0, 1.0);
    let square = rho * rho;
    let (mut value, mut slope) = (0.0, 0.0);
    for (place, (a, b)) in left.series.iter().zip(right.series).enumerate().rev() {
        let product = a * b;
        value = value * square + product;
        slope = slope * square + (2 * place + 1) as f64 * product;
    }
    // What is left out has higher powers yet: all of it where ρ = 1, soon nothing away from there.
    let rest = square.powi(left.series.len() as i32);
    (rho * (value + left.tail[0] * right.tail[0] * rest), slope / norm + left.tail[1] * right.tail[1] * rest)
}

/// A variance below which tanh is the identity, and a division still one.
const LEAST: f64 = 1e-24;
/// Spacing and end of the trapezoidal rule, which for smooth functions that vanish at its ends is as good as Gauss's: the
/// integrand falls as e^{−z²/4} and the fastest polynomial kept turns slower than one radian in ten steps.
const STEP: f64 = 0.05;
const END: f64 = 13.0;
/// Terms at most, and the part of E φ² that may be missing: less would be rounding, and is never reached.
const MOST_TERMS: usize = 500;
const MISSING: f64 = 1e-13;

/// So many terms, or as many as are needed, of aₖ = E φ(√q z) hₖ(z) for k = 1, 3, 5 …, with hₖ normalised: √(k+1) hₖ₊₁ = z hₖ − √k hₖ₋₁.
fn tanh_series(q: f64, terms: Option<usize>) -> (Vec<f64>, [f64; 2]) {
    let deviation = q.max(LEAST).sqrt();
    // The integrand is even: half of the nodes, twice the weight. At 0 tanh vanishes.
    let nodes: Vec<f64> = (1..=(END / STEP) as usize).map(|at| at as f64 * STEP).collect();
    // hₖ(z) e^{−z²/4}, which stays of order one, and the rest of the density with φ.
    let weighted: Vec<f64> =
        nodes.iter().map(|z| 2.0 * STEP * (deviation * z).tanh() * (-0.25 * z * z).exp() / TAU.sqrt()).collect();
    let mean = |g: &dyn Fn(f64) -> f64| -> f64 {
        let density = |z: &f64| 2.0 * STEP * g(deviation * z) * (-0.5 * z * z).exp() / TAU.sqrt();
        nodes.iter().map(density).sum()
    };
    let power = mean(&|u| u.tanh().powi(2));
    // The slope is 1 at 0, which is a node of its own.
    let slopes = mean(&|u| (1.0 - u.tanh().powi(2)).powi(2)) + STEP / TAU.sqrt();
    let mut before = vec![0.0; nodes.len()];
    let mut current: Vec<f64> = nodes.iter().map(|z| (-0.25 * z * z).exp()).collect();
    let (mut found, mut held, mut held_slopes) = (Vec::new(), 0.0, 0.0);
    for k in 0..2 * terms.unwrap_or(MOST_TERMS) {
        if k % 2 == 1 {
            let coefficient: f64 = weighted.iter().zip(&current).map(|(weight, h)| weight * h).sum();
            held += coefficient * coefficient;
            held_slopes += k as f64 * coefficient * coefficient / (deviation * deviation);
            found.push(coefficient);
            if terms.is_none() && power - held <= MISSING * power {
                break;
            }
        }
        let (up, down) = (((k + 1) as f64).sqrt(), (k as f64).sqrt());
        for ((z, before), current) in nodes.iter().zip(&mut before).zip(&mut current) {
            let next = (z * *current - down * *before) / up;
            (*before, *current) = (*current, next);
        }
    }
    (found, [power - held, slopes - held_slopes].map(|rest| rest.max(0.0).sqrt()))
}
