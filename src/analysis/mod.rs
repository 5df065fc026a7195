//! What is computed from what runs report: the figures of a switch, milestones, comparisons of studies, learning curves, power laws.

pub mod comparison;
pub(crate) mod kernel_metrics;
mod learning_curves;
mod milestones;
mod outcome;
mod power_laws;

pub use kernel_metrics::Against;
pub use learning_curves::{Curve, ErrorKind, Fitted, Instant, Learnt};
pub use milestones::Sight;
pub use outcome::{RUN_FIGURES, SWITCH_FIGURES, Switch};
pub use power_laws::{LAWS, Law};
