//! Builds the study `controls` of a run: the run itself, and the same with one thing changed at a time that could be the cause of
//! what its switch shows.
//!
//! A control that the run cannot have is left out: LayerNorm where the network has no such setting, a frozen head where there is
//! no other layer, the same classes twice where tasks are not sets of classes.

use toml::Value;

use super::Preset;
use crate::spec::{Change, Clamp, DataShape, Effect, Spec, StudySpec, TaskKind, Variant};

pub(super) const CONTROLS: Preset = Preset {
    name: NAME,
    about: "The run and its controls, one thing changed at a time: what is left of spike, dip and forgetting, ten seeds",
    change: |spec| spec.study = Some(controls_of(spec)),
};

/// The name of the study.
const NAME: &str = "controls";
/// Its seeds: as many as an interval needs to be of use.
const SEEDS: u64 = 10;
/// The number of batches that one control averages.
const AVERAGED: usize = 4;
/// The epochs of the new task over which the rate rises, at most half of the task.
const WARM_UP: f64 = 5.0;
/// Images of each earlier task that are replayed.
const REPLAYED: usize = 200;

impl Preset {
    /// Returns whether it is the study whose runs follow from the other settings.
    pub fn is_controls(&self) -> bool {
        self.name == NAME
    }
}

/// Returns the study of the controls of this run.
pub fn controls_of(run: &Spec) -> StudySpec {
    let shape = DataShape::expected(run);
    let with = |name: &str, set: Vec<String>| Variant { name: name.to_owned(), set, values: Vec::new() };
    let changed = |name: &str, effect: Effect| with(name, vec![changes(&[Change { place: Some(2), ..effect.into() }])]);
    let mut variants = vec![with("as it is", Vec::new())];
    if run.tasks.kind == TaskKind::Split {
        let most = run.tasks.classes.iter().map(Vec::len).max().unwrap_or(0);
        variants.push(with("same classes twice", vec![format!("tasks.overlap={most}")]));
    }
    // As many steps in as many epochs, so that the lag, its snapshots and the window of a spike stay what they were.
    let whole = run.tasks.sequence().iter().map(|&task| run.steps_per_epoch(task, &shape)).max().unwrap_or(1);
    variants.push(with("averaged batches", vec![format!("training.average={AVERAGED}")]));
    variants.push(with("full batch", vec![format!("training.average={whole}")]));
    variants.push(changed("steps clamped", Effect::Clamped(Clamp::Step)));
    variants.push(changed("displacement clamped", Effect::Clamped(Clamp::Displacement)));
    // A warm-up that spans the run once is over before the switch.
    variants.extend(run.training.restart.then(|| changed("warm-up", Effect::Warmup(warm_up(run, &shape)))));
    variants.push(changed("masked", Effect::Masked(true)));
    let parts = run.network.parts(shape.image, shape.outputs);
    if let [features @ .., head] = parts.as_slice()
        && !features.is_empty()
    {
        variants.push(changed("head only", Effect::Frozen(features.to_vec())));
        variants.push(changed("head frozen", Effect::Frozen(vec![head.clone()])));
    }
    variants.push(changed("replay", Effect::Replay(REPLAYED)));
    variants.push(with("LayerNorm", vec!["network.norm=layer".to_owned()]));
    let base = Spec { study: None, ..run.clone() };
    variants.retain(|variant| {
        let mut spec = base.clone();
        let is_another = spec.set_all(variant.set.iter().map(String::as_str)).is_ok() && !spec.same_run(&base);
        variant.set.is_empty() || (is_another && spec.problems(&DataShape::expected(&spec)).is_empty())
    });
    StudySpec { axis: "control".to_owned(), variants, seeds: (1..=SEEDS).collect(), ..StudySpec::default() }
}

/// Returns the epochs over which the rate of the second task rises.
fn warm_up(run: &Spec, shape: &DataShape) -> f64 {
    let Some(&second) = run.tasks.sequence().get(1) else { return 0.0 };
    let per_epoch = run.steps_per_epoch(second, shape);
    WARM_UP.min(0.5 * run.tasks.steps_at(1, per_epoch) as f64 / per_epoch as f64)
}

/// Returns the assignment of these changes.
fn changes(changes: &[Change]) -> String {
    // A change always has a form in TOML; without one the control would be left out, because it changes nothing.
    let list = Value::try_from(changes).unwrap_or_else(|_| Value::Array(Vec::new()));
    format!("changes={list}")
}
