//! Validates the settings of continual-learning strategies: their numbers, and what else of a run they cannot go with.
//!
//! It adds one method to [`Spec`], see `validate`.

use std::ops::RangeInclusive;

use super::MOST_REPLAYED;
use crate::spec::problem::problem;
use crate::spec::{Effect, Problem, Spec, Strategy};

/// Accepted weights of a penalty or of a term of the loss.
const WEIGHTS: RangeInclusive<f64> = 0.0..=1e9;

impl Spec {
    pub(crate) fn continual_problems(&self, found: &mut Vec<Problem>) {
        let continual = &self.continual;
        let mut refuse = |wrong: bool, field: &'static str, message: &str| {
            if wrong {
                found.push(problem(field, message));
            }
        };
        for (field, value) in [
            ("continual.ewc_lambda", continual.ewc_lambda),
            ("continual.si_c", continual.si_c),
            ("continual.lwf_alpha", continual.lwf_alpha),
            ("continual.der_alpha", continual.der_alpha),
            ("continual.der_beta", continual.der_beta),
        ] {
            refuse(!WEIGHTS.contains(&value), field, "the weight must be a number from 0 up");
        }
        refuse(
            continual.ewc_decay.is_some_and(|decay| !(0.0..=1.0).contains(&decay)),
            "continual.ewc_decay",
            "γ must lie between 0 (only the last task counts) and 1",
        );
        refuse(
            !(1e-12..=1e9).contains(&continual.si_xi),
            "continual.si_xi",
            "ξ must be above 0: without it a weight that hardly moved would be held fast",
        );
        refuse(
            !(1e-3..=1e3).contains(&continual.lwf_temperature),
            "continual.lwf_temperature",
            "the temperature must be a number above 0",
        );
        refuse(
            !(1..=MOST_REPLAYED).contains(&continual.memory),
            "continual.memory",
            &format!("there can be 1 to {MOST_REPLAYED} images in the memory"),
        );
        refuse(
            continual.memory_batch > MOST_REPLAYED,
            "continual.memory_batch",
            &format!("a step can draw at most {MOST_REPLAYED} images from the memory"),
        );
        let strategy = continual.strategy;
        if !strategy.is_any() {
            return;
        }
        let name = strategy.words();
        refuse(
            self.network.is_infinite() && !strategy.follows_batch(),
            "continual.strategy",
            &format!("at infinite width there are no weights for {name}: take a finite width, or the strategy none"),
        );
        refuse(
            self.kernel.predict && !strategy.follows_batch(),
            "kernel.predict",
            &format!("a network with a constant kernel would minimise another loss than {name}: turn predictions off"),
        );
        let replays = |effect: &Effect| matches!(effect, Effect::Replay(kept) if *kept > 0);
        let is_replayed = self.training.replay > 0 || self.changes.iter().any(|change| replays(&change.effect));
        refuse(
            is_replayed && (strategy.has_memory() || strategy.is_joint()),
            "training.replay",
            &format!(
                "{name} brings back images of earlier tasks itself: turn training.replay off, or take another strategy"
            ),
        );
        refuse(
            matches!(strategy, Strategy::Ewc)
                && continual.ewc_fisher.needs_probabilities()
                && self.training.loss.is_squared(),
            "continual.ewc_fisher",
            "the squared error has no probabilities: take cross-entropy, or expected",
        );
        refuse(
            strategy.needs_probabilities() && self.training.loss.is_squared(),
            "continual.strategy",
            &format!("{name} compares probabilities, which the squared error has not: take cross-entropy"),
        );
    }
}
