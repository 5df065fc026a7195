//! Evaluates the part of a program that depends on the image alone, before the first layer: it has no infinite-width limit,
//! so it is computed number by number and laid out by place for the layers that read it.

use crate::spec::Program;
use crate::spec::ops::{
    Arithmetic, MatMul, Norm, NormKind, Op, Pool, PoolKind, Reduction, feature_axis, windows_along,
};

/// The layout in which a layer reads its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// The features are on the last axis.
    Last,
    /// The features are on the first axis.
    First,
    /// Each number is a token of a vocabulary of this size.
    Tokens(usize),
}

/// A line that a layer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub line: usize,
    pub layout: Layout,
}

/// The lines to compute, and those kept for layers.
#[derive(Clone, Debug, Default)]
pub(super) struct ImageFunctions {
    lines: Vec<Piece>,
    /// Index of each source's line in `lines`, with its layout.
    sources: Vec<(usize, Layout)>,
}

#[derive(Clone, Debug)]
struct Piece {
    op: Op,
    reads: Vec<usize>,
    inputs: Vec<Vec<usize>>,
    shape: Vec<usize>,
}

impl ImageFunctions {
    pub fn new(program: &Program, sources: &[Source]) -> Self {
        let mut needed = vec![false; program.lines.len()];
        sources.iter().for_each(|source| needed[source.line] = true);
        for at in (0..needed.len()).rev() {
            if needed[at] {
                program.lines[at].reads.iter().for_each(|&read| needed[read] = true);
            }
        }
        let mut place = vec![0; needed.len()];
        let mut lines = Vec::new();
        for (at, line) in program.lines.iter().enumerate().filter(|(at, _)| needed[*at]) {
            place[at] = lines.len();
            let reads = line.reads.iter().map(|&read| place[read]).collect();
            let inputs = program.inputs_of(line).into_iter().map(<[usize]>::to_vec).collect();
            lines.push(Piece { op: line.op.clone(), reads, inputs, shape: line.shape.clone() });
        }
        Self { lines, sources: sources.iter().map(|source| (place[source.line], source.layout)).collect() }
    }

    /// Returns places and features of each source.
    pub fn sizes(&self) -> Vec<(usize, usize, Layout)> {
        let size = |&(line, layout): &(usize, Layout)| {
            let shape = &self.lines[line].shape;
            let all: usize = shape.iter().product();
            let features = match layout {
                Layout::Last => shape.last().copied().unwrap_or(1),
                Layout::First => shape.first().copied().unwrap_or(1),
                Layout::Tokens(_) => 1,
            };
            (all / features.max(1), features, layout)
        };
        self.sources.iter().map(size).collect()
    }

    /// Returns the value of each source for one image, [places, features].
    pub fn of(&self, image: &[f64]) -> Vec<Vec<f64>> {
        let mut values: Vec<Vec<f64>> = Vec::with_capacity(self.lines.len());
        for line in &self.lines {
            let read = |at: usize| values[line.reads[at]].as_slice();
            let value = match line.op {
                Op::Input => image.to_vec(),
                _ => {
                    let inputs: Vec<&[f64]> = (0..line.reads.len()).map(read).collect();
                    line.compute(&inputs)
                }
            };
            values.push(value);
        }
        let laid = |&(line, layout): &(usize, Layout)| {
            let (value, shape) = (&values[line], &self.lines[line].shape);
            match layout {
                Layout::Last | Layout::Tokens(_) => value.clone(),
                Layout::First => {
                    let places = value.len() / shape[0].max(1);
                    (0..places).flat_map(|place| (0..shape[0]).map(move |c| value[c * places + place])).collect()
                }
            }
        };
        self.sources.iter().map(laid).collect()
    }
}

