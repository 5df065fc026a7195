//! What the outputs on the probes of a run are to be, as far as its record tells.

use super::event::RunInfo;
use crate::spec::Readout;

impl RunInfo {
    /// What the outputs say. (A record without names of its classes knows those of its probes.)
    pub fn readout(&self) -> Readout {
        let seen = self.probes.iter().map(|probe| probe.label + 1).max().unwrap_or(0);
        self.spec.readout(self.class_names.len().max(seen))
    }

    /// What an output on a probe is to be; `None` of a number that the record does not tell.
    pub fn target(&self, probe: usize, output: usize) -> Option<f32> {
        match self.readout() {
            Readout::Classes(_) => Some(f32::from(u8::from(self.probes.get(probe)?.label == output))),
            Readout::Number => self.probe_values.get(probe).copied(),
        }
    }
}
