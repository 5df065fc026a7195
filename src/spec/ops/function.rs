//! Elementwise functions (NETSOR⊤: Nonlin), and softmax, which depends on all features of a place.

use super::operation::one;
use super::{Operation, shown};
use crate::spec::Activation;

/// An elementwise function z = φ(a).
#[derive(Clone, Debug, PartialEq)]
pub enum Function {
    Activation(Activation),
    /// A leaky ReLU with this slope for negative inputs.
    LeakyRelu(f64),
    /// c₀ + c₁ a + c₂ a² + …
    Polynomial(Vec<f64>),
}

impl Function {
    /// Returns whether φ(−a) = −φ(a). An odd function maps Gaussian inputs of mean 0 to outputs of mean 0.
    pub fn is_odd(&self) -> bool {
        match self {
            Self::Activation(activation) => activation.is_odd(),
            Self::LeakyRelu(_) => false,
            Self::Polynomial(coefficients) => coefficients.iter().step_by(2).all(|coefficient| *coefficient == 0.0),
        }
    }
}

impl Operation for Function {
    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
        Ok(one(inputs).to_vec())
    }

    fn sign(&self) -> &'static str {
        match self {
            Self::Activation(activation) => activation.name(),
            Self::LeakyRelu(_) => "leaky",
            Self::Polynomial(_) => "poly",
        }
    }
}

/// The softmax along the last axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Softmax;

impl Operation for Softmax {
    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
        match one(inputs) {
            [] => Err(format!("softmax reads a vector or tokens, not {}", shown(&[]))),
            shape => Ok(shape.to_vec()),
        }
    }

    fn sign(&self) -> &'static str {
        "softmax"
    }
}