impl Piece {
    fn compute(&self, inputs: &[&[f64]]) -> Vec<f64> {
        if let Op::Constant(op) = &self.op {
            return vec![op.number; self.shape.iter().product()];
        }
        let Some((&value, shape)) = inputs.first().zip(self.inputs.first()) else { return Vec::new() };
        let take = |order: Vec<usize>| order.into_iter().map(|at| value[at]).collect::<Vec<f64>>();
        match &self.op {
            Op::Pool(op) => pool(op, value, shape),
            Op::Reduce(op) => {
                let by = |sum: f64, places: usize| match op.reduction {
                    Reduction::Mean => sum / places as f64,
                    Reduction::Sum => sum,
                };
                let groups = lines_of(shape, feature_axis(shape));
                groups.iter().map(|group| by(group.iter().map(|&at| value[at]).sum(), group.len())).collect()
            }
            Op::Rearrange(op) => take(op.order(shape)),
            Op::Patches(op) => take(op.order(shape)),
            Op::Norm(op) => norm(op, value, shape),
            Op::Softmax(op) => {
                let mut out = value.to_vec();
                for row in out.chunks_exact_mut(shape.last().copied().unwrap_or(1).max(1)) {
                    let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    row.iter_mut().for_each(|value| *value -= top);
                    let sum: f64 = row.iter().map(|value| value.exp()).sum();
                    row.iter_mut()
                        .for_each(|value| *value = if op.log { *value - sum.ln() } else { value.exp() / sum });
                }
                out
            }
            Op::Arithmetic(op) => {
                let with = |f: fn(f64, f64) -> f64| value.iter().zip(inputs[1]).map(|(a, b)| f(*a, *b)).collect();
                match op {
                    Arithmetic::Add => with(|a, b| a + b),
                    Arithmetic::Subtract => with(|a, b| a - b),
                    Arithmetic::Multiply => with(|a, b| a * b),
                }
            }
            Op::Scale(op) => value.iter().map(|value| op.by * value + op.plus).collect(),
            Op::Concat(op) => beside(&self.inputs, op.axis).into_iter().map(|(read, at)| inputs[read][at]).collect(),
            Op::MatMul(_) => {
                let inputs_of: Vec<&[usize]> = self.inputs.iter().map(Vec::as_slice).collect();
                MatMul::sizes(&inputs_of).map_or_else(Vec::new, |sizes| matmul(value, inputs[1], sizes))
            }
            Op::Dropout(_) => value.to_vec(),
            // These operations never depend on the image alone, or, a constant, on nothing.
            Op::Input
            | Op::Dense(_)
            | Op::Conv(_)
            | Op::Function(_)
            | Op::Constant(_)
            | Op::Learned(_)
            | Op::LayerScale(_)
            | Op::Positions(_)
            | Op::ClassToken(_)
            | Op::Attention(_)
            | Op::Recurrence(_)
            | Op::Embedding(_) => Vec::new(),
        }
    }
}

/// Returns the indices of the entries at each place of this axis.
fn lines_of(shape: &[usize], axis: usize) -> Vec<Vec<usize>> {
    let inner: usize = shape[axis + 1..].iter().product();
    let mut lines = vec![Vec::new(); shape[axis]];
    (0..shape.iter().product()).for_each(|at| lines[at / inner % shape[axis]].push(at));
    lines
}

/// Computes so many products of matrices [rows, inner] and [inner, columns].
fn matmul(a: &[f64], b: &[f64], [products, rows, inner, columns]: [usize; 4]) -> Vec<f64> {
    let entry = |at: usize| {
        let (product, row, column) = (at / columns / rows, at / columns % rows, at % columns);
        let (a, b) = (&a[(product * rows + row) * inner..], &b[product * inner * columns + column..]);
        (0..inner).map(|k| a[k] * b[k * columns]).sum()
    };
    (0..products * rows * columns).map(entry).collect()
}

