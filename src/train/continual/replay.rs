//! Experience replay with one memory for the whole stream (Chaudhry et al. 2019, 1902.10486): every batch is joined by as many
//! images from a reservoir, which is filled while training goes on; the loss is the mean over all of them.
//!
//! The two halves are passed through the network separately, which matters to BatchNorm alone. [`crate::data::ReplayMemory`] is
//! the other form: so many images of each earlier task, chosen when it has ended.

use std::sync::Arc;

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};

use super::memory::{Memory, Stored};
use super::method::{EndedTask, Learner, Method, MethodState, Pass, TakenStep};
use crate::model::Network;
use crate::spec::ContinualSpec;
use crate::train::step_options::StepOptions;

#[derive(Clone)]
pub(super) struct ExperienceReplay {
    memory: Memory,
}

impl ExperienceReplay {
    pub fn new(spec: &ContinualSpec) -> Self {
        Self { memory: Memory::new(spec) }
    }
}

impl Method for ExperienceReplay {
    fn copy(&self) -> Box<dyn Method> {
        Box::new(self.clone())
    }

    fn objective(&self, learner: &dyn Learner, pass: &Pass<'_>, loss: Tensor<1>) -> Tensor<1> {
        if self.memory.is_empty() {
            return loss;
        }
        let [n, _] = pass.outputs.dims();
        let rehearsed = self.memory.rehearse(learner, &self.memory.draw(learner, 0, n));
        let (outputs, _) = learner.outputs_in_training(&rehearsed.images, 1);
        let other = rehearsed.loss(learner, outputs, pass.terms.present.as_deref());
        let all = (n + rehearsed.len()) as f64;
        loss * (n as f64 / all) + other * (rehearsed.len() as f64 / all)
    }

    fn gradients(&self, _: &dyn Learner, _: &StepOptions, of_loss: GradientsParams) -> GradientsParams {
        of_loss
    }

    fn stepped(&mut self, step: TakenStep<'_>) {
        self.memory.offer(step.address, Stored::all(step.pixels, step.targets));
    }

    fn end_task(&mut self, _: &dyn Learner, _: &EndedTask, _: &dyn Fn() -> bool) -> Option<()> {
        Some(())
    }

    fn state(&self) -> MethodState {
        Arc::new(self.memory.clone())
    }

    fn restore(&mut self, state: &MethodState, _: &Network, _: &Device) {
        let kept = state.downcast_ref::<Memory>().expect("the state is that of the same strategy");
        self.memory.clone_from(kept);
    }
}
