//! Names the quantities that a curve can show, and reads each from a row of the record.

use std::fmt;

use strum::Display;

use crate::math::distance::Centring;
use crate::run::{Block, History, Logits, Metric, Predictor, Row, Snapshot, StepSharpness};

/// Names the quantity that a curve shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SeriesId {
    Metric(Block, Metric),
    /// A metric divided by its value at the last switch (before the first one: by the first value).
    Relative(Block, Metric),
    Accuracy(usize),
    Masked(usize),
    /// Accuracy of the linear probe of a task.
    Probe(usize),
    /// Loss on the test images of a task.
    TestLoss(usize),
    /// The static kernel's prediction on a task.
    Predicted(Predictor, usize, Of),
    /// A logit of a probe, by row: the network's, or a predictor's.
    Output(Option<Predictor>, usize, usize),
    /// Mean batch loss while training.
    TrainLoss,
    /// Eigenvalue of this rank from the top (0 is λ_max).
    Eigenvalue(Block, usize),
    /// A quantity of the layer with this index in the forward pass, on the probes of a task.
    Layer(usize, usize, OfLayer),
    /// Velocity of the tensor with this index in the forward pass, on the probes of a task.
    TensorVelocity(usize, usize),
    /// The same, debiased.
    TensorVelocityDebiased(usize, usize),
    /// A quantity of a pair of tasks, the smaller number first.
    Pair(usize, usize, OfPair),
    /// A quantity of a set of logits, on the probes of a task.
    Logits(usize, Logits, OfLogits),
    /// A quantity of the optimiser's kernel.
    Optimiser(Block, OfOptimiser),
}

/// Names a predicted quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Display)]
#[strum(serialize_all = "snake_case")]
pub enum Of {
    Accuracy,
    #[strum(to_string = "accuracy_masked")]
    Masked,
    Loss,
    /// Root mean square of network minus prediction.
    Gap,
    /// Loss and gap on the probes, with which the network may be trained.
    #[strum(to_string = "loss on probes")]
    ProbeLoss,
    #[strum(to_string = "gap on probes")]
    ProbeGap,
}

/// Names a quantity of a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Display)]
#[strum(serialize_all = "snake_case")]
pub enum OfLayer {
    #[default]
    Velocity,
    VelocityDebiased,
    Alignment,
    AlignmentCentred,
    AlignmentDebiased,
    Share,
}

/// Names a quantity of a pair of tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Display)]
#[strum(serialize_all = "snake_case")]
pub enum OfPair {
    #[default]
    Coupling,
    Frobenius,
}

/// Names a quantity of a set of logits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Display)]
#[strum(serialize_all = "snake_case")]
pub enum OfLogits {
    #[default]
    Velocity,
    VelocityDebiased,
    LambdaMax,
    Trace,
}

/// Names a quantity of the optimiser's kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Display)]
#[strum(serialize_all = "snake_case")]
pub enum OfOptimiser {
    #[default]
    Velocity,
    VelocityDebiased,
    Apart,
    ApartDebiased,
    LambdaMax,
    Trace,
    Alignment,
    AlignmentCentred,
    AlignmentDebiased,
}

/// A quantity of a part of the kernel that may be made of centred or of debiased distances and alignments.
pub trait Centred: Sized {
    /// Returns the same, debiased; of others itself.
    #[must_use]
    fn debiased(self) -> Self;

    /// Returns the one that is shown of this run unless another one is chosen.
    #[must_use]
    fn usual(self, history: &History) -> Self {
        if history.centring() == Centring::Debiased { self.debiased() } else { self }
    }
}

impl Centred for OfLayer {
    fn debiased(self) -> Self {
        match self {
            Self::Velocity => Self::VelocityDebiased,
            Self::AlignmentCentred => Self::AlignmentDebiased,
            other => other,
        }
    }
}

impl Centred for OfLogits {
    fn debiased(self) -> Self {
        if self == Self::Velocity { Self::VelocityDebiased } else { self }
    }
}

impl Centred for OfOptimiser {
    fn debiased(self) -> Self {
        match self {
            Self::Velocity => Self::VelocityDebiased,
            Self::Apart => Self::ApartDebiased,
            Self::AlignmentCentred => Self::AlignmentDebiased,
            other => other,
        }
    }
}

