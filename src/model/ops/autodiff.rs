//! The backward pass of a function without parameters, by burn's autodiff on one copy of the samples for each direction.

use burn::tensor::Tensor;

use crate::model::Cotangent;
use crate::model::tape::Backward;

/// The backward pass of a function of values [n, f], sample by sample.
pub struct ByAutodiff<F> {
    inputs: Vec<Tensor<2>>,
    function: F,
}

impl<F: Fn(Vec<Tensor<2>>) -> Tensor<2> + 'static> ByAutodiff<F> {
    pub fn boxed(inputs: Vec<Tensor<2>>, function: F) -> Box<dyn Backward> {
        Box::new(Self { inputs, function })
    }
}

impl<F: Fn(Vec<Tensor<2>>) -> Tensor<2>> Backward for ByAutodiff<F> {
    fn pull(&self, cotangent: Cotangent, n: usize) -> Vec<Cotangent> {
        let dense = cotangent.dense(n);
        let [_, directions, _] = dense.dims();
        let copy = |input: &Tensor<2>| {
            let [n, f] = input.dims();
            let copies = input.clone().unsqueeze_dim::<3>(1).expand([n, directions, f]);
            copies.reshape([n * directions, f]).autodiff().require_grad()
        };
        let copies: Vec<Tensor<2>> = self.inputs.iter().map(copy).collect();
        let output = (self.function)(copies.clone());
        let dense = dense.reshape(output.dims()).autodiff();
        let mut gradients = (output * dense).sum().backward();
        let pulled = copies.into_iter().map(|copy| {
            let [rows, f] = copy.dims();
            // A function that does not depend on an input has no gradient there.
            let gradient = copy.grad_remove(&mut gradients).unwrap_or_else(|| copy.without_autodiff().zeros_like());
            Cotangent::Dense(gradient.reshape([rows / directions, directions, f]))
        });
        pulled.collect()
    }
}
