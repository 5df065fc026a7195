//! The columns of `metrics.csv`, once: name, how to read it from a row, and what it is called on screen.
//!
//! The file, the figures and the window all go through this list, so a column cannot mean two things.

use super::{BlockMetrics, Row};

/// A quantity of one block at one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metric {
    Loss,
    LagSteps,
    Velocity,
    VelocityUncentred,
    VelocityAngle,
    StepNorm,
    GradNorm,
    Susceptibility,
    Distance,
    DistanceSwitch,
    Scale,
    Rotation,
    Drift,
    LambdaMax,
    LambdaMin,
    Trace,
    Frobenius,
    EffectiveRank,
    Asymmetry,
    Alignment,
    AlignmentCentred,
    AlignmentFull,
    TrainLoss,
    Rate,
    KernelSeconds,
    EigenSeconds,
    MetricsSeconds,
    EvaluationSeconds,
    WaitingSeconds,
}

impl Metric {
    /// All of them, in the order of the file's columns; times come last and end in `_seconds`.
    pub const ALL: [Self; 29] = [
        Self::Loss,
        Self::LagSteps,
        Self::Velocity,
        Self::VelocityUncentred,
        Self::VelocityAngle,
        Self::StepNorm,
        Self::GradNorm,
        Self::Susceptibility,
        Self::Distance,
        Self::DistanceSwitch,
        Self::Scale,
        Self::Rotation,
        Self::Drift,
        Self::LambdaMax,
        Self::LambdaMin,
        Self::Trace,
        Self::Frobenius,
        Self::EffectiveRank,
        Self::Asymmetry,
        Self::Alignment,
        Self::AlignmentCentred,
        Self::AlignmentFull,
        Self::TrainLoss,
        Self::Rate,
        Self::KernelSeconds,
        Self::EigenSeconds,
        Self::MetricsSeconds,
        Self::EvaluationSeconds,
        Self::WaitingSeconds,
    ];

    /// The column's name in `metrics.csv`.
    pub fn column(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::LagSteps => "lag_steps",
            Self::Velocity => "velocity",
            Self::VelocityUncentred => "velocity_uncentred",
            Self::VelocityAngle => "velocity_angle",
            Self::StepNorm => "step_norm",
            Self::GradNorm => "grad_norm",
            Self::Susceptibility => "susceptibility",
            Self::Distance => "distance",
            Self::DistanceSwitch => "distance_switch",
            Self::Scale => "scale",
            Self::Rotation => "rotation",
            Self::Drift => "drift",
            Self::LambdaMax => "lambda_max",
            Self::LambdaMin => "lambda_min",
            Self::Trace => "trace",
            Self::Frobenius => "frobenius",
            Self::EffectiveRank => "effective_rank",
            Self::Asymmetry => "asymmetry",
            Self::Alignment => "alignment",
            Self::AlignmentCentred => "alignment_centred",
            Self::AlignmentFull => "alignment_full",
            Self::TrainLoss => "train_loss",
            Self::Rate => "rate",
            Self::KernelSeconds => "kernel_seconds",
            Self::EigenSeconds => "eigen_seconds",
            Self::MetricsSeconds => "metrics_seconds",
            Self::EvaluationSeconds => "evaluation_seconds",
            Self::WaitingSeconds => "waiting_seconds",
        }
    }

    /// The value in this row, for this block; `None` where it was not or could not be measured.
    pub fn of(self, row: &Row, block: &BlockMetrics) -> Option<f64> {
        match self {
            Self::Loss => Some(block.loss),
            Self::LagSteps => block.lag_steps.map(|steps| steps as f64),
            Self::Velocity => block.velocity,
            Self::VelocityUncentred => block.velocity_uncentred,
            Self::VelocityAngle => block.velocity_angle,
            Self::StepNorm => block.step_norm,
            Self::GradNorm => row.grad_norm,
            Self::Susceptibility => block.susceptibility,
            Self::Distance => Some(block.distance),
            Self::DistanceSwitch => block.distance_switch,
            Self::Scale => Some(block.scale),
            Self::Rotation => Some(block.rotation),
            Self::Drift => Some(block.drift),
            Self::LambdaMax => Some(block.lambda_max),
            Self::LambdaMin => Some(block.lambda_min),
            Self::Trace => Some(block.trace),
            Self::Frobenius => Some(block.frobenius),
            Self::EffectiveRank => Some(block.effective_rank),
            Self::Asymmetry => Some(block.asymmetry),
            Self::Alignment => Some(block.alignment),
            Self::AlignmentCentred => block.alignment_centred,
            Self::AlignmentFull => block.alignment_full,
            Self::TrainLoss => row.train_loss,
            Self::Rate => Some(row.rate),
            Self::KernelSeconds => Some(row.cost.kernel_seconds),
            Self::EigenSeconds => Some(row.cost.eigen_seconds),
            Self::MetricsSeconds => Some(row.cost.metrics_seconds),
            Self::EvaluationSeconds => Some(row.cost.evaluation_seconds),
            Self::WaitingSeconds => Some(row.cost.waiting_seconds),
        }
    }
}
