//! Means of activation functions under a centred Gaussian.

use std::f64::consts::TAU;

use super::gelu_tanh::mean_beside_gelu;
use super::logistic::over_squares;
use super::polynomial;
use super::rule::Rule;
use crate::spec::ops::Function;

/// Computes E φ(u) for a Gaussian u with mean 0 and variance q.
///
/// Exact up to rounding where φ is odd, a polynomial, or one of ReLU and its variants, GELU, sigmoid, cosine and
/// exponential; accurate to 1e-11 for softplus, SiLU and the tanh GELU. Not finite where the mean exceeds the range of f64;
/// NaN for a function without a dual.
pub fn mean(function: &Function, q: f64) -> f64 {
    match Rule::of(function) {
        Rule::Relu => (q / TAU).sqrt(),
        Rule::Leaky(slope) => (1.0 - slope) * (q / TAU).sqrt(),
        Rule::Erf | Rule::Tanh | Rule::Sine => 0.0,
        Rule::Gelu => gelu(q),
        Rule::GeluTanh => gelu(q) + mean_beside_gelu(q),
        Rule::Sigmoid => 0.5,
        // 2 E max(u/2 + σz, 0), and 2 E (u/2) Φ(u/2σ).
        Rule::Softplus => 2.0 * over_squares(|square| ((0.25 * q + square) / TAU).sqrt()),
        Rule::Silu => 0.5 * over_squares(|square| q / ((0.25 * q + square) * TAU).sqrt()),
        Rule::Cosine => (-0.5 * q).exp(),
        Rule::Exponential => (0.5 * q).exp(),
        Rule::Polynomial(coefficients) => polynomial::mean(coefficients, q),
        Rule::Unknown => f64::NAN,
    }
}

fn gelu(q: f64) -> f64 {
    q / (TAU.sqrt() * (1.0 + q).sqrt())
}
