//! Runs the futures of a run from its stored state between two steps, each with one thing changed.
//!
//! Guarantees: each future is a run of its own with its own record, which begins with that of the forked run up to the fork, so
//! that its curves and figures are complete; none of them affects the run they come from. They stay with that run while another
//! is shown; a new run drops them all.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use egui::Color32;

use crate::chart::series_cache::SeriesCache;
use crate::run::Checkpoint;
use crate::spec::{Clamp, Cost, DataShape, Effect, Spec, memory_available};
use crate::ui::app::session::{Session, seen_until};
use crate::worker::{Waker, Worker};

/// Continues a run from its stored state.
pub type GoOnFn = Box<dyn Fn(Spec, Arc<Checkpoint>, Waker) -> Worker>;

/// Message if a run cannot be forked at its switch.
const NO_SWITCH: &str = "No switch is to come: choose “Here” in the list of futures, or start again";

/// Largest number of futures of one run: more lines cannot be distinguished.
pub const MOST: usize = 8;

/// Describes one thing to change in a future.
#[derive(Clone, Debug, PartialEq)]
pub struct ForkChange {
    pub name: String,
    /// The question that it answers.
    pub about: &'static str,
    pub effect: Effect,
}

/// Returns the changes that are possible for a run of this spec.
pub fn ideas(spec: &Spec) -> Vec<ForkChange> {
    let shape = DataShape::expected(spec);
    let parts = spec.network.parts(shape.image, shape.outputs);
    let (body, head) = parts.split_at(parts.len().saturating_sub(1));
    let idea = |name: &str, about, effect| ForkChange { name: name.to_owned(), about, effect };
    // Parameters that are already frozen stay frozen.
    let frozen = |parts: &[String]| {
        let mut all = spec.training.frozen.clone();
        all.extend(parts.iter().filter(|part| !spec.training.frozen.contains(part)).cloned());
        Effect::Frozen(all)
    };
    let mut ideas = Vec::new();
    if spec.has_plain_steps() {
        let about = "Each step as long as those before it: how much of the spike is larger steps? (Many steps in one \
            direction still lead further)";
        ideas.push(idea("steps clamped", about, Effect::Clamped(Clamp::Step)));
        let about = "The weights never further from where they were one lag ago than before: how much of the spike is \
            displacement?";
        ideas.push(idea("displacement clamped", about, Effect::Clamped(Clamp::Displacement)));
    }
    let about = "Absent classes take no part in the loss: how much is done by pushing their logits down?";
    ideas.push(idea("logits masked", about, Effect::Masked(true)));
    ideas.push(idea("head only", "Nothing but the last layer learns: do features have to move?", frozen(body)));
    ideas.push(idea("head frozen", "The last layer is not trained: do the features move without it?", frozen(head)));
    for part in body {
        let about = "One layer is not trained: is it the one whose kernel reacts to the switch?";
        ideas.push(idea(&format!("{part} frozen"), about, frozen(std::slice::from_ref(part))));
    }
    let about = "Images of earlier tasks beside each batch";
    ideas.push(idea("replay 200", about, Effect::Replay(200)));
    for (name, factor) in [("rate × ½", 0.5), ("rate × 2", 2.0)] {
        let rate = Effect::Rate(spec.training.rate * factor);
        ideas.push(idea(name, "Another learning rate from here on", rate));
    }
    let about = "The task that is being trained ends here";
    ideas.push(idea("next task now", about, Effect::Switch));
    ideas
}

/// Futures chosen at first: they separate the components of a switch.
const FIRST: [&str; 3] = ["steps clamped", "logits masked", "head only"];

/// Holds a future that runs or has run.
pub struct Branch {
    pub name: String,
    pub session: Session,
    pub curves: SeriesCache,
    pub colour: Color32,
}

/// Holds the futures of a run that is not shown. Unfinished ones continue to train.
pub struct HiddenForks {
    epoch: Option<f64>,
    branches: Vec<Branch>,
}

impl HiddenForks {
    /// Receives results for at most `budget`; returns whether there may be more.
    pub fn receive(&mut self, budget: Duration) -> bool {
        receive(&mut self.branches, budget)
    }
}

/// Receives results of these futures for at most `budget`; returns whether there may be more.
fn receive(branches: &mut [Branch], budget: Duration) -> bool {
    let count = branches.len().max(1) as u32;
    branches.iter_mut().fold(false, |more, branch| branch.session.receive(budget / count) | more)
}

/// Holds the epoch of the fork, the futures from there, and the choices for the next fork.
pub struct Forks {
    /// Names of the chosen ideas.
    pub chosen: BTreeSet<String>,
    /// True to fork at the next switch instead of here.
    pub at_switch: bool,
    /// The ideas of a requested fork, until the run's state has arrived.
    requested: Option<Vec<ForkChange>>,
    /// Epoch of the last fork.
    epoch: Option<f64>,
    branches: Vec<Branch>,
    /// The reason why there is no fork.
    pub refusal: Option<String>,
}

