//! A function without parameters of several signals: attention. Its way back is burn's autodiff, on one copy of the sample
//! for each direction.

use burn::tensor::Tensor;

use crate::model::Cotangent;
use crate::model::tape::Backward;

/// The way back through a function of N signals [n, positions, f].
pub struct Mix<const N: usize, F> {
    inputs: [Tensor<3>; N],
    function: F,
}

impl<const N: usize, F: Fn([Tensor<3>; N]) -> Tensor<3>> Mix<N, F> {
    pub fn new(inputs: [Tensor<3>; N], function: F) -> Self {
        Self { inputs, function }
    }
}

impl<const N: usize, F: Fn([Tensor<3>; N]) -> Tensor<3>> Backward for Mix<N, F> {
    fn pull(&self, cotangent: Cotangent, n: usize) -> Vec<Cotangent> {
        let dense = cotangent.dense(n);
        let [_, directions, _] = dense.dims();
        let copies = self.inputs.each_ref().map(|input| {
            let [n, positions, f] = input.dims();
            let copies = input.clone().unsqueeze_dim::<4>(1).expand([n, directions, positions, f]);
            copies.reshape([n * directions, positions, f]).autodiff().require_grad()
        });
        let output = (self.function)(copies.clone());
        let dense = dense.reshape(output.dims()).autodiff();
        let mut gradients = (output * dense).sum().backward();
        let pulled = copies.map(|copy| {
            let [rows, positions, f] = copy.dims();
            let gradient = copy.grad_remove(&mut gradients).expect("every input of a mixing step reaches its output");
            Cotangent::Dense(gradient.reshape([rows / directions, directions, positions * f]))
        });
        pulled.into()
    }
}
