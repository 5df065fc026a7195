//! Dense layer: z = W a + b on the last axis, at every place of the value (NETSOR⊤: MatMul).

use super::operation::one;
use super::parameter::pair;
use super::{Operation, Parameter, shown};
use crate::spec::Layer;

/// A dense layer: `NAME.weight` [out, in] and `NAME.bias` `[out]`, PyTorch's `Linear`.
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    pub outputs: usize,
    pub bias: bool,
    /// If true, z = Wᵀ a: the weight is [in, out], as in the layer that shares it.
    pub transposed: bool,
    /// If true, this is the input map of a recurrence, with tensors `NAME.weight_ih` and `NAME.bias_ih` as in PyTorch's
    /// `RNN`.
    pub into_recurrence: bool,
}

impl Dense {
    /// Returns the operation with the sizes of a file's tensors; `shape` looks one up by the last part of its name.
    pub(super) fn adopting<'a>(self, shape: impl Fn(&str) -> Option<&'a [usize]>) -> Self {
        let [weight, bias] = self.parts();
        let outputs = match shape(weight) {
            Some(&[outputs, _]) if !self.transposed && outputs > 0 => outputs,
            _ => self.outputs,
        };
        Self { outputs, bias: self.bias && shape(bias).is_some(), ..self }
    }

    /// Returns the last parts of the names of its tensors.
    fn parts(&self) -> [&'static str; 2] {
        if self.into_recurrence { ["weight_ih", "bias_ih"] } else { ["weight", "bias"] }
    }
}

impl Operation for Dense {
    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
        match one(inputs) {
            [] => Err("a dense layer reads a vector or tokens, not a number".to_owned()),
            [places @ .., _] => Ok([places, &[self.outputs]].concat()),
        }
        .and_then(|shape| match shape.len() {
            1 | 2 => Ok(shape),
            _ => Err(format!("a dense layer reads a vector or tokens, not {}: flatten it", shown(one(inputs)))),
        })
    }

    fn tensors(&self, name: &str, inputs: &[&[usize]]) -> Vec<Parameter> {
        let fan_in = one(inputs).last().copied().unwrap_or(0);
        let shape = if self.transposed { vec![fan_in, self.outputs] } else { vec![self.outputs, fan_in] };
        let mut tensors = pair(name, self.parts(), shape, fan_in, self.bias);
        if let Some(bias) = tensors.get_mut(1) {
            bias.shape = vec![self.outputs];
        }
        tensors
    }

    fn layer(&self, inputs: &[&[usize]]) -> Option<Layer> {
        let (&fan_in, places) = one(inputs).split_last()?;
        let places: usize = places.iter().product();
        Some(Layer::Affine {
            fan_in,
            fan_out: self.outputs,
            places,
            groups: 1,
            bias: self.bias,
            shared: false,
            reads: places * fan_in,
        })
    }

    fn sign(&self) -> &'static str {
        "W"
    }
}
