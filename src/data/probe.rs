//! Collects the probe images of all tasks, as each transforms them.

use std::ops::Range;

use super::{Targets, TaskStream};

/// The images on which the kernel is measured, in Gram order: by task number, then class.
#[derive(Clone, Debug, PartialEq)]
pub struct Probes {
    /// Channels, height, width.
    pub shape: [usize; 3],
    /// The pixels as transformed by each task, row-major [n, channels·height·width].
    pub pixels: Vec<f32>,
    /// Class of each.
    pub labels: Vec<usize>,
    /// Index of each among the training images of the set.
    pub indices: Vec<usize>,
    /// In regression, the target of the single output for each probe; else empty.
    pub values: Vec<f32>,
    /// Number of the task of each, from 1.
    pub tasks: Vec<usize>,
    /// The same images in 8 bits, [n, height, width, channels].
    pub thumbnails: Vec<u8>,
    /// Rows of each task's block; index 0 is task 1.
    pub blocks: Vec<Range<usize>>,
}

impl Probes {
    /// Collects the probes of every task of the stream.
    pub fn of(stream: &TaskStream) -> Self {
        let set = stream.set();
        let shape = set.train.shape;
        let mut probes = Self {
            shape,
            pixels: Vec::new(),
            labels: Vec::new(),
            indices: Vec::new(),
            values: Vec::new(),
            tasks: Vec::new(),
            thumbnails: Vec::new(),
            blocks: Vec::new(),
        };
        for task in stream.tasks() {
            let start = probes.len();
            for &index in task.probes() {
                task.extend(&set.train, index, &mut probes.pixels);
                probes.labels.push(set.train.labels[index]);
                probes.indices.push(index);
                probes.values.extend(set.train.values.get(index));
                probes.tasks.push(task.number());
            }
            probes.blocks.push(start..probes.len());
        }
        probes.thumbnails = set.thumbnails(&probes.pixels);
        probes
    }

    /// Returns the targets of the outputs.
    pub fn targets(&self) -> Targets<'_> {
        Targets::of(&self.labels, &self.values)
    }

    /// Returns the targets of the outputs in some rows.
    pub fn targets_of(&self, rows: Range<usize>) -> Targets<'_> {
        let values = if self.values.is_empty() { &[] } else { &self.values[rows.clone()] };
        Targets::of(&self.labels[rows], values)
    }

    /// Returns the number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}
