//! What can be changed while a run goes on, or be planned to change on its way.

use serde::{Deserialize, Serialize};

/// One live change; exactly one of the optional fields after `place` is given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Change {
    /// The change takes effect before this step (steps count from 0 over the whole run).
    pub step: u64,
    /// Number of the task being trained then; without it, whichever is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<usize>,
    /// Instead of `step`: the change takes effect when the task at this place of the order, from 1, begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<usize>,
    /// New learning rate (the value of `training.rate`, before `rate_width` and α).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// New `kernel.per_epoch`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_epoch: Option<usize>,
    /// New order of the tasks not yet begun, by number.
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
    /// From here on each step is as long as those before it were: the rate is scaled so that ‖Δw‖ is the mean of η ‖∇L‖ over
    /// the batches of the last epoch, taken where the weights now are. The displacement over many steps is not held: steps
    /// that point one way lead further.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub clamped: bool,
}
