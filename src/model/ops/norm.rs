//! Normalisations: z = γ ∘ x̂ + β with x̂ = (x − mean)/√(variance + ε), biased variance as in PyTorch.
//!
//! In the NTK parametrisation γ = 1 and β = 0 are frozen and not part of the kernel, as in the infinite-width theory.
//! BatchNorm uses the mean and variance of the batch in training and the running ones otherwise, so its kernel is that of
//! the evaluated network, in which samples do not depend on each other.

use burn::tensor::Tensor;

use super::learned::by_feature;
use super::operation::{OpContext, OpResult, Step, Value};
use crate::model::Cotangent;
use crate::model::forward_mode::Training;
use crate::model::tape::{Backward, ParameterUse};
use crate::spec::ops::{Norm, NormKind};

/// The weight of a new batch in the running statistics: PyTorch's default.
const MOMENTUM: f64 = 0.1;

pub(super) fn run(op: &Norm, at: &OpContext<'_>, input: Value, training: Option<&mut Training>) -> OpResult {
    match (input, op.kind) {
        // The values keep their shape, so that autodiff sums gradients of a residual stream one by one.
        (Value::Flat(values), NormKind::Layer | NormKind::Rms) if at.output().len() == 1 => {
            let normalised = over_features(op, values, 1);
            finish(op, at, normalised, [1, at.output()[0]], Rows::Features { along: 2, centred: op.is_centred() })
        }
        (Value::Tokens(values), NormKind::Layer | NormKind::Rms) => {
            let normalised = over_features(op, values, 2);
            finish(op, at, normalised, [1, 1, at.output()[1]], Rows::Features { along: 2, centred: op.is_centred() })
        }
        (values, _) => apply_reshaped(op, at, values.flat(), training),
    }
}

/// Normalises values reshaped to places and features.
fn apply_reshaped(op: &Norm, at: &OpContext<'_>, input: Tensor<2>, training: Option<&mut Training>) -> OpResult {
    let (values, channels_first) = by_feature(input, at.output());
    let shape @ [n, first, second] = values.dims();
    let along = if channels_first { 1 } else { 2 };
    let sides = if channels_first { [1, first, 1] } else { [1, 1, second] };
    let (normalised, rows) = match op.kind {
        NormKind::Layer | NormKind::Rms => {
            (over_features(op, values, along), Rows::Features { along, centred: op.is_centred() })
        }
        NormKind::Group { groups } => {
            let rows = Rows::Groups { groups, swapped: !channels_first };
            let (normalised, inverse) = over_features(op, rows.arranged(values), 2);
            ((rows.back(normalised, shape), inverse), rows)
        }
        NormKind::Batch => {
            let place = usize::from(op.gain) + usize::from(op.bias);
            let kept = [place, place + 1].map(|tensor| at.weights[tensor].clone());
            let [mean, variance] = match training {
                Some(training) => {
                    let (mean, variance) = moments(values.clone(), channels_first);
                    let count = (n * first * second / mean.dims()[0]) as f64;
                    training.keep(at.line.tensors[place], &kept[0], mean.clone(), MOMENTUM, 1.0);
                    // PyTorch stores the unbiased variance.
                    let unbiased = count / (count - 1.0).max(1.0);
                    training.keep(at.line.tensors[place + 1], &kept[1], variance.clone(), MOMENTUM, unbiased);
                    [mean, variance]
                }
                None => kept,
            };
            let inverse = (variance + op.epsilon).sqrt().recip().reshape(sides);
            (((values - mean.reshape(sides)) * inverse.clone(), inverse), Rows::None)
        }
    };
    finish(op, at, normalised, sides, rows)
}

/// Computes γ ∘ x̂ + β from x̂ and 1/√(variance + ε), for γ and β of these shapes.
fn finish<const D: usize>(
    op: &Norm,
    at: &OpContext<'_>,
    (normalised, inverse): (Tensor<D>, Tensor<D>),
    sides: [usize; D],
    rows: Rows,
) -> OpResult {
    let mut weights = at.weights.iter().map(|tensor| tensor.clone().reshape(sides));
    let weight = if op.gain { weights.next() } else { None };
    let bias = if op.bias { weights.next() } else { None };
    let scaled = match weight.clone() {
        Some(weight) => normalised.clone() * weight,
        None => normalised.clone(),
    };
    let output = match bias {
        Some(bias) => scaled + bias,
        None => scaled,
    };
    let shape = output.dims();
    let (n, count) = (shape[0], shape[1..].iter().product::<usize>());
    let output = match at.output() {
        &[tokens, features] => Value::Tokens(output.reshape([n, tokens, features])),
        _ => Value::Flat(output.reshape([n, count])),
    };
    let mut done = OpResult::plain(output);
    if at.checking {
        // If the variance overflows, its inverse root is 0 and passes as finite; the root itself does not.
        let roots = inverse.clone().recip();
        let sides = roots.dims();
        done.hidden.push(roots.reshape([sides[0], sides[1..].iter().product()]));
    }
    if at.recording {
        // [n, places, features], or [n, features, places] for an image.
        let (values, channels_first) = by_feature(normalised.reshape([n, count]), at.output());
        let three = |tensor: Tensor<D>| {
            let sides = tensor.dims();
            let sides = if D == 2 { [sides[0], 1, sides[1]] } else { [sides[0], sides[1], sides[2]] };
            tensor.reshape(sides)
        };
        let (inverse, weight) = (three(inverse), weight.map(three));
        // In the NTK parametrisation the bias moves alone, if another line before this one has it.
        let frozen = !(op.gain && at.moves[0]);
        let tap = at.tap(ParameterUse::Gain { values: values.clone(), channels_first, frozen });
        let way_back = NormBackward { normalised: values, inverse, weight, rows };
        done.steps.push(Step { backward: Box::new(way_back), tap });
    }
    done
}

