//! Linearises the network anew at intervals: its kernel is measured again and constant in between.
//!
//! Each piece starts where the one before it ended, so the prediction is a chain of linearisations and does not use the
//! network's outputs; it takes over only the kernel. With pieces of one step it would be the network itself, up to the
//! curvature within a step.

use burn::tensor::{Tensor, TensorData};

use crate::data::{Batch, Prepared};
use crate::train::{ImageIndex, Linearised, LinearisedState, NetworkTrainer, StepOptions};

/// A chain of linearisations, of which the current piece is being trained.
pub(super) struct Piecewise {
    linearised: Linearised,
    places: ImageIndex,
    /// Every image of the run, [images, inputs].
    images: Tensor<2>,
    /// The outputs that earlier pieces have left: prediction minus network where this piece began, row-major [images, C].
    offset: Vec<f32>,
    classes: usize,
    /// The length of a piece in epochs.
    pub every: f64,
}

/// The state of a [`Piecewise`] in plain numbers.
#[derive(Clone)]
pub(super) struct PiecewiseState {
    linearised: LinearisedState,
    offset: Vec<f32>,
}

impl Piecewise {
    /// Begins at the network's current weights.
    pub fn new(learner: &NetworkTrainer, data: &Prepared, every: f64) -> Self {
        let (places, pixels) = ImageIndex::of(data);
        let count = pixels.len() / data.set.train.dim();
        let classes = data.set.outputs();
        let images = learner.upload(&pixels, count);
        Self { linearised: learner.linearised(), places, images, offset: vec![0.0; count * classes], classes, every }
    }

    /// Continues from a stored state.
    pub fn restored(learner: &NetworkTrainer, data: &Prepared, every: f64, state: &PiecewiseState) -> Self {
        let mut fresh = Self::new(learner, data, every);
        fresh.linearised.restore(&state.linearised);
        fresh.offset.clone_from(&state.offset);
        fresh
    }

    pub fn state(&self) -> PiecewiseState {
        PiecewiseState { linearised: self.linearised.state(), offset: self.offset.clone() }
    }

    /// Begins the next piece with the network's kernel as it is now; `None` when cancelled.
    pub fn renew(&mut self, learner: &NetworkTrainer, cancelled: &dyn Fn() -> bool) -> Option<()> {
        let here = learner.outputs_of(&self.linearised, &self.images, cancelled)?;
        let network = learner.outputs(&self.images, cancelled)?;
        for ((offset, here), network) in self.offset.iter_mut().zip(here).zip(network) {
            *offset += here - network;
        }
        self.linearised = learner.linearised();
        Some(())
    }

    /// Takes the step that the network takes.
    pub fn step(&mut self, images: &Tensor<2>, batch: &Batch, terms: &StepOptions) {
        let row = |&(task, index): &(usize, usize)| self.places.trained(task, index) * self.classes;
        let offset: Vec<f32> =
            batch.images.iter().flat_map(|image| &self.offset[row(image)..][..self.classes]).copied().collect();
        let offset = TensorData::new(offset, [batch.images.len(), self.classes]);
        let offset = Tensor::from_data(offset, &images.device());
        self.linearised.step(images, batch.targets(), Some(offset), terms);
    }

    /// Returns outputs on the test images of a task by its index, or on the probes, row-major [n, C].
    pub fn outputs(
        &self,
        learner: &NetworkTrainer,
        images: &Tensor<2>,
        test: Option<usize>,
        cancelled: &dyn Fn() -> bool,
    ) -> Option<Vec<f32>> {
        let rows = test.map_or(&self.places.probes, |place| &self.places.tests[place]).clone();
        let offset = &self.offset[rows.start * self.classes..rows.end * self.classes];
        let mut outputs = learner.outputs_of(&self.linearised, images, cancelled)?;
        outputs.iter_mut().zip(offset).for_each(|(value, offset)| *value += offset);
        Some(outputs)
    }
}
