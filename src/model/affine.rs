//! The layer z = c_w x W + c_b b, with which every parametrisation is written.
//!
//! Standard parametrisation: c_w = c_b = 1. NTK parametrisation: c_w = σ_w/√fan_in, c_b = σ_b (Jacot et al. 2018).
//! The kernel is with respect to W and b as stored, so the gains enter it squared.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};

use super::init::Draw;

/// One affine layer.
#[derive(Module, Debug)]
pub struct Affine {
    /// [fan_in, fan_out]; files hold its transpose, as PyTorch does.
    pub weight: Param<Tensor<2>>,
    /// Shape `[fan_out]`.
    pub bias: Param<Tensor<1>>,
    #[module(skip)]
    weight_gain: f64,
    #[module(skip)]
    bias_gain: f64,
}

impl Affine {
    /// Draws the initial values of a layer.
    pub fn draw(fan_in: usize, fan_out: usize, draw: &mut Draw, device: &Device) -> Self {
        let weight = draw.weights(fan_in, fan_out);
        let bias = draw.biases(fan_in, fan_out);
        let (weight_gain, bias_gain) = draw.gains(fan_in);
        Self::from_values(fan_in, fan_out, weight, bias, (weight_gain, bias_gain), device)
    }

    /// A layer with given values: weights row-major [fan_in, fan_out].
    pub fn from_values(
        fan_in: usize,
        fan_out: usize,
        weight: Vec<f32>,
        bias: Vec<f32>,
        (weight_gain, bias_gain): (f64, f64),
        device: &Device,
    ) -> Self {
        let weight = Tensor::from_data(TensorData::new(weight, [fan_in, fan_out]), device);
        let bias = Tensor::from_data(TensorData::new(bias, [fan_out]), device);
        Self { weight: Param::from_tensor(weight), bias: Param::from_tensor(bias), weight_gain, bias_gain }
    }

    /// z = c_w x W + c_b b, [rows, fan_in] → [rows, fan_out].
    pub fn apply(&self, input: Tensor<2>) -> Tensor<2> {
        // The gain goes onto the smaller side: the rows' output, not the weights.
        let product = input.matmul(self.weight.val());
        let product = if self.weight_gain == 1.0 { product } else { product * self.weight_gain };
        let bias = self.bias.val().unsqueeze::<2>();
        product + if self.bias_gain == 1.0 { bias } else { bias * self.bias_gain }
    }

    /// (c_w, c_b).
    pub fn gains(&self) -> (f64, f64) {
        (self.weight_gain, self.bias_gain)
    }
}
