//! A function of each value alone: an activation.

use burn::tensor::Tensor;

use crate::model::Cotangent;
use crate::model::tape::Backward;

/// The way back: δ ∘ φ′(z).
pub struct Pointwise {
    /// [n, f].
    slope: Tensor<2>,
}

impl Pointwise {
    /// The way back through `function` at `input`.
    pub fn boxed<const D: usize>(input: Tensor<D>, function: impl Fn(Tensor<D>) -> Tensor<D>) -> Box<dyn Backward> {
        let shape = input.dims();
        let (n, f) = (shape[0], shape[1..].iter().product::<usize>());
        Box::new(Self { slope: slope(input, function).reshape([n, f]) })
    }
}

/// The derivative of a function of each value alone: burn's own, taken of the sum, so that no activation needs a second formula
/// here, and relu′(0) = 0 as there.
pub fn slope<const D: usize>(input: Tensor<D>, function: impl Fn(Tensor<D>) -> Tensor<D>) -> Tensor<D> {
    let at = input.autodiff().require_grad();
    let mut gradients = function(at.clone()).sum().backward();
    at.grad_remove(&mut gradients).expect("the sum of a function of the input depends on it")
}

impl Backward for Pointwise {
    fn pull(&self, cotangent: Cotangent, _n: usize) -> Vec<Cotangent> {
        vec![cotangent.scaled(self.slope.clone())]
    }
}
