//! Implements experience replay (Chaudhry et al. 2019): each batch of the new task is joined by equally many images of
//! the earlier ones, sampled from a small memory. The loss is the mean over both halves.
//!
//! Like the order of an epoch it is stateless: the images of a step depend on its address alone, so that a run repeats.

use rand::RngExt as _;
use rand::seq::SliceRandom as _;

use super::{Targets, Task, TaskStream};
use crate::math::rng::{Stream, rng};

/// The images of one step.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The pixels as transformed by the images' tasks, row-major [n, inputs].
    pub pixels: Vec<f32>,
    /// Class of each.
    pub labels: Vec<usize>,
    /// In regression, the target of the single output for each image; else empty.
    pub values: Vec<f32>,
    /// Number of the task of each, and index among its training images.
    pub images: Vec<(usize, usize)>,
}

impl Batch {
    /// Appends one of a task's training images.
    pub fn append(&mut self, task: &Task, place: usize) {
        task.append(&[place], &mut self.pixels, &mut self.labels);
        self.values.extend(task.values(&[place]));
        self.images.push((task.number(), place));
    }

    /// Returns the targets of the outputs.
    pub fn targets(&self) -> Targets<'_> {
        Targets::of(&self.labels, &self.values)
    }
}

/// The replay memory of earlier tasks. Empty if there are none or replay is off.
#[derive(Clone, Debug, Default)]
pub struct ReplayMemory {
    /// Number of the task, and index among its training images.
    images: Vec<(usize, usize)>,
}

impl ReplayMemory {
    /// Stores `kept` training images of each of these tasks (all, if it has fewer), selected by the seed.
    pub fn of(seed: u64, stream: &TaskStream, earlier: &[usize], kept: usize) -> Self {
        let mut images = Vec::new();
        for &task in earlier {
            let mut places: Vec<usize> = (0..stream.task(task).train_len()).collect();
            places.shuffle(&mut rng(seed, Stream::Memory, task as u64, 0));
            images.extend(places.into_iter().take(kept).map(|place| (task, place)));
        }
        Self { images }
    }

    /// Appends `count` images from memory as their tasks transform them, for the step of a task after `done` others.
    pub fn append_samples(
        &self,
        (seed, task, done): (u64, usize, u64),
        count: usize,
        stream: &TaskStream,
        batch: &mut Batch,
    ) {
        if self.images.is_empty() {
            return;
        }
        let mut draw = rng(seed, Stream::Replay, task as u64, done);
        for _ in 0..count {
            let (task, place) = self.images[draw.random_range(0..self.images.len())];
            batch.append(stream.task(task), place);
        }
    }
}
