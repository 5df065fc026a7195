//! Operations that reorder, reshape, select or repeat numbers.

use burn::tensor::{Tensor, TensorData};

use super::operation::{OpContext, OpResult};
use crate::model::Cotangent;
use crate::model::device::is_host;
use crate::model::product::Values;
use crate::model::tape::Backward;
use crate::spec::ops::{Patches, Rearrange};

pub(super) fn run(op: &Rearrange, at: &OpContext<'_>, input: Tensor<2>) -> OpResult {
    match op {
        // Values are flat, so a change of shape needs no work.
        Rearrange::Flatten | Rearrange::Reshape(_) => OpResult::plain(input),
        Rearrange::Transpose(_) | Rearrange::Slice { .. } | Rearrange::Select { .. } => {
            moved(at, input, op.order(at.inputs[0]))
        }
        Rearrange::Expand(_) => expand(at, input),
    }
}

/// Cuts square patches into tokens, row by row, each row-major.
pub(super) fn patches(op: &Patches, at: &OpContext<'_>, input: Tensor<2>) -> OpResult {
    moved(at, input, op.order(at.inputs[0]))
}

/// Sets number i of the output to number `from[i]` of the input, for every sample.
fn moved(at: &OpContext<'_>, input: Tensor<2>, from: Vec<usize>) -> OpResult {
    let of = at.inputs[0].iter().product();
    let output = gathered(input, &from);
    OpResult::new(at, output, || (Box::new(RearrangeBackward { from, of }), None))
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

/// The backward pass: each cotangent goes to its number's origin. No origin is used twice.
struct RearrangeBackward {
    from: Vec<usize>,
    /// Number of values of the input.
    of: usize,
}

impl RearrangeBackward {
    fn scattered(&self, rows: Tensor<2>) -> Tensor<2> {
        let device = rows.device();
        let [count, f] = rows.dims();
        if !is_host(&device) {
            // Number f of each row is the zero of all places that nothing comes to.
            let mut back = vec![f; self.of];
            self.from.iter().enumerate().for_each(|(number, &place)| back[place] = number);
            let zeros = Tensor::zeros([count, 1], &device);
            return gathered(Tensor::cat(vec![rows, zeros], 1), &back);
        }
        let values = Values::of(rows);
        let mut scattered = vec![0.0f32; count * self.of];
        for (into, row) in scattered.chunks_exact_mut(self.of).zip(values.slice().chunks_exact(f)) {
            self.from.iter().zip(row).for_each(|(&place, value)| into[place] = *value);
        }
        Tensor::from_data(TensorData::new(scattered, [count, self.of]), &device)
    }
}

impl Backward for RearrangeBackward {
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

/// Repeats numbers along axes of length 1, and along new axes before the others.
fn expand(at: &OpContext<'_>, input: Tensor<2>) -> OpResult {
    let repeats = repeats(at.inputs[0], at.output());
    let [n, of] = input.dims();
    let mut output = input;
    for &[before, count, after] in &repeats {
        let apart = output.reshape([n, before, 1, after]).expand([n, before, count, after]);
        output = apart.reshape([n, before * count * after]);
    }
    if repeats.is_empty() {
        return OpResult::plain(output);
    }
    OpResult::new(at, output, || (Box::new(ExpandBackward { repeats, of }), None))
}

/// Returns the repetitions that turn a value of one shape into one of another, one after the other: the number of values
/// before the repeated axis, of copies, and of values behind it.
fn repeats(from: &[usize], to: &[usize]) -> Vec<[usize; 3]> {
    let added = to.len() - from.len();
    let mut sides = vec![1; added];
    sides.extend(from);
    let mut repeats = Vec::new();
    for axis in 0..to.len() {
        if sides[axis] != to[axis] {
            repeats.push([sides[..axis].iter().product(), to[axis], sides[axis + 1..].iter().product()]);
            sides[axis] = to[axis];
        }
    }
    repeats
}

/// The backward pass: each number gets the sum over its copies.
struct ExpandBackward {
    repeats: Vec<[usize; 3]>,
    /// Number of values of the input.
    of: usize,
}

impl ExpandBackward {
    fn summed(&self, rows: Tensor<2>) -> Tensor<2> {
        let [count, _] = rows.dims();
        self.repeats.iter().rev().fold(rows, |rows, &[before, copies, after]| {
            rows.reshape([count, before, copies, after]).sum_dim(2).reshape([count, before * after])
        })
    }
}

impl Backward for ExpandBackward {
    fn pull(&self, cotangent: Cotangent, n: usize) -> Vec<Cotangent> {
        vec![match cotangent {
            Cotangent::Shared(direction) => Cotangent::Shared(self.summed(direction)),
            // A sum of products is no product of sums.
            other => {
                let dense = other.dense(n);
                let [_, directions, f] = dense.dims();
                let summed = self.summed(dense.reshape([n * directions, f]));
                Cotangent::Dense(summed.reshape([n, directions, self.of]))
            }
        }]
    }
}
