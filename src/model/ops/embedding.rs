//! Embedding: a dense layer without a bias on one-hot tokens.

use burn::tensor::{Device, Tensor, TensorData};

use super::dense::scaled;
use super::operation::{OpContext, OpResult};
use crate::model::Cotangent;
use crate::model::product::{Values, is_host};
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
    let host = if is_host(&device) { numbers } else { numbers.to_device(&Device::flex()) };
    let values = Values::of(host);
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
