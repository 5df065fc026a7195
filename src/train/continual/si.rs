//! Synaptic intelligence (Zenke, Poole & Ganguli 2017, 1703.04200): while a task is trained, each weight's share in the fall of
//! its loss is summed along the path, ω_i = −Σ_steps (∂L/∂w_i) Δw_i. When it ends, Ω_i ← Ω_i + ω_i/((w_i − w̃_i)² + ξ), where w̃
//! are the weights with which the task began, and later tasks get the penalty c Σ_i Ω_i (w_i − w*_i)² around the weights w* at
//! which the last task ended.
//!
//! The gradient of the path is that of the loss without the penalty, as in the paper. The gradient of the penalty is added in
//! closed form: the loss that a run reports is without it.

use std::sync::Arc;

use burn::optim::GradientsParams;
use burn::tensor::Device;

use super::method::{EndedTask, Learner, Method, MethodState, PerParameter, TakenStep, placed, plain, with_terms};
use crate::model::Network;
use crate::spec::ContinualSpec;
use crate::train::step_options::StepOptions;

#[derive(Clone)]
pub(super) struct Si {
    c: f64,
    xi: f64,
    path: Option<Path>,
    /// Ω, once a task has ended.
    importance: Option<PerParameter>,
}

/// The path through a task.
#[derive(Clone)]
struct Path {
    /// The weights with which the task began, which are those at which the last one ended.
    from: PerParameter,
    /// ω.
    shares: PerParameter,
}

/// What it keeps in plain numbers: the beginning of the path, ω, and Ω.
type Kept = (Option<[Vec<Vec<f32>>; 2]>, Option<Vec<Vec<f32>>>);

impl Si {
    pub fn new(spec: &ContinualSpec) -> Self {
        Self { c: spec.si_c, xi: spec.si_xi, path: None, importance: None }
    }
}

impl Path {
    fn of(network: &Network) -> Self {
        let from = network.flatten();
        Self { shares: from.iter().map(|weights| weights.zeros_like()).collect(), from }
    }
}

impl Method for Si {
    fn copy(&self) -> Box<dyn Method> {
        Box::new(self.clone())
    }

    fn gradients(&self, learner: &dyn Learner, _: &StepOptions, of_loss: GradientsParams) -> GradientsParams {
        let (Some(importance), Some(path)) = (&self.importance, &self.path) else { return of_loss };
        with_terms(learner, of_loss, |place, weights| {
            (weights - path.from[place].clone()) * importance[place].clone() * (2.0 * self.c)
        })
    }

    fn stepped(&mut self, step: TakenStep<'_>) {
        let path = self.path.get_or_insert_with(|| Path::of(step.before));
        let moved = step.before.flatten().into_iter().zip(step.after.flatten());
        for ((share, (before, after)), gradient) in path.shares.iter_mut().zip(moved).zip(step.gradients) {
            // A frozen tensor has no gradient.
            if let Some(gradient) = gradient {
                *share = share.clone() + gradient * (before - after);
            }
        }
    }

    fn end_task(&mut self, learner: &dyn Learner, _: &EndedTask, _: &dyn Fn() -> bool) -> Option<()> {
        let next = Path::of(learner.network());
        let Some(Path { from, shares }) = self.path.replace(next) else { return Some(()) };
        let here = learner.network().flatten();
        let own = from.into_iter().zip(here).zip(shares);
        let own = own.map(|((from, here), share)| share / ((here - from).powi_scalar(2) + self.xi));
        self.importance = Some(match self.importance.take() {
            Some(before) => before.into_iter().zip(own).map(|(before, own)| before + own).collect(),
            None => own.collect(),
        });
        Some(())
    }

    fn state(&self) -> MethodState {
        let path = self.path.as_ref().map(|path| [plain(&path.from), plain(&path.shares)]);
        let kept: Kept = (path, self.importance.as_ref().map(plain));
        Arc::new(kept)
    }

    fn restore(&mut self, state: &MethodState, _: &Network, device: &Device) {
        let (path, importance) = state.downcast_ref::<Kept>().expect("the state is that of the same strategy");
        let path = path.as_ref();
        self.path = path.map(|[from, shares]| Path { from: placed(from, device), shares: placed(shares, device) });
        self.importance = importance.as_ref().map(|numbers| placed(numbers, device));
    }
}
