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
    /// The way back through `function` at `input`. The slope is burn's own derivative of the function, taken of the sum: no
    /// activation needs a second formula here, and relu′(0) = 0 as there.
    pub fn boxed<const D: usize>(input: Tensor<D>, function: impl Fn(Tensor<D>) -> Tensor<D>) -> Box<dyn Backward> {
        let shape = input.dims();
        let (n, f) = (shape[0], shape[1..].iter().product::<usize>());
        let at = input.autodiff().require_grad();
        let mut gradients = function(at.clone()).sum().backward();
        let slope = at.grad_remove(&mut gradients).expect("the sum of a function of the input depends on it");
        Box::new(Self { slope: slope.reshape([n, f]) })
    }
}

impl Backward for Pointwise {
    fn pull(&self, cotangent: Cotangent, _n: usize) -> Vec<Cotangent> {
        vec![cotangent.scaled(self.slope.clone())]
    }
}
