//! The same numbers in another order, or some of them.

use burn::tensor::{Device, Tensor, TensorData};

use super::{At, Done};
use crate::model::Cotangent;
use crate::model::product::{Values, is_host};
use crate::model::tape::Backward;
use crate::spec::ops::{Patches, Rearrange};

pub(super) fn run(op: &Rearrange, at: &At<'_>, input: Tensor<2>) -> Done {
    // Values are flat, so another shape is nothing to be done.
    match op {
        Rearrange::Flatten | Rearrange::Reshape(_) => Done::plain(input),
        Rearrange::Transpose(axes) => moved(at, input, transposed(at.inputs[0], axes)),
        Rearrange::Slice { axis, start, end } => moved(at, input, part(at.inputs[0], *axis, *start..*end)),
        Rearrange::Select { axis, at: place } => moved(at, input, part(at.inputs[0], *axis, *place..place + 1)),
    }
}

/// Square patches as tokens, row by row, each row-major inside.
pub(super) fn patches(op: &Patches, at: &At<'_>, input: Tensor<2>) -> Done {
    let &[channels, height, width] = at.inputs[0] else { return Done::plain(input) };
    let (side, down, across) = (op.side, height / op.side, width / op.side);
    let from = transposed(&[channels, down, side, across, side], &[1, 3, 0, 2, 4]);
    moved(at, input, from)
}

/// From which place each number comes when axes are put in this order.
fn transposed(shape: &[usize], axes: &[usize]) -> Vec<usize> {
    let stride = |axis: usize| shape[axis + 1..].iter().product::<usize>();
    let mut from = vec![0];
    for &axis in axes {
        from = from.iter().flat_map(|first| (0..shape[axis]).map(move |at| first + at * stride(axis))).collect();
    }
    from
}

/// From which place each number of a part of an axis comes.
fn part(shape: &[usize], axis: usize, places: std::ops::Range<usize>) -> Vec<usize> {
    let before: usize = shape[..axis].iter().product();
    let after: usize = shape[axis + 1..].iter().product();
    let run = |first: usize| (first * shape[axis] + places.start) * after..(first * shape[axis] + places.end) * after;
    (0..before).flat_map(run).collect()
}

/// Number i of the output is number `from[i]` of the input, of every sample.
fn moved(at: &At<'_>, input: Tensor<2>, from: Vec<usize>) -> Done {
    let of = at.inputs[0].iter().product();
    let output = gathered(input, &from);
    Done::new(at, output, || (Box::new(Back { from, of }), None))
}

fn gathered(input: Tensor<2>, from: &[usize]) -> Tensor<2> {
    let device = input.device();
    let [n, f] = input.dims();
    if is_host(&device) && !input.is_autodiff() {
        let values = Values::of(input);
        let rows = values.slice().chunks_exact(f);
        let gathered: Vec<f32> = rows.flat_map(|row| from.iter().map(|&place| row[place])).collect();
        return Tensor::from_data(TensorData::new(gathered, [n, from.len()]), &device);
    }
    let places: Vec<i32> = from.iter().map(|&place| place as i32).collect();
    let places = Tensor::<1, burn::tensor::Int>::from_data(TensorData::new(places, [from.len()]), &device);
    input.select(1, places)
}

/// The way back: each number's cotangent goes to where it came from. No place is taken twice.
struct Back {
    from: Vec<usize>,
    /// Numbers of the input.
    of: usize,
}

impl Back {
    fn scattered(&self, rows: Tensor<2>) -> Tensor<2> {
        let device = rows.device();
        let [count, f] = rows.dims();
        let host = if is_host(&device) { rows } else { rows.to_device(&Device::flex()) };
        let values = Values::of(host);
        let mut scattered = vec![0.0f32; count * self.of];
        for (into, row) in scattered.chunks_exact_mut(self.of).zip(values.slice().chunks_exact(f)) {
            self.from.iter().zip(row).for_each(|(&place, value)| into[place] = *value);
        }
        Tensor::from_data(TensorData::new(scattered, [count, self.of]), &device)
    }
}

impl Backward for Back {
    fn pull(&self, cotangent: Cotangent, n: usize) -> Vec<Cotangent> {
        vec![match cotangent {
            Cotangent::Shared(direction) => Cotangent::Shared(self.scattered(direction)),
            Cotangent::Factored { sample, direction } => {
                Cotangent::Factored { sample: self.scattered(sample), direction: self.scattered(direction) }
            }
            other => {
                let dense = other.dense(n);
                let [_, directions, f] = dense.dims();
                let pulled = self.scattered(dense.reshape([n * directions, f]));
                Cotangent::Dense(pulled.reshape([n, directions, self.of]))
            }
        }]
    }
}
