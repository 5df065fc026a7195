//! The convolution z = c_w W ⋆ x + c_b b: 3×3, stride 1, one pixel of zeros around, cross-correlation as in PyTorch.
//!
//! Position by position it is an affine layer on the patch around the pixel (fan_in = channels · 9), and that is what the
//! kernel sees of it.

use burn::module::{Module, Param};
use burn::tensor::module::{conv_transpose2d, conv2d};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions, PadMode};
use burn::tensor::{Device, Tensor, TensorData};
use faer::MatRef;

use crate::model::Cotangent;
use crate::model::product::{Values, is_host, multiply};
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
    /// Shape `[channels out]`; none in some files.
    pub bias: Option<Param<Tensor<1>>>,
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
        let bias = source.optional(&format!("{name}.bias"), &[channels_out], Fill::Bias { fan_in })?;
        let weight = Tensor::from_data(TensorData::new(weight, shape), device);
        let bias =
            bias.map(|bias| Param::from_tensor(Tensor::from_data(TensorData::new(bias, [channels_out]), device)));
        let (weight_gain, bias_gain) = source.gains(fan_in);
        Ok(Self { weight: Param::from_tensor(weight), bias, weight_gain, bias_gain })
    }

    /// [n, channels in, height, width] → [n, channels out, height, width].
    pub fn apply(&self, images: Tensor<4>) -> Tensor<4> {
        let options = ConvOptions::new([1, 1], [PADDING; 2], [1, 1], 1);
        let (weight, bias) = (self.weight.val(), self.bias.as_ref().map(Param::val));
        if self.weight_gain == 1.0 && self.bias_gain == 1.0 {
            return conv2d(images, weight, bias, options);
        }
        let [channels, ..] = weight.dims();
        let product = conv2d(images, weight, None, options) * self.weight_gain;
        match bias {
            Some(bias) => product + (bias * self.bias_gain).reshape([1, channels, 1, 1]),
            None => product,
        }
    }

    pub(in crate::model) fn on_tape(&self, name: &str, images: Tensor<4>) -> (Box<dyn Backward>, Option<Tap>) {
        let [_, _, height, width] = images.dims();
        let (weight_gain, bias_gain) = (self.weight_gain, self.bias_gain);
        let view = View::Affine {
            input: patches(images),
            fan_out: self.weight.val().dims()[0],
            channels_first: true,
            weight_gain,
            bias_gain,
        };
        let way_back = ConvBackward { weight: self.weight.val(), weight_gain, image: [height, width] };
        (Box::new(way_back), Some(Tap::usual(name, self.bias.is_some(), view)))
    }
}

/// The patch around each pixel: [n, c, h, w] → [n, h·w, c·9], in the order of the weights.
fn patches(images: Tensor<4>) -> Tensor<3> {
    let shape @ [n, channels, height, width] = images.dims();
    let device = images.device();
    if is_host(&device) {
        let patches = patches_on_host(Values::of(images).slice(), shape);
        return Tensor::from_data(TensorData::new(patches, [n, height * width, channels * SIDE * SIDE]), &device);
    }
    let padded = images.pad([(PADDING, PADDING), (PADDING, PADDING)], PadMode::Constant(0.0));
    let shifted = (0..SIDE * SIDE).map(|at| {
        let (row, column) = (at / SIDE, at % SIDE);
        padded.clone().narrow(2, row, height).narrow(3, column, width)
    });
    let stacked = Tensor::stack::<5>(shifted.collect(), 2);
    stacked.reshape([n, channels * SIDE * SIDE, height * width]).swap_dims(1, 2)
}

fn patches_on_host(images: &[f32], [n, channels, height, width]: [usize; 4]) -> Vec<f32> {
    let patch = channels * SIDE * SIDE;
    let mut patches = vec![0.0f32; n * height * width * patch];
    for (image, patches) in
        images.chunks_exact(channels * height * width).zip(patches.chunks_exact_mut(height * width * patch))
    {
        for (channel, plane) in image.chunks_exact(height * width).enumerate() {
            for (row, column) in (0..SIDE * SIDE).map(|at| (at / SIDE, at % SIDE)) {
                let entry = (channel * SIDE + row) * SIDE + column;
                // Pixels whose neighbour in this direction lies inside the image.
                let inside =
                    |length: usize, shift: usize| PADDING.saturating_sub(shift)..(length + PADDING - shift).min(length);
                for y in inside(height, row) {
                    let from = (y + row - PADDING) * width;
                    for x in inside(width, column) {
                        patches[(y * width + x) * patch + entry] = plane[from + x + column - PADDING];
                    }
                }
            }
        }
    }
    patches
}

