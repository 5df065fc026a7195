//! Embedding: a dense layer without a bias on one-hot tokens.

use burn::tensor::{Tensor, TensorData};

use super::dense::scaled;
use super::operation::{OpContext, OpResult};
use crate::model::Cotangent;
use crate::model::device::is_host;
use crate::model::product::Values;
use crate::model::tape::{Backward, Input, ParameterUse};
use crate::spec::ops::Embedding;

pub(super) fn run(op: &Embedding, at: &OpContext<'_>, input: Tensor<2>) -> OpResult {
    let [n, places] = input.dims();
    let ones = one_hot(input.without_autodiff(), op.tokens);
    let (gain, bias_gain) = at.gains;
    let weight = at.matrix(0, [op.width, op.tokens]);
    let rows = ones.clone().reshape([n * places, op.tokens]);
    let rows = if weight.is_autodiff() { rows.autodiff() } else { rows };
    let output = scaled(rows, weight, true, gain).reshape([n, places * op.width]);
    OpResult::new(at, output, || {
        let view = ParameterUse::Affine {
            input: Input::Rows(ones),
            fan_out: op.width,
            channels_first: false,
            transposed: true,
            weight_gain: gain,
            bias_gain,
        };
        (Box::new(EmbeddingBackward { places }), at.tap(view))
    })
}

/// Converts [n, places] → [n, places, tokens]; an input that is not a whole number below `tokens` becomes NaN.
fn one_hot(numbers: Tensor<2>, tokens: usize) -> Tensor<3> {
    let [n, places] = numbers.dims();
    let device = numbers.device();
    if !is_host(&device) {
        // The numbers stay where they are.
        let known: Vec<f32> = (0..tokens).map(|token| token as f32).collect();
        let known = Tensor::<3>::from_data(TensorData::new(known, [1, 1, tokens]), &device);
        let ones = numbers.unsqueeze_dim::<3>(2).expand([n, places, tokens]).equal(known.expand([n, places, tokens]));
        let ones = ones.float();
        let unfit = ones.clone().sum_dim(2).equal_elem(0.0).expand([n, places, tokens]);
        return ones.mask_fill(unfit, f32::NAN);
    }
    let values = Values::of(numbers);
    let mut ones = vec![0.0f32; n * places * tokens];
    for (row, number) in ones.chunks_exact_mut(tokens.max(1)).zip(values.slice()) {
        match row.get_mut(*number as usize).filter(|_| *number >= 0.0 && number.fract() == 0.0) {
            Some(one) => *one = 1.0,
            None => row.fill(f32::NAN),
        }
    }
    Tensor::from_data(TensorData::new(ones, [n, places, tokens]), &device)
}

/// The backward pass, which is zero: tokens are not differentiable.
struct EmbeddingBackward {
    places: usize,
}

impl Backward for EmbeddingBackward {
    fn pull(&self, cotangent: Cotangent, n: usize) -> Vec<Cotangent> {
        let (directions, _) = cotangent.dims();
        let device = cotangent.device();
        vec![Cotangent::Dense(Tensor::zeros([n, directions, self.places], &device))]
    }
}
