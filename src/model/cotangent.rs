//! Cotangents ∂(v·f)/∂z for many directions v of logit space, propagated backwards through a network together.
//!
//! In the first backward steps from the logits a cotangent has structure, which is kept as long as possible: behind the
//! last layer it is the same for every sample, and behind one nonlinearity it is a product of a factor per sample and a
//! factor per direction. The kernel of the last two layers then needs no product over directions at all.

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use super::device::is_host;
use super::product::{Values, change};

/// A cotangent of C directions and n samples, at a line with f values per sample.
#[expect(clippy::large_enum_variant, reason = "a handful exist at a time; a box would only be one more step to follow")]
#[derive(Clone, Debug)]
pub enum Cotangent {
    /// The same for all samples: [C, f].
    Shared(Tensor<2>),
    /// sample[n, f] ∘ direction[C, f].
    Factored { sample: Tensor<2>, direction: Tensor<2> },
    /// [n, C, f].
    Dense(Tensor<3>),
    /// Zero except at a few places of each sample: behind max pooling. On the host only.
    Sparse { at: SparseIndices, values: Box<Cotangent> },
}

/// The positions of the values of a sparse cotangent.
#[derive(Clone, Debug)]
pub struct SparseIndices {
    /// [n, places]: index among the f values of the sample. Channels come one after another, with equally many places each.
    pub index: Arc<[u32]>,
    /// f.
    pub of: usize,
}

impl Cotangent {
    /// Returns it as [n, C, f].
    pub fn dense(self, n: usize) -> Tensor<3> {
        match self {
            Self::Shared(direction) => {
                let [directions, f] = direction.dims();
                direction.unsqueeze_dim::<3>(0).expand([n, directions, f])
            }
            Self::Factored { sample, direction } => outer(sample, direction),
            Self::Dense(values) => values,
            sparse @ Self::Sparse { .. } => {
                let (directions, f) = sparse.dims();
                let values =
                    sparse.map_samples(n, directions * f, || (), |(), _, dense, out| out.copy_from_slice(dense));
                Tensor::from_data(TensorData::new(values, [n, directions, f]), &Device::flex())
            }
        }
    }

    /// Returns the numbers of directions and of values per sample.
    pub fn dims(&self) -> (usize, usize) {
        match self {
            Self::Shared(direction) | Self::Factored { direction, .. } => direction.dims().into(),
            Self::Dense(values) => {
                let [_, directions, f] = values.dims();
                (directions, f)
            }
            Self::Sparse { at, values } => (values.dims().0, at.of),
        }
    }

    /// Returns whether it is in host memory.
    pub fn is_host(&self) -> bool {
        match self {
            Self::Shared(direction) | Self::Factored { direction, .. } => is_host(&direction.device()),
            Self::Dense(values) => is_host(&values.device()),
            Self::Sparse { .. } => true,
        }
    }

    /// Returns its device.
    pub fn device(&self) -> Device {
        match self {
            Self::Shared(direction) | Self::Factored { direction, .. } => direction.device(),
            Self::Dense(values) => values.device(),
            Self::Sparse { .. } => Device::flex(),
        }
    }

    /// Multiplies by a number.
    pub fn times(self, factor: f64, n: usize) -> Self {
        match self {
            Self::Shared(direction) => Self::Shared(direction * factor),
            Self::Factored { sample, direction } => Self::Factored { sample, direction: direction * factor },
            other => Self::Dense(other.dense(n) * factor),
        }
    }

    /// Multiplies by a factor per sample and value, [n, f].
    pub fn scaled(self, factor: Tensor<2>) -> Self {
        match self {
            Self::Shared(direction) => Self::Factored { sample: factor, direction },
            Self::Factored { sample, direction } => Self::Factored { sample: sample * factor, direction },
            Self::Dense(values) => Self::Dense(scale(values, factor)),
            Self::Sparse { at, values } => {
                let [n, f] = factor.dims();
                let factor = Values::of(factor);
                let places = at.index.len() / n;
                let chosen = factor.slice().chunks_exact(f).zip(at.index.chunks_exact(places));
                let chosen: Vec<f32> =
                    chosen.flat_map(|(factor, index)| index.iter().map(|&place| factor[place as usize])).collect();
                let chosen = Tensor::from_data(TensorData::new(chosen, [n, places]), &Device::flex());
                Self::Sparse { at, values: Box::new(values.scaled(chosen)) }
            }
        }
    }

