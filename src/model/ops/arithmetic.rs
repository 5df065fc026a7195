//! Sums, differences and products of two lines, affine functions of one line, concatenation, and constants.

use burn::tensor::Tensor;

use super::operation::{OpContext, OpResult, Value};
use crate::model::Cotangent;
use crate::model::tape::Backward;
use crate::spec::ops::{Arithmetic, Concat, Constant, Scale};

pub(super) fn run(op: Arithmetic, at: &OpContext<'_>, mut inputs: Vec<Value>) -> OpResult {
    let (b, a) = (inputs.remove(1), inputs.remove(0));
    if let (Arithmetic::Add, Value::Tokens(a), Value::Tokens(b)) = (op, &a, &b) {
        return OpResult::new(at, a.clone() + b.clone(), || (Box::new(Add), None));
    }
    let (a, b) = (a.flat(), b.flat());
    match op {
        Arithmetic::Add => OpResult::new(at, a + b, || (Box::new(Add), None)),
        Arithmetic::Subtract => OpResult::new(at, a - b, || (Box::new(Subtract), None)),
        Arithmetic::Multiply => OpResult::new(at, a.clone() * b.clone(), || (Box::new(Multiply { a, b }), None)),
    }
}

/// The backward pass through a + b: the cotangent goes to both inputs.
struct Add;

impl Backward for Add {
    fn pull(&self, cotangent: Cotangent, _n: usize) -> Vec<Cotangent> {
        vec![cotangent.clone(), cotangent]
    }
}

/// The backward pass through a − b.
struct Subtract;

impl Backward for Subtract {
    fn pull(&self, cotangent: Cotangent, n: usize) -> Vec<Cotangent> {
        vec![cotangent.clone(), cotangent.times(-1.0, n)]
    }
}

/// The backward pass through a ∘ b: the cotangent times the other input.
struct Multiply {
    a: Tensor<2>,
    b: Tensor<2>,
}

impl Backward for Multiply {
    fn pull(&self, cotangent: Cotangent, _n: usize) -> Vec<Cotangent> {
        vec![cotangent.clone().scaled(self.b.clone()), cotangent.scaled(self.a.clone())]
    }
}

/// Multiplies a line by a number and adds a number.
pub(super) fn scale(op: &Scale, at: &OpContext<'_>, input: Tensor<2>) -> OpResult {
    let scaled = if op.by == 1.0 { input } else { input * op.by };
    let output = if op.plus == 0.0 { scaled } else { scaled + op.plus };
    OpResult::new(at, output, || (Box::new(Times(op.by)), None))
}

struct Times(f64);

impl Backward for Times {
    fn pull(&self, cotangent: Cotangent, n: usize) -> Vec<Cotangent> {
        vec![cotangent.times(self.0, n)]
    }
}

/// Returns one number everywhere, for every sample.
pub(super) fn constant(op: &Constant, at: &OpContext<'_>) -> OpResult {
    let count = at.output().iter().product();
    OpResult::plain(Tensor::<2>::full([at.samples, count], op.number, &at.device))
}

/// Concatenates lines along an axis.
pub(super) fn concat(op: &Concat, at: &OpContext<'_>, inputs: Vec<Tensor<2>>) -> OpResult {
    let [n, _] = inputs[0].dims();
    let before: usize = at.output()[..op.axis].iter().product();
    // Number of consecutive values in each input, for each position before the axis.
    let runs: Vec<usize> = at.inputs.iter().map(|shape| shape[op.axis..].iter().product()).collect();
    let parts = alike(inputs).into_iter().zip(&runs).map(|(input, run)| input.reshape([n, before, *run]));
    let output = Tensor::cat(parts.collect(), 2);
    let [_, _, run] = output.dims();
    OpResult::new(at, output.reshape([n, before * run]), || (Box::new(Split { before, runs }), None))
}

/// Returns the tensors with autodiff where one of them has it: burn concatenates those of one kind only.
pub(super) fn alike(tensors: Vec<Tensor<2>>) -> Vec<Tensor<2>> {
    if !tensors.iter().any(Tensor::is_autodiff) {
        return tensors;
    }
    tensors.into_iter().map(Tensor::autodiff).collect()
}

/// The backward pass: each input gets its part.
struct Split {
    before: usize,
    runs: Vec<usize>,
}

impl Split {
    /// Splits rows [rows, before · all runs] into the inputs' parts.
    fn parts(&self, rows: Tensor<2>) -> Vec<Tensor<2>> {
        let [count, _] = rows.dims();
        let all = rows.reshape([count, self.before, self.runs.iter().sum::<usize>()]);
        let mut first = 0;
        let part = |run: &usize| {
            let part = all.clone().narrow(2, first, *run).reshape([count, self.before * run]);
            first += run;
            part
        };
        self.runs.iter().map(part).collect()
    }
}

impl Backward for Split {
    fn pull(&self, cotangent: Cotangent, n: usize) -> Vec<Cotangent> {
        match cotangent {
            Cotangent::Shared(direction) => self.parts(direction).into_iter().map(Cotangent::Shared).collect(),
            Cotangent::Factored { sample, direction } => {
                let pairs = self.parts(sample).into_iter().zip(self.parts(direction));
                pairs.map(|(sample, direction)| Cotangent::Factored { sample, direction }).collect()
            }
            other => {
                let dense = other.dense(n);
                let [_, directions, f] = dense.dims();
                let part = |part: Tensor<2>| {
                    let [_, f] = part.dims();
                    Cotangent::Dense(part.reshape([n, directions, f]))
                };
                self.parts(dense.reshape([n * directions, f])).into_iter().map(part).collect()
            }
        }
    }
}
