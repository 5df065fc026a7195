//! Finds the pixels that each place of a convolution reads, its window.

use burn::tensor::module::unfold4d;
use burn::tensor::ops::UnfoldOptions;
use burn::tensor::{Tensor, TensorData};

use crate::model::device::is_host;
use crate::model::product::Values;
use crate::spec::ops::Conv;

/// The pixels in the window of each place of a convolution.
#[derive(Clone, Debug)]
pub struct Windows {
    /// Channels, height and width of the input.
    pub(super) image: [usize; 3],
    /// Height and width of the output.
    pub(super) places: [usize; 2],
    pub(super) conv: Conv,
}

impl Windows {
    /// Returns the numbers of places and of values in a window, over all groups.
    #[inline]
    pub fn dims(&self) -> (usize, usize) {
        let [channels, ..] = self.image;
        (self.places.iter().product(), channels * self.area())
    }

    /// Returns the number of groups of channels.
    #[inline]
    pub fn groups(&self) -> usize {
        self.conv.groups
    }

    /// Returns the number of weights of a filter in one channel.
    #[inline]
    pub(super) fn area(&self) -> usize {
        self.conv.kernel.iter().product()
    }

    /// Returns the windows of all places: [n, c, h, w] → [n, places, c · area], in the order of the weights.
    pub fn patches(&self, images: Tensor<4>) -> Tensor<3> {
        let [n, ..] = images.dims();
        let device = images.device();
        let (places, length) = self.dims();
        if is_host(&device) {
            let values = Values::of(images);
            let mut patches = vec![0.0f32; n * places * length];
            let size: usize = self.image.iter().product();
            for (image, patches) in
                values.slice().chunks_exact(size).zip(patches.chunks_exact_mut((places * length).max(1)))
            {
                self.visit(|run| {
                    let pixels = image[run.pixel..].iter().step_by(run.step).take(run.places);
                    let into = patches[run.place * length + run.entry..].iter_mut().step_by(length);
                    into.zip(pixels).for_each(|(into, pixel)| *into = *pixel);
                });
            }
            return Tensor::from_data(TensorData::new(patches, [n, places, length]), &device);
        }
        let options = UnfoldOptions::new(self.conv.stride, self.conv.padding, self.conv.dilation);
        unfold4d(images, self.conv.kernel, options).swap_dims(1, 2)
    }

    /// Calls `each` for all pixels in windows, in runs of adjacent places.
    #[inline(always)]
    pub(super) fn visit(&self, mut each: impl FnMut(Run)) {
        let [channels, height, width] = self.image;
        let [down, across] = self.places;
        let Conv { kernel, stride, padding, dilation, .. } = &self.conv;
        // Range of the places whose pixel at this shift lies inside the image.
        let inside = |length: usize, count: usize, axis: usize, shift: usize| {
            let (step, ahead) = (stride[axis], shift * dilation[axis]);
            let first = padding[axis].saturating_sub(ahead).div_ceil(step);
            let last = (length + padding[axis]).checked_sub(ahead + 1).map_or(0, |room| room / step + 1);
            first..last.min(count)
        };
        for channel in 0..channels {
            for (row, column) in (0..self.area()).map(|at| (at / kernel[1], at % kernel[1])) {
                let entry = channel * self.area() + row * kernel[1] + column;
                let columns = inside(width, across, 1, column);
                if columns.is_empty() {
                    continue;
                }
                for y in inside(height, down, 0, row) {
                    let line = y * stride[0] + row * dilation[0] - padding[0];
                    let line = (channel * height + line) * width;
                    each(Run {
                        place: y * across + columns.start,
                        places: columns.len(),
                        entry,
                        pixel: line + columns.start * stride[1] + column * dilation[1] - padding[1],
                        step: stride[1],
                    });
                }
            }
        }
    }
}

/// A run of adjacent places whose windows contain a pixel at the same position; the first pixel, and the distance to the
/// next.
pub(super) struct Run {
    pub place: usize,
    pub places: usize,
    pub entry: usize,
    pub pixel: usize,
    pub step: usize,
}