/// Computes x̂ and 1/√(variance + ε) along an axis, optionally without subtracting the mean.
fn over_features<const D: usize>(op: &Norm, values: Tensor<D>, along: usize) -> (Tensor<D>, Tensor<D>) {
    if op.is_centred() {
        return normalise(op, values, along);
    }
    let inverse = (values.clone().powi_scalar(2).mean_dim(along) + op.epsilon).sqrt().recip();
    (values * inverse.clone(), inverse)
}

/// Computes x̂ and 1/√(variance + ε) along an axis.
fn normalise<const D: usize>(op: &Norm, input: Tensor<D>, along: usize) -> (Tensor<D>, Tensor<D>) {
    let centred = input.clone() - input.mean_dim(along);
    let variance = centred.clone().powi_scalar(2).mean_dim(along);
    let inverse = (variance + op.epsilon).sqrt().recip();
    (centred * inverse.clone(), inverse)
}

/// Computes mean and biased variance of each feature over samples and places.
fn moments(values: Tensor<3>, channels_first: bool) -> (Tensor<1>, Tensor<1>) {
    let [n, first, second] = values.dims();
    let (features, count) = if channels_first { (first, n * second) } else { (second, n * first) };
    let rows = if channels_first { values.swap_dims(0, 1) } else { values.permute([2, 0, 1]) };
    let rows = rows.reshape([features, count]);
    let mean = rows.clone().mean_dim(1);
    let variance = (rows - mean.clone()).powi_scalar(2).mean_dim(1);
    (mean.reshape([features]), variance.reshape([features]))
}

/// The numbers over which mean and variance are taken.
#[derive(Clone, Copy)]
enum Rows {
    /// The features of each place, on this axis.
    Features { along: usize, centred: bool },
    /// Groups of features with all their places; `swapped` if the features come last.
    Groups { groups: usize, swapped: bool },
    /// Constants independent of the sample.
    None,
}

impl Rows {
    /// Rearranges [n, a, b] with each group in one row: [n, groups, values].
    fn arranged(self, values: Tensor<3>) -> Tensor<3> {
        let [n, a, b] = values.dims();
        match self {
            Self::Groups { groups, swapped } => {
                let values = if swapped { values.swap_dims(1, 2) } else { values };
                values.reshape([n, groups, a * b / groups])
            }
            Self::Features { .. } | Self::None => values,
        }
    }

    /// Rearranges rows back to [n, a, b].
    fn back(self, rows: Tensor<3>, [_, a, b]: [usize; 3]) -> Tensor<3> {
        let [n, ..] = rows.dims();
        match self {
            Self::Groups { swapped: true, .. } => rows.reshape([n, b, a]).swap_dims(1, 2),
            Self::Groups { swapped: false, .. } => rows.reshape([n, a, b]),
            Self::Features { .. } | Self::None => rows,
        }
    }
}

/// The backward pass. With g = γ ∘ δ: δ ↦ (g − mean g − x̂ mean(g ∘ x̂))/√(variance + ε), without the first mean where none
/// was subtracted, and without both where they are constants.
struct NormBackward {
    /// [n, places, features] or [n, features, places].
    normalised: Tensor<3>,
    inverse: Tensor<3>,
    /// γ; `None` where there is none.
    weight: Option<Tensor<3>>,
    rows: Rows,
}

impl Backward for NormBackward {
    fn pull(&self, cotangent: Cotangent, n: usize) -> Vec<Cotangent> {
        let [_, a, b] = self.normalised.dims();
        if let Rows::None = self.rows {
            let factors = match self.weight.clone() {
                Some(weight) => weight * self.inverse.clone(),
                None => self.inverse.clone(),
            };
            let factors = factors.expand([1, a, b]).reshape([a * b]);
            return vec![cotangent.scaled_alike(factors)];
        }
        let dense = cotangent.dense(n);
        let [_, directions, f] = dense.dims();
        let mut scaled = dense.reshape([n, directions, a, b]);
        if let Some(weight) = self.weight.clone() {
            scaled = scaled * weight.unsqueeze_dim::<4>(1);
        }
        let pulled = match self.rows {
            Rows::None => unreachable!("the factors of a BatchNorm are the same for all samples"),
            Rows::Features { along, centred } => {
                let normalised = self.normalised.clone().unsqueeze_dim::<4>(1);
                project(scaled, normalised, self.inverse.clone().unsqueeze_dim::<4>(1), along + 1, centred)
            }
            rows @ Rows::Groups { groups, .. } => {
                let arranged = rows.arranged(scaled.reshape([n * directions, a, b]));
                let arranged = arranged.reshape([n, directions, groups, f / groups]);
                let normalised = rows.arranged(self.normalised.clone()).unsqueeze_dim::<4>(1);
                let pulled = project(arranged, normalised, self.inverse.clone().unsqueeze_dim::<4>(1), 3, true);
                let pulled = rows.back(pulled.reshape([n * directions, groups, f / groups]), [n, a, b]);
                pulled.reshape([n, directions, a, b])
            }
        };
        vec![Cotangent::Dense(pulled.reshape([n, directions, f]))]
    }
}

fn project(scaled: Tensor<4>, normalised: Tensor<4>, inverse: Tensor<4>, along: usize, centred: bool) -> Tensor<4> {
    let share = (scaled.clone() * normalised.clone()).mean_dim(along) * normalised;
    let rest = if centred { scaled.clone() - scaled.mean_dim(along) } else { scaled };
    (rest - share) * inverse
}
