//! Changes of the settings during a run: made by the user while it runs, or planned in its run file.

use serde::{Deserialize, Serialize};
use strum::VariantArray;

use super::Schedule;
use super::variants::variants;

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
    /// New `training.schedule`, as if it had held from the beginning of the task, or of the run.
    Schedule(Schedule),
    /// New `training.warmup`, in the same way.
    Warmup(f64),
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
    /// Clamps the motion of the weights from here on, by the rates of the steps.
    Clamped(Clamp),
}

/// What a clamp of the motion of the weights holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
pub enum Clamp {
    /// The length of each step: the rate is scaled so that ‖Δw‖ equals the mean of η ‖∇L‖ over the batches of the last epoch,
    /// evaluated at the current weights. The displacement over many steps is not held: steps in one direction lead further.
    Step,
    /// The path over the lag of the velocity, Σ ‖Δw‖ of its steps: as `Step`, with the mean over the batches of the
    /// last lag. It is the path of that lag as far as the gradients there are those at the current weights.
    Path,
    /// The displacement over the lag of the velocity: a step is shortened where ‖Δw‖ over the lag would exceed that over the
    /// last lag before.
    Displacement,
}

impl Clamp {
    pub const ALL: [Self; Self::VARIANTS.len()] = variants(Self::VARIANTS);
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
    schedule: Option<Schedule>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warmup: Option<f64>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    clamped: Option<ClampKey>,
}

/// A clamp as written in a file: `true`, which clamps the steps, `false`, which is none, or a word.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum ClampKey {
    Steps(bool),
    Of(ClampWord),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ClampWord {
    Step,
    Path,
    Displacement,
}

impl From<Clamp> for ClampKey {
    fn from(clamp: Clamp) -> Self {
        match clamp {
            Clamp::Step => Self::Steps(true),
            Clamp::Path => Self::Of(ClampWord::Path),
            Clamp::Displacement => Self::Of(ClampWord::Displacement),
        }
    }
}

impl ClampKey {
    fn clamp(self) -> Option<Clamp> {
        match self {
            Self::Steps(is_clamped) => is_clamped.then_some(Clamp::Step),
            Self::Of(ClampWord::Step) => Some(Clamp::Step),
            Self::Of(ClampWord::Path) => Some(Clamp::Path),
            Self::Of(ClampWord::Displacement) => Some(Clamp::Displacement),
        }
    }
}

impl From<Change> for Keys {
    fn from(Change { step, task, place, effect }: Change) -> Self {
        let keys = Self { step, task, place, ..Self::default() };
        match effect {
            Effect::Rate(rate) => Self { rate: Some(rate), ..keys },
            Effect::Schedule(schedule) => Self { schedule: Some(schedule), ..keys },
            Effect::Warmup(epochs) => Self { warmup: Some(epochs), ..keys },
            Effect::PerEpoch(count) => Self { per_epoch: Some(count), ..keys },
            Effect::Order(order) => Self { order: Some(order), ..keys },
            Effect::Switch => Self { switch: true, ..keys },
            Effect::Replay(kept) => Self { replay: Some(kept), ..keys },
            Effect::Frozen(names) => Self { frozen: Some(names), ..keys },
            Effect::Masked(masked) => Self { masked: Some(masked), ..keys },
            Effect::Clamped(clamp) => Self { clamped: Some(clamp.into()), ..keys },
        }
    }
}

impl TryFrom<Keys> for Change {
    type Error = String;

    fn try_from(keys: Keys) -> Result<Self, String> {
        let Keys { step, task, place, rate, schedule, warmup, per_epoch, .. } = keys;
        let Keys { order, switch, replay, frozen, masked, clamped, .. } = keys;
        let given = [
            rate.map(Effect::Rate),
            schedule.map(Effect::Schedule),
            warmup.map(Effect::Warmup),
            per_epoch.map(Effect::PerEpoch),
            order.map(Effect::Order),
            switch.then_some(Effect::Switch),
            replay.map(Effect::Replay),
            frozen.map(Effect::Frozen),
            masked.map(Effect::Masked),
            clamped.and_then(ClampKey::clamp).map(Effect::Clamped),
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
    format!(
        "the change {when} must be one valid rate, schedule, warmup, per_epoch, order, switch, replay, frozen, masked or clamped"
    )
}
