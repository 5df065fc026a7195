//! Changes of the settings during a run: made by the user while it runs, or planned in its run file.

use serde::{Deserialize, Serialize};

/// One live change: when it takes effect, and what it does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "Keys", try_from = "Keys")]
pub struct Change {
    /// The change takes effect before this step (steps count from 0 over the whole run).
    pub step: u64,
    /// Number of the task being trained at that step; `None` accepts any task.
    pub task: Option<usize>,
    /// Used instead of `step`: the change takes effect when the task at this place of the order, from 1, begins.
    pub place: Option<usize>,
    pub effect: Effect,
}

/// Names the effect of a live change, and its new value.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// New learning rate (the value of `training.rate`, before `rate_width` and α).
    Rate(f64),
    /// New `kernel.per_epoch`.
    PerEpoch(usize),
    /// New order of the tasks that have not begun, by number.
    Order(Vec<usize>),
    /// The task being trained ends here.
    Switch,
    /// New `training.replay`.
    Replay(usize),
    /// New `training.frozen`.
    Frozen(Vec<String>),
    /// New `training.masked`.
    Masked(bool),
    /// Fixes the step length from here on: the rate is scaled so that ‖Δw‖ equals the mean of η ‖∇L‖ over the batches of
    /// the last epoch, evaluated at the current weights. The displacement over many steps is not fixed: steps in one
    /// direction add up to a longer path.
    Clamped,
}

impl Effect {
    /// Returns whether it ends the task being trained.
    pub fn is_switch(&self) -> bool {
        *self == Self::Switch
    }
}

impl Change {
    /// Describes when it takes effect.
    pub(super) fn when(&self) -> String {
        when(self.step, self.place)
    }
}

impl From<Effect> for Change {
    /// Creates a change before the first step, whichever task is trained.
    fn from(effect: Effect) -> Self {
        Self { step: 0, task: None, place: None, effect }
    }
}

fn when(step: u64, place: Option<usize>) -> String {
    place.map_or_else(|| format!("before step {step}"), |place| format!("at the start of the task in place {place}"))
}

/// A change as written in a file: exactly one of its keys is the effect.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Keys {
    step: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    per_epoch: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<Vec<usize>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    switch: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frozen: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    masked: Option<bool>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    clamped: bool,
}

impl From<Change> for Keys {
    fn from(Change { step, task, place, effect }: Change) -> Self {
        let keys = Self { step, task, place, ..Self::default() };
        match effect {
            Effect::Rate(rate) => Self { rate: Some(rate), ..keys },
            Effect::PerEpoch(count) => Self { per_epoch: Some(count), ..keys },
            Effect::Order(order) => Self { order: Some(order), ..keys },
            Effect::Switch => Self { switch: true, ..keys },
            Effect::Replay(kept) => Self { replay: Some(kept), ..keys },
            Effect::Frozen(names) => Self { frozen: Some(names), ..keys },
            Effect::Masked(masked) => Self { masked: Some(masked), ..keys },
            Effect::Clamped => Self { clamped: true, ..keys },
        }
    }
}

impl TryFrom<Keys> for Change {
    type Error = String;

    fn try_from(keys: Keys) -> Result<Self, String> {
        let Keys { step, task, place, rate, per_epoch, order, switch, replay, frozen, masked, clamped } = keys;
        let given = [
            rate.map(Effect::Rate),
            per_epoch.map(Effect::PerEpoch),
            order.map(Effect::Order),
            switch.then_some(Effect::Switch),
            replay.map(Effect::Replay),
            frozen.map(Effect::Frozen),
            masked.map(Effect::Masked),
            clamped.then_some(Effect::Clamped),
        ];
        let mut given = given.into_iter().flatten();
        match (given.next(), given.next()) {
            (Some(effect), None) => Ok(Self { step, task, place, effect }),
            _ => Err(not_one(&when(step, place))),
        }
    }
}

/// Returns the message for a change that has no effect or several.
pub(super) fn not_one(when: &str) -> String {
    format!("the change {when} must be one valid rate, per_epoch, order, switch, replay, frozen, masked or clamped")
}
