//! What the outputs of a network are to be: a class, one-hot, or a number.
//!
//! Classification is the usual case; regression has one output and a number for each sample, and its two classes are the signs of
//! that number, so that whatever counts classes goes on counting. Which output speaks of a class says [`Readout`].

#[cfg(doc)]
use crate::spec::Readout;

/// The targets of n samples.
#[derive(Clone, Copy, Debug)]
pub enum Targets<'a> {
    /// The class of each; the targets are one-hot.
    Classes(&'a [usize]),
    /// The number of each, of the one output.
    Values(&'a [f32]),
}

impl<'a> Targets<'a> {
    /// The values where there are some, else the classes.
    pub fn of(labels: &'a [usize], values: &'a [f32]) -> Self {
        if values.is_empty() { Self::Classes(labels) } else { Self::Values(values) }
    }

    /// How many samples.
    pub fn len(self) -> usize {
        match self {
            Self::Classes(labels) => labels.len(),
            Self::Values(values) => values.len(),
        }
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// y of a sample and output.
    pub fn at(self, sample: usize, output: usize) -> f32 {
        match self {
            Self::Classes(labels) => f32::from(u8::from(labels[sample] == output)),
            Self::Values(values) => values[sample],
        }
    }

    /// All of them, row-major [n, outputs].
    pub fn matrix(self, outputs: usize) -> Vec<f32> {
        (0..self.len() * outputs).map(|at| self.at(at / outputs, at % outputs)).collect()
    }

    /// The class of each sample, as [`Self::class`] has it.
    pub fn classes(self) -> Vec<usize> {
        (0..self.len()).map(|sample| self.class(sample)).collect()
    }

    /// The class of a sample; of a number, whether it is above 0.
    pub fn class(self, sample: usize) -> usize {
        match self {
            Self::Classes(labels) => labels[sample],
            Self::Values(values) => usize::from(values[sample] > 0.0),
        }
    }
}

impl<'a> From<&'a [usize]> for Targets<'a> {
    fn from(labels: &'a [usize]) -> Self {
        Self::Classes(labels)
    }
}

impl<'a> From<&'a Vec<usize>> for Targets<'a> {
    fn from(labels: &'a Vec<usize>) -> Self {
        Self::Classes(labels)
    }
}

impl<'a, const N: usize> From<&'a [usize; N]> for Targets<'a> {
    fn from(labels: &'a [usize; N]) -> Self {
        Self::Classes(labels)
    }
}
