//! Learning without forgetting (Li & Hoiem 2016, 1606.09282): the network as it was when the last task ended is a teacher. On
//! the images of the new task the loss is joined by α KL(q ‖ p), the mean over the images, where q and p are the teacher's and
//! the network's softmax at temperature T over the logits of the classes seen in earlier tasks.
//!
//! With logits masked each earlier task has a softmax of its own, as the heads of the paper have; the terms are summed. The
//! divergence is not multiplied by T², as in Avalanche.

use std::sync::Arc;

use burn::module::Module as _;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData, activation};

use super::method::{EndedTask, Learner, Method, MethodState, Pass};
use crate::model::Network;
use crate::spec::ContinualSpec;
use crate::train::device_transfer::Parameters;
use crate::train::step_options::StepOptions;

#[derive(Clone)]
pub(super) struct Lwf {
    alpha: f64,
    temperature: f64,
    /// The network when the last task ended, without autodiff.
    teacher: Option<Network>,
    /// The logits of each task that has ended.
    heads: Vec<Vec<usize>>,
}

/// What it keeps in plain numbers: the teacher, and the logits of each task.
type Kept = (Option<Parameters>, Vec<Vec<usize>>);

impl Lwf {
    pub fn new(spec: &ContinualSpec) -> Self {
        Self { alpha: spec.lwf_alpha, temperature: spec.lwf_temperature, teacher: None, heads: Vec::new() }
    }

    /// Returns the sets of logits that have a softmax each.
    fn sets(&self, masked: bool) -> Vec<Vec<usize>> {
        if masked {
            return self.heads.clone();
        }
        let mut all = self.heads.concat();
        all.sort_unstable();
        all.dedup();
        vec![all]
    }
}

impl Method for Lwf {
    fn copy(&self) -> Box<dyn Method> {
        Box::new(self.clone())
    }

    fn objective(&self, learner: &dyn Learner, pass: &Pass<'_>, loss: Tensor<1>) -> Tensor<1> {
        let Some(teacher) = &self.teacher else { return loss };
        let taught = learner.lazy(teacher.forward(pass.images.clone()), pass.images);
        let [n, _] = taught.dims();
        let term = |set: &Vec<usize>| {
            let logits = set.iter().map(|&logit| logit as i32).collect::<Vec<i32>>();
            let logits = Tensor::<1, Int>::from_data(TensorData::new(logits, [set.len()]), learner.device());
            let of = |outputs: &Tensor<2>| {
                activation::log_softmax(outputs.clone().select(1, logits.clone()) / self.temperature, 1)
            };
            let (student, teacher) = (of(pass.outputs), of(&taught));
            (teacher.clone().exp() * (teacher - student)).sum() * (self.alpha / n as f64)
        };
        self.sets(pass.terms.present.is_some()).iter().map(term).fold(loss, |sum, term| sum + term)
    }

    fn gradients(&self, _: &dyn Learner, _: &StepOptions, of_loss: GradientsParams) -> GradientsParams {
        of_loss
    }

    fn end_task(&mut self, learner: &dyn Learner, ended: &EndedTask, _: &dyn Fn() -> bool) -> Option<()> {
        self.teacher = Some(learner.network().valid());
        self.heads.push(ended.classes.clone());
        Some(())
    }

    fn state(&self) -> MethodState {
        let kept: Kept = (self.teacher.as_ref().map(Parameters::of), self.heads.clone());
        Arc::new(kept)
    }

    fn restore(&mut self, state: &MethodState, like: &Network, device: &Device) {
        let (teacher, heads) = state.downcast_ref::<Kept>().expect("the state is that of the same strategy");
        self.teacher = teacher.as_ref().map(|teacher| teacher.bring_back(like, device));
        self.heads.clone_from(heads);
    }
}
