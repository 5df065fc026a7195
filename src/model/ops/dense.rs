//! The dense layer z = c_w x W + c_b b on the last axis of its input, in every parametrisation.
//!
//! Standard parametrisation: c_w = c_b = 1. NTK parametrisation: c_w = σ_w/√fan_in, c_b = σ_b (Jacot et al. 2018).
//! The kernel is with respect to W and b as stored, so the gains enter it squared.

use burn::tensor::Tensor;

use super::operation::{OpContext, OpResult, Value};
use crate::model::Cotangent;
use crate::model::product::times;
use crate::model::tape::{Backward, Input, ParameterUse};
use crate::spec::ops::Dense;

pub(super) fn run(op: &Dense, at: &OpContext<'_>, input: Value) -> OpResult {
    let shape = at.inputs[0];
    let (fan_in, fan_out) = (shape.last().copied().unwrap_or(1), op.outputs);
    let places: usize = shape[..shape.len() - 1].iter().product();
    let n = input.samples();
    let (weight_gain, bias_gain) = at.gains;
    // Stored as [in, out]; as [out, in] in a layer that uses the weight of another as its transpose.
    let held = if op.transposed { [fan_out, fan_in] } else { [fan_in, fan_out] };
    let weight = at.matrix(0, held);
    let rows = match input {
        Value::Flat(values) => values.reshape([n * places, fan_in]),
        Value::Tokens(values) => values.reshape([n * places, fan_in]),
    };
    let product = scaled(rows.clone(), weight.clone(), op.transposed, weight_gain);
    let output = match at.weights.get(1) {
        Some(bias) => {
            let bias = bias.clone().unsqueeze::<2>();
            product + if bias_gain == 1.0 { bias } else { bias * bias_gain }
        }
        None => product,
    };
    let output =
        if shape.len() > 1 { Value::Tokens(output.reshape([n, places, fan_out])) } else { Value::Flat(output) };
    OpResult::new(at, output, || {
        let view = ParameterUse::Affine {
            input: Input::Rows(rows.reshape([n, places, fan_in])),
            fan_out,
            channels_first: false,
            transposed: op.transposed,
            weight_gain,
            bias_gain,
        };
        let way_back = DenseBackward { weight, transposed: op.transposed, weight_gain, places };
        (Box::new(way_back), at.tap(view))
    })
}

/// Computes gain · x W, or gain · x Wᵀ, with autodiff where one of them has it.
pub(super) fn scaled(input: Tensor<2>, weight: Tensor<2>, transposed: bool, gain: f64) -> Tensor<2> {
    if !input.is_autodiff() && !weight.is_autodiff() {
        return times(input, weight, transposed, gain);
    }
    // The gain multiplies the smaller tensor: the output, not the weights.
    let product = input.matmul(if transposed { weight.transpose() } else { weight });
    if gain == 1.0 { product } else { product * gain }
}

/// The backward pass δ ↦ c_w δ Wᵀ.
struct DenseBackward {
    weight: Tensor<2>,
    transposed: bool,
    weight_gain: f64,
    places: usize,
}

impl DenseBackward {
    /// Applies to rows that are [places, fan_out] each.
    fn rows(&self, cotangent: Tensor<2>) -> Tensor<2> {
        let [mut fan_in, mut fan_out] = self.weight.dims();
        if self.transposed {
            (fan_in, fan_out) = (fan_out, fan_in);
        }
        let [rows, _] = cotangent.dims();
        let flat = cotangent.reshape([rows * self.places, fan_out]);
        times(flat, self.weight.clone(), !self.transposed, self.weight_gain).reshape([rows, self.places * fan_in])
    }
}

impl Backward for DenseBackward {
    fn pull(&self, cotangent: Cotangent, n: usize) -> Vec<Cotangent> {
        vec![match cotangent {
            Cotangent::Shared(direction) => Cotangent::Shared(self.rows(direction)),
            other => {
                let dense = other.dense(n);
                let [_, directions, f] = dense.dims();
                let pulled = self.rows(dense.reshape([n * directions, f]));
                let [_, f] = pulled.dims();
                Cotangent::Dense(pulled.reshape([n, directions, f]))
            }
        }]
    }
}
