//! Declares the result of one learner on n samples: a row of `points.csv`.

use serde::{Deserialize, Serialize};

use crate::spec::{Learner, Spec};

/// The result of one learner on one number of samples with one seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    pub learner: Learner,
    /// The epoch at which its kernel was measured, for [`Learner::KernelEpochs`].
    pub epoch: Option<f64>,
    /// The number of training samples.
    pub samples: usize,
    /// Mean square error on the test samples over their mean square: 1 is what predicting 0 gives.
    #[serde(with = "or_nan")]
    pub mse: Option<f64>,
    /// The share of test samples in the wrong class; with one output, of those with the wrong sign.
    #[serde(with = "or_nan")]
    pub error: Option<f64>,
    /// As `mse`, on the training samples.
    #[serde(with = "or_nan")]
    pub train_mse: Option<f64>,
    /// As `mse`, on the validation samples.
    #[serde(with = "or_nan")]
    pub validation_mse: Option<f64>,
    /// The kernel of the regression: that of its one output, the full one, or the trace over outputs in its place.
    pub kernel: Option<Reduced>,
    /// Ridge over the mean of the kernel's diagonal.
    pub ridge: Option<f64>,
    /// The jitter added to the diagonal, in the same unit, because rounding had left the kernel indefinite.
    pub jitter: Option<f64>,
    pub condition: Option<f64>,
    /// max|K − Kᵀ|/max|K| before it was symmetrised.
    pub asymmetry: Option<f64>,
    /// The learning rate, as in `training.rate`.
    pub rate: Option<f64>,
    /// The epochs to the weights that validation chose, and the epochs of training.
    pub stopped: Option<f64>,
    pub epochs: Option<f64>,
    /// Whether it fitted its samples as closely as required.
    pub interpolates: Option<bool>,
    /// ‖Θ − Θ_0‖/‖Θ_0‖ on the probes (Frobenius).
    pub drift: Option<f64>,
    /// (1 − CKA) of the kernel on the probes over the last `kernel.lag`, per epoch, and that over the learning rate.
    pub velocity: Option<f64>,
    pub velocity_rate: Option<f64>,
    /// Round of a feature machine that validation chose.
    pub round: Option<usize>,
    pub point_seconds: f64,
}

/// The reduction of a kernel over outputs, see [`Point::kernel`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reduced {
    /// Exact: there is one output.
    OneOutput,
    /// Exact: every pair of samples and outputs.
    Full,
    /// The trace over several outputs: an approximation for a trained network, exact at infinite width.
    Trace,
}

impl Point {
    /// Creates a point without results.
    pub fn of(learner: Learner, samples: usize) -> Self {
        Self {
            learner,
            epoch: None,
            samples,
            mse: None,
            error: None,
            train_mse: None,
            validation_mse: None,
            kernel: None,
            ridge: None,
            jitter: None,
            condition: None,
            asymmetry: None,
            rate: None,
            stopped: None,
            epochs: None,
            interpolates: None,
            drift: None,
            velocity: None,
            velocity_rate: None,
            round: None,
            point_seconds: 0.0,
        }
    }

    /// Returns the settings with which the live laboratory trains this network: to the chosen step at the chosen rate.
    pub fn opened_as(&self, spec: &Spec) -> Spec {
        let mut opened = spec.clone();
        if let (Some(rate), Some(stopped)) = (self.rate, self.stopped.filter(|epochs| *epochs > 0.0)) {
            opened.training.rate = rate;
            opened.tasks.steps.clear();
            opened.tasks.epochs = vec![stopped];
        }
        opened
    }

    /// Returns whether the point is of this learner and epoch.
    pub fn is_of(&self, learner: Learner, epoch: Option<f64>) -> bool {
        self.learner == learner && self.epoch == epoch
    }
}

/// The learning curve predicted for a kernel from its eigenvalues and the target's coefficients alone.
#[derive(Clone, Debug, PartialEq)]
pub struct InstantCurve {
    pub learner: Learner,
    /// n and the predicted share of the mean square.
    pub curve: Vec<(f64, f64)>,
    /// Eigenvalue of the integral operator, and the share of the target's power in the modes up to it.
    pub spectrum: Vec<(f64, f64)>,
}

/// Converts an error to and from a cell of `points.csv`, where a missing one has always been NaN and not an empty cell.
mod or_nan {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::run::finite;

    pub(super) fn serialize<S: Serializer>(value: &Option<f64>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(value.unwrap_or(f64::NAN))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
        f64::deserialize(from).map(finite)
    }
}
