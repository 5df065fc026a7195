//! Learned tensors that are the same for every sample: positions, a class token, the scale of a branch, and a tensor that is
//! a value of its own.
//!
//! An added tensor has the gain c = 1 in the standard parametrisation and σ_b in the NTK parametrisation: it is a bias for
//! each place. A scale is a factor and has no gain.

use burn::tensor::Tensor;

use super::arithmetic::alike;
use super::operation::{IdentityBackward, OpContext, OpResult, Step, Value};
use crate::model::Cotangent;
use crate::model::tape::{Backward, ParameterUse};
use crate::spec::ops::{Learned, feature_axis};

/// Computes z = x + c p.
pub(super) fn positions(at: &OpContext<'_>, input: Value) -> OpResult {
    let (_, gain) = at.gains;
    let values = at.weights[0].clone();
    let values = if gain == 1.0 { values } else { values * gain };
    let output = match input {
        Value::Flat(input) => Value::Flat(input + values.unsqueeze::<2>()),
        Value::Tokens(input) => {
            let [_, tokens, features] = input.dims();
            Value::Tokens(input + values.reshape([1, tokens, features]))
        }
    };
    let entries = 0..at.output().iter().product();
    OpResult::new(at, output, || (Box::new(IdentityBackward), at.tap(ParameterUse::Offset { entries, gain })))
}

/// Inserts one token, c p, before the others.
pub(super) fn class_token(at: &OpContext<'_>, input: Tensor<2>) -> OpResult {
    let (_, gain) = at.gains;
    let [n, f] = input.dims();
    let features = at.inputs[0][1];
    let token = at.weights[0].clone().unsqueeze::<2>();
    let token = if gain == 1.0 { token } else { token * gain };
    let output = Tensor::cat(alike(vec![token.expand([n, features]), input]), 1);
    let tap = || at.tap(ParameterUse::Offset { entries: 0..features, gain });
    OpResult::new(at, output, || (Box::new(ClassTokenBackward { first: features, count: f }), tap()))
}

/// The backward pass to the tokens after the class token.
struct ClassTokenBackward {
    first: usize,
    count: usize,
}

impl Backward for ClassTokenBackward {
    fn pull(&self, cotangent: Cotangent, n: usize) -> Vec<Cotangent> {
        let part = |rows: Tensor<2>| rows.narrow(1, self.first, self.count);
        vec![match cotangent {
            Cotangent::Shared(direction) => Cotangent::Shared(part(direction)),
            Cotangent::Factored { sample, direction } => {
                Cotangent::Factored { sample: part(sample), direction: part(direction) }
            }
            other => Cotangent::Dense(other.dense(n).narrow(2, self.first, self.count)),
        }]
    }
}

/// Returns the tensor, times c where it is drawn, for every sample. What begins at a given number is a factor as often as a
/// summand, and what is not trained is known: both have no gain.
pub(super) fn value(op: &Learned, at: &OpContext<'_>) -> OpResult {
    let (_, gain) = at.gains;
    let gain = if op.trained && op.start.is_none() { gain } else { 1.0 };
    let values = at.weights[0].clone();
    let [count] = values.dims();
    let values = if gain == 1.0 { values } else { values * gain };
    let mut done = OpResult::plain(values.unsqueeze::<2>().expand([at.samples, count]));
    if at.recording
        && let Some(tap) = at.tap(ParameterUse::Offset { entries: 0..count, gain })
    {
        // It reads nothing, so that the backward pass ends here.
        done.steps.push(Step { backward: Box::new(IdentityBackward), tap: Some(tap) });
    }
    done
}

/// Computes z = γ ∘ x, with one γ for each feature.
pub(super) fn scale(at: &OpContext<'_>, input: Tensor<2>) -> OpResult {
    let factors = spread(at.weights[0].clone(), at.output());
    let output = input.clone() * factors.clone().unsqueeze::<2>();
    let mut done = OpResult::plain(output);
    if at.recording {
        let (values, channels_first) = by_feature(input, at.output());
        let tap = at.tap(ParameterUse::Gain { values, channels_first, frozen: false });
        done.steps.push(Step { backward: Box::new(Factor(factors)), tap });
    }
    done
}

/// The backward pass of z = γ ∘ x, with one γ for each value.
struct Factor(Tensor<1>);

impl Backward for Factor {
    fn pull(&self, cotangent: Cotangent, _n: usize) -> Vec<Cotangent> {
        vec![cotangent.scaled_alike(self.0.clone())]
    }
}

/// Expands a number for each feature to one for each value of this shape.
pub(super) fn spread(per_feature: Tensor<1>, shape: &[usize]) -> Tensor<1> {
    let [features] = per_feature.dims();
    let count: usize = shape.iter().product();
    let places = count / features;
    if places == 1 {
        return per_feature;
    }
    match feature_axis(shape) {
        0 => per_feature.reshape([features, 1]).expand([features, places]).reshape([count]),
        _ => per_feature.reshape([1, features]).expand([places, features]).reshape([count]),
    }
}

/// Reshapes values to [n, places, features], or [n, features, places] for an image, and returns which of the two.
pub(super) fn by_feature(values: Tensor<2>, shape: &[usize]) -> (Tensor<3>, bool) {
    let [n, f] = values.dims();
    let axis = feature_axis(shape);
    let features = shape[axis];
    let channels_first = shape.len() > 1 && axis == 0;
    let apart = if channels_first { [n, features, f / features] } else { [n, f / features, features] };
    (values.reshape(apart), channels_first)
}
