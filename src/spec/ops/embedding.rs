//! Embedding: a learned vector for each whole number.

use super::operation::one;
use super::{Fill, Operation, Parameter, Role, shown};
use crate::spec::Layer;

/// Maps tokens, whole numbers from 0 to below `tokens`, to vectors: `[places]` → [places, width], PyTorch's `Embedding`,
/// `NAME.weight` [tokens, width]. An image is read pixel by pixel, row-major.
///
/// An input that is not such a number makes the network's output NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Embedding {
    pub tokens: usize,
    pub width: usize,
    /// If true, its vectors begin as N(0,1), as PyTorch's, and otherwise as weights of fan-in 1.
    pub normal: bool,
}

impl Embedding {
    /// Returns the operation with the sizes of a file's tensors; `shape` looks one up by the last part of its name.
    pub(super) fn adopting<'a>(self, shape: impl Fn(&str) -> Option<&'a [usize]>) -> Self {
        match shape("weight") {
            Some(&[tokens, width]) if tokens > 0 && width > 0 => Self { tokens, width, ..self },
            _ => self,
        }
    }
}

impl Operation for Embedding {
    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
        match one(inputs) {
            &[places] => Ok(vec![places, self.width]),
            shape => Err(format!("an embedding reads a list of whole numbers, not {}: flatten it", shown(shape))),
        }
    }

    fn tensors(&self, name: &str, _inputs: &[&[usize]]) -> Vec<Parameter> {
        // The rows of a matrix applied to a one-hot token, so that a dense layer can share it.
        let (name, shape) = (format!("{name}.weight"), vec![self.tokens, self.width]);
        let fill = if self.normal { Fill::Normal } else { Fill::Weight { fan_in: 1 } };
        vec![Parameter { name, shape, fill, draw: None, role: Role::Weight, turned: true }]
    }

    fn layer(&self, inputs: &[&[usize]]) -> Option<Layer> {
        let places: usize = one(inputs).iter().product();
        Some(Layer::Affine {
            fan_in: self.tokens,
            fan_out: self.width,
            places,
            groups: 1,
            bias: false,
            shared: false,
            reads: places * self.tokens,
        })
    }

    fn sign(&self) -> &'static str {
        "E"
    }
}
