//! The derivatives of elementwise functions in closed form, for devices other than the host.
//!
//! On the host burn's own derivative is used (`function::slope`), which needs no second formula. On a graphics card each of its
//! steps is a program of its own to be started, some dozens for one function, where these formulas take one to ten. They are
//! held to burn's derivative by a test, at the corners too.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use burn::tensor::{Bool, Tensor, activation};

use crate::spec::Activation;
use crate::spec::ops::Function;

/// Computes φ′(z).
pub(super) fn of<const D: usize>(function: &Function, z: Tensor<D>) -> Tensor<D> {
    match function {
        Function::Activation(kind) => of_activation(*kind, z),
        Function::LeakyRelu(slope) => leaky(z, *slope),
        Function::Polynomial(coefficients) => {
            // Horner's rule for Σ i c_i z^(i−1).
            let mut highest = coefficients.iter().enumerate().skip(1).map(|(power, value)| power as f64 * value).rev();
            let first = z.zeros_like() + highest.next().unwrap_or(0.0);
            highest.fold(first, |sum, coefficient| sum * z.clone() + coefficient)
        }
        Function::HardTanh { low, high } => between(z, *low, *high).float(),
        Function::HardSigmoid => between(z, -3.0, 3.0).float() / 6.0,
        Function::HardSwish => {
            let curve = z.clone() / 3.0 + 0.5;
            let (below, above) = (z.clone().lower_equal_elem(-3.0), z.greater_equal_elem(3.0));
            curve.mask_fill(below, 0.0).mask_fill(above, 1.0)
        }
        Function::Elu(alpha) => {
            let above = z.clone().greater_elem(0.0);
            (z.mask_fill(above.clone(), 0.0).exp() * *alpha).mask_fill(above, 1.0)
        }
        Function::Mish => {
            let t = activation::softplus(z.clone(), 1.0).tanh();
            let bend = (t.clone().powi_scalar(2) * -1.0 + 1.0) * activation::sigmoid(z.clone());
            t + z * bend
        }
        Function::Log => z.recip(),
        Function::Sqrt => z.sqrt().recip() * 0.5,
        Function::Reciprocal => z.recip().powi_scalar(2) * -1.0,
    }
}

fn of_activation<const D: usize>(kind: Activation, z: Tensor<D>) -> Tensor<D> {
    match kind {
        // 0 at 0, as in burn.
        Activation::Relu => z.greater_elem(0.0).float(),
        Activation::LeakyRelu => leaky(z, Activation::LEAK),
        Activation::Tanh => activation::tanh(z).powi_scalar(2) * -1.0 + 1.0,
        Activation::Gelu => {
            let density = (z.clone().powi_scalar(2) * -0.5).exp() * (2.0 * PI).sqrt().recip();
            ((z.clone() * FRAC_1_SQRT_2).erf() + 1.0) * 0.5 + z * density
        }
        Activation::GeluTanh => {
            let root = (2.0 / PI).sqrt();
            let square = z.clone().powi_scalar(2);
            let t = ((square.clone() * (0.044_715 * root) + root) * z.clone()).tanh();
            let inner = square * (3.0 * 0.044_715 * root) + root;
            (t.clone() + 1.0 + z * (t.powi_scalar(2) * -1.0 + 1.0) * inner) * 0.5
        }
        Activation::Silu => {
            let s = activation::sigmoid(z.clone());
            s.clone() * (z * (s * -1.0 + 1.0) + 1.0)
        }
        Activation::Sigmoid => {
            let s = activation::sigmoid(z);
            s.clone() * (s * -1.0 + 1.0)
        }
        Activation::Erf => (z.powi_scalar(2) * -1.0).exp() * (2.0 / PI.sqrt()),
        Activation::Sin => z.cos(),
        Activation::Cos => z.sin() * -1.0,
        Activation::Abs => z.sign(),
        Activation::Exp => z.exp(),
        Activation::Softplus => activation::sigmoid(z),
        Activation::Square => z * 2.0,
        Activation::Identity => z.ones_like(),
    }
}

/// Computes 1 from 0 on and `slope` below it, as burn does.
fn leaky<const D: usize>(z: Tensor<D>, slope: f64) -> Tensor<D> {
    z.greater_equal_elem(0.0).float() * (1.0 - slope) + slope
}

/// Returns where z lies between these, without the ends.
fn between<const D: usize>(z: Tensor<D>, low: f64, high: f64) -> Tensor<D, Bool> {
    z.clone().greater_elem(low).bool_and(z.lower_elem(high))
}
