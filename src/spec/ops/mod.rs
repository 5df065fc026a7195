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
mod norm;
mod pool;
mod recurrence;
mod reduce;
mod reshape;

pub use arithmetic::{Arithmetic, Concat, Scale};
pub use attention::Attention;
pub use conv::{Conv, window_entries, windows_along};
pub use dense::Dense;
pub use dropout::Dropout;
pub use embedding::Embedding;
pub use function::{Function, Softmax};
pub use learned::{ClassToken, LayerScale, Positions};
pub use norm::{Norm, NormKind};
pub use pool::{Pool, PoolKind};
pub use recurrence::Recurrence;
pub use reduce::{Reduce, Reduction};
pub use reshape::{Patches, Rearrange};

use std::collections::BTreeMap;

use super::{Layer, Parametrisation};

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
    LayerScale(LayerScale),
    Positions(Positions),
    ClassToken(ClassToken),
    Attention(Attention),
    Recurrence(Recurrence),
    Embedding(Embedding),
    Dropout(Dropout),
}

/// The interface of an operation: everything that does not depend on numbers.
pub trait Operation {
    /// Returns the shape of the output for inputs of these shapes.
    ///
    /// # Errors
    /// If the inputs do not fit, names their shapes and those that would fit.
    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, String>;

    /// Returns the parameter tensors as in weights files, for a layer of this name and inputs for which
    /// [`Operation::shape`] succeeds.
    fn tensors(&self, _name: &str, _inputs: &[&[usize]]) -> Vec<Parameter> {
        Vec::new()
    }

    /// Returns the cost, where it exceeds that of a pass over the inputs.
    fn layer(&self, _inputs: &[&[usize]]) -> Option<Layer> {
        None
    }

    /// Returns a short label for graphs, used where the layer has no name.
    fn sign(&self) -> &'static str;
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
            Self::LayerScale(op) => op,
            Self::Positions(op) => op,
            Self::ClassToken(op) => op,
            Self::Attention(op) => op,
            Self::Recurrence(op) => op,
            Self::Embedding(op) => op,
            Self::Dropout(op) => op,
        })
    }
}

impl Op {
    /// Returns the operation with the sizes of a weights file for a layer of this name: its outputs and whether it has a
    /// bias.
    pub fn adopting(self, name: &str, tensors: &BTreeMap<String, Vec<usize>>) -> Self {
        let shape = |part: &str| tensors.get(&format!("{name}.{part}")).map(Vec::as_slice);
        match self {
            Self::Dense(dense) => Self::Dense(dense.adopting(shape)),
            Self::Conv(conv) => Self::Conv(conv.adopting(shape)),
            Self::Norm(norm) => Self::Norm(Norm { bias: norm.bias && shape("bias").is_some(), ..norm }),
            Self::Recurrence(op) => Self::Recurrence(Recurrence { bias: shape("bias_hh").is_some(), ..op }),
            Self::Embedding(op) => Self::Embedding(op.adopting(shape)),
            other => other,
        }
    }

    /// Returns whether this is a dense layer, whose inputs a linear probe can use.
    pub fn is_dense(&self) -> bool {
        matches!(self, Self::Dense(_))
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
            Self::Attention(_) => 0.05,
            Self::Recurrence(_) => 0.11,
            Self::Conv(_) => 0.17,
            _ => 0.4,
        }
    }
}

/// A parameter tensor, named and laid out as in weights files (PyTorch's names and layouts).
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    pub name: String,
    pub shape: Vec<usize>,
    pub fill: Fill,
    pub role: Role,
    /// If true, the network stores a matrix [out, in] transposed, as [in, out], so that rows of inputs multiply from the
    /// left.
    pub turned: bool,
}

/// The initial values of a tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fill {
    /// As the parametrisation initialises weights of this fan-in.
    Weight {
        fan_in: usize,
    },
    /// As the parametrisation initialises biases.
    Bias {
        fan_in: usize,
    },
    /// N(0, [`Fill::OFFSET`]²) in SP; N(0,1) in NTP, multiplied by σ_b.
    Offset,
    Constant(f64),
}

impl Fill {
    /// Returns whether it is that of a layer's weights.
    pub fn is_weight(self) -> bool {
        matches!(self, Self::Weight { .. })
    }

    /// The standard deviation of initial position embeddings in SP, a common choice.
    pub const OFFSET: f64 = 0.02;
}

/// The way in which training changes a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Trained in every parametrisation.
    Weight,
    /// Trained in SP and frozen in NTP, as in the infinite-width limit: gains and biases of normalisations.
    Norm,
    /// Not trained by its gradient and not part of the kernel: running statistics.
    Buffer,
}

impl Parameter {
    /// Returns the fan-in of a weight; 1 for any other tensor.
    pub fn fan_in(&self) -> usize {
        match self.fill {
            Fill::Weight { fan_in } | Fill::Bias { fan_in } => fan_in,
            Fill::Offset | Fill::Constant(_) => 1,
        }
    }

    /// Returns the last part of the name: `weight`, `bias`, or the whole name if it has one part.
    pub fn part(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or(&self.name)
    }

    /// Returns whether it is a running statistic, which is not a parameter.
    pub fn is_statistic(&self) -> bool {
        match self.role {
            Role::Buffer => true,
            Role::Weight | Role::Norm => false,
        }
    }

    /// Returns whether it is frozen in this parametrisation.
    pub fn stands_still(&self, parametrisation: Parametrisation) -> bool {
        match self.role {
            Role::Weight => false,
            Role::Norm => parametrisation.is_ntk(),
            Role::Buffer => true,
        }
    }

    /// Returns the number of entries; in f64, because a network too large for any machine must be counted and refused.
    pub fn entries(&self) -> f64 {
        self.shape.iter().map(|&side| side as f64).product()
    }
}

/// Returns a weight and, if `has_bias`, a bias.
fn pair(name: &str, [weight, bias]: [&str; 2], shape: Vec<usize>, fan_in: usize, has_bias: bool) -> Vec<Parameter> {
    let (fan_out, turned) = (shape[0], shape.len() == 2);
    let fill = Fill::Weight { fan_in };
    let mut tensors = vec![Parameter { name: format!("{name}.{weight}"), shape, fill, role: Role::Weight, turned }];
    if has_bias {
        let (name, fill) = (format!("{name}.{bias}"), Fill::Bias { fan_in });
        tensors.push(Parameter { name, shape: vec![fan_out], fill, role: Role::Weight, turned: false });
    }
    tensors
}

/// Returns the input shape of an operation with one input.
fn one<'a>(inputs: &[&'a [usize]]) -> &'a [usize] {
    inputs.first().copied().unwrap_or_default()
}

/// Formats a shape for a sentence.
pub fn shown(shape: &[usize]) -> String {
    let sides: Vec<String> = shape.iter().map(usize::to_string).collect();
    format!("[{}]", sides.join(", "))
}

/// Returns the index of the feature axis: the channels of an image, the last axis of tokens and of a vector.
pub fn feature_axis(shape: &[usize]) -> usize {
    if shape.len() == 3 { 0 } else { shape.len().saturating_sub(1) }
}

/// Returns the numbers of features and places of a value.
fn features(shape: &[usize]) -> (usize, usize) {
    let features = shape.get(feature_axis(shape)).copied().unwrap_or(1);
    (features, shape.iter().product::<usize>() / features.max(1))
}