impl SeriesId {
    /// Returns the same quantity of another block, or of its task; what belongs to no block stays as it is.
    #[must_use]
    pub fn on(self, block: Block) -> Self {
        let task = if let Block::Task(task) = block { task } else { 1 };
        match self {
            Self::Metric(_, metric) => Self::Metric(block, metric),
            Self::Relative(_, metric) => Self::Relative(block, metric),
            Self::Accuracy(_) => Self::Accuracy(task),
            Self::TestLoss(_) => Self::TestLoss(task),
            other => other,
        }
    }

    /// Returns whether it is measured over a lag, which never spans a switch: its line is broken there.
    pub(crate) fn is_over_lag(self) -> bool {
        matches!(
            self,
            Self::Metric(
                _,
                Metric::Velocity
                    | Metric::VelocityUncentred
                    | Metric::VelocityAngle
                    | Metric::VelocityDebiased
                    | Metric::VelocityStep
                    | Metric::VelocityPath
                    | Metric::VelocityAngleDebiased
                    | Metric::VelocityStepDebiased
                    | Metric::VelocityPathDebiased
                    | Metric::SusceptibilityDebiased
                    | Metric::StepNorm
                    | Metric::PathLag
                    | Metric::Straightness
                    | Metric::Susceptibility
                    | Metric::LagSteps
            ) | Self::Layer(_, _, OfLayer::Velocity | OfLayer::VelocityDebiased)
                | Self::TensorVelocity(..)
                | Self::TensorVelocityDebiased(..)
                | Self::Logits(_, _, OfLogits::Velocity | OfLogits::VelocityDebiased)
                | Self::Optimiser(_, OfOptimiser::Velocity | OfOptimiser::VelocityDebiased)
        )
    }

    /// Returns its value in this row; `None` where it was not measured, could not be, or is not stored in rows.
    pub(crate) fn value(self, row: &Row) -> Option<f64> {
        let accuracy = |task: usize| row.accuracy.iter().find(|accuracy| accuracy.task == task);
        match self {
            Self::Metric(block, metric) | Self::Relative(block, metric) => {
                let found = row.blocks.iter().find(|metrics| metrics.block == block)?;
                metric.of(row, found)
            }
            Self::Accuracy(task) => accuracy(task).and_then(|found| found.accuracy),
            Self::Masked(task) => accuracy(task).and_then(|found| found.masked),
            Self::Probe(task) => accuracy(task).and_then(|found| found.probe),
            Self::TestLoss(task) => accuracy(task).and_then(|found| found.loss),
            Self::Predicted(by, task, of) => {
                let found = row.predictions.iter().find(|found| found.by == by && found.on.task == task)?;
                match of {
                    Of::Accuracy => found.on.accuracy,
                    Of::Masked => found.on.masked,
                    Of::Loss => found.on.loss,
                    Of::Gap => found.gap,
                    Of::ProbeLoss => found.on_probes.map(|(loss, _)| loss),
                    Of::ProbeGap => found.on_probes.map(|(_, gap)| gap),
                }
            }
            Self::Layer(task, place, what) => {
                let found = row.layers.iter().filter(|layer| layer.task == task).nth(place)?;
                match what {
                    OfLayer::Velocity => found.velocity,
                    OfLayer::VelocityDebiased => found.velocity_debiased,
                    OfLayer::AlignmentDebiased => found.alignment_debiased,
                    OfLayer::Alignment => found.alignment,
                    OfLayer::AlignmentCentred => found.alignment_centred,
                    OfLayer::Share => found.share,
                }
            }
            Self::TensorVelocity(task, place) => {
                row.tensors.iter().filter(|tensor| tensor.task == task).nth(place)?.velocity
            }
            Self::TensorVelocityDebiased(task, place) => {
                row.tensors.iter().filter(|tensor| tensor.task == task).nth(place)?.velocity_debiased
            }
            Self::Pair(task, other, what) => {
                let found = row.cross.iter().find(|pair| (pair.task, pair.other) == (task, other))?;
                match what {
                    OfPair::Coupling => found.coupling,
                    OfPair::Frobenius => found.frobenius,
                }
            }
            Self::Logits(task, logits, what) => {
                let found = row.logits.iter().find(|set| (set.task, set.logits) == (task, logits))?;
                match what {
                    OfLogits::Velocity => found.velocity,
                    OfLogits::VelocityDebiased => found.velocity_debiased,
                    OfLogits::LambdaMax => found.lambda_max,
                    OfLogits::Trace => found.trace,
                }
            }
            Self::Optimiser(block, what) => {
                let found = row.optimiser.iter().find(|found| found.block == block)?;
                match what {
                    OfOptimiser::Velocity => found.velocity,
                    OfOptimiser::VelocityDebiased => found.velocity_debiased,
                    OfOptimiser::Apart => found.apart,
                    OfOptimiser::ApartDebiased => found.apart_debiased,
                    OfOptimiser::AlignmentDebiased => found.alignment_debiased,
                    OfOptimiser::LambdaMax => found.lambda_max,
                    OfOptimiser::Trace => found.trace,
                    OfOptimiser::Alignment => found.alignment,
                    OfOptimiser::AlignmentCentred => found.alignment_centred,
                }
            }
            Self::TrainLoss | Self::Eigenvalue(..) | Self::Output(..) => None,
        }
    }

