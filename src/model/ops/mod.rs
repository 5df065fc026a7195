//! How each operation of a program is computed on burn, and the way back through it: one file each, beside that of
//! `spec::ops`, which says its shapes, tensors and cost.
//!
//! Values have the sample axis first and are flat, [n, values], but for tokens, which keep their shape ([`Value`]); each operation
//! gives them the shape it needs. An operation without
//! parameters that states no way back of its own leaves it to burn's autodiff ([`autodiff`]).

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

/// What an operation is given beside the values that it reads.
pub(super) struct At<'a> {
    pub line: &'a Line,
    /// The shapes that it reads, without the sample axis.
    pub inputs: Vec<&'a [usize]>,
    /// The names of its tensors, and their values as the network holds them, flat.
    pub names: Vec<&'a str>,
    pub weights: Vec<Tensor<1>>,
    /// Whether each of them is a part of the kernel.
    pub moves: Vec<bool>,
    /// (c_w, c_b) of z = c_w W a + c_b b.
    pub gains: (f64, f64),
    /// Whether this is the NTK parametrisation.
    pub is_ntk: bool,
    /// Whether the way back is wanted.
    pub recording: bool,
    /// Whether 32-bit floats are asked to hold everything.
    pub checking: bool,
}

/// The value of a line, for all samples.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// [n, values].
    Flat(Tensor<2>),
    /// [n, tokens, features]. Kept so, because autodiff would sum the gradients of a residual stream in another order if each
    /// reader gave it its shape.
    Tokens(Tensor<3>),
}

impl Value {
    /// [n, values].
    pub fn flat(self) -> Tensor<2> {
        match self {
            Self::Flat(values) => values,
            Self::Tokens(values) => {
                let [n, tokens, features] = values.dims();
                values.reshape([n, tokens * features])
            }
        }
    }

    /// Samples.
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

/// What an operation did.
pub(super) struct Done {
    pub output: Value,
    /// The steps of the way back, from the inputs on, each but the first reading the one before it; none where it is not wanted
    /// or cotangents pass as they are.
    pub steps: Vec<Step>,
    /// Values on the way that the output does not show, where they are asked for: all must be finite.
    pub hidden: Vec<Tensor<2>>,
}

/// One step of the way back.
pub(super) struct Step {
    pub backward: Box<dyn Backward>,
    pub tap: Option<Tap>,
}

impl Done {
    /// An output through which cotangents pass as they are.
    fn plain(output: impl Into<Value>) -> Self {
        Self { output: output.into(), steps: Vec::new(), hidden: Vec::new() }
    }

    /// An output and the way back, made only where it is wanted.
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
    /// The shape that it gives.
    fn output(&self) -> &[usize] {
        &self.line.shape
    }

    /// The name of its layer, as its tensors are named.
    pub(super) fn layer(&self) -> String {
        self.names.first().map_or_else(|| self.line.name.clone(), |name| super::layer_of(name))
    }

    /// How its operation is called.
    pub(super) fn sign(&self) -> String {
        self.line.op.operation().map_or("x", |operation| operation.sign()).to_owned()
    }

    /// A tensor as a matrix.
    fn matrix(&self, place: usize, shape: [usize; 2]) -> Tensor<2> {
        self.weights[place].clone().reshape(shape)
    }

    /// The tap of its tensors with these names, if any of them is a part of the kernel.
    fn tap(&self, view: super::View) -> Option<Tap> {
        let moving = self.names.iter().zip(&self.moves).filter(|(_, moves)| **moves);
        let tensors: Vec<String> = moving.map(|(name, _)| (*name).to_owned()).collect();
        (!tensors.is_empty()).then(|| Tap { name: self.layer(), tensors, view })
    }
}

/// Computes a line from what it reads.
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

/// The way back that changes nothing.
pub(super) struct Through;

impl Backward for Through {
    fn pull(&self, cotangent: super::Cotangent, _n: usize) -> Vec<super::Cotangent> {
        vec![cotangent]
    }
}
