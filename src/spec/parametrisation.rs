//! Defines the parametrisation of a network's weights and the distribution of their initial values.

use serde::{Deserialize, Serialize};

/// The parametrisation of the weights: the gains in each layer, and the variance of the initial values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Parametrisation {
    /// SP: z = W x + b, weights initialised by `init`.
    Standard,
    /// NTP: z = σ_w/√fan_in · W x + σ_b b, all parameters initialised from N(0,1) (Jacot et al. 2018).
    Ntk,
}

/// The distribution of the initial weights in the standard parametrisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Init {
    /// PyTorch's default for `Linear`: weights and biases uniform in ±1/√fan_in.
    Torch,
    /// Weights uniform in ±√(6/fan_in), biases uniform in ±1/√fan_in.
    HeUniform,
    /// Glorot & Bengio 2010, PyTorch's `xavier_uniform_` and Keras' default: weights uniform in ±√(6/(fan_in + fan_out)),
    /// biases 0.
    Xavier,
}