    /// Returns the values after steps since the last snapshot, as (epoch, value), that the row has in no column: only the
    /// sharpness has any.
    pub fn between(self, row: &Row) -> impl Iterator<Item = (f64, f64)> + '_ {
        let of = match self {
            Self::Metric(Block::Task(task), metric @ (Metric::Sharpness | Metric::SharpnessLoss)) => {
                Some((task, metric == Metric::SharpnessLoss))
            }
            _ => None,
        };
        let own = of.and_then(|_| self.value(row));
        let found = of.into_iter().flat_map(move |(task, of_loss)| {
            let on_task =
                move |found: &&StepSharpness| found.task == task && (found.at_step < row.step || own.is_none());
            let value = move |found: &StepSharpness| if of_loss { found.sharpness_loss } else { found.sharpness };
            row.sharpness.iter().filter(on_task).map(move |found| (found.at_epoch, value(found)))
        });
        found.filter_map(|(epoch, value)| epoch.zip(value))
    }
}

/// Writes the name of an exported curve; metrics are named as in `metrics.csv`.
impl fmt::Display for SeriesId {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on = |block: Block| match block {
            Block::All => "all".to_owned(),
            Block::Task(task) => format!("task {task}"),
        };
        match *self {
            Self::Metric(block, metric) => write!(to, "{}, {}", metric.column(), on(block)),
            Self::Relative(block, metric) => {
                write!(to, "{} over that at the last switch, {}", metric.column(), on(block))
            }
            Self::Accuracy(task) => write!(to, "accuracy, task {task}"),
            Self::Masked(task) => write!(to, "accuracy_masked, task {task}"),
            Self::Probe(task) => write!(to, "accuracy_probe, task {task}"),
            Self::TestLoss(task) => write!(to, "test loss, task {task}"),
            Self::Predicted(by, task, of) => write!(to, "{of} of {}, task {task}", by.words()),
            Self::Output(by, row, logit) => {
                let by = by.map_or("network", |by| by.words());
                write!(to, "logit {} of probe {}, {by}", logit + 1, row + 1)
            }
            Self::TrainLoss => write!(to, "training loss"),
            Self::Eigenvalue(block, rank) => write!(to, "eigenvalue {}, {}", rank + 1, on(block)),
            Self::Layer(task, place, of) => write!(to, "{of} of layer {}, task {task}", place + 1),
            Self::TensorVelocity(task, place) => write!(to, "velocity of tensor {}, task {task}", place + 1),
            Self::TensorVelocityDebiased(task, place) => {
                write!(to, "velocity_debiased of tensor {}, task {task}", place + 1)
            }
            Self::Pair(task, other, of) => write!(to, "{of}, tasks {task} and {other}"),
            Self::Logits(task, logits, of) => {
                let set = if logits == Logits::Old { "old" } else { "new" };
                write!(to, "{of} of the {set} logits, task {task}")
            }
            Self::Optimiser(block, of) => write!(to, "{of} of the optimiser's kernel, {}", on(block)),
        }
    }
}

/// Returns one output of a snapshot, of the network or of a predictor; `None` if the snapshot lacks it.
pub fn output(snapshot: &Snapshot, by: Option<Predictor>, row: usize, logit: usize) -> Option<f64> {
    let outputs = snapshot.outputs.as_deref()?;
    let values = match by {
        None => &outputs.network,
        Some(by) => &outputs.predicted.iter().find(|(who, _)| *who == by)?.1,
    };
    let classes = values.len().checked_div(snapshot.eigenvalues.len())?;
    (logit < classes).then(|| values.get(row * classes + logit).copied().map(f64::from)).flatten()
}

/// Returns the eigenvalues of one block of a snapshot, ascending.
pub fn eigenvalues(snapshot: &Snapshot, block: Block) -> Option<&[f64]> {
    match block {
        Block::All => Some(&snapshot.eigenvalues),
        Block::Task(number) => snapshot.block_eigenvalues.get(number.checked_sub(1)?).map(Vec::as_slice),
    }
}
