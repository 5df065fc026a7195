//! Elementwise functions, and softmax.

use burn::tensor::{Tensor, activation};

use super::autodiff::ByAutodiff;
use super::operation::{OpContext, OpResult, Value};
use super::slope;
use crate::model::Cotangent;
use crate::model::device::is_host;
use crate::model::tape::Backward;
use crate::spec::Activation;
use crate::spec::ops::{Function, Softmax};

pub(super) fn run(op: &Function, at: &OpContext<'_>, input: Value) -> OpResult {
    let output = match &input {
        Value::Flat(values) => Value::Flat(apply(op, values.clone())),
        Value::Tokens(values) => Value::Tokens(apply(op, values.clone())),
    };
    OpResult::new(at, output, || (Box::new(Pointwise { slope: slope(op, input.flat()) }), None))
}

/// Computes φ(z) for values of any shape.
pub(super) fn apply<const D: usize>(function: &Function, z: Tensor<D>) -> Tensor<D> {
    match function {
        Function::Activation(kind) => activate(*kind, z),
        Function::LeakyRelu(slope) => activation::leaky_relu(z, *slope),
        Function::Polynomial(coefficients) => {
            // Horner's rule.
            let mut highest = coefficients.iter().rev();
            let first = z.zeros_like() + highest.next().copied().unwrap_or(0.0);
            highest.fold(first, |sum, coefficient| sum * z.clone() + *coefficient)
        }
        // At a corner the derivative is that of the branch taken there, as in PyTorch: at both ends 0 of hardtanh and
        // hardsigmoid, 0 and 1 of hardswish, α of ELU at 0.
        Function::HardTanh { low, high } => {
            let (below, above) = (z.clone().lower_equal_elem(*low), z.clone().greater_equal_elem(*high));
            z.mask_fill(below, *low).mask_fill(above, *high)
        }
        Function::HardSigmoid => {
            let line = z.clone() / 6.0 + 0.5;
            line.mask_fill(z.clone().lower_equal_elem(-3.0), 0.0).mask_fill(z.greater_equal_elem(3.0), 1.0)
        }
        Function::HardSwish => {
            let curve = z.clone() * (z.clone() / 6.0 + 0.5);
            let (below, above) = (z.clone().lower_equal_elem(-3.0), z.clone().greater_equal_elem(3.0));
            curve.mask_fill(below, 0.0).mask_where(above, z)
        }
        Function::Elu(alpha) => {
            // The exponential of a positive number may overflow, and is not needed.
            let curve = (z.clone().mask_fill(z.clone().greater_elem(0.0), 0.0).exp() - 1.0) * *alpha;
            z.clone().mask_where(z.lower_equal_elem(0.0), curve)
        }
        Function::Mish => z.clone() * activation::softplus(z, 1.0).tanh(),
        Function::Log => z.log(),
        Function::Sqrt => z.sqrt(),
        Function::Reciprocal => z.recip(),
    }
}

fn activate<const D: usize>(kind: Activation, z: Tensor<D>) -> Tensor<D> {
    match kind {
        Activation::Relu => activation::relu(z),
        Activation::LeakyRelu => activation::leaky_relu(z, Activation::LEAK),
        Activation::Tanh => activation::tanh(z),
        // The exact GELU with erf, PyTorch's default; the tanh approximation is a separate activation. burn's own GELU has
        // the exact derivative on the processor only, and elsewhere that of the approximation, an error of 1e-3.
        Activation::Gelu if is_host(&z.device()) => activation::gelu(z),
        Activation::Gelu => z.clone() * ((z * std::f64::consts::FRAC_1_SQRT_2).erf() + 1.0) * 0.5,
        Activation::GeluTanh => {
            let inner = (z.clone().powi_scalar(3) * 0.044_715 + z.clone()) * (2.0 / std::f64::consts::PI).sqrt();
            z * (inner.tanh() + 1.0) * 0.5
        }
        Activation::Silu => z.clone() * activation::sigmoid(z),
        Activation::Sigmoid => activation::sigmoid(z),
        Activation::Erf => z.erf(),
        Activation::Sin => z.sin(),
        Activation::Cos => z.cos(),
        Activation::Abs => z.abs(),
        Activation::Exp => z.exp(),
        Activation::Softplus => activation::softplus(z, 1.0),
        Activation::Square => z.clone() * z,
        Activation::Identity => z,
    }
}

/// Computes φ′(z): on the host as burn's own derivative of the sum, so that no function needs a second formula there, and
/// relu′(0) = 0 as in burn; elsewhere in closed form.
pub(super) fn slope<const D: usize>(function: &Function, input: Tensor<D>) -> Tensor<D> {
    if !is_host(&input.device()) {
        return slope::of(function, input);
    }
    // A constant polynomial depends on no input, and burn has no backward pass of it.
    if let Function::Polynomial(coefficients) = function
        && coefficients.len() < 2
    {
        return input.zeros_like();
    }
    let at = input.clone().autodiff().require_grad();
    let mut gradients = apply(function, at.clone()).sum().backward();
    at.grad_remove(&mut gradients).unwrap_or_else(|| input.zeros_like())
}

/// The backward pass δ ∘ φ′(z).
struct Pointwise {
    /// [n, f].
    slope: Tensor<2>,
}

impl Backward for Pointwise {
    fn pull(&self, cotangent: Cotangent, _n: usize) -> Vec<Cotangent> {
        vec![cotangent.scaled(self.slope.clone())]
    }
}

/// Computes softmax along the last axis, or its logarithm.
pub(super) fn softmax(op: &Softmax, at: &OpContext<'_>, input: Tensor<2>) -> OpResult {
    let (log, features) = (op.log, at.output().last().copied().unwrap_or(1));
    let function = move |mut inputs: Vec<Tensor<2>>| {
        let input = inputs.remove(0);
        let [n, f] = input.dims();
        let rows = input.reshape([n * f / features, features]);
        let output = if log { activation::log_softmax(rows, 1) } else { activation::softmax(rows, 1) };
        output.reshape([n, f])
    };
    let output = function(vec![input.clone()]);
    OpResult::new(at, output, || (ByAutodiff::boxed(vec![input], function), None))
}
