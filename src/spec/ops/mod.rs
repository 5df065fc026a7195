//! The operations of a network: one file each, with the operation's parameter tensors, output shape and cost.
//!
//! An operation also has one file in `model` (forward and backward pass) and one in `theory` (its rule in the
//! infinite-width limit, or one sentence on why there is none). All three match on [`Op`] without a wildcard, so the
//! compiler names the places that a new operation needs.
//!
//! Shapes are without the sample axis: an image is [channels, height, width], tokens are [tokens, features], a vector is
//! `[features]`.

mod arithmetic;
mod attention;
mod conv;
mod dense;
mod dropout;
mod embedding;
mod function;
mod learned;
mod matmul;
mod norm;
mod operation;
mod parameter;
mod pool;
mod recurrence;
mod reduce;
mod reshape;

pub use arithmetic::{Arithmetic, Concat, Constant, Scale};
pub use attention::Attention;
pub use conv::{Conv, window_entries, windows_along};
pub use dense::Dense;
pub use dropout::Dropout;
pub use embedding::Embedding;
pub use function::{Function, Softmax};
pub use learned::{ClassToken, LayerScale, Learned, Positions};
pub use matmul::MatMul;
pub use norm::{Norm, NormKind};
pub use operation::{Operation, feature_axis, shown};
pub use parameter::{Draw, Fill, Parameter, Role};
pub use pool::{Pool, PoolKind};
pub use recurrence::Recurrence;
pub use reduce::{Reduce, Reduction};
pub use reshape::{Patches, Rearrange};

/// The operation that computes a line of a program from the lines that it reads.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// The image [channels, height, width].
    Input,
    Dense(Dense),
    Conv(Conv),
    Pool(Pool),
    Reduce(Reduce),
    Rearrange(Rearrange),
    Patches(Patches),
    Norm(Norm),
    Function(Function),
    Softmax(Softmax),
    Arithmetic(Arithmetic),
    Scale(Scale),
    Concat(Concat),
    MatMul(MatMul),
    Constant(Constant),
    Learned(Learned),
    LayerScale(LayerScale),
    Positions(Positions),
    ClassToken(ClassToken),
    Attention(Attention),
    Recurrence(Recurrence),
    Embedding(Embedding),
    Dropout(Dropout),
}

impl Op {
    /// Returns the operation of this variant; `None` for the input image.
    pub fn operation(&self) -> Option<&dyn Operation> {
        Some(match self {
            Self::Input => return None,
            Self::Dense(op) => op,
            Self::Conv(op) => op,
            Self::Pool(op) => op,
            Self::Reduce(op) => op,
            Self::Rearrange(op) => op,
            Self::Patches(op) => op,
            Self::Norm(op) => op,
            Self::Function(op) => op,
            Self::Softmax(op) => op,
            Self::Arithmetic(op) => op,
            Self::Scale(op) => op,
            Self::Concat(op) => op,
            Self::MatMul(op) => op,
            Self::Constant(op) => op,
            Self::Learned(op) => op,
            Self::LayerScale(op) => op,
            Self::Positions(op) => op,
            Self::ClassToken(op) => op,
            Self::Attention(op) => op,
            Self::Recurrence(op) => op,
            Self::Embedding(op) => op,
            Self::Dropout(op) => op,
        })
    }

    /// Returns the operation with the sizes of a weights file: its outputs and whether it has a bias. `shape` looks a tensor
    /// of the layer up by the last part of its name, or, for one that has the layer's name, by an empty one.
    pub fn adopting<'a>(self, shape: impl Fn(&str) -> Option<&'a [usize]>) -> Self {
        match self {
            Self::Dense(dense) => Self::Dense(dense.adopting(shape)),
            Self::Conv(conv) => Self::Conv(conv.adopting(shape)),
            Self::Norm(norm) => Self::Norm(Norm { bias: norm.bias && shape("bias").is_some(), ..norm }),
            Self::Recurrence(op) => Self::Recurrence(Recurrence { bias: shape("bias_hh").is_some(), ..op }),
            Self::Embedding(op) => Self::Embedding(op.adopting(shape)),
            Self::Learned(op) => Self::Learned(op.adopting(shape(""))),
            other => other,
        }
    }

    /// Returns whether its outputs are the responses of units.
    pub fn is_nonlinearity(&self) -> bool {
        matches!(self, Self::Function(function) if function.is_nonlinearity())
    }

    /// Returns whether this is a dense layer, whose inputs a linear probe can use.
    pub fn is_dense(&self) -> bool {
        matches!(self, Self::Dense(_))
    }

    /// Returns whether it uses the mean and variance of a batch in training.
    pub fn normalises_batches(&self) -> bool {
        matches!(self, Self::Norm(norm) if norm.kind.is_of_batches())
    }

    /// Returns whether it computes differently in training and in evaluation.
    pub fn differs_in_training(&self) -> bool {
        match self {
            Self::Norm(norm) => norm.kind.is_of_batches(),
            Self::Dropout(dropout) => dropout.rate > 0.0,
            Self::Input
            | Self::Dense(_)
            | Self::Conv(_)
            | Self::Pool(_)
            | Self::Reduce(_)
            | Self::Rearrange(_)
            | Self::Patches(_)
            | Self::Function(_)
            | Self::Softmax(_)
            | Self::Arithmetic(_)
            | Self::Scale(_)
            | Self::Concat(_)
            | Self::MatMul(_)
            | Self::Constant(_)
            | Self::Learned(_)
            | Self::LayerScale(_)
            | Self::Positions(_)
            | Self::ClassToken(_)
            | Self::Attention(_)
            | Self::Recurrence(_)
            | Self::Embedding(_) => false,
        }
    }

    /// Returns whether it flattens its input to one vector.
    pub fn flattens(&self) -> bool {
        matches!(self, Self::Rearrange(Rearrange::Flatten))
    }

    /// Returns whether it leaves numbers out by chance.
    pub fn is_dropout(&self) -> bool {
        matches!(self, Self::Dropout(_))
    }

    /// Returns whether it reads squares of pixels.
    pub fn has_windows(&self) -> bool {
        matches!(self, Self::Conv(_) | Self::Pool(_) | Self::Patches(_))
    }

    /// Returns the kind of pooling, if it pools.
    pub fn pools(&self) -> Option<PoolKind> {
        match self {
            Self::Pool(pool) => Some(pool.kind),
            _ => None,
        }
    }

    /// Returns an upper bound on the fraction of the speed of large matrix products that a network with it reaches.
    pub(super) fn reaches(&self) -> f64 {
        match self {
            Self::Attention(_) | Self::MatMul(_) => 0.05,
            Self::Recurrence(_) => 0.11,
            Self::Conv(_) => 0.17,
            _ => 0.4,
        }
    }
}
