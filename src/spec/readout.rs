//! What the outputs of a run's network say: one for each class, or one alone that says a number.
//!
//! Whoever has a class and wants an output asks here. With one output a class is no place among the outputs, and whoever takes
//! it for one reads past their end, or reads the number of another sample.

use super::{DataSpec, Spec};

/// The outputs of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readout {
    /// One for each of so many classes, in their order.
    Classes(usize),
    /// One that says a number, whose sign is the class.
    Number,
}

impl Readout {
    /// C, how many outputs there are.
    pub fn count(self) -> usize {
        match self {
            Self::Classes(count) => count,
            Self::Number => 1,
        }
    }

    /// The output that speaks of this class.
    pub fn output(self, class: usize) -> usize {
        match self {
            Self::Classes(_) => class,
            Self::Number => 0,
        }
    }

    /// The outputs that speak of these classes, each once.
    pub fn outputs(self, classes: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let mut outputs: Vec<usize> = classes.into_iter().map(|class| self.output(class)).collect();
        outputs.sort_unstable();
        outputs.dedup();
        outputs
    }
}

/// What the one output is to say of a class of a set with so many: −1 for the lower half, 1 for the upper one.
pub fn half(class: usize, classes: usize) -> f32 {
    if class < classes / 2 { -1.0 } else { 1.0 }
}

impl DataSpec {
    /// Whether one output says a number, in place of one output a class.
    pub fn is_number(&self) -> bool {
        self.source.is_drawn() || (self.binary && self.source.plane().is_none())
    }
}

impl Spec {
    /// What the outputs of this run's network say, where its data have so many classes.
    pub fn readout(&self, classes: usize) -> Readout {
        if self.data.is_number() { Readout::Number } else { Readout::Classes(classes) }
    }
}
