//! The convolution z = c_w W ⋆ x + c_b b: 3×3, stride 1, one pixel of zeros around, cross-correlation as in PyTorch.
//!
//! Position by position it is an affine layer on the patch around the pixel (fan_in = channels · 9), and that is what the
//! kernel sees of it.

use burn::module::{Module, Param};
use burn::tensor::module::{conv_transpose2d, conv2d};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions, PadMode};
use burn::tensor::{Device, Tensor, TensorData};

use crate::model::Cotangent;
use crate::model::source::{Fill, Source, WeightsError};
use crate::model::tape::{Backward, Tap, View};

/// Side of the filters, and the zeros around the image that keep its size.
pub const SIDE: usize = 3;
const PADDING: usize = 1;

/// One convolution.
#[derive(Module, Debug)]
pub struct Conv {
    /// [channels out, channels in, 3, 3], as in PyTorch.
    pub weight: Param<Tensor<4>>,
    /// Shape `[channels out]`.
    pub bias: Param<Tensor<1>>,
    #[module(skip)]
    weight_gain: f64,
    #[module(skip)]
    bias_gain: f64,
}

impl Conv {
    /// The layer `name` with the values that `source` has for it.
    pub fn build(
        name: &str,
        [channels_in, channels_out]: [usize; 2],
        source: &mut dyn Source,
        device: &Device,
    ) -> Result<Self, WeightsError> {
        let fan_in = channels_in * SIDE * SIDE;
        let shape = [channels_out, channels_in, SIDE, SIDE];
        let weight = source.tensor(&format!("{name}.weight"), &shape, Fill::Weight { fan_in })?;
        let bias = source.tensor(&format!("{name}.bias"), &[channels_out], Fill::Bias { fan_in })?;
        let weight = Tensor::from_data(TensorData::new(weight, shape), device);
        let bias = Tensor::from_data(TensorData::new(bias, [channels_out]), device);
        let (weight_gain, bias_gain) = source.gains(fan_in);
        Ok(Self { weight: Param::from_tensor(weight), bias: Param::from_tensor(bias), weight_gain, bias_gain })
    }

    /// [n, channels in, height, width] → [n, channels out, height, width].
    pub fn apply(&self, images: Tensor<4>) -> Tensor<4> {
        let options = ConvOptions::new([1, 1], [PADDING; 2], [1, 1], 1);
        let (weight, bias) = (self.weight.val(), self.bias.val());
        if self.weight_gain == 1.0 && self.bias_gain == 1.0 {
            return conv2d(images, weight, Some(bias), options);
        }
        let [channels] = bias.dims();
        conv2d(images, weight, None, options) * self.weight_gain + (bias * self.bias_gain).reshape([1, channels, 1, 1])
    }

    pub(in crate::model) fn on_tape(&self, name: &str, images: Tensor<4>) -> (Box<dyn Backward>, Option<Tap>) {
        let [_, _, height, width] = images.dims();
        let (weight_gain, bias_gain) = (self.weight_gain, self.bias_gain);
        let view = View::Affine {
            input: patches(images),
            fan_out: self.bias.val().dims()[0],
            channels_first: true,
            weight_gain,
            bias_gain,
        };
        let way_back = ConvBackward { weight: self.weight.val(), weight_gain, image: [height, width] };
        (Box::new(way_back), Some(Tap { name: name.to_owned(), view }))
    }
}

/// The patch around each pixel: [n, c, h, w] → [n, c·9, h·w], in the order of the weights.
fn patches(images: Tensor<4>) -> Tensor<3> {
    let [n, channels, height, width] = images.dims();
    let padded = images.pad([(PADDING, PADDING), (PADDING, PADDING)], PadMode::Constant(0.0));
    let shifted = (0..SIDE * SIDE).map(|at| {
        let (row, column) = (at / SIDE, at % SIDE);
        padded.clone().narrow(2, row, height).narrow(3, column, width)
    });
    Tensor::stack::<5>(shifted.collect(), 2).reshape([n, channels * SIDE * SIDE, height * width])
}

/// δ ↦ c_w Wᵀ ⋆ δ.
struct ConvBackward {
    weight: Tensor<4>,
    weight_gain: f64,
    image: [usize; 2],
}

impl Backward for ConvBackward {
    fn pull(&self, cotangent: Cotangent, n: usize) -> Vec<Cotangent> {
        let dense = cotangent.dense(n);
        let [_, directions, _] = dense.dims();
        let [channels_out, channels_in, ..] = self.weight.dims();
        let [height, width] = self.image;
        let options = ConvTransposeOptions::new([1, 1], [PADDING; 2], [0, 0], [1, 1], 1);
        let images = dense.reshape([n * directions, channels_out, height, width]);
        let pulled = conv_transpose2d(images, self.weight.clone(), None, options);
        let pulled = if self.weight_gain == 1.0 { pulled } else { pulled * self.weight_gain };
        vec![Cotangent::Dense(pulled.reshape([n, directions, channels_in * height * width]))]
    }
}
