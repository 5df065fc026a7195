//! Defines the learners that a study compares, and the settings of the protocol that they follow.

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};

use super::variants::variants;

/// A learner of a study.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, IntoStaticStr, VariantArray,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Learner {
    /// The trained network.
    Network,
    /// The mean output of several networks that differ in their initial weights.
    Ensemble,
    /// Regression with the empirical kernel at initialisation, Θ_0.
    KernelStart,
    /// The network linearised at initialisation, trained to the end: f₀ + Θ_0 Θ_0⁻¹ (y − f₀).
    Linearised,
    /// Regression with the kernel of the network that was trained on the same n samples, the after-kernel Θ_f.
    KernelEnd,
    /// Regression with the kernel of a network that was trained on a fixed number of samples.
    KernelConstant,
    /// Regression with the kernel of the network after a given number of epochs.
    KernelEpochs,
    /// Regression with the kernel of infinite width, Θ̊.
    Infinite,
    /// A recursive feature machine (Radhakrishnan et al. 2024), which learns features without a network.
    FeatureMachine,
}

impl Learner {
    pub const ALL: [Self; Self::VARIANTS.len()] = variants(Self::VARIANTS);

    /// Returns the key used in run files and tables.
    pub fn key(self) -> &'static str {
        self.into()
    }

    /// Returns the name shown to users.
    pub fn words(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Ensemble => "ensemble of networks",
            Self::KernelStart => "eNTK₀ (at initialisation)",
            Self::Linearised => "linearised at the start",
            Self::KernelEnd => "eNTK_f (after training on n)",
            Self::KernelConstant => "eNTK (after training on n₀)",
            Self::KernelEpochs => "eNTK after an epoch",
            Self::Infinite => "NTK of infinite width",
            Self::FeatureMachine => "recursive feature machine",
        }
    }

    /// Returns whether it needs the network trained on the n samples.
    pub fn is_trained(self) -> bool {
        matches!(self, Self::Network | Self::KernelEnd | Self::KernelEpochs)
    }
}

/// The rule that chooses a kernel's ridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ridge {
    /// The ridge has the least error on validation samples.
    Validated,
    /// There is no ridge; a jitter that rounding makes necessary is reported.
    None,
}

/// The matrix that a kernel regression with several outputs uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutputKernel {
    /// The full kernel, [n C, n C], where it fits, else the trace. With one output the two are equal.
    Auto,
    /// The trace over outputs for every output: an approximation for any trained network.
    Trace,
}

/// The protocol that all learners follow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Protocol {
    /// Validation samples, as a share of n (32 at least).
    pub validation: f64,
    pub ridge: Ridge,
    pub kernel: OutputKernel,
    /// Multiples of `training.rate` at which the network is trained; validation chooses one.
    pub rates: Vec<f64>,
    /// Largest number of times that the chosen rate is halved, with twice the epochs, until the drift of the kernel changes
    /// by less than the fraction `settled`.
    pub halvings: usize,
    pub settled: f64,
    /// Training ends when the training error is below this share of the targets' mean square, or after its epochs.
    pub interpolates: f64,
    /// `kernel-constant`: the number n₀ of samples that its network is trained on.
    pub constant: usize,
    /// `kernel-epochs`: the epochs at which the kernel is measured.
    pub epochs: Vec<f64>,
    /// `ensemble`: number of networks.
    pub ensemble: usize,
    /// `feature-machine`: number of rounds.
    pub rounds: usize,
    /// Samples whose kernel is decomposed for the instant learning curve; 0 computes none.
    pub pool: usize,
}

impl Default for Protocol {
    fn default() -> Self {
        Self {
            validation: 0.25,
            ridge: Ridge::Validated,
            kernel: OutputKernel::Auto,
            rates: vec![1.0],
            halvings: 0,
            settled: 0.1,
            interpolates: 1e-3,
            constant: 256,
            epochs: vec![1.0, 3.0, 10.0],
            ensemble: 5,
            rounds: 4,
            pool: 1024,
        }
    }
}

impl Protocol {
    /// Returns the number of validation samples for `samples` training samples.
    pub fn validation_samples(&self, samples: usize) -> usize {
        ((samples as f64 * self.validation).ceil() as usize).max(32)
    }
}
