//! Normalisations with a gain and a bias for each feature: z = γ ∘ (a − mean)/√(variance + ε) + β.

use super::operation::{features, one};
use super::{Fill, Operation, Parameter, Role, shown};
use crate::spec::Layer;

/// A normalisation: `NAME.weight` and `NAME.bias`, one number per feature; RMSNorm has no bias.
#[derive(Clone, Debug, PartialEq)]
pub struct Norm {
    pub kind: NormKind,
    /// True if there is a gain γ; otherwise it is 1.
    pub gain: bool,
    /// True if there is a bias: some weights files have none, RMSNorm never has one.
    pub bias: bool,
    pub epsilon: f64,
}

/// The set of numbers over which the mean and the variance are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormKind {
    /// The features of each place of each sample.
    Layer,
    /// As `Layer`, without subtracting the mean: a/√(mean of a² + ε).
    Rms,
    /// The pixels of each of `groups` groups of channels, for each sample.
    Group { groups: usize },
    /// Each channel over pixels and the batch in training; in evaluation and for the kernel, the stored running mean and
    /// variance are used: the kernel is that of the evaluated network.
    Batch,
}

impl NormKind {
    /// Returns whether training uses the mean and variance of a batch.
    pub fn is_of_batches(self) -> bool {
        match self {
            Self::Batch => true,
            Self::Layer | Self::Rms | Self::Group { .. } => false,
        }
    }
}

impl Norm {
    /// ε, PyTorch's default.
    pub const EPSILON: f64 = 1e-5;

    /// Returns the usual normalisation of this kind: with a gain, a bias unless it is RMSNorm, and PyTorch's ε.
    pub fn of(kind: NormKind) -> Self {
        let usual = Self { kind, gain: true, bias: true, epsilon: Self::EPSILON };
        Self { bias: usual.is_centred(), ..usual }
    }

    /// Returns whether the mean is subtracted.
    pub fn is_centred(&self) -> bool {
        match self.kind {
            NormKind::Rms => false,
            NormKind::Layer | NormKind::Group { .. } | NormKind::Batch => true,
        }
    }
}

impl Operation for Norm {
    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
        let shape = one(inputs);
        let (features, _) = features(shape);
        match self.kind {
            _ if shape.is_empty() || shape.len() > 3 => {
                Err(format!("a normalisation reads an image, tokens or a vector, not {}", shown(shape)))
            }
            NormKind::Group { groups } if groups == 0 || features % groups != 0 => {
                Err(format!("{groups} groups do not divide {features} channels"))
            }
            _ => Ok(shape.to_vec()),
        }
    }

    fn tensors(&self, name: &str, inputs: &[&[usize]]) -> Vec<Parameter> {
        let (features, _) = features(one(inputs));
        let tensor = |part: &str, value: f64, role| Parameter {
            name: format!("{name}.{part}"),
            shape: vec![features],
            fill: Fill::Constant(value),
            draw: None,
            role,
            turned: false,
        };
        let mut tensors = Vec::new();
        if self.gain {
            tensors.push(tensor("weight", 1.0, Role::Norm));
        }
        if self.bias {
            tensors.push(tensor("bias", 0.0, Role::Norm));
        }
        match self.kind {
            NormKind::Rms | NormKind::Layer | NormKind::Group { .. } => {}
            NormKind::Batch => {
                tensors.push(tensor("running_mean", 0.0, Role::Buffer));
                tensors.push(tensor("running_var", 1.0, Role::Buffer));
            }
        }
        tensors
    }

    fn layer(&self, inputs: &[&[usize]]) -> Option<Layer> {
        let (width, places) = features(one(inputs));
        match (self.gain, self.bias) {
            (true, true) => Some(Layer::Norm { width, places }),
            (true, false) => Some(Layer::Scale { width, places }),
            (false, _) => None,
        }
    }

    fn sign(&self) -> &'static str {
        match self.kind {
            NormKind::Layer => "ln",
            NormKind::Rms => "rms",
            NormKind::Group { .. } => "gn",
            NormKind::Batch => "bn",
        }
    }
}
