//! The operations that a network is made of: one file each, with the parameter tensors they need, the shape they give and
//! what they cost.
//!
//! An operation is also one file in `model` (forward and way back) and one in `theory` (its rule in the infinite-width limit,
//! or one sentence why there is none). All three match on [`Op`] without a wildcard, so the compiler names the places that a
//! new operation needs.
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
pub use conv::{Conv, windows_along};
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

/// How a line of a program is computed from the lines that it reads.
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

/// What every operation says of itself before any number is known.
pub trait Operation {
    /// The shape of what it gives for inputs of these shapes.
    ///
    /// # Errors
    /// When the inputs do not fit, says which shapes they have and what would fit.
    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, String>;

    /// Its parameter tensors as weights files have them, for a layer of this name and inputs for which [`Operation::shape`] is
    /// no error.
    fn tensors(&self, _name: &str, _inputs: &[&[usize]]) -> Vec<Parameter> {
        Vec::new()
    }

    /// What it costs, where it costs more than a pass over its inputs.
    fn layer(&self, _inputs: &[&[usize]]) -> Option<Layer> {
        None
    }

    /// How it is called in pictures where its layer has no name: in few letters.
    fn sign(&self) -> &'static str;
}

impl Op {
    /// The operation behind this variant; none for the image, which is no operation.
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
    /// The same operation with the sizes that a weights file has for a layer of this name: its outputs and whether it has a bias.
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

    /// Whether this is a dense layer, whose inputs a linear probe can read.
    pub fn is_dense(&self) -> bool {
        matches!(self, Self::Dense(_))
    }

    /// Whether it computes otherwise while training than when it is evaluated.
    pub fn is_other_in_training(&self) -> bool {
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

    /// Whether it makes one list of all numbers.
    pub fn flattens(&self) -> bool {
        matches!(self, Self::Rearrange(Rearrange::Flatten))
    }

    /// Whether it reads squares of pixels.
    pub fn has_windows(&self) -> bool {
        matches!(self, Self::Conv(_) | Self::Pool(_) | Self::Patches(_))
    }

    /// What it makes of windows of pixels, where it pools.
    pub fn pools(&self) -> Option<PoolKind> {
        match self {
            Self::Pool(pool) => Some(pool.kind),
            _ => None,
        }
    }

    /// The share that a network with it reaches of the speed of large matrix products, at most.
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
    /// Whether the network holds a matrix [out, in] as [in, out], its transpose: rows of inputs are multiplied from the left.
    pub turned: bool,
}

/// How a tensor begins where it is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fill {
    /// As the parametrisation draws weights of this fan-in.
    Weight {
        fan_in: usize,
    },
    /// As it draws biases.
    Bias {
        fan_in: usize,
    },
    /// N(0, [`Fill::OFFSET`]²) in SP; N(0,1) in NTP, behind σ_b.
    Offset,
    Constant(f64),
}

impl Fill {
    /// The standard deviation of what is added to each place where it is drawn in SP, as is usual for positions.
    pub const OFFSET: f64 = 0.02;
}

/// Who moves a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Training, in every parametrisation.
    Weight,
    /// Training in SP; frozen in NTP, as in the infinite-width limit: gains and biases of normalisations.
    Norm,
    /// Never training by its gradient and no part of the kernel: running statistics.
    Buffer,
}

impl Parameter {
    /// The fan-in of a weight; 1 of anything else.
    pub fn fan_in(&self) -> usize {
        match self.fill {
            Fill::Weight { fan_in } | Fill::Bias { fan_in } => fan_in,
            Fill::Offset | Fill::Constant(_) => 1,
        }
    }

    /// The last part of its name: `weight`, `bias`, or the whole where there is but one.
    pub fn part(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or(&self.name)
    }

    /// Whether it is a running statistic, which is no parameter.
    pub fn is_statistic(&self) -> bool {
        match self.role {
            Role::Buffer => true,
            Role::Weight | Role::Norm => false,
        }
    }

    /// Whether training leaves it alone in this parametrisation.
    pub fn stands_still(&self, parametrisation: Parametrisation) -> bool {
        match self.role {
            Role::Weight => false,
            Role::Norm => parametrisation.is_ntk(),
            Role::Buffer => true,
        }
    }

    /// How many numbers it has; in f64, because a network that no machine can hold must be counted and refused.
    pub fn entries(&self) -> f64 {
        self.shape.iter().map(|&side| side as f64).product()
    }
}

/// A weight and, where there is one, a bias.
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

/// The one input of an operation that reads one line.
fn one<'a>(inputs: &[&'a [usize]]) -> &'a [usize] {
    inputs.first().copied().unwrap_or_default()
}

/// A shape in words.
pub fn shown(shape: &[usize]) -> String {
    let sides: Vec<String> = shape.iter().map(usize::to_string).collect();
    format!("[{}]", sides.join(", "))
}

/// The features of a value: the channels of an image, the last axis of tokens and of a vector.
pub fn feature_axis(shape: &[usize]) -> usize {
    if shape.len() == 3 { 0 } else { shape.len().saturating_sub(1) }
}

/// Features and places of a value.
fn features(shape: &[usize]) -> (usize, usize) {
    let features = shape.get(feature_axis(shape)).copied().unwrap_or(1);
    (features, shape.iter().product::<usize>() / features.max(1))
}
