//! Describes the parameter tensors of operations: names, shapes, initial values, and whether they are trained.

use crate::spec::Parametrisation;

/// A parameter tensor, named and laid out as in weights files (PyTorch's names and layouts).
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    pub name: String,
    pub shape: Vec<usize>,
    pub fill: Fill,
    /// The initial values that the text gives it instead, where `network.init` is `torch`.
    pub draw: Option<Draw>,
    pub role: Role,
    /// If true, the network stores a matrix [out, in] transposed, as [in, out], so that rows of inputs multiply from the
    /// left.
    pub turned: bool,
}

/// The initial values of a tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fill {
    /// The initial values that the parametrisation gives to weights of this fan-in.
    Weight {
        fan_in: usize,
    },
    /// The initial values that the parametrisation gives to biases.
    Bias {
        fan_in: usize,
    },
    /// N(0,1) in every parametrisation, as PyTorch initialises embeddings: weights of fan-in 1.
    Normal,
    /// N(0, [`Fill::OFFSET`]²) in SP; N(0,1) in NTP, multiplied by σ_b.
    Offset,
    Constant(f64),
}

impl Fill {
    /// Returns whether it is that of a layer's weights.
    pub fn is_weight(self) -> bool {
        matches!(self, Self::Weight { .. } | Self::Normal)
    }

    /// The standard deviation of initial position embeddings in SP, a common choice.
    pub const OFFSET: f64 = 0.02;
}

/// The initial values of a tensor as PyTorch's modules have them, in the standard parametrisation.
#[derive(Clone, Debug, PartialEq)]
pub enum Draw {
    /// Uniform in ± this number.
    Uniform(f64),
    /// N(0, this number²).
    Normal(f64),
    Constant(f64),
    /// The numbers of the tensor of this name, which is an earlier one.
    Like(String),
    /// As a module of this class has them, of which nothing is known: those of the operation are taken.
    Unknown(String),
}

/// The way in which training changes a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Trained in every parametrisation.
    Weight,
    /// Trained in SP and frozen in NTP, as in the infinite-width limit: gains and biases of normalisations.
    Norm,
    /// A parameter that the text freezes: training leaves it, and the kernel has no part of it.
    Frozen,
    /// Not trained by its gradient and not part of the kernel: running statistics.
    Buffer,
}

impl Parameter {
    /// Returns the fan-in of a weight; 1 for any other tensor.
    pub fn fan_in(&self) -> usize {
        match self.fill {
            Fill::Weight { fan_in } | Fill::Bias { fan_in } => fan_in,
            Fill::Normal | Fill::Offset | Fill::Constant(_) => 1,
        }
    }

    /// Returns fan-in plus fan-out of a weight of this shape, as PyTorch's `xavier_uniform_` counts them.
    pub fn fans(&self) -> usize {
        let [out, into, window @ ..] = self.shape.as_slice() else { return self.shape.iter().sum() };
        (out + into) * window.iter().product::<usize>()
    }

    /// Returns the initial values that its operation has in PyTorch, whatever the text gives it.
    pub fn usual_draw(&self) -> Draw {
        match self.fill {
            Fill::Weight { fan_in } | Fill::Bias { fan_in } => Draw::Uniform((1.0 / fan_in as f64).sqrt()),
            Fill::Normal => Draw::Normal(1.0),
            Fill::Offset => Draw::Normal(Fill::OFFSET),
            Fill::Constant(value) => Draw::Constant(value),
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
            Role::Weight | Role::Norm | Role::Frozen => false,
        }
    }

    /// Returns whether the text freezes it.
    pub fn is_held(&self) -> bool {
        match self.role {
            Role::Frozen => true,
            Role::Weight | Role::Norm | Role::Buffer => false,
        }
    }

    /// Returns whether it is frozen in this parametrisation.
    pub fn is_frozen(&self, parametrisation: Parametrisation) -> bool {
        match self.role {
            Role::Weight => false,
            Role::Norm => parametrisation.is_ntk(),
            Role::Frozen | Role::Buffer => true,
        }
    }

    /// Returns the number of entries; in f64, because a network too large for any machine must be counted and refused.
    pub fn entries(&self) -> f64 {
        self.shape.iter().map(|&side| side as f64).product()
    }
}

/// Returns a weight and, if `has_bias`, a bias.
pub(super) fn pair(
    name: &str,
    [weight, bias]: [&str; 2],
    shape: Vec<usize>,
    fan_in: usize,
    has_bias: bool,
) -> Vec<Parameter> {
    let (fan_out, turned) = (shape[0], shape.len() == 2);
    let fill = Fill::Weight { fan_in };
    let mut tensors =
        vec![Parameter { name: format!("{name}.{weight}"), shape, fill, draw: None, role: Role::Weight, turned }];
    if has_bias {
        let (name, fill) = (format!("{name}.{bias}"), Fill::Bias { fan_in });
        tensors.push(Parameter { name, shape: vec![fan_out], fill, draw: None, role: Role::Weight, turned: false });
    }
    tensors
}
