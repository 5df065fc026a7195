//! A learned vector for each whole number.

use super::{Fill, Layer, Operation, Parameter, Role, one, shown};

/// Tokens, whole numbers from 0 to below `tokens`, become vectors: `[places]` → [places, width], PyTorch's `Embedding`,
/// `NAME.weight` [tokens, width]. An image is read pixel by pixel, row-major.
///
/// What is not such a number has no vector: the network's output is then not a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Embedding {
    pub tokens: usize,
    pub width: usize,
}

impl Embedding {
    /// With the sizes of the tensors of a file, asked for by the last parts of their names.
    pub(super) fn adopting<'a>(self, shape: impl Fn(&str) -> Option<&'a [usize]>) -> Self {
        match shape("weight") {
            Some(&[tokens, width]) if tokens > 0 && width > 0 => Self { tokens, width },
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
        // Its rows are the rows of a matrix that reads a token as 1 among zeros, so that a dense layer can share it.
        let (name, shape, fill) = (format!("{name}.weight"), vec![self.tokens, self.width], Fill::Weight { fan_in: 1 });
        vec![Parameter { name, shape, fill, role: Role::Weight, turned: true }]
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
