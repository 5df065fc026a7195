//! Builds the study `plasticity`: streams of fifty tasks, on which the states of the kernel at each switch are compared as predictors
//! of how fast the next task is learnt.

use toml::Value;

use super::Preset;
use crate::spec::{Optimiser, StudySpec, Variant};

pub(super) const PLASTICITY: Preset = Preset {
    name: "plasticity",
    about: "Fifty tasks one after the other, pairs of classes or permuted pixels, five seeds: what of the kernel at a switch foretells how fast the next task is learnt",
    change: |spec| {
        // Small images, a small network and few snapshots: kernels of all tasks' probes are most of the time, and of the disk.
        (spec.data.shrink, spec.data.per_class, spec.data.test_per_class) = (4, 300, 20);
        spec.network.width = 64.into();
        (spec.training.optimiser, spec.training.rate, spec.training.batch) = (Optimiser::Adam, 0.003, 16);
        spec.training.masked = true;
        spec.tasks.epochs = vec![1.0];
        (spec.kernel.per_epoch, spec.kernel.lag) = (1, 1.0);
        let variant =
            |name: &str, set: &[String]| Variant { name: name.to_owned(), set: set.to_vec(), values: Vec::new() };
        let pairs = ["tasks.kind=split".to_owned(), classes(), "kernel.probes_per_class=3".to_owned()];
        let permuted = [
            "tasks.kind=permuted".to_owned(),
            format!("tasks.count={TASKS}"),
            "kernel.probes=list".to_owned(),
            format!("kernel.probe_list={PROBES:?}"),
        ];
        spec.study = Some(StudySpec {
            axis: "stream".to_owned(),
            variants: vec![variant("class pairs", &pairs), variant("permuted pixels", &permuted)],
            seeds: (1..=SEEDS).collect(),
            ..StudySpec::default()
        });
    },
};

/// The tasks of a stream.
const TASKS: usize = 50;
/// Its seeds: the fewest that have an interval.
const SEEDS: u64 = 5;
/// The probes of each task of permuted pixels, two of each of five classes: one of each of all classes would say nothing of labels, and
/// more would make kernels of fifty tasks large.
const PROBES: [[usize; 10]; 1] = [[1, 2, 16, 21, 3, 20, 6, 14, 23, 35]];
/// The classes of the data set.
const CLASSES: usize = 10;

/// Returns the assignment of the pairs of classes: a tournament in which each class meets each other once, five pairs of different
/// classes a round, which begins anew after nine rounds.
fn classes() -> String {
    let others = CLASSES - 1;
    let pair = |task: usize| {
        let (round, place) = (task / (CLASSES / 2) % others, task % (CLASSES / 2));
        let (one, other) = ((round + place) % others, (round + others - place) % others);
        let class = |class: usize| Value::Integer(class as i64);
        // The last class stays where it is, and meets the one that would meet itself.
        Value::Array(vec![class(one), class(if place == 0 { others } else { other })])
    };
    format!("tasks.classes={}", Value::Array((0..TASKS).map(pair).collect()))
}