impl Default for Forks {
    fn default() -> Self {
        Self {
            chosen: FIRST.map(str::to_owned).into(),
            at_switch: true,
            requested: None,
            epoch: None,
            branches: Vec::new(),
            refusal: None,
        }
    }
}

impl Forks {
    pub fn branches(&self) -> &[Branch] {
        &self.branches
    }

    /// Returns the epoch of the last fork.
    pub fn epoch(&self) -> Option<f64> {
        self.epoch
    }

    /// Chooses a future for the next fork, by the name of its idea, or removes it from the choice.
    pub fn choose(&mut self, name: String, chosen: bool) {
        if chosen {
            self.chosen.insert(name);
        } else {
            self.chosen.remove(&name);
        }
    }

    /// Returns whether a requested fork has not happened yet.
    pub fn is_waiting(&self) -> bool {
        self.requested.is_some()
    }

    /// Returns the chosen ideas, in their order.
    pub fn wanted(&self, spec: &Spec) -> Vec<ForkChange> {
        let chosen =
            |idea: &ForkChange| self.chosen.contains(&idea.name) && !(self.at_switch && idea.effect.is_switch());
        ideas(spec).into_iter().filter(chosen).collect()
    }

    /// Requests a fork for the chosen futures; returns whether the run is to keep its state for it. `switches` tells whether a
    /// switch is still to come.
    pub fn ask(&mut self, spec: &Spec, switches: bool) -> bool {
        let wanted = self.wanted(spec);
        self.refusal = if self.at_switch && !switches {
            Some(NO_SWITCH.to_owned())
        } else if wanted.is_empty() {
            Some("Choose the change".to_owned())
        } else if wanted.len() > MOST {
            Some(format!("At most {MOST} futures at a time"))
        } else {
            let cost = Cost::of(spec, &DataShape::expected(spec));
            let (needed, free) = (cost.peak_bytes.saturating_mul(wanted.len() as u64), memory_available());
            (needed > free).then(|| {
                let [needed, free] = [needed, free].map(|bytes| bytes as f64 / f64::from(1 << 30));
                format!("{} futures need about {needed:.1} GiB and {free:.1} GiB are free: choose fewer", wanted.len())
            })
        };
        if self.refusal.is_none() {
            self.requested = Some(wanted);
        }
        self.refusal.is_none()
    }

    /// Cancels the requested fork: the run has ended, or has no switch left.
    pub fn give_up(&mut self, why: &str) {
        if self.requested.take().is_some() {
            self.refusal = Some(why.to_owned());
        }
    }

    /// Starts the requested futures from the stored state, in place of the previous ones.
    pub fn begin(&mut self, kept: &Arc<Checkpoint>, parent: &Session, go_on: &GoOnFn, waker: impl Fn() -> Waker) {
        let Some(wanted) = self.requested.take() else { return };
        self.branches.clear();
        self.epoch = Some(kept.epoch);
        for (place, idea) in wanted.into_iter().enumerate() {
            // The pace is the run's current one, not that of its start.
            let spec = Spec { window: parent.spec.window.clone(), ..kept.future([idea.effect]) };
            let run = go_on(spec.clone(), Arc::clone(kept), waker());
            let mut session = Session::new(run, spec);
            session.history = seen_until(&parent.history, kept).unwrap_or_default();
            let shade = colorous::TABLEAU10[(place + 1) % 10];
            let colour = Color32::from_rgb(shade.r, shade.g, shade.b);
            self.branches.push(Branch { name: idea.name, session, curves: SeriesCache::default(), colour });
        }
    }

    /// Receives results of all futures for at most `budget`; returns whether there may be more.
    pub fn receive(&mut self, budget: Duration) -> bool {
        receive(&mut self.branches, budget)
    }

    /// Sends a command to all futures.
    pub fn tell(&mut self, command: &crate::worker::Command) {
        self.branches.iter_mut().for_each(|branch| branch.session.send(command.clone()));
    }

    /// Removes a future.
    pub fn remove(&mut self, place: usize) {
        if place < self.branches.len() {
            self.branches.remove(place);
        }
    }

    /// Takes the futures out, to be stored with the run that they belong to; `None` if there are none.
    pub fn take_branches(&mut self) -> Option<HiddenForks> {
        let branches = std::mem::take(&mut self.branches);
        (!branches.is_empty()).then(|| HiddenForks { epoch: self.epoch.take(), branches })
    }

    /// Restores the futures of the run that is shown now.
    pub fn put_back(&mut self, kept: HiddenForks) {
        (self.epoch, self.branches) = (kept.epoch, kept.branches);
    }

    /// Removes all futures; the choices stay.
    pub fn clear(&mut self) {
        let (chosen, at_switch) = (std::mem::take(&mut self.chosen), self.at_switch);
        *self = Self { chosen, at_switch, ..Self::default() };
    }
}
