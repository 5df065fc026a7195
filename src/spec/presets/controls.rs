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
/// The factor by which the batches of one control are larger.
const LARGER: usize = 4;
/// The epochs of the new task over which the rate rises, at most half of the task, and the steps of its staircase per epoch.
const WARM_UP: f64 = 5.0;
const STAIRS: u64 = 4;
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
    variants.push(with("larger batches", larger_batches(run, &shape)));
    variants.push(changed("clamped", Effect::Clamped(Clamp::Step)));
    variants.push(with("warm-up", vec![changes(&warm_up(run, &shape))]));
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

/// Returns batches that are larger at as many steps, with the lag and the time between snapshots of as many steps.
fn larger_batches(run: &Spec, shape: &DataShape) -> Vec<String> {
    let batch = LARGER * run.training.batch;
    let steps: Vec<String> = (run.tasks.sequence().iter().enumerate())
        .map(|(place, &task)| run.tasks.steps_at(place, run.steps_per_epoch(task, shape)).to_string())
        .collect();
    let first = run.tasks.sequence().first().copied().unwrap_or(1);
    let (few, many) = {
        let larger = Spec { training: crate::spec::TrainingSpec { batch, ..run.training.clone() }, ..run.clone() };
        (larger.steps_per_epoch(first, shape) as f64, run.steps_per_epoch(first, shape) as f64)
    };
    let lag = (run.kernel.lag * many).round().max(1.0) / few;
    let per_epoch = (run.kernel.per_epoch as f64 * few / many).round().max(1.0);
    vec![
        format!("training.batch={batch}"),
        format!("tasks.steps=[{}]", steps.join(", ")),
        format!("kernel.per_epoch={per_epoch}"),
        format!("kernel.lag={lag:?}"),
    ]
}

/// Returns the changes by which the rate of the second task rises from 0 to where it was, in stairs.
fn warm_up(run: &Spec, shape: &DataShape) -> Vec<Change> {
    let [first, second, ..] = run.tasks.sequence()[..] else { return Vec::new() };
    let per_epoch = run.steps_per_epoch(second, shape);
    let begin = run.tasks.steps_at(0, run.steps_per_epoch(first, shape));
    let whole = run.tasks.steps_at(1, per_epoch);
    let length = ((WARM_UP * per_epoch as f64) as u64).min(whole / 2);
    let stairs = (STAIRS * length / per_epoch.max(1)).max(1);
    let stair = |number: u64| {
        let rate = readable(run.training.rate * (number + 1) as f64 / stairs as f64);
        Change { step: begin + number * length / stairs, ..Effect::Rate(rate).into() }
    };
    (0..stairs).map(stair).collect()
}

/// Returns a number with seven digits, so that a study's file can be read: .00015 and not .00015000000000000001.
fn readable(value: f64) -> f64 {
    format!("{value:.6e}").parse().unwrap_or(value)
}

/// Returns the assignment of these changes.
fn changes(changes: &[Change]) -> String {
    // A change always has a form in TOML; without one the control would be left out, because it changes nothing.
    let list = Value::try_from(changes).unwrap_or_else(|_| Value::Array(Vec::new()));
    format!("changes={list}")
}
