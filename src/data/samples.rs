//! Draws further samples of a run's problem: for validation, for the decomposition of a kernel, or for training.
//!
//! Guarantee: n training samples are those of the run with `data.samples = n` and the same seed, and no validation sample
//! is among them.

use super::synthetic;
use super::synthetic::SampleRole;
use super::{DataError, Images, Prepared};
use crate::spec::Spec;

impl Prepared {
    /// Returns `count` samples.
    ///
    /// # Errors
    /// Fails if the set does not have that many images beside the probes.
    pub fn samples(&self, spec: &Spec, role: SampleRole, count: usize) -> Result<Images, DataError> {
        if spec.data.source.is_synthetic() {
            return Ok(synthetic::draw(spec, role, count));
        }
        let task = self.stream.task(1);
        let order = task.order();
        let all = || order.iter().copied();
        let chosen: Vec<usize> = match role {
            SampleRole::Test => return Ok(task.test()),
            // From the end: training samples are taken from the front.
            SampleRole::Validation => all().rev().take(count).collect(),
            SampleRole::Training | SampleRole::Pool | SampleRole::Probe => all().take(count).collect(),
        };
        if chosen.len() < count {
            return Err(DataError::FewSamples { needed: count, there: chosen.len() });
        }
        Ok(task.transformed(&chosen))
    }

    /// Returns the number of samples to train and validate on; `None` for synthetic samples, which are unlimited.
    pub fn available_samples(&self, spec: &Spec) -> Option<usize> {
        (!spec.data.source.is_synthetic()).then(|| self.stream.task(1).order().len())
    }
}
