//! Experience replay (Chaudhry et al. 2019): beside each batch of the new task as many images of the earlier ones, drawn from
//! a small memory. The loss is the mean over both halves.
//!
//! Like the order of an epoch it is stateless: what a step draws depends on its address alone, so that a run repeats.

use rand::RngExt as _;
use rand::seq::SliceRandom as _;

use super::{Targets, TaskStream};
use crate::math::rng::{Stream, rng};

/// The images of one step.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// As their tasks show them, row-major [n, inputs].
    pub pixels: Vec<f32>,
    /// Class of each.
    pub labels: Vec<usize>,
    /// What its one output is to be, of a regression; else empty.
    pub values: Vec<f32>,
    /// Number of the task of each, and place among its training images.
    pub images: Vec<(usize, usize)>,
}

impl Batch {
    /// What the outputs are to be.
    pub fn targets(&self) -> Targets<'_> {
        Targets::of(&self.labels, &self.values)
    }
}

/// What is remembered of earlier tasks. Empty where there is none or nothing is kept.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Number of the task, and place among its training images.
    images: Vec<(usize, usize)>,
}

impl Memory {
    /// Keeps so many training images of each of these tasks (all, where it has fewer), whichever the seed says.
    pub fn of(seed: u64, stream: &TaskStream, earlier: &[usize], kept: usize) -> Self {
        let mut images = Vec::new();
        for &task in earlier {
            let mut places: Vec<usize> = (0..stream.task(task).train_len()).collect();
            places.shuffle(&mut rng(seed, Stream::Memory, task as u64, 0));
            images.extend(places.into_iter().take(kept).map(|place| (task, place)));
        }
        Self { images }
    }

    /// Appends `count` remembered images as their tasks show them, for the step of a task that follows `done` others.
    pub fn recall(&self, (seed, task, done): (u64, usize, u64), count: usize, stream: &TaskStream, batch: &mut Batch) {
        if self.images.is_empty() {
            return;
        }
        let mut draw = rng(seed, Stream::Replay, task as u64, done);
        for _ in 0..count {
            let (task, place) = self.images[draw.random_range(0..self.images.len())];
            stream.task(task).append(&[place], &mut batch.pixels, &mut batch.labels);
            batch.values.extend(stream.task(task).values(&[place]));
            batch.images.push((task, place));
        }
    }
}
