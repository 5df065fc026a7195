//! Reductions over places: the mean or the sum over the pixels of an image or over tokens, feature by feature.

use super::operation::one;
use super::{Operation, feature_axis, shown};

/// The mean or the sum over all places: [channels, height, width] → `[channels]`, [tokens, features] → `[features]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Reduce {
    pub reduction: Reduction,
}

/// The statistic over places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    Mean,
    Sum,
}

impl Reduce {
    /// Returns whether it divides by the number of places.
    pub fn is_mean(&self) -> bool {
        self.reduction == Reduction::Mean
    }
}

impl Operation for Reduce {
    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
        let shape = one(inputs);
        match shape.len() {
            2 | 3 => Ok(vec![shape[feature_axis(shape)]]),
            _ => Err(format!("the places of an image or of tokens can be reduced, and {} has none", shown(shape))),
        }
    }

    fn sign(&self) -> &'static str {
        match self.reduction {
            Reduction::Mean => "mean",
            Reduction::Sum => "Σ",
        }
    }
}
