//! Further samples of a run's problem: to validate on, to decompose a kernel on, or to train on.
//!
//! Guarantee: n training samples are those of the run with `data.samples = n` and the same seed, and no validation sample
//! is among them.

use super::synthetic;
use super::synthetic::Role;
use super::{DataError, Images, Prepared};
use crate::spec::Spec;

impl Prepared {
    /// Returns `count` samples.
    ///
    /// # Errors
    /// Fails if the set does not have that many images beside the probes.
    pub fn samples(&self, spec: &Spec, role: Role, count: usize) -> Result<Images, DataError> {
        if spec.data.source.is_drawn() {
            return Ok(synthetic::draw(spec, role, count));
        }
        let task = self.stream.task(1);
        let order = task.order();
        let all = || order.iter().copied();
        let chosen: Vec<usize> = match role {
            Role::Test => return Ok(task.test()),
            // From the end: training samples are taken from the front.
            Role::Validation => all().rev().take(count).collect(),
            Role::Training | Role::Pool | Role::Probe => all().take(count).collect(),
        };
        if chosen.len() < count {
            return Err(DataError::FewSamples { needed: count, there: chosen.len() });
        }
        Ok(task.show(&chosen))
    }

    /// Returns the number of samples to train and validate on; `None` for synthetic samples, which are unlimited.
    pub fn stock(&self, spec: &Spec) -> Option<usize> {
        (!spec.data.source.is_drawn()).then(|| self.stream.task(1).order().len())
    }
}
