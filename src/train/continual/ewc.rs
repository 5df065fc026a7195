//! Elastic weight consolidation (Kirkpatrick et al. 2017, 1612.00796): the loss of a later task is joined by the penalty
//! (λ/2) Σ_k Σ_i F_ki (w_i − w*_ki)² around the weights w*_k at which each earlier task k ended, with F_k the diagonal of its
//! Fisher information there.
//!
//! The online form (Schwarz et al. 2018, 1805.06370) has one penalty, around the weights at which the last task ended, and
//! F ← γ F + F_k. The gradient is added in closed form: the loss that a run reports is without the penalty.

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};

use super::fisher::fisher;
use super::method::{EndedTask, Learner, Method, MethodState, PerParameter, placed, plain, with_terms};
use crate::model::Network;
use crate::spec::{ContinualSpec, Fisher};
use crate::train::step_options::StepOptions;
use std::sync::Arc;

/// A quadratic penalty.
#[derive(Clone)]
struct Penalty {
    fisher: PerParameter,
    /// The weights of its minimum.
    weights: PerParameter,
}

/// The penalties in plain numbers: Fisher information and weights of each.
type Kept = Vec<[Vec<Vec<f32>>; 2]>;

#[derive(Clone)]
pub(super) struct Ewc {
    lambda: f64,
    /// γ, if there is only one penalty.
    decay: Option<f64>,
    kind: Fisher,
    penalties: Vec<Penalty>,
}

impl Ewc {
    pub fn new(spec: &ContinualSpec) -> Self {
        Self { lambda: spec.ewc_lambda, decay: spec.ewc_decay, kind: spec.ewc_fisher, penalties: Vec::new() }
    }
}

impl Method for Ewc {
    fn copy(&self) -> Box<dyn Method> {
        Box::new(self.clone())
    }

    fn gradients(&self, learner: &dyn Learner, _: &StepOptions, of_loss: GradientsParams) -> GradientsParams {
        if self.penalties.is_empty() {
            return of_loss;
        }
        with_terms(learner, of_loss, |place, weights| {
            let pull =
                |penalty: &Penalty| (weights.clone() - penalty.weights[place].clone()) * penalty.fisher[place].clone();
            let sum = self.penalties.iter().map(pull).reduce(|sum, pull| sum + pull);
            sum.expect("there is a penalty") * self.lambda
        })
    }

    fn end_task(&mut self, learner: &dyn Learner, ended: &EndedTask, cancelled: &dyn Fn() -> bool) -> Option<()> {
        let own = fisher(learner, self.kind, &ended.images, ended.present.as_deref(), cancelled)?;
        let weights = learner.network().flatten();
        let fisher = match (self.decay, self.penalties.pop_if(|_| self.decay.is_some())) {
            (Some(decay), Some(before)) => {
                let sum = |(before, own): (Tensor<1>, Tensor<1>)| before * decay + own;
                before.fisher.into_iter().zip(own).map(sum).collect()
            }
            _ => own,
        };
        self.penalties.push(Penalty { fisher, weights });
        Some(())
    }

    fn state(&self) -> MethodState {
        let kept: Kept = self.penalties.iter().map(|each| [plain(&each.fisher), plain(&each.weights)]).collect();
        Arc::new(kept)
    }

    fn restore(&mut self, state: &MethodState, _: &Network, device: &Device) {
        let kept = state.downcast_ref::<Kept>().expect("the state is that of the same strategy");
        let penalty = |[fisher, weights]: &[Vec<Vec<f32>>; 2]| Penalty {
            fisher: placed(fisher, device),
            weights: placed(weights, device),
        };
        self.penalties = kept.iter().map(penalty).collect();
    }
}
