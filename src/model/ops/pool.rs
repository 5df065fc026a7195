//! Pooling over windows of an image. Square windows that tile it have their own backward passes; windows that overlap, are
//! padded or do not cover the image use burn's autodiff.

use std::sync::Arc;

use burn::tensor::module::{avg_pool2d, max_pool2d, max_pool2d_with_indices};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use burn::tensor::{IndexingUpdateOp, Tensor, TensorData};

use super::autodiff::ByAutodiff;
use super::operation::{OpContext, OpResult, Step};
use crate::model::Cotangent;
use crate::model::cotangent::SparseIndices;
use crate::model::device::is_host;
use crate::model::product::Values;
use crate::model::tape::Backward;
use crate::spec::ops::{Pool, PoolKind};

pub(super) fn run(op: &Pool, at: &OpContext<'_>, input: Tensor<2>) -> OpResult {
    let &[channels, height, width] = at.inputs[0] else { return OpResult::plain(input) };
    let [n, _] = input.dims();
    let flat = |pooled: Tensor<4>| {
        let [n, channels, height, width] = pooled.dims();
        pooled.reshape([n, channels * height * width])
    };
    let images = |input: Tensor<2>| input.reshape([n, channels, height, width]);
    if let Some(side) = op.tiles([height, width]) {
        let (output, backward): (_, Box<dyn Backward>) = match op.kind {
            PoolKind::Max => {
                let (output, way_back) = MaxPool::apply(images(input), side, at.recording);
                (output, Box::new(way_back))
            }
            PoolKind::Avg => {
                let (output, way_back) = AvgPool::apply(images(input), side);
                (output, Box::new(way_back))
            }
        };
        let steps = if at.recording { vec![Step { backward, tap: None }] } else { Vec::new() };
        return OpResult { output: flat(output).into(), steps, hidden: Vec::new() };
    }
    let Pool { kind, size, stride, padding, count_padding } = *op;
    let function = move |mut inputs: Vec<Tensor<2>>| {
        let input = inputs.remove(0);
        let [n, _] = input.dims();
        let images = input.reshape([n, channels, height, width]);
        flat(match kind {
            PoolKind::Max => {
                let options = MaxPoolOptions::new(size).with_stride(stride).with_padding(padding);
                max_pool2d(images, options)
            }
            PoolKind::Avg => {
                let options = AvgPoolOptions::new(size).with_stride(stride).with_padding(padding);
                let options = options.with_count_include_pad(count_padding);
                avg_pool2d(images, options)
            }
        })
    };
    let output = function(vec![input.clone()]);
    OpResult::new(at, output, || (ByAutodiff::boxed(vec![input], function), None))
}

/// The positions of pooled values in the image.
#[derive(Clone, Copy, Debug)]
struct Squares {
    /// Channels, height and width after pooling.
    pooled: [usize; 3],
    side: usize,
}

impl Squares {
    fn of(images: &Tensor<4>, side: usize) -> Self {
        let [_, channels, height, width] = images.dims();
        Self { pooled: [channels, height / side, width / side], side }
    }

    /// Copies each pooled value to all places of its square: [n, C, channels·h·w] → [n, C, channels, h, side, w, side].
    fn spread(&self, cotangent: Cotangent, n: usize) -> Tensor<7> {
        let [channels, height, width] = self.pooled;
        let dense = cotangent.dense(n);
        let [_, directions, _] = dense.dims();
        let shape = [n, directions, channels, height, self.side, width, self.side];
        dense.reshape([n, directions, channels, height, 1, width, 1]).expand(shape)
    }

    /// Returns the largest value of each square, and its index among the values of its sample. burn's own pooling takes six
    /// times as long, which was a tenth of the time of a kernel.
    fn largest(&self, images: &[f32]) -> (Vec<f32>, Arc<[u32]>) {
        let ([channels, height, width], side) = (self.pooled, self.side);
        let wide = width * side;
        let count = images.len() / (side * side);
        let (mut pooled, mut index) = (vec![0.0f32; count], vec![0u32; count]);
        // A row of squares at a time, and in it one corner of all squares after the other: no branch depends on a value.
        let strips = images.chunks_exact(side * wide).enumerate();
        for ((strip, lines), (most, at)) in
            strips.zip(pooled.chunks_exact_mut(width).zip(index.chunks_exact_mut(width)))
        {
            let start = (strip % (channels * height) * side * wide) as u32;
            for (row, line) in lines.chunks_exact(wide).enumerate() {
                for column in 0..side {
                    let first = (row, column) == (0, 0);
                    let place = start + (row * wide + column) as u32;
                    let corners = (place..).step_by(side).zip(line[column..].iter().step_by(side));
                    for ((most, at), (place, &value)) in most.iter_mut().zip(&mut *at).zip(corners) {
                        // NaN counts as the largest, as in burn and PyTorch; of equal values the first wins.
                        let larger = (value > *most) | (value.is_nan() & !most.is_nan()) | first;
                        *at = if larger { place } else { *at };
                        *most = if larger { value } else { *most };
                    }
                }
            }
        }
        (pooled, index.into())
    }

