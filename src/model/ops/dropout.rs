//! Dropout: in training a number becomes 0 with probability r, and is divided by 1 − r otherwise.

use burn::tensor::{Tensor, TensorData};
use rand::RngExt as _;

use super::operation::OpResult;
use crate::model::forward_mode::Training;
use crate::spec::ops::Dropout;

pub(super) fn run(op: &Dropout, input: Tensor<2>, training: Option<&mut Training>) -> OpResult {
    let Some(training) = training.filter(|_| op.rate > 0.0) else { return OpResult::plain(input) };
    let shape @ [n, f] = input.dims();
    let kept = (1.0 / (1.0 - op.rate)) as f32;
    let factor = |_| if training.generator.random_range(0.0..1.0) < op.rate { 0.0 } else { kept };
    let factors: Vec<f32> = (0..n * f).map(factor).collect();
    let factors = Tensor::<2>::from_data(TensorData::new(factors, shape), &input.device());
    let factors = if input.is_autodiff() { factors.autodiff() } else { factors };
    OpResult::plain(input * factors)
}
