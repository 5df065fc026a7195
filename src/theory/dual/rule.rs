//! Says which rule computes the dual of each function, and on which scale.

use crate::spec::Activation;
use crate::spec::Activation::*;
use crate::spec::ops::Function;

/// The rule that computes the dual of a function.
#[derive(Clone, Copy)]
pub enum Rule<'a> {
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
    /// No rule is known: every moment is NaN.
    Unknown,
}

impl<'a> Rule<'a> {
    pub fn of(function: &'a Function) -> Self {
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
            Function::Elu(0.0) => Self::Relu,
            Function::HardTanh { .. }
            | Function::HardSwish
            | Function::HardSigmoid
            | Function::Elu(_)
            | Function::Mish
            | Function::Log
            | Function::Sqrt
            | Function::Reciprocal => Self::Unknown,
        }
    }

    /// Returns the factor from the given variances to those of its pairs: functions based on the logistic one use half the
    /// number.
    pub fn share(self) -> f64 {
        match self {
            Self::Sigmoid | Self::Softplus | Self::Silu => 0.25,
            _ => 1.0,
        }
    }

    /// Returns 1/c for a variance.
    pub fn inverse(self, variance: f64) -> f64 {
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

/// Returns the power of two c with q/c² in 1 … 4.
fn power(q: f64) -> f64 {
    let exponent = (q.to_bits() >> 52) as i64 - 1023;
    f64::from_bits(((exponent.div_euclid(2) + 1023) as u64) << 52)
}
