//! What static kernels would have the network do, as far as it is told: accuracies and the gap to the network.

use super::Accuracy;

/// Who says what a static kernel would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Predictor {
    /// The network linearised at initialisation, trained with the network's own steps.
    LinearisedStart,
    /// The same, linearised at the last switch.
    LinearisedSwitch,
    /// Kernel regression with the kernel at initialisation: the mean squared error at t = ∞.
    RegressionStart,
    /// The same with the kernel at the last switch.
    RegressionSwitch,
}

impl Predictor {
    pub const ALL: [Self; 4] =
        [Self::LinearisedStart, Self::LinearisedSwitch, Self::RegressionStart, Self::RegressionSwitch];

    /// In `predictions.csv`.
    pub fn name(self) -> &'static str {
        match self {
            Self::LinearisedStart => "linearised-start",
            Self::LinearisedSwitch => "linearised-switch",
            Self::RegressionStart => "regression-start",
            Self::RegressionSwitch => "regression-switch",
        }
    }

    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::LinearisedStart => "linearised at the start",
            Self::LinearisedSwitch => "linearised at the switch",
            Self::RegressionStart => "the kernel at the start, MSE at t = ∞",
            Self::RegressionSwitch => "the kernel at the switch, MSE at t = ∞",
        }
    }
}

/// What a static kernel would have the network do on one task's test images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    pub by: Predictor,
    /// Number of the task, and accuracies and loss as in [`Accuracy`].
    pub on: Accuracy,
    /// Root mean square of network minus prediction, over images and logits.
    pub gap: f64,
    /// Condition number and jitter of a regression.
    pub solved: Option<(f64, f64)>,
}
