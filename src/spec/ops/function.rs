//! A function of each number alone (NETSOR⊤: Nonlin), and softmax, which is one of all features of a place.

use super::{Operation, one, shown};
use crate::spec::Activation;

/// z = φ(a), number by number.
#[derive(Clone, Debug, PartialEq)]
pub enum Function {
    Activation(Activation),
    /// a where it is positive, and so much of it where it is not.
    LeakyRelu(f64),
    /// c₀ + c₁ a + c₂ a² + …
    Polynomial(Vec<f64>),
}

impl Function {
    /// Whether φ(−a) = −φ(a), so that Gaussian numbers of mean 0 keep that mean.
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

/// e^a over its sum along the last axis.
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
