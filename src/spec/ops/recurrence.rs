//! Recurrence: h_t = φ(W h_{t−1} + b + u_t), h_0 = 0, over the places of u; the output is the last state.

use super::operation::one;
use super::parameter::pair;
use super::{Function, Operation, Parameter, shown};
use crate::spec::Layer;

/// A recurrence over tokens [times, width] → `[width]`: `NAME.weight_hh` [width, width], PyTorch's `RNN` behind its map of the
/// inputs, whose bias is the only one.
#[derive(Clone, Debug, PartialEq)]
pub struct Recurrence {
    pub function: Function,
    /// If true, there is a second bias `NAME.bias_hh` `[width]`, which only files of PyTorch have.
    pub bias: bool,
}

impl Operation for Recurrence {
    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
        match one(inputs) {
            &[_, width] => Ok(vec![width]),
            shape => Err(format!("a recurrence reads tokens [times, width], not {}", shown(shape))),
        }
    }

    fn tensors(&self, name: &str, inputs: &[&[usize]]) -> Vec<Parameter> {
        let width = one(inputs).last().copied().unwrap_or(0);
        pair(name, ["weight_hh", "bias_hh"], vec![width, width], width, self.bias)
    }

    fn layer(&self, inputs: &[&[usize]]) -> Option<Layer> {
        let &[places, width] = one(inputs) else { return None };
        Some(Layer::Affine {
            fan_in: width,
            fan_out: width,
            places,
            groups: 1,
            bias: self.bias,
            shared: false,
            reads: places * width,
        })
    }

    fn sign(&self) -> &'static str {
        "h"
    }
}
