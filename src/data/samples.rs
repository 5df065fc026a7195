//! Samples of the problem of a run beside those that it trains on: to choose by, to know a kernel by, or more to train on.
//!
//! Guarantee: n training samples are those that the run with `data.samples = n` and the same seed trains on, and no sample to
//! choose by is among them.

use super::drawn::{self, Role};
use super::{DataError, Images, Prepared};
use crate::spec::Spec;

impl Prepared {
    /// So many samples.
    ///
    /// # Errors
    /// When the images have not so many beside the probes.
    pub fn samples(&self, spec: &Spec, role: Role, count: usize) -> Result<Images, DataError> {
        if spec.data.source.is_drawn() {
            return Ok(drawn::draw(spec, role, count));
        }
        let task = self.stream.task(1);
        let order = task.order();
        let all = || order.iter().copied();
        let chosen: Vec<usize> = match role {
            Role::Test => return Ok(task.test()),
            // From the end on: what is trained on is taken from the front.
            Role::Validation => all().rev().take(count).collect(),
            Role::Training | Role::Pool | Role::Probe => all().take(count).collect(),
        };
        if chosen.len() < count {
            return Err(DataError::FewSamples { needed: count, there: chosen.len() });
        }
        Ok(task.show(&chosen))
    }

    /// How many samples there are to train on and to choose by; `None` where they are drawn, as many as one likes.
    pub fn stock(&self, spec: &Spec) -> Option<usize> {
        (!spec.data.source.is_drawn()).then(|| self.stream.task(1).order().len())
    }
}
