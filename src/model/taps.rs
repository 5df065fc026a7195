//! The openings through which the kernel looks into a network.
//!
//! Every layer with parameters passes through [`Taps::affine`]. While training, that is the layer and nothing more. While
//! the kernel is measured, the tap adds a zero that requires a gradient to the layer's output z: after one backward pass
//! from logit c, the gradient of that zero is ∂f_c/∂z for every sample at once, because samples do not mix. With the
//! layer's input beside it, this is all that a kernel over the layer's parameters needs.

use burn::tensor::{Device, Tensor};

use super::Affine;

/// What was seen at one layer.
#[derive(Clone, Debug)]
pub struct Tap {
    /// Name of the layer, as its tensors are named: `fc1`.
    pub name: String,
    /// Input of the layer, without autodiff: [rows, fan_in], of which the first copy is the batch.
    pub input: Tensor<2>,
    /// The zero added to the output, [rows, fan_out]; its gradient is ∂f/∂z.
    pub zero: Tensor<2>,
    /// z = weight_gain · x W + bias_gain · b.
    pub weight_gain: f64,
    pub bias_gain: f64,
}

/// Either closed (training, evaluation) or recording (kernel).
#[derive(Debug)]
pub struct Taps {
    /// Device with autodiff, and the copies of the batch.
    recording: Option<(Device, usize)>,
    seen: Vec<Tap>,
}

impl Taps {
    /// Layers only compute.
    pub fn closed() -> Self {
        Self { recording: None, seen: Vec::new() }
    }

    /// Layers also record, and the first one makes so many copies of the batch, one after the other.
    /// The network's own parameters must be without autodiff, so that nothing else is tracked.
    pub fn recording(device: &Device, copies: usize) -> Self {
        Self { recording: Some((device.clone().autodiff(), copies)), seen: Vec::new() }
    }

    /// Applies a layer to rows, [rows, fan_in] → [rows, fan_out] (while recording, the first one gives copies · rows).
    pub fn affine(&mut self, name: &str, layer: &Affine, input: Tensor<2>) -> Tensor<2> {
        let Some((device, copies)) = &self.recording else { return layer.apply(input) };
        let output = layer.apply(input.clone());
        let output = if self.seen.is_empty() { output.repeat_dim(0, *copies) } else { output };
        let zero = Tensor::<2>::zeros(output.dims(), device).require_grad();
        let (weight_gain, bias_gain) = layer.gains();
        self.seen.push(Tap {
            name: name.to_owned(),
            input: input.without_autodiff(),
            zero: zero.clone(),
            weight_gain,
            bias_gain,
        });
        output + zero
    }

    /// What was recorded, in the order of the forward pass.
    pub fn into_seen(self) -> Vec<Tap> {
        self.seen
    }
}
