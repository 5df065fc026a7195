//! Pooling: the largest value or the mean of windows of an image, channel by channel.

use super::conv::{check_windows, windows_along};
use super::operation::one;
use super::{Operation, shown};

/// Pooling, PyTorch's `MaxPool2d` and `AvgPool2d`. The padding never is the largest value.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    pub kind: PoolKind,
    pub size: [usize; 2],
    pub stride: [usize; 2],
    pub padding: [usize; 2],
    /// If true, zeros of the padding count in the mean; otherwise it is that of the pixels of the image alone.
    pub count_padding: bool,
}

/// The statistic of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolKind {
    /// Its largest value.
    Max,
    /// Its mean.
    Avg,
}

impl Pool {
    /// Returns the side of its windows, where they are squares that tile an image of these sides.
    pub fn tiles(&self, [height, width]: [usize; 2]) -> Option<usize> {
        let [side, other] = self.size;
        let plain = side == other && self.stride == self.size && self.padding == [0; 2];
        (plain && height.is_multiple_of(side) && width.is_multiple_of(side)).then_some(side)
    }
}

impl Operation for Pool {
    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
        let &[channels, height, width] = one(inputs) else {
            return Err(format!("pooling reads an image [channels, height, width], not {}", shown(one(inputs))));
        };
        if (0..2).any(|at| self.padding[at].saturating_mul(2) > self.size[at]) {
            return Err("pooling pads by at most half of its windows".to_owned());
        }
        let side = |at: usize, length| windows_along(length, self.size[at], self.stride[at], self.padding[at], 1);
        let sides = side(0, height).zip(side(1, width)).ok_or_else(|| {
            let [down, across] = self.size;
            format!("windows of {down} × {across} do not fit an image of {height} × {width}")
        })?;
        check_windows([sides.0, sides.1], self.size)?;
        Ok(vec![channels, sides.0, sides.1])
    }

    fn sign(&self) -> &'static str {
        match self.kind {
            PoolKind::Max => "max",
            PoolKind::Avg => "avg",
        }
    }
}
