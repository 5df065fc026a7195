//! Learned tensors that are the same for every sample: positions, a class token, the scale of a branch, and a tensor that is
//! a value of its own. Each has one tensor, named after its layer.

use super::operation::{axes, features, one};
use super::{Fill, Operation, Parameter, Role, shown};
use crate::spec::Layer;

/// z = a + p, with p of the shape of a: the tensor `NAME`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Positions;

impl Operation for Positions {
    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
        match one(inputs) {
            shape if (1..=3).contains(&shape.len()) => Ok(shape.to_vec()),
            shape => Err(format!("positions are added to an image, to tokens or to a vector, not to {}", shown(shape))),
        }
    }

    fn tensors(&self, name: &str, inputs: &[&[usize]]) -> Vec<Parameter> {
        vec![tensor(name, one(inputs).to_vec(), Fill::Offset)]
    }

    fn layer(&self, inputs: &[&[usize]]) -> Option<Layer> {
        Some(Layer::Offset { entries: one(inputs).iter().product() })
    }

    fn sign(&self) -> &'static str {
        "p"
    }
}

/// A token put before the others, learned and the same for every sample: the tensor `NAME` `[features]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassToken;

impl Operation for ClassToken {
    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
        match one(inputs) {
            &[tokens, features] => Ok(vec![tokens + 1, features]),
            shape => Err(format!("a class token is put before tokens [tokens, features], not before {}", shown(shape))),
        }
    }

    fn tensors(&self, name: &str, inputs: &[&[usize]]) -> Vec<Parameter> {
        let (features, _) = features(one(inputs));
        vec![tensor(name, vec![features], Fill::Offset)]
    }

    fn layer(&self, inputs: &[&[usize]]) -> Option<Layer> {
        let (entries, _) = features(one(inputs));
        Some(Layer::Offset { entries })
    }

    fn sign(&self) -> &'static str {
        "cls"
    }
}

/// z = γ ∘ a with a learned factor for each feature: the tensor `NAME` `[features]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerScale {
    /// Initial value of all factors.
    pub start: f64,
}

impl Operation for LayerScale {
    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
        match one(inputs) {
            shape if (1..=3).contains(&shape.len()) => Ok(shape.to_vec()),
            shape => Err(format!("an image, tokens or a vector can be scaled by features, not {}", shown(shape))),
        }
    }

    fn tensors(&self, name: &str, inputs: &[&[usize]]) -> Vec<Parameter> {
        let (features, _) = features(one(inputs));
        vec![tensor(name, vec![features], Fill::Constant(self.start))]
    }

    fn layer(&self, inputs: &[&[usize]]) -> Option<Layer> {
        let (width, places) = features(one(inputs));
        Some(Layer::Scale { width, places })
    }

    fn sign(&self) -> &'static str {
        "γ"
    }
}

/// A tensor as a value, the same for every sample: the tensor `NAME` of these sides. It reads nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Learned {
    pub sides: Vec<usize>,
    /// If false, it is a constant that weights files hold: training leaves it, and the kernel has no part of it.
    pub trained: bool,
    /// The number with which all of it begins; drawn like positions where none is given.
    pub start: Option<f64>,
}

impl Learned {
    /// Returns the operation with the sizes of a file's tensor of its name.
    pub(super) fn adopting(self, shape: Option<&[usize]>) -> Self {
        // Leading axes of length 1 in a file are no axes of ours: `cls_token` of [1, 1, features] may be read as [features].
        match shape {
            Some(found) if found.len() == self.sides.len() && axes(found).is_ok() => {
                Self { sides: found.to_vec(), ..self }
            }
            _ => self,
        }
    }
}

impl Operation for Learned {
    fn shape(&self, _inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
        axes(&self.sides)
    }

    fn tensors(&self, name: &str, _inputs: &[&[usize]]) -> Vec<Parameter> {
        let fill = self.start.map_or(if self.trained { Fill::Offset } else { Fill::Constant(0.0) }, Fill::Constant);
        let role = if self.trained { Role::Weight } else { Role::Buffer };
        vec![Parameter { role, ..tensor(name, self.sides.clone(), fill) }]
    }

    fn layer(&self, _inputs: &[&[usize]]) -> Option<Layer> {
        self.trained.then(|| Layer::Offset { entries: self.sides.iter().product() })
    }

    fn sign(&self) -> &'static str {
        "p"
    }
}

fn tensor(name: &str, shape: Vec<usize>, fill: Fill) -> Parameter {
    Parameter { name: name.to_owned(), shape, fill, draw: None, role: Role::Weight, turned: false }
}
