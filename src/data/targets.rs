//! Defines the targets of a network's outputs: a class, one-hot, or a number.
//!
//! Classification is the usual case; regression has one output and a number for each sample, and its two classes are the
//! signs of that number, so that code that counts classes still applies. [`Readout`] maps a class to its output.

#[cfg(doc)]
use crate::spec::Readout;

/// The targets of n samples.
#[derive(Clone, Copy, Debug)]
pub enum Targets<'a> {
    /// The class of each sample; the targets are one-hot.
    Classes(&'a [usize]),
    /// The target of the single output for each sample.
    Values(&'a [f32]),
}

impl<'a> Targets<'a> {
    /// Returns the values if there are any, else the classes.
    pub fn of(labels: &'a [usize], values: &'a [f32]) -> Self {
        if values.is_empty() { Self::Classes(labels) } else { Self::Values(values) }
    }

    /// Returns the number of samples.
    pub fn len(self) -> usize {
        match self {
            Self::Classes(labels) => labels.len(),
            Self::Values(values) => values.len(),
        }
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Returns y for a sample and output.
    pub fn at(self, sample: usize, output: usize) -> f32 {
        match self {
            Self::Classes(labels) => f32::from(u8::from(labels[sample] == output)),
            Self::Values(values) => values[sample],
        }
    }

    /// Returns all targets, row-major [n, outputs].
    pub fn matrix(self, outputs: usize) -> Vec<f32> {
        (0..self.len() * outputs).map(|at| self.at(at / outputs, at % outputs)).collect()
    }

    /// Returns the class of each sample, as [`Self::class`] does.
    pub fn classes(self) -> Vec<usize> {
        (0..self.len()).map(|sample| self.class(sample)).collect()
    }

    /// Returns the class of a sample; for a number, 1 if it is above 0, else 0.
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
