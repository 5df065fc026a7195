//! Validates runs of the infinitely wide network, beyond the checks of any run.
//!
//! Its kernel must exist and be constant: that requires the NTK parametrisation, trained by SGD with or without momentum.
//!
//! It adds one method to [`Spec`], see `validate`.

use crate::spec::ops::PoolKind;
use crate::spec::problem::problem;
use crate::spec::{Change, Effect, Problem, Program, Spec};

impl Spec {
    pub(crate) fn infinite_problems(&self, program: Option<&Program>, found: &mut Vec<Problem>) {
        let (network, training) = (&self.network, &self.training);
        if !network.is_infinite() {
            return;
        }
        let mut no = |wrong: bool, field: &'static str, message: &str| {
            if wrong {
                found.push(problem(field, format!("at infinite width {message}")));
            }
        };
        no(
            !network.parametrisation.is_ntk(),
            "network.parametrisation",
            "the kernel of the standard parametrisation has no limit: take ntk",
        );
        no(
            network.alpha_width.is_some(),
            "network.alpha_width",
            "the mean-field scaling learns features, which no fixed kernel describes: leave it out",
        );
        no(
            program.is_some_and(|program| program.pools(PoolKind::Max)),
            if network.setting("pool").is_some() { "network.pool" } else { "network.program" },
            "the maximum over pixels has no closed form: take none or avg",
        );
        no(
            !training.optimiser.follows_gradient(),
            "training.optimiser",
            &format!("no fixed kernel describes {}: take sgd", training.optimiser.words()),
        );
        no(training.weight_decay > 0.0, "training.weight_decay", "weight decay moves the kernel: set it to 0");
        no(training.clip > 0.0, "training.clip", "there is no gradient of weights to clip: set it to 0");
        no(training.rate_width.is_some(), "training.rate_width", "a rate over the width is 0: leave rate_width out");
        no(!training.frozen.is_empty(), "training.frozen", "there are no layers to freeze: leave frozen empty");
        no(
            self.kernel.predict,
            "kernel.predict",
            "the infinitely wide network is already linear: turn predictions off",
        );
        let needs_weights = |change: &Change| matches!(change.effect, Effect::Clamped(_) | Effect::Frozen(_));
        no(self.changes.iter().any(needs_weights), "changes", "there are no weights to clamp or to freeze");
    }
}
