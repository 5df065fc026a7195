//! Defines what all operations share: the inputs besides the values that they read, the value of a line, and the result with
//! the steps of the backward pass.

use burn::tensor::{Device, Tensor};

use crate::model::cotangent::Cotangent;
use crate::model::tape::{Backward, LayerRecord, ParameterUse};
use crate::spec::{Line, layer_of};

/// The inputs of an operation besides the values that it reads.
pub struct OpContext<'a> {
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
    /// The number of samples, and the device of their values, for an operation that reads none.
    pub samples: usize,
    pub device: Device,
    /// True if the backward pass is needed.
    pub recording: bool,
    /// True if values are checked for overflow of 32-bit floats.
    pub checking: bool,
}

/// The value of a line, for all samples.
#[derive(Clone, Debug)]
pub enum Value {
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
pub struct OpResult {
    pub output: Value,
    /// The steps of the backward pass, from the inputs on, each but the first reading the previous one; empty where none is
    /// needed or cotangents pass unchanged.
    pub steps: Vec<Step>,
    /// Intermediate values that the output does not show, if checking: all must be finite.
    pub hidden: Vec<Tensor<2>>,
}

/// One step of the backward pass.
pub struct Step {
    pub backward: Box<dyn Backward>,
    pub tap: Option<LayerRecord>,
}

impl OpResult {
    /// Returns an output through which cotangents pass unchanged.
    pub fn plain(output: impl Into<Value>) -> Self {
        Self { output: output.into(), steps: Vec::new(), hidden: Vec::new() }
    }

    /// Returns an output and its backward pass, which is built only if needed.
    pub fn new(
        at: &OpContext<'_>,
        output: impl Into<Value>,
        step: impl FnOnce() -> (Box<dyn Backward>, Option<LayerRecord>),
    ) -> Self {
        let steps = if at.recording {
            let (backward, tap) = step();
            vec![Step { backward, tap }]
        } else {
            Vec::new()
        };
        Self { output: output.into(), steps, hidden: Vec::new() }
    }
}

impl OpContext<'_> {
    /// Returns the shape of its output.
    pub fn output(&self) -> &[usize] {
        &self.line.shape
    }

    /// Returns the name of its layer, the common part of the names of its tensors.
    pub fn layer(&self) -> String {
        let layer = self.names.first().map(|name| layer_of(name));
        let is_common = |layer: &String| self.names.iter().all(|name| layer_of(name) == *layer);
        layer.filter(is_common).unwrap_or_else(|| self.line.name.clone())
    }

    /// Returns the label of its operation.
    pub fn sign(&self) -> String {
        self.line.op.operation().map_or("x", |operation| operation.sign()).to_owned()
    }

    /// Returns a tensor as a matrix.
    pub fn matrix(&self, place: usize, shape: [usize; 2]) -> Tensor<2> {
        self.weights[place].clone().reshape(shape)
    }

    /// Returns the tap of its tensors, if any of them is part of the kernel.
    pub fn tap(&self, view: ParameterUse) -> Option<LayerRecord> {
        let last = self.moves.iter().rposition(|moves| *moves)?;
        // An affine layer's tensors are known by their place.
        let by_place = matches!(view, ParameterUse::Affine { .. });
        let each = self.names.iter().zip(&self.moves).take(last + 1).filter(|(_, moves)| **moves || by_place);
        let (tensors, moves) = each.map(|(name, moves)| ((*name).to_owned(), *moves)).unzip();
        Some(LayerRecord { name: self.layer(), tensors, moves, view })
    }
}

/// The backward pass of the identity.
pub struct IdentityBackward;

impl Backward for IdentityBackward {
    fn pull(&self, cotangent: Cotangent, _n: usize) -> Vec<Cotangent> {
        vec![cotangent]
    }
}
