//! Declares each column of `metrics.csv` once: its description, its name, and the field that holds its value; and the row
//! of all measurements at one step.
//!
//! The file, the figures and the window all use this declaration, so a column cannot mean two things. A new column needs a line
//! here and the code that computes it; the views decide what is shown on screen.

use std::sync::Arc;

use super::accuracy::Accuracy;
use super::block::Block;
use super::parts::{CrossMetrics, LayerMetrics, LogitMetrics, OptimiserMetrics, StepSharpness, TensorMetrics};
use super::prediction::Prediction;

/// Declares the columns in the order of the file: a description, the name, the field that holds the value and its type.
/// The field's name is the column's. Those of a block are fields of [`BlockMetrics`]; those of a row or of its cost are
/// declared there.
macro_rules! metrics {
    (($row:ident, $block:ident) $($(#[doc = $what:literal])+ $name:ident = $owner:ident $(.$field:ident)+: $type:ident;)+) => {
        /// A quantity of one block at one step.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Metric {
            $($(#[doc = $what])+ $name,)+
        }

        impl Metric {
            /// All of them, in the order of the file's columns; times come last and end in `_seconds`.
            pub const ALL: [Self; [$(Self::$name),+].len()] = [$(Self::$name),+];

            /// Returns the column's name in `metrics.csv`.
            pub fn column(self) -> &'static str {
                match self {
                    $(Self::$name => metrics!(@last $($field)+),)+
                }
            }

            /// Returns whether it is a count, which the file has as an integer.
            pub fn is_count(self) -> bool {
                match self {
                    $(Self::$name => <$type as Quantity>::IS_COUNT,)+
                }
            }

            /// Returns the value in this row, for this block; `None` where it was not or could not be measured.
            pub fn of(self, $row: &Row, $block: &BlockMetrics) -> Option<f64> {
                match self {
                    $(Self::$name => $owner$(.$field)+.map(Quantity::value),)+
                }
            }

            /// Stores a value that was read from a file in its field.
            pub fn put(self, $row: &mut Row, $block: &mut BlockMetrics, value: Option<f64>) {
                match self {
                    $(Self::$name => $owner$(.$field)+ = value.map(Quantity::read),)+
                }
            }
        }

        metrics!(@fields [] [] $([$owner $($field)+] $(#[doc = $what])+ $type;)+);
    };
    (@last $field:ident) => { stringify!($field) };
    (@last $first:ident $($rest:ident)+) => { metrics!(@last $($rest)+) };

    // The fields of the blocks are selected one by one, because the order of the file puts others between them.
    (@fields [$($fields:tt)*] [$($names:ident)*] [block $field:ident] $(#[doc = $what:literal])+ $type:ident; $($rest:tt)*) => {
        metrics!(@fields [$($fields)* $(#[doc = $what])+ pub $field: Option<$type>,] [$($names)* $field] $($rest)*);
    };
    (@fields $fields:tt $names:tt [$($other:ident)+] $(#[doc = $what:literal])+ $type:ident; $($rest:tt)*) => {
        metrics!(@fields $fields $names $($rest)*);
    };
    (@fields [$($fields:tt)*] [$($names:ident)*]) => {
        /// The metrics of one diagonal block of the Gram; definitions in [`crate::math`]. What was not or could not be measured
        /// is missing.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct BlockMetrics {
            pub block: Block,
            $($fields)*
        }

        impl BlockMetrics {
            /// Creates the metrics of a block without any measurements.
            pub fn bare(block: Block) -> Self {
                Self { block, $($names: None,)* }
            }
        }
    };
}

metrics! {
    (row, block)
    /// The training loss, on the probe images of the block.
    Loss = block.loss: f64;
    /// Steps over which velocity and displacement are taken; absent while a lag would straddle a switch.
    LagSteps = block.lag_steps: u64;
    /// (1 − CKA)/lag per epoch, centred.
    Velocity = block.velocity: f64;
    /// The velocity, uncentred (Fort et al. 2020, of the full kernel).
    VelocityUncentred = block.velocity_uncentred: f64;
    /// arccos(CKA)/lag, centred, radians per epoch.
    VelocityAngle = block.velocity_angle: f64;
    /// (1 − CKA)/lag per epoch, debiased (HSIC₁, Song et al. 2012): for blocks of few probes.
    VelocityDebiased = block.velocity_debiased: f64;
    /// (1 − CKA)/lag per step, centred.
    VelocityStep = block.velocity_step: f64;
    /// (1 − CKA)/path over the lag, centred: per length of the way of the weights.
    VelocityPath = block.velocity_path: f64;
    /// The velocities as an angle, per step and per path length, debiased.
    VelocityAngleDebiased = block.velocity_angle_debiased: f64;
    /// See the one before.
    VelocityStepDebiased = block.velocity_step_debiased: f64;
    /// See the one before.
    VelocityPathDebiased = block.velocity_path_debiased: f64;
    /// ‖Δw‖ over the lag, all parameters.
    StepNorm = block.step_norm: f64;
    /// Σ ‖Δw‖ over the steps of the lag.
    PathLag = block.path_lag: f64;
    /// ‖Δw‖ over the lag by its path: 1 where the weights go straight.
    Straightness = block.straightness: f64;
    /// Σ ‖Δw‖ over all steps of the run so far.
    Path = row.path: f64;
    /// ‖∇L‖ of the last mini-batch, over all parameters.
    GradNorm = row.grad_norm: f64;
    /// (1 − CKA)/‖Δw‖² over the lag, centred; absent when the weights did not move.
    Susceptibility = block.susceptibility: f64;
    /// The same, debiased.
    SusceptibilityDebiased = block.susceptibility_debiased: f64;
    /// 1 − CKA from the first kernel of the run, centred.
    Distance = block.distance: f64;
    /// The same, debiased.
    DistanceDebiased = block.distance_debiased: f64;
    /// The distance from the kernel at the last switch; absent in the first task.
    DistanceSwitch = block.distance_switch: f64;
    /// The same, debiased.
    DistanceSwitchDebiased = block.distance_switch_debiased: f64;
    /// ‖K‖/‖K₀‖.
    Scale = block.scale: f64;
    /// 1 − cos(K, K₀).
    Rotation = block.rotation: f64;
    /// ‖K − K₀‖/‖K₀‖.
    Drift = block.drift: f64;
    /// The largest eigenvalue.
    LambdaMax = block.lambda_max: f64;
    /// The smallest eigenvalue; below 0 by rounding.
    LambdaMin = block.lambda_min: f64;
    /// tr K.
    Trace = block.trace: f64;
    /// ‖K‖.
    Frobenius = block.frobenius: f64;
    /// exp of the entropy of λ/Σλ (Roy & Vetterli 2007).
    EffectiveRank = block.effective_rank: f64;
    /// Largest |K − Kᵀ| over the largest |K|, before symmetrising; only of kernels from elsewhere, for a run's own is mirrored.
    Asymmetry = block.asymmetry: f64;
    /// ⟨K, YYᵀ⟩/(‖K‖ ‖YYᵀ‖).
    Alignment = block.alignment: f64;
    /// The same, centred.
    AlignmentCentred = block.alignment_centred: f64;
    /// What permuted labels reach: mean − two standard deviations over all permutations (Mantel 1967).
    AlignmentPermutedLow = block.alignment_permuted_low: f64;
    /// The same, mean + two standard deviations.
    AlignmentPermutedHigh = block.alignment_permuted_high: f64;
    /// What permuted labels reach, centred: mean − two standard deviations.
    AlignmentCentredPermutedLow = block.alignment_centred_permuted_low: f64;
    /// The same, mean + two standard deviations.
    AlignmentCentredPermutedHigh = block.alignment_centred_permuted_high: f64;
    /// The alignment, debiased: CKA of K and YYᵀ made of HSIC₁ (Song et al. 2012).
    AlignmentDebiased = block.alignment_debiased: f64;
    /// What permuted labels reach, debiased: mean, which is 0, − two standard deviations.
    AlignmentDebiasedPermutedLow = block.alignment_debiased_permuted_low: f64;
    /// The same, mean + two standard deviations.
    AlignmentDebiasedPermutedHigh = block.alignment_debiased_permuted_high: f64;
    /// Leave-one-out error of a ridge regression of the labels with the kernel of a task's block: 1 is no better than the mean.
    LeaveOneOut = block.leave_one_out: f64;
    /// Share of units that are τ-dormant on these probes, τ = 0.025 (Sokar et al. 2023); at each epoch's end and each switch.
    Dormant = block.dormant: f64;
    /// Share of units that are 0 on all of these probes, likewise.
    Dead = block.dead: f64;
    /// yᵀ Θ_full y/(‖Θ_full‖ ‖y‖²), at the last snapshot of each epoch, while images · logits of all probes are at most 2,560.
    AlignmentFull = block.alignment_full: f64;
    /// Mean batch loss since the last snapshot.
    TrainLoss = row.train_loss: f64;
    /// Learning rate that reaches the optimiser in the next step; with clamped steps, that of the last one.
    Rate = row.rate: f64;
    /// η λ_max(Θ_full)/(N C) of a task's block, likewise, with the η that reaches the optimiser: the sharpness of the
    /// squared error.
    Sharpness = block.sharpness: f64;
    /// η λ_max of the Gauss–Newton matrix of the training loss: with the squared error the same, with cross-entropy
    /// η λ_max(Θ (diag p − p pᵀ))/N, at most C/2 times the other. Plain gradient descent is stable below 2.
    SharpnessLoss = block.sharpness_loss: f64;
    /// ‖Θ − Θ̊‖/‖Θ̊‖ from the infinite-width kernel of the same network, where it has one.
    InfiniteError = block.infinite_error: f64;
    /// See [`crate::run::SnapshotCost`]; so are the others.
    KernelSeconds = row.cost.kernel_seconds: f64;
    /// Eigenvalues.
    EigenSeconds = row.cost.eigen_seconds: f64;
    /// Velocities, distances, alignments and scores.
    MetricsSeconds = row.cost.metrics_seconds: f64;
    /// Outputs on the test and probe images.
    EvaluationSeconds = row.cost.evaluation_seconds: f64;
    /// Until the analysis could take it.
    WaitingSeconds = row.cost.waiting_seconds: f64;
}

impl Metric {
    /// Returns the ends of the band that permuted labels give an alignment; `None` of other metrics.
    pub fn permuted(self) -> Option<[Self; 2]> {
        match self {
            Self::Alignment => Some([Self::AlignmentPermutedLow, Self::AlignmentPermutedHigh]),
            Self::AlignmentCentred => Some([Self::AlignmentCentredPermutedLow, Self::AlignmentCentredPermutedHigh]),
            Self::AlignmentDebiased => Some([Self::AlignmentDebiasedPermutedLow, Self::AlignmentDebiasedPermutedHigh]),
            _ => None,
        }
    }

    /// Returns the same quantity made of debiased distances or alignments; of others itself.
    #[must_use]
    pub fn debiased(self) -> Self {
        match self {
            Self::Velocity => Self::VelocityDebiased,
            Self::VelocityAngle => Self::VelocityAngleDebiased,
            Self::VelocityStep => Self::VelocityStepDebiased,
            Self::VelocityPath => Self::VelocityPathDebiased,
            Self::Susceptibility => Self::SusceptibilityDebiased,
            Self::Distance => Self::DistanceDebiased,
            Self::DistanceSwitch => Self::DistanceSwitchDebiased,
            Self::Alignment | Self::AlignmentCentred => Self::AlignmentDebiased,
            other => other,
        }
    }
}

/// The measurements at one step, without the matrices.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Steps done before it was taken.
    pub step: u64,
    /// The epoch: fractional, cumulative over tasks.
    pub epoch: f64,
    /// The task being trained, by number; at the step of a switch still the old one.
    pub task: usize,
    /// Whether a task ends here, so that this is the reference for `distance_switch`.
    pub at_switch: bool,
    /// The blocks: the whole first, then each task in order of number.
    pub blocks: Vec<BlockMetrics>,
    /// The accuracy of each task in order of number.
    pub accuracy: Vec<Accuracy>,
    /// The predictions of static kernels; empty where none were requested.
    pub predictions: Vec<Prediction>,
    /// The contribution of each layer to each task's block: by task, then in the order of the forward pass. Empty where the
    /// layers' kernels were not kept separately.
    pub layers: Arc<[LayerMetrics]>,
    /// The contribution of each parameter tensor, likewise.
    pub tensors: Arc<[TensorMetrics]>,
    /// Each pair of tasks, once.
    pub cross: Arc<[CrossMetrics]>,
    /// The kernels of the first task's logits and of all others, by task; empty unless both sets exist.
    pub logits: Arc<[LogitMetrics]>,
    /// The optimiser's kernel, block by block as `blocks`; empty where it was not requested or is not defined yet.
    pub optimiser: Arc<[OptimiserMetrics]>,
    /// The sharpness after each step near a switch, since the last snapshot; empty unless it was requested.
    pub sharpness: Arc<[StepSharpness]>,
    /// Mean batch loss since the last snapshot.
    pub train_loss: Option<f64>,
    /// Learning rate that reaches the optimiser in the next step; with clamped steps, that of the last one.
    pub rate: Option<f64>,
    /// ‖∇L‖ of the last mini-batch, over all parameters.
    pub grad_norm: Option<f64>,
    /// Σ ‖Δw‖ over all steps of the run so far.
    pub path: Option<f64>,
    pub cost: SnapshotCost,
}

impl Row {
    /// Creates a row that holds its time and no measurements.
    pub fn bare(step: u64, epoch: f64, task: usize) -> Self {
        Self {
            step,
            epoch,
            task,
            at_switch: false,
            blocks: Vec::new(),
            accuracy: Vec::new(),
            predictions: Vec::new(),
            layers: Arc::default(),
            tensors: Arc::default(),
            cross: Arc::default(),
            logits: Arc::default(),
            optimiser: Arc::default(),
            sharpness: Arc::default(),
            train_loss: None,
            rate: None,
            grad_norm: None,
            path: None,
            cost: SnapshotCost::default(),
        }
    }

    /// Returns about the number of bytes that it holds.
    pub fn bytes(&self) -> u64 {
        let sizes = [
            size_of::<Self>(),
            size_of_val(&*self.blocks),
            size_of_val(&*self.accuracy),
            size_of_val(&*self.layers),
            size_of_val(&*self.tensors),
            size_of_val(&*self.cross),
            size_of_val(&*self.logits),
            size_of_val(&*self.optimiser),
            size_of_val(&*self.sharpness),
        ];
        sizes.iter().sum::<usize>() as u64
    }
}

/// The seconds that one snapshot took, in parts; a part that was not timed is missing. Training waits for some parts; the
/// others run beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SnapshotCost {
    /// The kernel itself: forward and backward passes and products. Training waits.
    pub kernel_seconds: Option<f64>,
    /// Outputs on the test and probe images, and the displacement of the weights. Training waits.
    pub evaluation_seconds: Option<f64>,
    /// The wait until the analysis thread, when behind, could take the snapshot. Training waits.
    pub waiting_seconds: Option<f64>,
    /// Eigenvalues, beside training.
    pub eigen_seconds: Option<f64>,
    /// Velocities, distances, alignments and scores, beside training.
    pub metrics_seconds: Option<f64>,
}

impl SnapshotCost {
    /// Returns the seconds for which training waited.
    pub fn held_up(&self) -> f64 {
        [self.kernel_seconds, self.evaluation_seconds, self.waiting_seconds].iter().flatten().sum()
    }

    /// Returns the seconds of work beside training.
    pub fn beside(&self) -> f64 {
        [self.eigen_seconds, self.metrics_seconds].iter().flatten().sum()
    }
}

/// A type that a column can hold.
trait Quantity {
    const IS_COUNT: bool;

    fn value(self) -> f64;
    fn read(value: f64) -> Self;
}

impl Quantity for f64 {
    const IS_COUNT: bool = false;

    fn value(self) -> f64 {
        self
    }

    fn read(value: f64) -> Self {
        value
    }
}

impl Quantity for u64 {
    const IS_COUNT: bool = true;

    fn value(self) -> f64 {
        self as f64
    }

    fn read(value: f64) -> Self {
        value as Self
    }
}
