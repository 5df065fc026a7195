//! ∂(v·f)/∂z for many directions v of logit space at once: what travels backwards through a network.
//!
//! Its first steps backwards from the logits have structure that is kept for as long as it lasts: behind the last layer the
//! cotangent is the same for every sample, and behind one nonlinearity it is a product of a factor per sample and a factor
//! per direction. The kernel of the last two layers then needs no product over directions at all.

use burn::tensor::Tensor;

use super::product::{Values, change, is_host};

/// A cotangent of C directions and n samples, at a place with f values per sample.
#[derive(Clone, Debug)]
pub enum Cotangent {
    /// The same for all samples: [C, f].
    Shared(Tensor<2>),
    /// sample[n, f] ∘ direction[C, f].
    Factored { sample: Tensor<2>, direction: Tensor<2> },
    /// [n, C, f].
    Dense(Tensor<3>),
}

impl Cotangent {
    /// As [n, C, f].
    pub fn dense(self, n: usize) -> Tensor<3> {
        match self {
            Self::Shared(direction) => {
                let [directions, f] = direction.dims();
                direction.unsqueeze_dim::<3>(0).expand([n, directions, f])
            }
            Self::Factored { sample, direction } => outer(sample, direction),
            Self::Dense(values) => values,
        }
    }

    /// Times a factor per sample and value, [n, f].
    pub fn scaled(self, factor: Tensor<2>) -> Self {
        match self {
            Self::Shared(direction) => Self::Factored { sample: factor, direction },
            Self::Factored { sample, direction } => Self::Factored { sample: sample * factor, direction },
            Self::Dense(values) => Self::Dense(scale(values, factor)),
        }
    }

    /// The sum of two cotangents of the same place.
    pub fn plus(self, other: Self, n: usize) -> Self {
        match (self, other) {
            (Self::Shared(a), Self::Shared(b)) => Self::Shared(a + b),
            (a, b) => Self::Dense(a.dense(n) + b.dense(n)),
        }
    }
}

/// values[n, C, f] ∘ factor[n, f].
fn scale(values: Tensor<3>, factor: Tensor<2>) -> Tensor<3> {
    let device = values.device();
    if !is_host(&device) {
        return values * factor.unsqueeze_dim::<3>(1);
    }
    let [_, directions, f] = values.dims();
    let factor = Values::of(factor);
    // In place: broadcasting would write the largest tensor of the whole measurement a second time.
    change(values, |values| {
        for (sample, factor) in values.chunks_exact_mut(directions * f).zip(factor.slice().chunks_exact(f)) {
            for row in sample.chunks_exact_mut(f) {
                for (value, factor) in row.iter_mut().zip(factor) {
                    *value *= factor;
                }
            }
        }
    })
}

/// sample[n, f] ∘ direction[C, f] as [n, C, f].
fn outer(sample: Tensor<2>, direction: Tensor<2>) -> Tensor<3> {
    sample.unsqueeze_dim::<3>(1) * direction.unsqueeze_dim::<3>(0)
}
