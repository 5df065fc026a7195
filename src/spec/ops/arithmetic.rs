//! Sums, differences and products of lines, affine functions of one line, concatenation, and constants.

use super::operation::{axes, one};
use super::{Operation, shown};

/// An elementwise operation on two lines of the same shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// A residual connection.
    Add,
    Subtract,
    /// A gate.
    Multiply,
}

impl Operation for Arithmetic {
    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
        match inputs {
            [a, b] if a == b => Ok(a.to_vec()),
            [a, b] => {
                let (a, b) = (shown(a), shown(b));
                Err(match self {
                    Self::Add => format!("{a} and {b} cannot be added: their shapes must be equal"),
                    Self::Subtract => format!("{b} cannot be subtracted from {a}: their shapes must be equal"),
                    Self::Multiply => format!("{a} and {b} cannot be multiplied: their shapes must be equal"),
                })
            }
            _ => Err("two values are needed".to_owned()),
        }
    }

    fn sign(&self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "−",
            Self::Multiply => "×",
        }
    }
}

/// A line times a number, plus a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    pub by: f64,
    pub plus: f64,
}

impl Operation for Scale {
    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
        Ok(one(inputs).to_vec())
    }

    fn sign(&self) -> &'static str {
        "c·"
    }
}

/// The concatenation of lines along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concat {
    pub axis: usize,
}

impl Operation for Concat {
    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
        let mut shape = one(inputs).to_vec();
        if self.axis >= shape.len() {
            return Err(format!("{} has no axis {}: axes count from 0", shown(&shape), self.axis));
        }
        shape[self.axis] = 0;
        for input in inputs {
            let others = |shape: &[usize]| {
                shape.iter().enumerate().filter(|(at, _)| *at != self.axis).map(|(_, s)| *s).collect::<Vec<_>>()
            };
            if input.len() != shape.len() || others(input) != others(&shape) {
                let (a, b) = (shown(one(inputs)), shown(input));
                return Err(format!("{a} and {b} cannot be put one after the other along axis {}", self.axis));
            }
            shape[self.axis] += input[self.axis];
        }
        Ok(shape)
    }

    fn sign(&self) -> &'static str {
        "cat"
    }
}

/// A value filled with one number, the same for every sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Constant {
    pub sides: Vec<usize>,
    pub number: f64,
}

impl Operation for Constant {
    fn shape(&self, _inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
        axes(&self.sides)
    }

    fn sign(&self) -> &'static str {
        "c"
    }
}