    /// Multiplies by a factor per value, the same for all samples: `[f]`.
    pub fn scaled_alike(self, factors: Tensor<1>) -> Self {
        match self {
            Self::Shared(direction) => Self::Shared(direction * factors.unsqueeze::<2>()),
            Self::Factored { sample, direction } => {
                Self::Factored { sample, direction: direction * factors.unsqueeze::<2>() }
            }
            Self::Dense(values) if is_host(&values.device()) => {
                let factors = Values::of(factors);
                let factors = factors.slice();
                Self::Dense(change(values, |values| {
                    for row in values.chunks_exact_mut(factors.len()) {
                        row.iter_mut().zip(factors).for_each(|(value, factor)| *value *= factor);
                    }
                }))
            }
            Self::Dense(values) => Self::Dense(values * factors.unsqueeze::<3>()),
            Self::Sparse { at, values } => {
                let (_, places) = values.dims();
                let factors = Values::of(factors);
                let factors = factors.slice();
                let chosen: Vec<f32> = at.index.iter().map(|&place| factors[place as usize]).collect();
                let shape = [chosen.len() / places.max(1), places];
                let chosen = Tensor::from_data(TensorData::new(chosen, shape), &Device::flex());
                Self::Sparse { at, values: Box::new(values.scaled(chosen)) }
            }
        }
    }

    /// Adds two cotangents of the same line.
    pub fn plus(self, other: Self, n: usize) -> Self {
        match (self, other) {
            (Self::Shared(a), Self::Shared(b)) => Self::Shared(a + b),
            (a, b) => Self::Dense(a.dense(n) + b.dense(n)),
        }
    }

    /// Maps each sample's cotangent, row-major [C, f], to `length` values, sample by sample and on all threads, with a
    /// `scratch` reused between samples. The full dense cotangent is never formed: one sample fits in the processor's
    /// cache. On the host only.
    pub fn map_samples<S>(
        self,
        n: usize,
        length: usize,
        scratch: impl Fn() -> S + Send + Sync,
        make: impl Fn(&mut S, usize, &[f32], &mut [f32]) + Sync,
    ) -> Vec<f32> {
        let mut made = vec![0.0f32; n * length];
        match self {
            Self::Sparse { at, values } => {
                let (directions, places) = values.dims();
                let values = Values::of(values.dense(n));
                let (values, index) = (values.slice(), &at.index);
                let start = || (vec![0.0f32; directions * at.of], scratch());
                let each = made.par_chunks_exact_mut(length).enumerate();
                each.for_each_init(start, |(dense, scratch), (sample, out)| {
                    let index = &index[sample * places..][..places];
                    let rows = values[sample * directions * places..].chunks_exact(places);
                    for (dense, values) in dense.chunks_exact_mut(at.of).zip(rows) {
                        index.iter().zip(values).for_each(|(&place, value)| dense[place as usize] = *value);
                    }
                    make(scratch, sample, dense, out);
                    // Only the written entries are reset: most of the buffer is still zero.
                    for dense in dense.chunks_exact_mut(at.of) {
                        index.iter().for_each(|&place| dense[place as usize] = 0.0);
                    }
                });
            }
            other => {
                let (directions, f) = other.dims();
                let values = Values::of(other.dense(n));
                let samples = values.slice().par_chunks_exact(directions * f);
                let each = made.par_chunks_exact_mut(length).zip(samples).enumerate();
                each.for_each_init(scratch, |scratch, (sample, (out, dense))| make(scratch, sample, dense, out));
            }
        }
        made
    }
}

/// Computes values[n, C, f] ∘ factor[n, f].
fn scale(values: Tensor<3>, factor: Tensor<2>) -> Tensor<3> {
    if !is_host(&values.device()) {
        return values * factor.unsqueeze_dim::<3>(1);
    }
    let [_, directions, f] = values.dims();
    let factor = Values::of(factor);
    // In place: broadcasting would write the largest tensor of the measurement a second time.
    change(values, |values| {
        for (sample, factor) in values.chunks_exact_mut(directions * f).zip(factor.slice().chunks_exact(f)) {
            for row in sample.chunks_exact_mut(f) {
                row.iter_mut().zip(factor).for_each(|(value, factor)| *value *= factor);
            }
        }
    })
}

/// Computes sample[n, f] ∘ direction[C, f] as [n, C, f].
fn outer(sample: Tensor<2>, direction: Tensor<2>) -> Tensor<3> {
    let device = sample.device();
    if !is_host(&device) {
        return sample.unsqueeze_dim::<3>(1) * direction.unsqueeze_dim::<3>(0);
    }
    let ([n, f], [directions, _]) = (sample.dims(), direction.dims());
    let (sample, direction) = (Values::of(sample), Values::of(direction));
    let mut values = Vec::with_capacity(n * directions * f);
    for sample in sample.slice().chunks_exact(f) {
        for direction in direction.slice().chunks_exact(f) {
            values.extend(sample.iter().zip(direction).map(|(a, b)| a * b));
        }
    }
    Tensor::from_data(TensorData::new(values, [n, directions, f]), &device)
}
