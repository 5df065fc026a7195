//! Declares the activation functions: scalar functions applied elementwise between layers.

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};

use super::variants::variants;

/// An elementwise function without parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Activation {
    /// max(a, 0).
    Relu,
    /// a where it is positive, a hundredth of it where it is not.
    LeakyRelu,
    /// tanh a.
    Tanh,
    /// a Φ(a), exact, with the error function.
    Gelu,
    /// The approximation of GELU by tanh: ½ a (1 + tanh(√(2/π) (a + 0.044715 a³))).
    GeluTanh,
    /// a/(1 + e^−a).
    Silu,
    /// 1/(1 + e^−a).
    Sigmoid,
    /// The error function.
    Erf,
    /// sin a.
    Sin,
    /// cos a.
    Cos,
    /// |a|.
    Abs,
    /// e^a.
    Exp,
    /// ln(1 + e^a).
    Softplus,
    /// a².
    Square,
    /// a itself: the network is linear.
    Identity,
}

impl Activation {
    /// The slope of a leaky ReLU for negative inputs where none is given: PyTorch's default.
    pub const LEAK: f64 = 0.01;

    /// All activations.
    pub const ALL: [Self; Self::VARIANTS.len()] = variants(Self::VARIANTS);

    /// Returns whether φ(−a) = −φ(a). An odd function maps Gaussian inputs of mean 0 to outputs of mean 0.
    pub fn is_odd(self) -> bool {
        match self {
            Self::Tanh | Self::Erf | Self::Sin | Self::Identity => true,
            Self::Relu
            | Self::LeakyRelu
            | Self::Gelu
            | Self::GeluTanh
            | Self::Silu
            | Self::Sigmoid
            | Self::Cos
            | Self::Abs
            | Self::Exp
            | Self::Softplus
            | Self::Square => false,
        }
    }

    /// Returns the name used in run files, programs and charts.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Returns the name for use in a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Self::Relu => "ReLU",
            Self::LeakyRelu => "leaky ReLU",
            Self::Tanh => "tanh",
            Self::Gelu => "GELU",
            Self::GeluTanh => "GELU (tanh)",
            Self::Silu => "SiLU",
            Self::Sigmoid => "sigmoid",
            Self::Erf => "erf",
            Self::Sin => "sine",
            Self::Cos => "cosine",
            Self::Abs => "absolute value",
            Self::Exp => "exponential",
            Self::Softplus => "softplus",
            Self::Square => "square",
            Self::Identity => "identity",
        }
    }
}
