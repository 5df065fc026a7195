//! Analyses what runs report: the figures of a switch, milestones, comparisons of studies, learning curves, power laws,
//! distances between kernels of a run, the spike over every lag, residuals along a kernel's eigenvectors, comparisons of two
//! moments, intervals over the choice of probes.

pub mod comparison;
mod distance_matrix;
pub(crate) mod kernel_metrics;
mod lag_ratios;
mod learning_curves;
mod milestones;
mod moment_comparison;
mod next_task;
mod outcome;
mod power_laws;
mod probe_intervals;
mod residuals;

pub use distance_matrix::{DistanceMatrix, GrowingDistances, compared_snapshots};
pub use kernel_metrics::{Moved, ReferenceKernels};
pub use lag_ratios::{LagRatio, SwitchKernels};
pub use learning_curves::{Curve, ErrorKind, Fitted, Instant, LearningCurves};
pub use milestones::Milestone;
pub use moment_comparison::{Moment, MomentComparer, MomentComparison};
pub use next_task::NextTask;
pub use outcome::{RUN_FIGURES, SWITCH_FIGURES, Switch};
pub use power_laws::{LAWS, Law};
pub use probe_intervals::{PROBE_FIGURES, ProbeInterval, SwitchProbes};
pub use residuals::{GrowingResiduals, Outputs, Residuals, modes_of, static_kernel_rate};
