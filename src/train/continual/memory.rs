//! Implements the memory of strategies that see earlier images again: which images stay in it, and which of them a step gets.
//!
//! Both follow from the seed, the number of the step and what is in the memory, never from a generator that is passed on.

use std::sync::Arc;

use burn::tensor::Tensor;
use rand::RngExt as _;
use rand::seq::index::sample;

use super::method::Learner;
use crate::data::Targets;
use crate::math::rng::{Stream, rng};
use crate::spec::{ContinualSpec, Selection};
use crate::train::loss::{batch_loss, wanted};

/// An image in a memory.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pixels: Arc<[f32]>,
    class: usize,
    /// In regression, the target of the single output.
    value: Option<f32>,
}

/// The images of some batches, of which a bounded number is kept.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    size: usize,
    selection: Selection,
    /// Number of images that a step draws; 0 for as many as its batch has.
    drawn: usize,
    /// Number of images that were offered so far.
    seen: u64,
    images: Vec<Stored>,
}

/// Images from a memory, on a device.
pub(super) struct Rehearsed {
    pub images: Tensor<2>,
    classes: Vec<usize>,
    values: Vec<f32>,
}

impl Stored {
    /// Returns the images of a batch.
    pub fn all(pixels: &[f32], targets: Targets<'_>) -> Vec<Self> {
        let inputs = pixels.len() / targets.len().max(1);
        let image = |(at, pixels): (usize, &[f32])| Self {
            pixels: pixels.into(),
            class: targets.class(at),
            value: match targets {
                Targets::Classes(_) => None,
                Targets::Values(values) => Some(values[at]),
            },
        };
        pixels.chunks_exact(inputs.max(1)).enumerate().map(image).collect()
    }
}

impl Memory {
    pub fn new(spec: &ContinualSpec) -> Self {
        Self { size: spec.memory, selection: spec.selection, drawn: spec.memory_batch, seen: 0, images: Vec::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// Offers the images of a step; returns, for each place of the memory, the image of the batch that is there now, or `None`
    /// if the place has what it had.
    pub fn offer(&mut self, (seed, step): (u64, u64), batch: Vec<Stored>) -> Vec<Option<usize>> {
        let mut draw = rng(seed, Stream::Reservoir, step, 0);
        let mut taken = vec![None; self.images.len()];
        for (row, image) in batch.into_iter().enumerate() {
            self.seen += 1;
            if self.images.len() < self.size {
                self.images.push(image);
                taken.push(Some(row));
                continue;
            }
            let place = draw.random_range(0..self.seen) as usize;
            if place >= self.size {
                continue;
            }
            let place = match self.selection {
                Selection::Reservoir => place,
                Selection::Balanced => {
                    let places = self.places_of_largest_class();
                    places[draw.random_range(0..places.len())]
                }
            };
            self.images[place] = image;
            taken[place] = Some(row);
        }
        taken
    }

    /// Returns the places of the class with the most images; of several such classes, the first.
    fn places_of_largest_class(&self) -> Vec<usize> {
        let of =
            |class| self.images.iter().enumerate().filter(move |(_, image)| image.class == class).map(|(at, _)| at);
        let mut classes: Vec<usize> = self.images.iter().map(|image| image.class).collect();
        classes.sort_unstable();
        classes.dedup();
        let largest = classes.into_iter().rev().max_by_key(|&class| of(class).count());
        largest.map_or_else(Vec::new, |class| of(class).collect())
    }

    /// Draws the places of the images that join a batch of this size, without replacement, all if there are fewer, in ascending
    /// order; `which` tells the draws of one step apart.
    pub fn draw(&self, learner: &dyn Learner, which: u64, batch: usize) -> Vec<usize> {
        draw(learner, which, self.images.len(), if self.drawn == 0 { batch } else { self.drawn })
    }

    /// Returns the images of these places.
    pub fn rehearse(&self, learner: &dyn Learner, places: &[usize]) -> Rehearsed {
        let images: Vec<&Stored> = places.iter().map(|&place| &self.images[place]).collect();
        Rehearsed::of(learner, &images)
    }
}

/// Draws `count` of so many places without replacement, all if there are fewer, in ascending order.
pub(super) fn draw(learner: &dyn Learner, which: u64, places: usize, count: usize) -> Vec<usize> {
    let (seed, step) = learner.address();
    let mut draw = rng(seed, Stream::Rehearsal, step, which);
    let mut drawn = sample(&mut draw, places, count.min(places)).into_vec();
    drawn.sort_unstable();
    drawn
}

impl Rehearsed {
    pub fn of(learner: &dyn Learner, images: &[&Stored]) -> Self {
        let pixels: Vec<f32> = images.iter().flat_map(|image| image.pixels.iter().copied()).collect();
        Self {
            images: learner.upload(&pixels, images.len()),
            classes: images.iter().map(|image| image.class).collect(),
            values: images.iter().filter_map(|image| image.value).collect(),
        }
    }

    /// Returns the number of images.
    pub fn len(&self) -> usize {
        self.classes.len()
    }

    /// Computes the loss of these outputs on them, of which it includes these logits.
    pub fn loss(&self, learner: &dyn Learner, outputs: Tensor<2>, present: Option<&[usize]>) -> Tensor<1> {
        let (classes, training, _) = learner.readout();
        let targets = wanted(Targets::of(&self.classes, &self.values), classes, learner.device());
        batch_loss(training, outputs, targets, present)
    }
}
