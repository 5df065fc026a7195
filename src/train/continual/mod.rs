//! Continual-learning strategies: what a network in training does so that it does not forget earlier tasks. One file has one
//! strategy, which implements [`method::Method`]; [`crate::spec::Strategy`] declares them.
//!
//! A strategy can add to the loss of a batch, change the gradients before the optimiser gets them, and look at the step that was
//! taken and at the task that ends. Everything that it keeps is part of the learner's state, and what it draws at random follows
//! from the seed and the number of the step, so that a run that goes on from a state is the run that was never interrupted.

mod agem;
mod dark_replay;
mod ewc;
mod fisher;
mod lwf;
mod memory;
pub(super) mod method;
mod replay;
mod si;

use self::method::Method;
use crate::spec::{Spec, Strategy};

/// Returns the strategy of this spec at its start; `None` for fine-tuning.
pub(super) fn method(spec: &Spec) -> Option<Box<dyn Method>> {
    let continual = &spec.continual;
    match continual.strategy {
        Strategy::None => None,
        // Its batches differ, and nothing else.
        Strategy::Joint => None,
        Strategy::Ewc => Some(Box::new(ewc::Ewc::new(continual))),
        Strategy::Si => Some(Box::new(si::Si::new(continual))),
        Strategy::Lwf => Some(Box::new(lwf::Lwf::new(continual))),
        Strategy::ExperienceReplay => Some(Box::new(replay::ExperienceReplay::new(continual))),
        Strategy::AGem => Some(Box::new(agem::Agem::new(continual))),
        Strategy::DerPlusPlus => Some(Box::new(dark_replay::DarkReplay::new(continual))),
    }
}
