//! The convolution z = c_w W ⋆ x + c_b b, cross-correlation as in PyTorch.
//!
//! At each position it is an affine layer on the window around it (fan_in = channels/groups · height · width of a filter),
//! and the kernel treats it as such.

use burn::tensor::module::{conv_transpose2d, conv2d};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{Tensor, TensorData};
use faer::MatRef;

use super::operation::{OpContext, OpResult};
use super::windows::Windows;
use crate::model::Cotangent;
use crate::model::product::{Values, multiply};
use crate::model::tape::{Backward, Input, ParameterUse};
use crate::spec::ops::Conv;

pub(super) fn run(op: &Conv, at: &OpContext<'_>, input: Tensor<2>) -> OpResult {
    let &[channels, height, width] = at.inputs[0] else { return OpResult::plain(input) };
    let &[channels_out, down, across] = at.output() else { return OpResult::plain(input) };
    let [n, _] = input.dims();
    let images = input.reshape([n, channels, height, width]);
    let filters = [channels_out, channels / op.groups, op.kernel[0], op.kernel[1]];
    let weight = at.weights[0].clone().reshape(filters);
    let bias = at.weights.get(1).cloned();
    let (weight_gain, bias_gain) = at.gains;
    let options = ConvOptions::new(op.stride, op.padding, op.dilation, op.groups);
    let output = if weight_gain == 1.0 && bias_gain == 1.0 {
        conv2d(images.clone(), weight.clone(), bias, options)
    } else {
        let product = conv2d(images.clone(), weight.clone(), None, options) * weight_gain;
        match bias {
            Some(bias) => product + (bias * bias_gain).reshape([1, channels_out, 1, 1]),
            None => product,
        }
    };
    OpResult::new(at, output.reshape([n, channels_out * down * across]), || {
        let windows = Windows { image: [channels, height, width], places: [down, across], conv: op.clone() };
        let view = ParameterUse::Affine {
            input: Input::Windows { images, windows: windows.clone() },
            fan_out: channels_out,
            channels_first: true,
            transposed: false,
            weight_gain,
            bias_gain,
        };
        (Box::new(ConvBackward { weight, weight_gain, windows }), at.tap(view))
    })
}

/// The backward pass δ ↦ c_w Wᵀ ⋆ δ.
struct ConvBackward {
    /// [channels out, channels in of a group, height, width].
    weight: Tensor<4>,
    weight_gain: f64,
    windows: Windows,
}

impl Backward for ConvBackward {
    fn pull(&self, cotangent: Cotangent, n: usize) -> Vec<Cotangent> {
        let (directions, _) = cotangent.dims();
        let [channels_out, ..] = self.weight.dims();
        let f: usize = self.windows.image.iter().product();
        if cotangent.is_host() {
            let pulled = if self.windows.conv.keeps_size_by_threes() {
                Shifts::of(self).pull(cotangent, n)
            } else {
                self.by_columns(cotangent, n)
            };
            let pulled = Tensor::from_data(TensorData::new(pulled, [n, directions, f]), &self.weight.device());
            return vec![Cotangent::Dense(pulled)];
        }
        let [down, across] = self.windows.places;
        let Conv { kernel, stride, padding, dilation, groups, .. } = self.windows.conv;
        // Rows and columns outside every window, because the stride does not divide the image.
        let rest = |axis: usize| {
            let spread = dilation[axis] * (kernel[axis] - 1) + 1;
            (self.windows.image[1 + axis] + 2 * padding[axis] - spread) % stride[axis]
        };
        let options = ConvTransposeOptions::new(stride, padding, [rest(0), rest(1)], dilation, groups);
        let images = cotangent.dense(n).reshape([n * directions, channels_out, down, across]);
        let pulled = conv_transpose2d(images, self.weight.clone(), None, options);
        let pulled = if self.weight_gain == 1.0 { pulled } else { pulled * self.weight_gain };
        vec![Cotangent::Dense(pulled.reshape([n, directions, f]))]
    }
}

