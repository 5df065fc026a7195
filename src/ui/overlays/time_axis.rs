//! One time for runs that count it differently: kernels from elsewhere may count steps where a run of ours has epochs.
//!
//! Guarantee: a step stays that step. Over a run in epochs it is drawn where that run has it (of tasks of different lengths:
//! as in the first one); over kernels in steps a run is drawn by its steps.

use std::sync::Arc;

use crate::run::History;

/// The axis on which another run's time is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeAxis {
    /// The axis that it counts itself.
    #[default]
    Own,
    /// Its steps.
    Steps,
    /// Its steps, so many of which are an epoch of the run that is shown.
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

    /// Returns the record with its time as it is drawn.
    pub fn applied(self, history: &Arc<History>) -> Arc<History> {
        match self {
            Self::Own => Arc::clone(history),
            Self::Steps => Arc::new(history.retimed(|step| step as f64)),
            Self::PerEpoch(steps) => Arc::new(history.retimed(|step| step as f64 / steps as f64)),
        }
    }

    /// Describes the axis, where it is not the run's own.
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
