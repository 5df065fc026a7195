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
    /// a between these numbers, and the nearer one of them beyond; ReLU6 is that of 0 and 6.
    HardTanh {
        low: f64,
        high: f64,
    },
    /// a times `HardSigmoid`.
    HardSwish,
    /// (a + 3)/6 between −3 and 3, 0 below and 1 above.
    HardSigmoid,
    /// a where it is positive, α (e^a − 1) where it is not.
    Elu(f64),
    /// a tanh(ln(1 + e^a)).
    Mish,
    /// ln a.
    Log,
    /// √a.
    Sqrt,
    /// 1/a.
    Reciprocal,
}

impl Function {
    /// Returns whether it stands between layers, rather than being a step of another computation.
    pub fn is_nonlinearity(&self) -> bool {
        !matches!(self, Self::Activation(Activation::Identity) | Self::Log | Self::Sqrt | Self::Reciprocal)
    }

    /// Returns whether φ(−a) = −φ(a). An odd function maps Gaussian inputs of mean 0 to outputs of mean 0.
    pub fn is_odd(&self) -> bool {
        match self {
            Self::Activation(activation) => activation.is_odd(),
            Self::LeakyRelu(_) => false,
            Self::Polynomial(coefficients) => coefficients.iter().step_by(2).all(|coefficient| *coefficient == 0.0),
            Self::HardTanh { low, high } => *low == -*high,
            Self::Reciprocal => true,
            Self::HardSwish | Self::HardSigmoid | Self::Elu(_) | Self::Mish | Self::Log | Self::Sqrt => false,
        }
    }

    /// Returns whether it has a value for every number and grows so slowly that of a Gaussian it has a variance.
    pub fn is_of_gaussians(&self) -> bool {
        match self {
            Self::Log | Self::Sqrt | Self::Reciprocal => false,
            Self::Activation(_)
            | Self::LeakyRelu(_)
            | Self::Polynomial(_)
            | Self::HardTanh { .. }
            | Self::HardSwish
            | Self::HardSigmoid
            | Self::Elu(_)
            | Self::Mish => true,
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
            Self::HardTanh { low: 0.0, high: 6.0 } => "relu6",
            Self::HardTanh { .. } => "hardtanh",
            Self::HardSwish => "hardswish",
            Self::HardSigmoid => "hardsigmoid",
            Self::Elu(_) => "elu",
            Self::Mish => "mish",
            Self::Log => "log",
            Self::Sqrt => "sqrt",
            Self::Reciprocal => "reciprocal",
        }
    }
}

/// The softmax along the last axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Softmax {
    /// If true, its logarithm.
    pub log: bool,
}

impl Operation for Softmax {
    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
        match one(inputs) {
            [] => Err(format!("softmax reads a vector or tokens, not {}", shown(&[]))),
            shape => Ok(shape.to_vec()),
        }
    }

    fn sign(&self) -> &'static str {
        if self.log { "log softmax" } else { "softmax" }
    }
}