    fn flat(&self, spread: Tensor<7>) -> Cotangent {
        let [n, directions, ..] = spread.dims();
        let f = self.pooled.iter().product::<usize>() * self.side * self.side;
        Cotangent::Dense(spread.reshape([n, directions, f]))
    }
}

/// The backward pass of max pooling: the cotangent goes to the place of the largest value, of equal ones to the first.
pub struct MaxPool {
    squares: Squares,
    largest: Largest,
}

/// The place of the largest value of each square.
#[expect(clippy::large_enum_variant, reason = "a handful exist at a time; a box would only be one more step to follow")]
enum Largest {
    /// Not computed: there will be no backward pass.
    Unknown,
    Host(SparseIndices),
    /// 1 at the largest value and 0 elsewhere; [n, 1, channels, h, side, w, side].
    Device(Tensor<7>),
}

impl MaxPool {
    pub fn apply(images: Tensor<4>, side: usize, recording: bool) -> (Tensor<4>, Self) {
        let squares = Squares::of(&images, side);
        let options = MaxPoolOptions::new([side; 2]);
        if !recording {
            return (max_pool2d(images, options), Self { squares, largest: Largest::Unknown });
        }
        let [n, channels, height, width] = images.dims();
        let (plane, pooled_plane) = (height * width, height / side * (width / side));
        if is_host(&images.device()) {
            let device = images.device();
            let (pooled, index) = squares.largest(Values::of(images).slice());
            let pooled = TensorData::new(pooled, [n, channels, height / side, width / side]);
            let at = SparseIndices { index, of: channels * plane };
            return (Tensor::from_data(pooled, &device), Self { squares, largest: Largest::Host(at) });
        }
        let zeros = images.zeros_like().reshape([n * channels, plane]);
        let (pooled, places) = max_pool2d_with_indices(images, options);
        let places = places.reshape([n * channels, pooled_plane]);
        let ones = pooled.ones_like().reshape(places.dims());
        let mask = zeros.scatter(1, places, ones, IndexingUpdateOp::Add);
        let mask = mask.reshape([n, 1, channels, height / side, side, width / side, side]);
        (pooled, Self { squares, largest: Largest::Device(mask) })
    }
}

impl Backward for MaxPool {
    fn pull(&self, cotangent: Cotangent, n: usize) -> Vec<Cotangent> {
        vec![match &self.largest {
            Largest::Host(at) => {
                // There is no form that is sparse twice (pooling after pooling).
                let values = if matches!(cotangent, Cotangent::Sparse { .. }) {
                    Cotangent::Dense(cotangent.dense(n))
                } else {
                    cotangent
                };
                Cotangent::Sparse { at: at.clone(), values: Box::new(values) }
            }
            Largest::Device(mask) => self.squares.flat(self.squares.spread(cotangent, n) * mask.clone()),
            Largest::Unknown => unreachable!("only a recorded pooling is gone back through"),
        }]
    }
}

/// The backward pass of average pooling: each place gets its share.
pub struct AvgPool {
    squares: Squares,
}

impl AvgPool {
    pub fn apply(images: Tensor<4>, side: usize) -> (Tensor<4>, Self) {
        let squares = Squares::of(&images, side);
        let options = AvgPoolOptions::new([side; 2]);
        (avg_pool2d(images, options), Self { squares })
    }
}

impl Backward for AvgPool {
    fn pull(&self, cotangent: Cotangent, n: usize) -> Vec<Cotangent> {
        let share = 1.0 / (self.squares.side * self.squares.side) as f64;
        vec![self.squares.flat(self.squares.spread(cotangent, n) * share)]
    }
}
