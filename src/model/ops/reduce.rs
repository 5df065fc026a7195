//! The mean or the sum over all places; in the backward pass each place gets its share of the cotangent.

use burn::tensor::Tensor;

use super::operation::{OpContext, OpResult};
use crate::model::Cotangent;
use crate::model::tape::Backward;
use crate::spec::ops::Reduce;

pub(super) fn run(op: &Reduce, at: &OpContext<'_>, input: Tensor<2>) -> OpResult {
    let [n, _] = input.dims();
    let shape = at.inputs[0];
    let share = |places: usize| if op.is_mean() { 1.0 / places as f64 } else { 1.0 };
    match *shape {
        [channels, height, width] => {
            let pixels = height * width;
            let each = input.reshape([n, channels, pixels]);
            let output = if op.is_mean() { each.mean_dim(2) } else { each.sum_dim(2) };
            let share = share(pixels);
            OpResult::new(at, output.reshape([n, channels]), || (Box::new(OverPixels { pixels, share }), None))
        }
        _ => {
            let (places, features) = (shape[0], shape[1]);
            let each = input.reshape([n, places, features]);
            let output = if op.is_mean() { each.mean_dim(1) } else { each.sum_dim(1) };
            let share = share(places);
            OpResult::new(at, output.reshape([n, features]), || (Box::new(OverTokens { places, share }), None))
        }
    }
}

/// The backward pass of `[tokens, f]` to `[f]`.
struct OverTokens {
    places: usize,
    share: f64,
}

impl Backward for OverTokens {
    fn pull(&self, cotangent: Cotangent, n: usize) -> Vec<Cotangent> {
        vec![match cotangent {
            Cotangent::Shared(direction) => Cotangent::Shared((direction * self.share).repeat_dim(1, self.places)),
            other => Cotangent::Dense((other.dense(n) * self.share).repeat_dim(2, self.places)),
        }]
    }
}

/// The backward pass of `[channels, pixels]` to `[channels]`.
struct OverPixels {
    pixels: usize,
    share: f64,
}

impl Backward for OverPixels {
    fn pull(&self, cotangent: Cotangent, n: usize) -> Vec<Cotangent> {
        vec![match cotangent {
            Cotangent::Shared(direction) => {
                let [directions, channels] = direction.dims();
                let spread = (direction * self.share).unsqueeze_dim::<3>(2).repeat_dim(2, self.pixels);
                Cotangent::Shared(spread.reshape([directions, channels * self.pixels]))
            }
            other => {
                let dense = other.dense(n);
                let [n, directions, channels] = dense.dims();
                let spread = (dense * self.share).unsqueeze_dim::<4>(3).repeat_dim(3, self.pixels);
                Cotangent::Dense(spread.reshape([n, directions, channels * self.pixels]))
            }
        }]
    }
}
