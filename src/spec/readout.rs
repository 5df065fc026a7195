//! Defines the meaning of a network's outputs: one for each class, or a single number.
//!
//! Code that needs the output of a class must use this type. With a single output a class is not an index of an output, and
//! using it as one reads past the end or the number of another sample.
//!
//! The methods of [`Spec`] and [`DataSpec`] here stand apart from `settings`, which does not depend on this type.

use super::{DataSpec, Spec};

/// The outputs of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readout {
    /// One output for each of so many classes, in their order.
    Classes(usize),
    /// One output, a number whose sign is the class.
    Number,
}

impl Readout {
    /// Returns C, the number of outputs.
    pub fn count(self) -> usize {
        match self {
            Self::Classes(count) => count,
            Self::Number => 1,
        }
    }

    /// Returns the output that belongs to this class.
    pub fn output(self, class: usize) -> usize {
        match self {
            Self::Classes(_) => class,
            Self::Number => 0,
        }
    }

    /// Returns the outputs that belong to these classes, each once.
    pub fn outputs(self, classes: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let mut outputs: Vec<usize> = classes.into_iter().map(|class| self.output(class)).collect();
        outputs.sort_unstable();
        outputs.dedup();
        outputs
    }
}

/// Returns the target of the single output for one of `classes` classes: −1 for the lower half, 1 for the upper one.
pub fn half(class: usize, classes: usize) -> f32 {
    if class < classes / 2 { -1.0 } else { 1.0 }
}

impl DataSpec {
    /// Returns whether there is a single output, in place of one per class.
    pub fn is_number(&self) -> bool {
        self.source.is_synthetic() || (self.binary && self.source.plane().is_none())
    }
}

impl Spec {
    /// Returns the meaning of the outputs of this run's network, for data with this many classes.
    pub fn readout(&self, classes: usize) -> Readout {
        if self.data.is_number() { Readout::Number } else { Readout::Classes(classes) }
    }
}
