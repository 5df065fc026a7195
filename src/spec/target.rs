//! Defines the target functions of synthetic problems, and where their training samples lie.

use serde::{Deserialize, Serialize};

use crate::math::polynomial::Polynomial;

/// A target of `sphere-polynomial`, scaled to mean 0 and variance 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// x₁.
    He1,
    /// x₁² − 1.
    He2,
    /// x₁³ − 3 x₁: a single-index target of information exponent three.
    He3,
    /// x₁⁴ − 6 x₁² + 3.
    He4,
    /// x₁ x₂: a target of two indices.
    Product,
    /// x₁ + x₁ x₂ + x₁ x₂ x₃: a staircase, in which each term makes the next one learnable (Abbe et al. 2022).
    Staircase,
}

/// The spacing of the training samples of `fourier` on the circle. (Validation and test samples are always random.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spacing {
    /// Each independent and uniform.
    Random,
    /// One in each of n equal arcs, uniform within it: the gaps differ little.
    Stratified,
    /// Evenly spaced, from a random angle on.
    Even,
}

impl Target {
    pub fn polynomial(self) -> Polynomial {
        match self {
            Self::He1 => Polynomial::new(&[(1.0, &[1])]),
            Self::He2 => Polynomial::new(&[(1.0, &[2]), (-1.0, &[])]),
            Self::He3 => Polynomial::new(&[(1.0, &[3]), (-3.0, &[1])]),
            Self::He4 => Polynomial::new(&[(1.0, &[4]), (-6.0, &[2]), (3.0, &[])]),
            Self::Product => Polynomial::new(&[(1.0, &[1, 1])]),
            Self::Staircase => Polynomial::new(&[(1.0, &[1]), (1.0, &[1, 1]), (1.0, &[1, 1, 1])]),
        }
    }

    /// Returns the name as written in a file.
    pub fn words(self) -> &'static str {
        match self {
            Self::He1 => "x₁",
            Self::He2 => "He₂(x₁)",
            Self::He3 => "He₃(x₁)",
            Self::He4 => "He₄(x₁)",
            Self::Product => "x₁x₂",
            Self::Staircase => "x₁ + x₁x₂ + x₁x₂x₃",
        }
    }
}