fn pool(op: &Pool, value: &[f64], shape: &[usize]) -> Vec<f64> {
    let &[_, height, width] = shape else { return Vec::new() };
    let windows = windows([height, width], op.size, op.stride, op.padding, [1; 2]);
    let of = |channel: &[f64], window: &[Option<usize>]| {
        let values = window.iter().flatten().map(|&at| channel[at]);
        match op.kind {
            PoolKind::Max => values.fold(f64::NEG_INFINITY, f64::max),
            PoolKind::Avg if op.count_padding => values.sum::<f64>() / window.len() as f64,
            PoolKind::Avg => values.clone().sum::<f64>() / values.count() as f64,
        }
    };
    let channels = value.chunks_exact((height * width).max(1));
    channels.flat_map(|channel| windows.iter().map(move |window| of(channel, window)).collect::<Vec<_>>()).collect()
}

/// Normalises with gains of 1, biases of 0, running mean 0 and running variance 1.
fn norm(op: &Norm, value: &[f64], shape: &[usize]) -> Vec<f64> {
    let axis = feature_axis(shape);
    let features = lines_of(shape, axis);
    let groups: Vec<Vec<usize>> = match op.kind {
        NormKind::Layer | NormKind::Rms => {
            let places = features.first().map_or(0, Vec::len);
            (0..places).map(|place| features.iter().map(|entries| entries[place]).collect()).collect()
        }
        NormKind::Group { groups } => {
            features.chunks((shape[axis] / groups.max(1)).max(1)).map(<[Vec<usize>]>::concat).collect()
        }
        NormKind::Batch => return value.iter().map(|value| value / (1.0 + op.epsilon).sqrt()).collect(),
    };
    let mut out = value.to_vec();
    for group in groups {
        let mean = |f: &dyn Fn(f64) -> f64| group.iter().map(|&at| f(value[at])).sum::<f64>() / group.len() as f64;
        let shift = match op.kind {
            NormKind::Rms => 0.0,
            NormKind::Layer | NormKind::Group { .. } | NormKind::Batch => mean(&|value| value),
        };
        let scale = (mean(&|value| (value - shift).powi(2)) + op.epsilon).sqrt();
        group.iter().for_each(|&at| out[at] = (value[at] - shift) / scale);
    }
    out
}

/// Returns the pixels that each window over an image covers, row by row; `None` for the zeros of the padding.
pub(super) fn windows(
    [height, width]: [usize; 2],
    size: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
) -> Vec<Vec<Option<usize>>> {
    // The position of entry `entry` of the window at `at`.
    let inside = |axis: usize, at: usize, entry: usize, length: usize| {
        (at * stride[axis] + entry * dilation[axis]).checked_sub(padding[axis]).filter(|&place| place < length)
    };
    let count = |axis: usize, length: usize| {
        windows_along(length, size[axis], stride[axis], padding[axis], dilation[axis]).unwrap_or(0)
    };
    let window = |top: usize, left: usize| {
        let entry = |down: usize, across: usize| {
            let (row, column) = (inside(0, top, down, height), inside(1, left, across, width));
            row.zip(column).map(|(row, column)| row * width + column)
        };
        (0..size[0]).flat_map(|down| (0..size[1]).map(move |across| entry(down, across))).collect()
    };
    let (rows, columns) = (count(0, height), count(1, width));
    (0..rows).flat_map(|top| (0..columns).map(move |left| window(top, left))).collect()
}

/// Returns, for each entry of a concatenation along an axis, the index of its input and its position there.
pub(super) fn beside(shapes: &[Vec<usize>], axis: usize) -> Vec<(usize, usize)> {
    let Some(first) = shapes.first() else { return Vec::new() };
    let outer: usize = first[..axis].iter().product();
    let rows = |shape: &[usize]| shape[axis..].iter().product::<usize>();
    let row = |outer: usize| {
        shapes.iter().enumerate().flat_map(move |(which, shape)| {
            let size = rows(shape);
            (outer * size..(outer + 1) * size).map(move |at| (which, at))
        })
    };
    (0..outer).flat_map(row).collect()
}
