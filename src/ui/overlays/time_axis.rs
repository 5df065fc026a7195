//! Defines a common time axis for runs with different units: imported kernels may count steps where our runs count
//! epochs.
//!
//! Guarantee: a step is always drawn at that step. Over a run in epochs it is drawn at that run's epoch (by the length of the
//! first task, if they differ); over kernels in steps a run is drawn by its steps.

use std::sync::Arc;

use crate::run::History;

/// The axis on which another run's time is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeAxis {
    /// The run's own axis.
    #[default]
    Own,
    /// The run's steps.
    Steps,
    /// The run's steps, divided by this number of steps per epoch of the main run.
    PerEpoch(u64),
}

impl TimeAxis {
    /// Chooses the axis on which `other` is drawn over `shown`.
    pub fn of(other: &History, shown: &History) -> Self {
        if shown.rows().is_empty() {
            return Self::Own;
        }
        match (other.counts_steps(), shown.counts_steps()) {
            (true, true) | (false, false) => Self::Own,
            (false, true) => Self::Steps,
            (true, false) => shown.steps_per_epoch().map_or(Self::Own, Self::PerEpoch),
        }
    }

    /// Returns the record on this time axis.
    pub fn applied(self, history: &Arc<History>) -> Arc<History> {
        match self {
            Self::Own => Arc::clone(history),
            Self::Steps => Arc::new(history.retimed(|step| step as f64)),
            Self::PerEpoch(steps) => Arc::new(history.retimed(|step| step as f64 / steps as f64)),
        }
    }

    /// Describes the axis if it is not the run's own.
    pub fn words(self) -> Option<String> {
        match self {
            Self::Own => None,
            Self::Steps => Some("Drawn by its steps, as the kernels that are shown count them".to_owned()),
            Self::PerEpoch(steps) => {
                Some(format!("It counts steps: drawn at {steps} steps an epoch, as the run that is shown has them"))
            }
        }
    }
}
