//! Declares the predictions of static kernels for a network: accuracies, and the gap to the network itself.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};

use super::accuracy::Accuracy;
use super::csv_number;
use crate::spec::variants;

/// The static kernel that a prediction comes from, and how it is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum Predictor {
    /// The network linearised at initialisation, trained with the network's own steps.
    LinearisedStart,
    /// The network linearised at the last switch, trained likewise.
    LinearisedSwitch,
    /// Kernel regression with the kernel at initialisation: the mean squared error at t = ∞.
    RegressionStart,
    /// Kernel regression with the kernel at the last switch.
    RegressionSwitch,
    /// Training with the infinite-width kernel, from the network's own start.
    Infinite,
    /// The network linearised anew at intervals: its kernel is piecewise constant.
    Piecewise,
    /// Kernel regression with the infinite-width kernel.
    RegressionInfinite,
}

impl Predictor {
    pub const ALL: [Self; Self::VARIANTS.len()] = variants(Self::VARIANTS);

    /// Returns its name in `predictions.csv`.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Returns its name for display.
    pub fn words(self) -> &'static str {
        match self {
            Self::LinearisedStart => "linearised at the start",
            Self::LinearisedSwitch => "linearised at the switch",
            Self::RegressionStart => "the kernel at the start, MSE at t = ∞",
            Self::RegressionSwitch => "the kernel at the switch, MSE at t = ∞",
            Self::Infinite => "the infinite-width kernel",
            Self::Piecewise => "linearised now and then",
            Self::RegressionInfinite => "the infinite-width kernel, MSE at t = ∞",
        }
    }
}

/// Outputs on the probe images at one step, each row-major [n, C], as they enter the loss.
#[derive(Clone, Debug, PartialEq)]
pub struct Outputs {
    pub network: Arc<[f32]>,
    /// The outputs that static kernels predict.
    pub predicted: Vec<(Predictor, Arc<[f32]>)>,
}

impl Outputs {
    /// Returns the arrays by their names in `kernels.npz`.
    pub(crate) fn arrays(&self) -> Vec<(String, Arc<[f32]>)> {
        let predicted = self.predicted.iter().map(|(by, values)| (array_of(*by), Arc::clone(values)));
        std::iter::once((OUTPUTS.to_owned(), Arc::clone(&self.network))).chain(predicted).collect()
    }

    /// Builds the outputs from arrays by name; `None` where the network's own array is missing.
    pub(crate) fn from_arrays(arrays: &[(String, Vec<f32>)]) -> Option<Self> {
        let named =
            |wanted: &str| arrays.iter().find(|(name, _)| name == wanted).map(|(_, values)| values.as_slice().into());
        let of = |by: Predictor| Some((by, named(&array_of(by))?));
        Some(Self { network: named(OUTPUTS)?, predicted: Predictor::ALL.into_iter().filter_map(of).collect() })
    }

    /// Returns every possible name.
    pub(crate) fn names() -> impl Iterator<Item = String> {
        std::iter::once(OUTPUTS.to_owned()).chain(Predictor::ALL.into_iter().map(array_of))
    }
}

const OUTPUTS: &str = "outputs";

fn array_of(by: Predictor) -> String {
    format!("{OUTPUTS}_{}", by.name().replace('-', "_"))
}

/// The prediction of a static kernel for one task's test images: a row of `predictions.csv`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "Line", try_from = "Line")]
pub struct Prediction {
    pub by: Predictor,
    /// Number of the task, and accuracies and loss as in [`Accuracy`].
    pub on: Accuracy,
    /// Root mean square of network minus prediction, over images and logits.
    pub gap: Option<f64>,
    /// How a regression was solved.
    pub solved: Option<Solved>,
    /// Loss and gap on the probes of the task, of what is trained step by step; with `kernel.train_on_probes` these are
    /// training images.
    pub on_probes: Option<(f64, f64)>,
}

/// How a kernel regression was solved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Solved {
    pub kernel: RegressionKernel,
    pub condition: f64,
    pub jitter: f64,
}

/// The kernel of a regression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum RegressionKernel {
    /// The full kernel ⟨∇f_c(x), ∇f_d(x′)⟩ of all pairs of images and logits. (At infinite width it is Θ̊ ⊗ I.)
    Full,
    /// The trace kernel, the same for each logit, Θ ⊗ I: where the full one does not fit in memory, or cannot be inverted.
    Trace,
}

impl RegressionKernel {
    pub const ALL: [Self; Self::VARIANTS.len()] = variants(Self::VARIANTS);

    /// Returns its name in `predictions.csv` and on screen.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Returns the kernel by this name; files of versions that knew one kernel only do not name it.
    fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|kernel| kernel.name() == name).unwrap_or(Self::Trace)
    }
}

/// The columns of a prediction.
#[derive(Serialize, Deserialize)]
struct Line {
    eval_task: usize,
    predictor: String,
    #[serde(default, with = "csv_number")]
    accuracy: Option<f64>,
    #[serde(default, with = "csv_number")]
    accuracy_masked: Option<f64>,
    #[serde(default, with = "csv_number")]
    loss: Option<f64>,
    #[serde(default, with = "csv_number")]
    gap: Option<f64>,
    #[serde(default, with = "csv_number")]
    condition: Option<f64>,
    #[serde(default, with = "csv_number")]
    jitter: Option<f64>,
    #[serde(default)]
    kernel: Option<String>,
    #[serde(default, with = "csv_number")]
    probe_loss: Option<f64>,
    #[serde(default, with = "csv_number")]
    probe_gap: Option<f64>,
}

impl From<Prediction> for Line {
    fn from(Prediction { by, on, gap, solved, on_probes }: Prediction) -> Self {
        let (condition, jitter) = solved.map(|solved| (solved.condition, solved.jitter)).unzip();
        let (probe_loss, probe_gap) = on_probes.unzip();
        Self {
            eval_task: on.task,
            predictor: by.name().to_owned(),
            accuracy: on.accuracy,
            accuracy_masked: on.masked,
            loss: on.loss,
            gap,
            condition,
            jitter,
            kernel: solved.map(|solved| solved.kernel.name().to_owned()),
            probe_loss,
            probe_gap,
        }
    }
}

impl TryFrom<Line> for Prediction {
    type Error = String;

    fn try_from(line: Line) -> Result<Self, String> {
        let by = Predictor::ALL.into_iter().find(|by| by.name() == line.predictor);
        let by = by.ok_or_else(|| format!("{} is no predictor of this version", line.predictor))?;
        let kernel = RegressionKernel::named(line.kernel.as_deref().unwrap_or_default());
        let solved = line.condition.zip(line.jitter).map(|(condition, jitter)| Solved { kernel, condition, jitter });
        let Line { eval_task: task, accuracy, accuracy_masked: masked, loss, .. } = line;
        Ok(Self {
            by,
            on: Accuracy { task, accuracy, masked, loss, probe: None },
            gap: line.gap,
            solved,
            on_probes: line.probe_loss.zip(line.probe_gap),
        })
    }
}