impl ConvBackward {
    /// Processes sample by sample: one product gives the contribution of each place to each entry of its window, and these
    /// are summed in place.
    fn by_columns(&self, cotangent: Cotangent, n: usize) -> Vec<f32> {
        let (directions, _) = cotangent.dims();
        let [channels_out, channels_in, ..] = self.weight.dims();
        let (places, length) = self.windows.dims();
        let groups = self.windows.groups();
        let (outputs, inputs) = (channels_out / groups, channels_in * self.windows.area());
        let f: usize = self.windows.image.iter().product();
        let weight = Values::of(self.weight.clone());
        let gain = self.weight_gain as f32;
        let scratch = || vec![0.0f32; length * places];
        cotangent.map_samples(n, directions * f, scratch, |columns, _, dense, out| {
            for (dense, out) in dense.chunks_exact(channels_out * places).zip(out.chunks_exact_mut(f)) {
                for group in 0..groups {
                    let filters = &weight.slice()[group * outputs * inputs..][..outputs * inputs];
                    let filters = MatRef::from_row_major_slice(filters, outputs, inputs);
                    let dense = &dense[group * outputs * places..][..outputs * places];
                    let dense = MatRef::from_row_major_slice(dense, outputs, places);
                    let into = &mut columns[group * inputs * places..][..inputs * places];
                    multiply((into, places, 0), filters.transpose(), dense, false);
                }
                out.fill(0.0);
                self.windows.visit(|run| {
                    let sent = &columns[run.entry * places + run.place..][..run.places];
                    let into = out[run.pixel..].iter_mut().step_by(run.step);
                    into.zip(sent).for_each(|(into, sent)| *into += gain * sent);
                });
            }
        })
    }
}

/// The backward pass of a 3 × 3 convolution that preserves the image's size: with zeros around every image a shift is only
/// a different offset in memory, so no window is copied.
struct Shifts<'a> {
    back: &'a ConvBackward,
    /// For each of the nine shifts, c_w W as [channels in, channels out].
    filters: Vec<f32>,
}

const SIDE: usize = 3;
const PADDING: usize = 1;

impl<'a> Shifts<'a> {
    fn of(back: &'a ConvBackward) -> Self {
        let [channels_out, channels_in, ..] = back.weight.dims();
        let weight = Values::of(back.weight.clone());
        let (weight, gain) = (weight.slice(), back.weight_gain as f32);
        let mut filters = vec![0.0; SIDE * SIDE * channels_in * channels_out];
        for (shift, filters) in filters.chunks_exact_mut(channels_in * channels_out).enumerate() {
            for (row, filters) in filters.chunks_exact_mut(channels_out).enumerate() {
                let first = weight[row * SIDE * SIDE + shift..].iter().step_by(channels_in * SIDE * SIDE);
                filters.iter_mut().zip(first).for_each(|(filter, weight)| *filter = gain * weight);
            }
        }
        Self { back, filters }
    }

    fn pull(&self, cotangent: Cotangent, n: usize) -> Vec<f32> {
        let (directions, _) = cotangent.dims();
        let [channels_out, channels_in, ..] = self.back.weight.dims();
        let [_, height, width] = self.back.windows.image;
        let padded = [height, width].map(|side| side + 2 * PADDING).iter().product::<usize>() * directions;
        let scratch = || (vec![0.0f32; channels_out * padded], vec![0.0f32; channels_in * padded]);
        let length = directions * channels_in * height * width;
        cotangent.map_samples(n, length, scratch, |(padded, sums), _, dense, out| {
            self.sample(directions, dense, (padded, sums), out);
        })
    }

    /// Processes one sample, all directions at once: nine products, one for each shift of the filter, of channels with
    /// pixels. Results between two images are discarded.
    fn sample(&self, directions: usize, dense: &[f32], (padded, sums): (&mut [f32], &mut [f32]), out: &mut [f32]) {
        let [channels_out, channels_in, ..] = self.back.weight.dims();
        let [_, height, width] = self.back.windows.image;
        let (wide, around) = (width + 2 * PADDING, (height + 2 * PADDING) * (width + 2 * PADDING));
        let row = directions * around;
        for (plane, pixels) in dense.chunks_exact(height * width).enumerate() {
            let (direction, channel) = (plane / channels_out, plane % channels_out);
            let corner = channel * row + direction * around + PADDING * wide + PADDING;
            for (y, pixels) in pixels.chunks_exact(width).enumerate() {
                padded[corner + y * wide..][..width].copy_from_slice(pixels);
            }
        }
        // The last position of the last image at which a filter stays within the buffer.
        let reach = row - 2 * PADDING * wide - 2 * PADDING;
        let padded = MatRef::from_row_major_slice(padded, channels_out, row);
        let sums = &mut sums[..channels_in * reach];
        for (shift, filter) in self.filters.chunks_exact(channels_in * channels_out).enumerate() {
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
