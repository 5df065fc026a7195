//! Dropout: numbers that are set to zero at random while training.

use super::Operation;
use super::operation::one;

/// In training, each number is zeroed with this probability and otherwise divided by one minus it; in evaluation and for
/// the kernel, the identity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    pub rate: f64,
}

impl Operation for Dropout {
    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
        if !(0.0..1.0).contains(&self.rate) {
            return Err(format!("the rate of a dropout lies between 0 and 1, and {} does not", self.rate));
        }
        Ok(one(inputs).to_vec())
    }

    fn sign(&self) -> &'static str {
        "drop"
    }
}
