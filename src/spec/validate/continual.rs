//! Validates the settings of continual-learning strategies: their numbers, and what else of a run they cannot go with.
//!
//! It adds one method to [`Spec`], see `validate`.

use std::ops::RangeInclusive;

use crate::spec::problem::problem;
use crate::spec::{Problem, Spec};

/// Accepted weights of a penalty or of a term of the loss.
const WEIGHTS: RangeInclusive<f64> = 0.0..=1e9;

impl Spec {
    pub(crate) fn continual_problems(&self, found: &mut Vec<Problem>) {
        let continual = &self.continual;
        for (field, value) in [("continual.ewc_lambda", continual.ewc_lambda)] {
            if !WEIGHTS.contains(&value) {
                found.push(problem(field, "the weight must be a number from 0 up"));
            }
        }
        if continual.ewc_decay.is_some_and(|decay| !(0.0..=1.0).contains(&decay)) {
            found.push(problem("continual.ewc_decay", "γ must lie between 0 (only the last task counts) and 1"));
        }
        let strategy = continual.strategy;
        if !strategy.is_any() {
            return;
        }
        let name = strategy.words();
        let mut refuse = |field: &'static str, message: String| found.push(problem(field, message));
        if self.network.is_infinite() && !strategy.follows_batch() {
            refuse(
                "continual.strategy",
                format!("at infinite width there are no weights for {name}: take a finite width, or the strategy none"),
            );
        }
        if self.kernel.predict && !strategy.follows_batch() {
            refuse(
                "kernel.predict",
                format!(
                    "a network with a constant kernel would minimise another loss than {name}: turn predictions off"
                ),
            );
        }
    }
}
