//! Indexes every image of a run in one list; quantities per image, such as kernels, use its order.

use std::ops::Range;

use crate::data::{Prepared, Task};

/// The positions of the images in the list.
#[derive(Clone, Debug)]
pub struct ImageIndex {
    /// Ranges by task: its training images, and its test images.
    pub train: Vec<Range<usize>>,
    pub tests: Vec<Range<usize>>,
    pub probes: Range<usize>,
}

impl ImageIndex {
    /// Builds the list of a run, and the pixels of its images, row-major [images, inputs].
    pub fn of(data: &Prepared) -> (Self, Vec<f32>) {
        let dim = data.set.train.dim();
        let mut pixels: Vec<f32> = Vec::new();
        let mut list = |more: &[f32]| {
            let first = pixels.len() / dim;
            pixels.extend(more);
            first..pixels.len() / dim
        };
        let tasks = data.stream.tasks();
        let trained = |task: &Task| {
            let (mut pixels, mut labels) = (Vec::new(), Vec::new());
            task.batch(&(0..task.train_len()).collect::<Vec<_>>(), &mut pixels, &mut labels);
            pixels
        };
        let places = Self {
            train: tasks.iter().map(|task| list(&trained(task))).collect(),
            tests: tasks.iter().map(|task| list(&task.test().pixels)).collect(),
            probes: list(&data.probes.pixels),
        };
        (places, pixels)
    }

    /// Returns the position of a training image of a task, by the task's number.
    pub fn trained(&self, task: usize, index: usize) -> usize {
        self.train[task - 1].start + index
    }
}
