//! Multi-head attention: softmax(q kᵀ · scale) v in each head.

use burn::tensor::{Tensor, TensorData, activation};

use super::autodiff::ByAutodiff;
use super::operation::{OpContext, OpResult};
use crate::spec::ops::Attention;

/// The constant added to the score of a masked token: its exp is 0 in any float.
const UNSEEN: f32 = -1e30;

pub(super) fn run(op: &Attention, at: &OpContext<'_>, inputs: Vec<Tensor<2>>) -> OpResult {
    let (heads, masked) = (op.heads, op.masked);
    let (queries, tokens) = (at.inputs[0][0], at.inputs[1][0]);
    let (width, values) = (at.inputs[0][1], at.inputs[2][1]);
    let per_head = (width / heads) as f64;
    let scale = if at.is_ntk { 1.0 / per_head } else { 1.0 / per_head.sqrt() };
    let function = move |inputs: Vec<Tensor<2>>| {
        let [n, _] = inputs[0].dims();
        let split = |x: &Tensor<2>, tokens: usize, width: usize| {
            x.clone().reshape([n, tokens, heads, width / heads]).swap_dims(1, 2)
        };
        let (q, k) = (split(&inputs[0], queries, width), split(&inputs[1], tokens, width));
        let mut scores = q.matmul(k.swap_dims(2, 3)) * scale;
        if masked {
            let unseen = (0..queries * tokens).map(|at| if at % tokens > at / tokens { UNSEEN } else { 0.0 });
            let unseen = TensorData::new(unseen.collect::<Vec<f32>>(), [1, 1, queries, tokens]);
            scores = scores.clone() + Tensor::<4>::from_data(unseen, &scores.device());
        }
        let weights = activation::softmax(scores, 3);
        weights.matmul(split(&inputs[2], tokens, values)).swap_dims(1, 2).reshape([n, queries * values])
    };
    let output = function(inputs.clone());
    OpResult::new(at, output, || (ByAutodiff::boxed(inputs, function), None))
}
