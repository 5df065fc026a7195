//! Averaged gradient episodic memory (Chaudhry et al. 2019, 1812.00420): a step must not raise the loss on a sample of earlier
//! tasks' images, to first order. With g the gradient of the batch and g_ref that of as many images from the memory, a g with
//! g·g_ref < 0 is projected: g̃ = g − (g·g_ref / g_ref·g_ref) g_ref.
//!
//! When a task ends, some of its images join the memory, equally many of each task. With logits masked, each image of the memory
//! has those of its own task's classes. The sign is decided on the device, so that no step waits for it.

use std::sync::Arc;

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};

use super::memory::{Rehearsed, Stored, draw};
use super::method::{EndedTask, Learner, Method, MethodState};
use crate::model::Network;
use crate::spec::ContinualSpec;
use crate::train::step_options::StepOptions;

#[derive(Clone)]
pub(super) struct Agem {
    spec: ContinualSpec,
    tasks: Vec<EndedImages>,
}

/// The images of a task that has ended, and the logits that the loss on them includes.
#[derive(Clone)]
struct EndedImages {
    images: Vec<Stored>,
    present: Option<Vec<usize>>,
}

/// What it keeps in plain numbers.
type Kept = Vec<EndedImages>;

impl Agem {
    pub fn new(spec: &ContinualSpec) -> Self {
        Self { spec: spec.clone(), tasks: Vec::new() }
    }

    /// Computes the gradient of the loss on a sample of the memory.
    fn reference(&self, learner: &dyn Learner, terms: &StepOptions) -> GradientsParams {
        let all: Vec<(usize, &Stored)> = self
            .tasks
            .iter()
            .enumerate()
            .flat_map(|(task, ended)| ended.images.iter().map(move |image| (task, image)))
            .collect();
        let drawn = draw(learner, 0, all.len(), self.spec.drawn(learner.batch()));
        let drawn: Vec<(usize, &Stored)> = drawn.into_iter().map(|place| all[place]).collect();
        // Images of one task stand together.
        let parts = drawn.chunk_by(|a, b| a.0 == b.0).enumerate().map(|(part, images)| {
            let present = self.tasks[images[0].0].present.as_deref();
            let stored: Vec<&Stored> = images.iter().map(|(_, image)| *image).collect();
            let rehearsed = Rehearsed::of(learner, &stored);
            let (outputs, _) = learner.outputs_in_training(&rehearsed.images, part as u64 + 1);
            rehearsed.loss(learner, outputs, present) * (images.len() as f64 / drawn.len() as f64)
        });
        let loss = parts.reduce(|sum, part| sum + part).expect("the memory is not empty");
        learner.network().trained_gradients(&mut loss.backward(), &terms.frozen)
    }
}

/// Projects gradients so that they do not point against these others.
pub(super) fn project(
    network: &Network,
    mut gradients: GradientsParams,
    reference: &GradientsParams,
) -> GradientsParams {
    let pairs: Vec<_> = network
        .ids()
        .into_iter()
        .filter_map(|(_, id)| Some((id, gradients.get::<1>(id)?, reference.get::<1>(id)?)))
        .collect();
    let products = |of: &dyn Fn(&Tensor<1>, &Tensor<1>) -> Tensor<1>| {
        pairs.iter().map(|(_, own, other)| of(own, other)).reduce(|sum, product| sum + product)
    };
    let along = products(&|own, other| (own.clone() * other.clone()).sum());
    let length = products(&|_, other| other.clone().powi_scalar(2).sum());
    let Some((along, length)) = along.zip(length) else { return gradients };
    // 0 where they do not point against each other.
    let share = along.clamp_max(0.0) / length.clamp_min(f32::MIN_POSITIVE);
    for (id, own, other) in pairs {
        let entries = own.shape().num_elements();
        gradients.remove::<1>(id);
        gradients.register(id, own - other * share.clone().expand([entries]));
    }
    gradients
}

impl Method for Agem {
    fn copy(&self) -> Box<dyn Method> {
        Box::new(self.clone())
    }

    fn gradients(&self, learner: &dyn Learner, terms: &StepOptions, of_loss: GradientsParams) -> GradientsParams {
        if self.tasks.iter().all(|task| task.images.is_empty()) {
            return of_loss;
        }
        project(learner.network(), of_loss, &self.reference(learner, terms))
    }

    fn end_task(&mut self, _: &dyn Learner, ended: &EndedTask, _: &dyn Fn() -> bool) -> Option<()> {
        let images = Stored::all(&ended.images.pixels, ended.images.targets());
        self.tasks.push(EndedImages { images, present: ended.present.clone() });
        Some(())
    }

    fn state(&self) -> MethodState {
        let kept: Kept = self.tasks.clone();
        Arc::new(kept)
    }

    fn restore(&mut self, state: &MethodState, _: &Network, _: &Device) {
        let kept = state.downcast_ref::<Kept>().expect("the state is that of the same strategy");
        self.tasks.clone_from(kept);
    }
}
