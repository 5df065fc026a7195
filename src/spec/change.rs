//! Changes of the settings during a run: made by the user while it runs, or planned in its run file.

use serde::{Deserialize, Serialize};

/// One live change; exactly one of the optional fields after `place` is given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Change {
    /// The change takes effect before this step (steps count from 0 over the whole run).
    pub step: u64,
    /// Number of the task being trained at that step; `None` accepts any task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<usize>,
    /// Used instead of `step`: the change takes effect when the task at this place of the order, from 1, begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<usize>,
    /// New learning rate (the value of `training.rate`, before `rate_width` and α).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// New `kernel.per_epoch`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_epoch: Option<usize>,
    /// New order of the tasks that have not begun, by number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Vec<usize>>,
    /// The task being trained ends here.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub switch: bool,
    /// New `training.replay`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay: Option<usize>,
    /// New `training.frozen`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frozen: Option<Vec<String>>,
    /// New `training.masked`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub masked: Option<bool>,
    /// Fixes the step length from here on: the rate is scaled so that ‖Δw‖ equals the mean of η ‖∇L‖ over the batches of
    /// the last epoch, evaluated at the current weights. The displacement over many steps is not fixed: steps in one
    /// direction add up to a longer path.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub clamped: bool,
}
