//! The forward and backward pass of each operation on burn: one file each, as in `spec::ops`, which gives shapes, tensors
//! and cost.
//!
//! Values have the sample axis first and are flat, [n, values], except for tokens, which keep their shape ([`Value`]); each
//! operation reshapes them as needed. An operation without parameters and without its own backward pass uses burn's
//! autodiff ([`autodiff`]).

mod arithmetic;
mod attention;
mod autodiff;
mod conv;
mod dense;
mod dropout;
mod embedding;
mod function;
mod learned;
mod matmul;
mod norm;
mod operation;
mod pool;
mod rearrange;
mod recurrence;
mod reduce;
mod slope;
mod windows;

pub(super) use operation::{OpContext, Value};
pub use windows::Windows;

use self::operation::OpResult;
use super::forward_mode::Training;
use crate::spec::ops::Op;

/// Computes a line from its inputs.
pub(super) fn run(at: &OpContext<'_>, mut inputs: Vec<Value>, training: Option<&mut Training>) -> OpResult {
    let all = |inputs: Vec<Value>| inputs.into_iter().map(Value::flat).collect();
    match &at.line.op {
        Op::Input => OpResult::plain(inputs.remove(0)),
        Op::Dense(op) => dense::run(op, at, inputs.remove(0)),
        Op::Conv(op) => conv::run(op, at, inputs.remove(0).flat()),
        Op::Pool(op) => pool::run(op, at, inputs.remove(0).flat()),
        Op::Reduce(op) => reduce::run(op, at, inputs.remove(0).flat()),
        Op::Rearrange(op) => rearrange::run(op, at, inputs.remove(0).flat()),
        Op::Patches(op) => rearrange::patches(op, at, inputs.remove(0).flat()),
        Op::Norm(op) => norm::run(op, at, inputs.remove(0), training),
        Op::Function(op) => function::run(op, at, inputs.remove(0)),
        Op::Softmax(op) => function::softmax(op, at, inputs.remove(0).flat()),
        Op::Arithmetic(op) => arithmetic::run(*op, at, inputs),
        Op::Scale(op) => arithmetic::scale(op, at, inputs.remove(0).flat()),
        Op::Concat(op) => arithmetic::concat(op, at, all(inputs)),
        Op::MatMul(_) => matmul::run(at, all(inputs)),
        Op::Constant(op) => arithmetic::constant(op, at),
        Op::Learned(op) => learned::value(op, at),
        Op::LayerScale(_) => learned::scale(at, inputs.remove(0).flat()),
        Op::Positions(_) => learned::positions(at, inputs.remove(0)),
        Op::ClassToken(_) => learned::class_token(at, inputs.remove(0).flat()),
        Op::Attention(op) => attention::run(op, at, all(inputs)),
        Op::Recurrence(op) => recurrence::run(op, at, inputs.remove(0).flat()),
        Op::Embedding(op) => embedding::run(op, at, inputs.remove(0).flat()),
        Op::Dropout(op) => dropout::run(op, inputs.remove(0).flat(), training),
    }
}
