//! What the outputs on the probes of a run are to be, as far as its record tells.

use super::{Probe, RunInfo};
use crate::spec::Readout;

impl RunInfo {
    /// What the outputs say. (A record without names of its classes knows those of its probes.)
    pub fn readout(&self) -> Readout {
        let seen = self.probes.iter().map(|probe| probe.label + 1).max().unwrap_or(0);
        self.spec.readout(self.class_names.len().max(seen))
    }

    /// What the outputs on the probes are to be, row-major [n, C]; `None` of a number that a record does not tell.
    pub fn targets(&self) -> Option<Vec<f32>> {
        let Readout::Classes(classes) = self.readout() else {
            return (self.probe_values.len() == self.probes.len()).then(|| self.probe_values.to_vec());
        };
        let one_hot = |probe: &Probe| {
            let label = probe.label;
            (0..classes).map(move |class| f32::from(u8::from(class == label)))
        };
        Some(self.probes.iter().flat_map(one_hot).collect())
    }
}
