//! Derives the targets of a run's outputs on its probes from its record.

use super::event::RunInfo;
use crate::spec::Readout;

impl RunInfo {
    /// Returns the readout. (A record without class names takes the classes from its probes.)
    pub fn readout(&self) -> Readout {
        let seen = self.probes.iter().map(|probe| probe.label + 1).max().unwrap_or(0);
        self.spec.readout(self.class_names.len().max(seen))
    }

    /// Returns the target of an output on a probe; `None` for a numeric target that the record lacks.
    pub fn target(&self, probe: usize, output: usize) -> Option<f32> {
        match self.readout() {
            Readout::Classes(_) => Some(f32::from(u8::from(self.probes.get(probe)?.label == output))),
            Readout::Number => self.probe_values.get(probe).copied(),
        }
    }
}