/// δ ↦ c_w Wᵀ ⋆ δ.
struct ConvBackward {
    weight: Tensor<4>,
    weight_gain: f64,
    image: [usize; 2],
}

impl Backward for ConvBackward {
    fn pull(&self, cotangent: Cotangent, n: usize) -> Vec<Cotangent> {
        let (directions, _) = cotangent.dims();
        let [channels_out, channels_in, ..] = self.weight.dims();
        let [height, width] = self.image;
        let f = channels_in * height * width;
        if cotangent.is_host() {
            let filters = self.turned();
            let padded = [height, width].map(|side| side + 2 * PADDING).iter().product::<usize>() * directions;
            let scratch = || (vec![0.0f32; channels_out * padded], vec![0.0f32; channels_in * padded]);
            let pulled = cotangent.map_samples(n, directions * f, scratch, |(padded, sums), _, dense, out| {
                self.pull_sample(&filters, directions, dense, (padded, sums), out);
            });
            let pulled = Tensor::from_data(TensorData::new(pulled, [n, directions, f]), &self.weight.device());
            return vec![Cotangent::Dense(pulled)];
        }
        let options = ConvTransposeOptions::new([1, 1], [PADDING; 2], [0, 0], [1, 1], 1);
        let images = cotangent.dense(n).reshape([n * directions, channels_out, height, width]);
        let pulled = conv_transpose2d(images, self.weight.clone(), None, options);
        let pulled = if self.weight_gain == 1.0 { pulled } else { pulled * self.weight_gain };
        vec![Cotangent::Dense(pulled.reshape([n, directions, f]))]
    }
}

impl ConvBackward {
    /// For each of the nine shifts, c_w W as [channels in, channels out].
    fn turned(&self) -> Vec<f32> {
        let [channels_out, channels_in, ..] = self.weight.dims();
        let weight = Values::of(self.weight.clone());
        let entry = |at: usize| {
            let (shift, row, column) =
                (at / (channels_in * channels_out), at / channels_out % channels_in, at % channels_out);
            self.weight_gain as f32 * weight.slice()[(column * channels_in + row) * SIDE * SIDE + shift]
        };
        (0..SIDE * SIDE * channels_in * channels_out).map(entry).collect()
    }

    /// One sample, all directions at once: nine products, one for each shift of the filter, of channels with pixels. With
    /// zeros around every image a shift is nothing but another start in memory, so no patch is copied; what the products
    /// write between two images is left behind.
    fn pull_sample(
        &self,
        filters: &[f32],
        directions: usize,
        dense: &[f32],
        (padded, sums): (&mut [f32], &mut [f32]),
        out: &mut [f32],
    ) {
        let [channels_out, channels_in, ..] = self.weight.dims();
        let [height, width] = self.image;
        let (wide, around) = (width + 2 * PADDING, (height + 2 * PADDING) * (width + 2 * PADDING));
        let row = directions * around;
        for (plane, pixels) in dense.chunks_exact(height * width).enumerate() {
            let (direction, channel) = (plane / channels_out, plane % channels_out);
            let corner = channel * row + direction * around + PADDING * wide + PADDING;
            for (y, pixels) in pixels.chunks_exact(width).enumerate() {
                padded[corner + y * wide..][..width].copy_from_slice(pixels);
            }
        }
        // The last place of the last image that a filter can be put on without leaving memory.
        let reach = row - 2 * PADDING * wide - 2 * PADDING;
        let padded = MatRef::from_row_major_slice(padded, channels_out, row);
        let sums = &mut sums[..channels_in * reach];
        for (shift, filter) in filters.chunks_exact(channels_in * channels_out).enumerate() {
            let start = (2 * PADDING - shift / SIDE) * wide + 2 * PADDING - shift % SIDE;
            let filter = MatRef::from_row_major_slice(filter, channels_in, channels_out);
            multiply((&mut *sums, reach, 0), filter, padded.subcols(start, reach), shift > 0);
        }
        for (plane, pixels) in out.chunks_exact_mut(height * width).enumerate() {
            let (direction, channel) = (plane / channels_in, plane % channels_in);
            for (y, pixels) in pixels.chunks_exact_mut(width).enumerate() {
                pixels.copy_from_slice(&sums[channel * reach + direction * around + y * wide..][..width]);
            }
        }
    }
}
