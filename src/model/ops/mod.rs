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
mod norm;
mod pool;
mod rearrange;
mod recurrence;
mod reduce;

pub use conv::Windows;

use burn::tensor::Tensor;

use super::tape::{Backward, Tap};
use super::taps::Training;
use crate::spec::Line;
use crate::spec::ops::Op;

/// The inputs of an operation besides the values that it reads.
pub(super) struct At<'a> {
    pub line: &'a Line,
    /// The shapes of the values that it reads, without the sample axis.
    pub inputs: Vec<&'a [usize]>,
    /// The names of its tensors, and their values as the network stores them, flat.
    pub names: Vec<&'a str>,
    pub weights: Vec<Tensor<1>>,
    /// True for each of them that is part of the kernel.
    pub moves: Vec<bool>,
    /// (c_w, c_b) of z = c_w W a + c_b b.
    pub gains: (f64, f64),
    /// True if this is the NTK parametrisation.
    pub is_ntk: bool,
    /// True if the backward pass is needed.
    pub recording: bool,
    /// True if values are checked for overflow of 32-bit floats.
    pub checking: bool,
}

/// The value of a line, for all samples.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// [n, values].
    Flat(Tensor<2>),
    /// [n, tokens, features]. This shape is kept, because autodiff would sum the gradients of a residual stream in another
    /// order if each reader reshaped it.
    Tokens(Tensor<3>),
}

impl Value {
    /// Returns the values as [n, values].
    pub fn flat(self) -> Tensor<2> {
        match self {
            Self::Flat(values) => values,
            Self::Tokens(values) => {
                let [n, tokens, features] = values.dims();
                values.reshape([n, tokens * features])
            }
        }
    }

    /// Returns the number of samples.
    pub fn samples(&self) -> usize {
        match self {
            Self::Flat(values) => values.dims()[0],
            Self::Tokens(values) => values.dims()[0],
        }
    }
}

impl From<Tensor<2>> for Value {
    fn from(values: Tensor<2>) -> Self {
        Self::Flat(values)
    }
}

impl From<Tensor<3>> for Value {
    fn from(values: Tensor<3>) -> Self {
        Self::Tokens(values)
    }
}

/// The result of an operation.
pub(super) struct Done {
    pub output: Value,
    /// The steps of the backward pass, from the inputs on, each but the first reading the previous one; empty where none is
    /// needed or cotangents pass unchanged.
    pub steps: Vec<Step>,
    /// Intermediate values that the output does not show, if checking: all must be finite.
    pub hidden: Vec<Tensor<2>>,
}

/// One step of the backward pass.
pub(super) struct Step {
    pub backward: Box<dyn Backward>,
    pub tap: Option<Tap>,
}

impl Done {
    /// Returns an output through which cotangents pass unchanged.
    fn plain(output: impl Into<Value>) -> Self {
        Self { output: output.into(), steps: Vec::new(), hidden: Vec::new() }
    }

    /// Returns an output and its backward pass, which is built only if needed.
    fn new(at: &At<'_>, output: impl Into<Value>, step: impl FnOnce() -> (Box<dyn Backward>, Option<Tap>)) -> Self {
        let steps = if at.recording {
            let (backward, tap) = step();
            vec![Step { backward, tap }]
        } else {
            Vec::new()
        };
        Self { output: output.into(), steps, hidden: Vec::new() }
    }
}

impl At<'_> {
    /// Returns the shape of its output.
    fn output(&self) -> &[usize] {
        &self.line.shape
    }

    /// Returns the name of its layer, the common part of the names of its tensors.
    pub(super) fn layer(&self) -> String {
        self.names.first().map_or_else(|| self.line.name.clone(), |name| super::layer_of(name))
    }

    /// Returns the label of its operation.
    pub(super) fn sign(&self) -> String {
        self.line.op.operation().map_or("x", |operation| operation.sign()).to_owned()
    }

    /// Returns a tensor as a matrix.
    fn matrix(&self, place: usize, shape: [usize; 2]) -> Tensor<2> {
        self.weights[place].clone().reshape(shape)
    }

    /// Returns the tap of its tensors, if any of them is part of the kernel.
    fn tap(&self, view: super::View) -> Option<Tap> {
        let moving = self.names.iter().zip(&self.moves).filter(|(_, moves)| **moves);
        let tensors: Vec<String> = moving.map(|(name, _)| (*name).to_owned()).collect();
        (!tensors.is_empty()).then(|| Tap { name: self.layer(), tensors, view })
    }
}

/// Computes a line from its inputs.
pub(super) fn run(at: &At<'_>, mut inputs: Vec<Value>, training: Option<&mut Training>) -> Done {
    let all = |inputs: Vec<Value>| inputs.into_iter().map(Value::flat).collect();
    match &at.line.op {
        Op::Input => Done::plain(inputs.remove(0)),
        Op::Dense(op) => dense::run(op, at, inputs.remove(0)),
        Op::Conv(op) => conv::run(op, at, inputs.remove(0).flat()),
        Op::Pool(op) => pool::run(op, at, inputs.remove(0).flat()),
        Op::Reduce(op) => reduce::run(op, at, inputs.remove(0).flat()),
        Op::Rearrange(op) => rearrange::run(op, at, inputs.remove(0).flat()),
        Op::Patches(op) => rearrange::patches(op, at, inputs.remove(0).flat()),
        Op::Norm(op) => norm::run(op, at, inputs.remove(0), training),
        Op::Function(op) => function::run(op, at, inputs.remove(0)),
        Op::Softmax(_) => function::softmax(at, inputs.remove(0).flat()),
        Op::Arithmetic(op) => arithmetic::run(*op, at, inputs),
        Op::Scale(op) => arithmetic::scale(op, at, inputs.remove(0).flat()),
        Op::Concat(op) => arithmetic::concat(op, at, all(inputs)),
        Op::LayerScale(_) => learned::scale(at, inputs.remove(0).flat()),
        Op::Positions(_) => learned::positions(at, inputs.remove(0)),
        Op::ClassToken(_) => learned::class_token(at, inputs.remove(0).flat()),
        Op::Attention(op) => attention::run(op, at, all(inputs)),
        Op::Recurrence(op) => recurrence::run(op, at, inputs.remove(0).flat()),
        Op::Embedding(op) => embedding::run(op, at, inputs.remove(0).flat()),
        Op::Dropout(op) => dropout::run(op, inputs.remove(0).flat(), training),
    }
}

/// The backward pass of the identity.
pub(super) struct Through;

impl Backward for Through {
    fn pull(&self, cotangent: super::Cotangent, _n: usize) -> Vec<super::Cotangent> {
        vec![cotangent]
    }
}
