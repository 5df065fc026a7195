//! Operations that reorder, reshape or select numbers.

use super::operation::{MOST_AXES, axes, one};
use super::{Operation, shown};

/// Moves the numbers of each sample without changing them.
#[derive(Clone, Debug, PartialEq)]
pub enum Rearrange {
    /// All numbers in one vector, row-major.
    Flatten,
    /// These sides, filled row-major.
    Reshape(Vec<usize>),
    /// The axes in this order.
    Transpose(Vec<usize>),
    /// The range `start..end` of this axis, which remains.
    Slice { axis: usize, start: usize, end: usize },
    /// One place of this axis, which is removed.
    Select { axis: usize, at: usize },
    /// Repeated to these sides, as numpy broadcasts: missing leading axes are added, and sides of 1 are repeated.
    Expand(Vec<usize>),
}

impl Rearrange {
    /// Returns the source index of each output number for a value of this shape, both row-major.
    pub fn order(&self, shape: &[usize]) -> Vec<usize> {
        let strides: Vec<usize> = (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect();
        let all = |sides: &[usize], strides: &[usize], first: usize| {
            let mut places = vec![first];
            for (&side, &stride) in sides.iter().zip(strides) {
                places = places.into_iter().flat_map(|place| (0..side).map(move |at| place + at * stride)).collect();
            }
            places
        };
        let part = |axis: usize, start: usize, count: usize| {
            let mut sides = shape.to_vec();
            sides[axis] = count;
            all(&sides, &strides, start * strides[axis])
        };
        match self {
            Self::Flatten | Self::Reshape(_) => (0..shape.iter().product()).collect(),
            Self::Transpose(axes) => {
                let of = |from: &[usize]| axes.iter().map(|&axis| from[axis]).collect::<Vec<_>>();
                all(&of(shape), &of(&strides), 0)
            }
            Self::Slice { axis, start, end } => part(*axis, *start, end - start),
            Self::Select { axis, at } => part(*axis, *at, 1),
            Self::Expand(sides) => {
                let added = sides.len() - shape.len();
                let stride =
                    |axis: usize| if axis < added || shape[axis - added] == 1 { 0 } else { strides[axis - added] };
                all(sides, &(0..sides.len()).map(stride).collect::<Vec<_>>(), 0)
            }
        }
    }
}

impl Operation for Rearrange {
    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
        let shape = one(inputs);
        let axis_of = |axis: usize| {
            let axes = shape.len();
            (axis < axes).then_some(()).ok_or_else(|| format!("{} has no axis {axis}: axes count from 0", shown(shape)))
        };
        match self {
            Self::Flatten => Ok(vec![shape.iter().product()]),
            Self::Reshape(sides) => {
                let count = sides.iter().try_fold(1usize, |product, side| product.checked_mul(*side));
                if count != Some(shape.iter().product()) || sides.is_empty() || sides.len() > MOST_AXES {
                    return Err(format!("{} cannot become {}", shown(shape), shown(sides)));
                }
                Ok(sides.clone())
            }
            Self::Transpose(axes) => {
                let mut sorted = axes.clone();
                sorted.sort_unstable();
                if !sorted.into_iter().eq(0..shape.len()) {
                    return Err(format!("{} is no order of the axes of {}", shown(axes), shown(shape)));
                }
                Ok(axes.iter().map(|&axis| shape[axis]).collect())
            }
            Self::Slice { axis, start, end } => {
                axis_of(*axis)?;
                if start >= end || *end > shape[*axis] {
                    return Err(format!("axis {axis} of {} has no part from {start} to {end}", shown(shape)));
                }
                let mut sides = shape.to_vec();
                sides[*axis] = end - start;
                Ok(sides)
            }
            Self::Select { axis, at } => {
                axis_of(*axis)?;
                if *at >= shape[*axis] || shape.len() < 2 {
                    return Err(format!("axis {axis} of {} has no place {at} to be taken", shown(shape)));
                }
                let mut sides = shape.to_vec();
                sides.remove(*axis);
                Ok(sides)
            }
            Self::Expand(sides) => {
                let wide = axes(sides)?;
                let fits = |(from, to): (&usize, &usize)| from == to || *from == 1;
                // From the last axis on, as numpy does.
                if shape.len() > sides.len() || !shape.iter().rev().zip(sides.iter().rev()).all(fits) {
                    return Err(format!(
                        "{} cannot be repeated to {}: from the last on, each side must be equal or 1",
                        shown(shape),
                        shown(sides)
                    ));
                }
                Ok(wide)
            }
        }
    }

    fn sign(&self) -> &'static str {
        match self {
            Self::Flatten => "flat",
            Self::Reshape(_) => "shape",
            Self::Transpose(_) => "turn",
            Self::Slice { .. } => "part",
            Self::Select { .. } => "one",
            Self::Expand(_) => "rep",
        }
    }
}

/// Square patches as tokens: [channels, height, width] → [tokens, channels·side²]; tokens in row-major order, and each
/// token row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Patches {
    pub side: usize,
}

impl Patches {
    /// Returns the source index of each output number for an image of this shape, both row-major.
    pub fn order(&self, shape: &[usize]) -> Vec<usize> {
        let &[channels, height, width] = shape else { return Vec::new() };
        let cut = Rearrange::Transpose(vec![1, 3, 0, 2, 4]);
        cut.order(&[channels, height / self.side, self.side, width / self.side, self.side])
    }
}

impl Operation for Patches {
    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
        let &[channels, height, width] = one(inputs) else {
            return Err(format!("patches are cut from an image [channels, height, width], not {}", shown(one(inputs))));
        };
        let side = self.side;
        if side == 0 || height % side != 0 || width % side != 0 {
            return Err(format!("patches must tile the image, and {side} does not divide {height} × {width}"));
        }
        Ok(vec![(height / side) * (width / side), channels * side * side])
    }

    fn sign(&self) -> &'static str {
        "cut"
    }
}
