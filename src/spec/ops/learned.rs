//! Learned tensors that are the same for every sample: positions, a class token, the scale of a branch. Each has one
//! tensor, named after its layer.

use super::operation::{features, one};
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

fn tensor(name: &str, shape: Vec<usize>, fill: Fill) -> Parameter {
    Parameter { name: name.to_owned(), shape, fill, role: Role::Weight, turned: false }
}
