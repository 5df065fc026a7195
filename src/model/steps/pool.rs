//! Pooling over squares that do not overlap.

use burn::tensor::module::{avg_pool2d, max_pool2d, max_pool2d_with_indices};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use burn::tensor::{IndexingUpdateOp, Tensor};

use crate::model::Cotangent;
use crate::model::tape::Backward;

/// Where pooled images lie in the images before.
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

    /// Each pooled value in all places of its square: [n, C, channels·h·w] → [n, C, channels, h, side, w, side].
    fn spread(&self, cotangent: Cotangent, n: usize) -> Tensor<7> {
        let [channels, height, width] = self.pooled;
        let dense = cotangent.dense(n);
        let [_, directions, _] = dense.dims();
        let shape = [n, directions, channels, height, self.side, width, self.side];
        dense.reshape([n, directions, channels, height, 1, width, 1]).expand(shape)
    }

    fn flat(&self, spread: Tensor<7>) -> Cotangent {
        let [n, directions, ..] = spread.dims();
        let f = self.pooled.iter().product::<usize>() * self.side * self.side;
        Cotangent::Dense(spread.reshape([n, directions, f]))
    }
}

/// The way back through max pooling: the cotangent goes to the place of the largest value, of equal ones to the first.
pub struct MaxPool {
    squares: Squares,
    /// 1 at the largest value of each square, 0 elsewhere; [n, 1, channels, h, side, w, side]. Only while recording.
    mask: Option<Tensor<7>>,
}

impl MaxPool {
    pub fn apply(images: Tensor<4>, side: usize, recording: bool) -> (Tensor<4>, Self) {
        let squares = Squares::of(&images, side);
        let options = MaxPoolOptions::new([side; 2]);
        if !recording {
            return (max_pool2d(images, options), Self { squares, mask: None });
        }
        let [n, channels, height, width] = images.dims();
        let zeros = images.zeros_like().reshape([n * channels, height * width]);
        let (pooled, places) = max_pool2d_with_indices(images, options);
        let places = places.reshape([n * channels, height / side * (width / side)]);
        let ones = pooled.ones_like().reshape(places.dims());
        let mask = zeros.scatter(1, places, ones, IndexingUpdateOp::Add);
        let mask = mask.reshape([n, 1, channels, height / side, side, width / side, side]);
        (pooled, Self { squares, mask: Some(mask) })
    }
}

impl Backward for MaxPool {
    fn pull(&self, cotangent: Cotangent, n: usize) -> Vec<Cotangent> {
        let mask = self.mask.clone().expect("only a recorded pooling is gone back through");
        vec![self.squares.flat(self.squares.spread(cotangent, n) * mask)]
    }
}

/// The way back through average pooling: each place gets its share.
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
