//! Convolution: z = W ⋆ a + b, the cross-correlation of PyTorch.

use super::operation::one;
use super::parameter::pair;
use super::{Operation, Parameter, shown};
use crate::spec::Layer;

/// A convolution: `NAME.weight` [out, in/groups, height, width] and `NAME.bias` `[out]`, PyTorch's `Conv2d`.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv {
    pub channels: usize,
    /// Height and width of the filters.
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    /// Zeros around the image: above and below, left and right.
    pub padding: [usize; 2],
    pub dilation: [usize; 2],
    pub groups: usize,
    pub bias: bool,
}

/// Returns the number of windows along a side; `None` where not even one fits.
pub fn windows_along(side: usize, size: usize, stride: usize, padding: usize, dilation: usize) -> Option<usize> {
    let spread = dilation.checked_mul(size.checked_sub(1)?)?.checked_add(1)?;
    let room = side.checked_add(padding.checked_mul(2)?)?.checked_sub(spread)?;
    room.checked_div(stride).map(|more| more + 1)
}

/// Largest number of entries of all windows over an image.
const MOST_ENTRIES: usize = 1 << 26;

/// Returns the number of entries of all windows of this size over an output of these sides; `None` above any number.
pub fn window_entries([height, width]: [usize; 2], [down, across]: [usize; 2]) -> Option<usize> {
    height.checked_mul(width)?.checked_mul(down)?.checked_mul(across)
}

/// Checks that the windows of this size over an output of these sides can be listed.
pub(super) fn check_windows(sides: [usize; 2], [down, across]: [usize; 2]) -> Result<(), String> {
    if window_entries(sides, [down, across]).is_some_and(|entries| entries <= MOST_ENTRIES) {
        return Ok(());
    }
    let [height, width] = sides;
    Err(format!(
        "{height} × {width} windows of {down} × {across} have more than {MOST_ENTRIES} entries: take smaller windows, less \
         padding or a larger stride"
    ))
}

impl Conv {
    /// Returns whether the filters are 3 × 3 with stride and padding that keep the image's size.
    pub fn keeps_size_by_threes(&self) -> bool {
        self.kernel == [3; 2]
            && self.stride == [1; 2]
            && self.padding == [1; 2]
            && self.dilation == [1; 2]
            && self.groups == 1
    }

    /// Returns the operation with the sizes of a file's tensors; `shape` looks one up by the last part of its name.
    pub(super) fn adopting<'a>(self, shape: impl Fn(&str) -> Option<&'a [usize]>) -> Self {
        let channels = match shape("weight") {
            // Convolutions of signals have one side less.
            Some(&[channels, _, _, _] | &[channels, _, _]) if channels > 0 => channels,
            _ => self.channels,
        };
        // A depthwise convolution stays depthwise.
        let groups = if self.groups > 1 && self.groups == self.channels { channels } else { self.groups };
        Self { channels, groups, bias: self.bias && shape("bias").is_some(), ..self }
    }

    /// Returns height and width of the output for an image of this height and width.
    fn sides(&self, [height, width]: [usize; 2]) -> Option<[usize; 2]> {
        let side = |at: usize, length: usize| {
            windows_along(length, self.kernel[at], self.stride[at], self.padding[at], self.dilation[at])
        };
        Some([side(0, height)?, side(1, width)?])
    }

    /// Returns the number of inputs of one output, for an image of so many channels.
    pub fn fan_in(&self, channels: usize) -> usize {
        (channels / self.groups.max(1)).saturating_mul(self.kernel[0]).saturating_mul(self.kernel[1])
    }
}

impl Operation for Conv {
    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
        let &[channels, height, width] = one(inputs) else {
            return Err(format!("a convolution reads an image [channels, height, width], not {}", shown(one(inputs))));
        };
        if self.groups == 0 || !channels.is_multiple_of(self.groups) || !self.channels.is_multiple_of(self.groups) {
            let (to, groups) = (self.channels, self.groups);
            return Err(format!("{groups} groups do not divide {channels} channels into {to}"));
        }
        let [height, width] = self.sides([height, width]).ok_or_else(|| {
            let [down, across] = self.kernel;
            format!("filters of {down} × {across} do not fit an image of {height} × {width}")
        })?;
        check_windows([height, width], self.kernel)?;
        Ok(vec![self.channels, height, width])
    }

    fn tensors(&self, name: &str, inputs: &[&[usize]]) -> Vec<Parameter> {
        let channels = one(inputs).first().copied().unwrap_or(0);
        let shape = vec![self.channels, channels / self.groups.max(1), self.kernel[0], self.kernel[1]];
        pair(name, ["weight", "bias"], shape, self.fan_in(channels), self.bias)
    }

    fn layer(&self, inputs: &[&[usize]]) -> Option<Layer> {
        let &[channels, height, width] = one(inputs) else { return None };
        let reads = channels.saturating_mul(height).saturating_mul(width);
        let [height, width] = self.sides([height, width])?;
        let (fan_in, fan_out) = (self.fan_in(channels), self.channels);
        Some(Layer::Affine {
            fan_in,
            fan_out,
            places: height * width,
            groups: self.groups,
            bias: self.bias,
            shared: false,
            reads,
        })
    }

    fn sign(&self) -> &'static str {
        "W∗"
    }
}
