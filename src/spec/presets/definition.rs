//! Defines a preset: a named change to the defaults.

use crate::spec::Spec;

/// A named run or study.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    pub name: &'static str,
    /// One sentence on what the preset shows.
    pub about: &'static str,
    pub(super) change: fn(&mut Spec),
}

impl Preset {
    /// Builds the spec of this preset.
    pub fn spec(&self) -> Spec {
        let mut spec = Spec::default();
        (self.change)(&mut spec);
        spec
    }
}
