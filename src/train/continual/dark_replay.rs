//! Dark experience replay ++ (Buzzega et al. 2020, 2004.07211): a reservoir stores images with the logits that the network gave
//! them when they were seen. Every batch's loss is joined by α times the mean squared error of the network's logits on some of
//! these images, and by β times the loss of their labels on some others.
//!
//! As in Mammoth the two samples are drawn separately, the reservoir is filled from the first step on and also has images of the
//! task being trained, and the squared error is the mean over images and logits (without ½), over all logits also where the loss
//! is masked.

use std::sync::Arc;

use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::memory::{Memory, Stored};
use super::method::{EndedTask, Learner, Method, MethodState, Pass, TakenStep};
use crate::model::{Network, read};
use crate::spec::ContinualSpec;
use crate::train::step_options::StepOptions;

#[derive(Clone)]
pub(super) struct DarkReplay {
    alpha: f64,
    beta: f64,
    memory: Memory,
    /// The logits of each image of the memory, [images, C]; `None` before the first step.
    logits: Option<Tensor<2>>,
}

/// What it keeps in plain numbers: the memory, and its logits with their number of rows.
type Kept = (Memory, Option<(Vec<f32>, usize)>);

impl DarkReplay {
    pub fn new(spec: &ContinualSpec) -> Self {
        let memory = Memory::new(spec);
        Self { alpha: spec.der_alpha, beta: spec.der_beta, memory, logits: None }
    }
}

impl Method for DarkReplay {
    fn copy(&self) -> Box<dyn Method> {
        Box::new(self.clone())
    }

    fn objective(&self, learner: &dyn Learner, pass: &Pass<'_>, loss: Tensor<1>) -> Tensor<1> {
        let Some(logits) = self.logits.as_ref().filter(|_| !self.memory.is_empty()) else { return loss };
        let [n, _] = pass.outputs.dims();
        let places = self.memory.draw(learner, 0, n);
        let stored = logits.clone().select(0, indices(&places, learner.device()));
        let rehearsed = self.memory.rehearse(learner, &places);
        let (outputs, _) = learner.outputs_in_training(&rehearsed.images, 1);
        let like_before = (outputs - stored).powi_scalar(2).mean();
        let rehearsed = self.memory.rehearse(learner, &self.memory.draw(learner, 1, n));
        let (outputs, _) = learner.outputs_in_training(&rehearsed.images, 2);
        let labelled = rehearsed.loss(learner, outputs, pass.terms.present.as_deref());
        loss + like_before * self.alpha + labelled * self.beta
    }

    fn gradients(&self, _: &dyn Learner, _: &StepOptions, of_loss: GradientsParams) -> GradientsParams {
        of_loss
    }

    fn stepped(&mut self, step: TakenStep<'_>) {
        let before = self.logits.as_ref().map_or(0, |logits| logits.dims()[0]);
        let taken = self.memory.offer(step.address, Stored::all(step.pixels, step.targets));
        let rows: Vec<usize> = taken.iter().enumerate().map(|(at, row)| row.map_or(at, |row| before + row)).collect();
        let device = step.outputs.device();
        let all = match self.logits.take() {
            Some(logits) => Tensor::cat(vec![logits, step.outputs], 0),
            None => step.outputs,
        };
        self.logits = (!rows.is_empty()).then(|| all.select(0, indices(&rows, &device)));
    }

    fn end_task(&mut self, _: &dyn Learner, _: &EndedTask, _: &dyn Fn() -> bool) -> Option<()> {
        Some(())
    }

    fn state(&self) -> MethodState {
        let logits = self.logits.as_ref().map(|logits| (read(logits.clone()), logits.dims()[0]));
        let kept: Kept = (self.memory.clone(), logits);
        Arc::new(kept)
    }

    fn restore(&mut self, state: &MethodState, _: &Network, device: &Device) {
        let (memory, logits) = state.downcast_ref::<Kept>().expect("the state is that of the same strategy");
        self.memory.clone_from(memory);
        self.logits = logits.as_ref().map(|(values, rows)| {
            let columns = values.len() / rows.max(&1);
            Tensor::from_data(TensorData::new(values.clone(), [*rows, columns]), device)
        });
    }
}

fn indices(rows: &[usize], device: &Device) -> Tensor<1, Int> {
    let rows: Vec<i32> = rows.iter().map(|&row| row as i32).collect();
    let count = rows.len();
    Tensor::from_data(TensorData::new(rows, [count]), device)
}
