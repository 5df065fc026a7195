//! Forks: a future is the run that its spec gives from the start, and what can be changed in one does what it says.

use super::FIVE;
use std::sync::Arc;

use kernelscope::run::{Checkpoint, Ending, Event, Row};
use kernelscope::spec::{Change, Clamp, Effect, Schedule, Spec};
use kernelscope::worker::{Command, DeviceChoice, Job, Worker};

use super::run::{rows, timeless};
use super::{ending, read_all, read_until, start, tiny};

/// Keeps the state of a run of this spec at its first switch, or after some steps; also returns all its rows.
pub fn kept(spec: Spec, at_switch: bool) -> (Arc<Checkpoint>, Vec<Row>) {
    let worker = start(spec);
    // Asked for at the first snapshot, it might be answered before the first step.
    let mut events = read_until(&worker, |event| matches!(event, Event::Snapshot(found) if found.row.step > 0));
    assert!(worker.send(Command::Fork { at_switch }));
    events.extend(read_until(&worker, |event| matches!(event, Event::Forked(_))));
    let Some(Event::Forked(kept)) = events.last().cloned() else { unreachable!("that is what was waited for") };
    events.extend(read_all(&worker));
    (kept, timeless(events))
}

pub fn go_on(from: &Arc<Checkpoint>, spec: Spec) -> Vec<Event> {
    read_all(&Worker::continue_run(
        Job { spec, device: DeviceChoice::Cpu, paced: false },
        Arc::clone(from),
        Box::new(|| {}),
    ))
}

fn changes() -> Vec<Effect> {
    vec![
        Effect::Rate(0.02),
        Effect::Schedule(Schedule::Cosine),
        Effect::Warmup(1.0),
        Effect::Replay(20),
        Effect::Frozen(vec!["fc1".to_owned()]),
        Effect::Masked(true),
        Effect::Clamped(Clamp::Step),
        Effect::Clamped(Clamp::Path),
        Effect::Clamped(Clamp::Displacement),
        Effect::Switch,
    ]
}

/// A run that stands still at its third snapshot, so that a fork in the middle of a task is asked for at a known place.
fn long() -> Spec {
    let mut spec = tiny();
    spec.tasks.epochs = vec![40.0, 2.0, 1.0];
    spec.tasks.classes = vec![vec![0, 1], vec![2, 3], vec![4, 5]];
    spec
}

#[test]
fn a_future_is_bit_for_bit_the_run_of_its_spec() {
    for (at_switch, setting) in [(true, "network.alpha=2.0"), (false, "training.replay=0"), (true, "training.replay=5")]
    {
        let mut spec = long();
        spec.set(setting).unwrap();
        let (from, parent) = kept(spec.clone(), at_switch);
        assert!(from.step > 0 && parent.iter().any(|row| row.step > from.step), "a fork in the middle");
        let unchanged = timeless(go_on(&from, from.future([])));
        let rest: Vec<Row> = parent.into_iter().filter(|row| row.step > from.step).collect();
        assert_eq!(unchanged, rest, "{setting}: nothing changed, and so nothing differs");
        for change in changes() {
            let future = from.future([change.clone()]);
            assert_eq!(Spec::from_toml(&future.to_toml()).unwrap(), future, "it can be written down");
            let gone_on = go_on(&from, future.clone());
            assert!(matches!(ending(&gone_on), Ending::Finished { .. }), "{change:?}: {:?}", gone_on.last());
            let told = timeless(gone_on);
            let again: Vec<Row> = rows(future).into_iter().filter(|row| row.step > from.step).collect();
            // Where a switch falls on the step of the fork, the kernel there was measured by the run that was forked.
            let told: Vec<Row> = told.into_iter().filter(|row| row.step > from.step).collect();
            assert_eq!(told, again, "{setting}: {change:?}");
            assert_ne!(told, rest, "{setting}: {change:?} changes something");
        }
    }
}

#[test]
fn momentum_and_adam_go_on_with_their_state() {
    for setting in ["training.momentum=0.9", "training.optimiser=adam"] {
        let mut spec = long();
        spec.set(setting).unwrap();
        let (from, parent) = kept(spec, true);
        let rest: Vec<Row> = parent.into_iter().filter(|row| row.step > from.step).collect();
        assert_eq!(timeless(go_on(&from, from.future([]))), rest, "{setting}");
    }
}

#[test]
fn a_change_at_a_place_is_one_at_the_step_where_that_task_begins() {
    let steps = |spec: Spec| rows(spec).iter().find(|row| row.at_switch).map(|row| row.step).unwrap();
    let switch = steps(tiny());
    for change in changes() {
        if change == Effect::Switch {
            continue;
        }
        let mut by_place = tiny();
        by_place.changes = vec![Change { place: Some(2), ..change.clone().into() }];
        let mut by_step = tiny();
        by_step.changes = vec![Change { step: switch, task: Some(2), ..change.clone().into() }];
        assert_eq!(rows(by_place), rows(by_step), "{change:?}");
    }
}

#[test]
fn each_change_does_what_it_says() {
    let with = |change: Change| {
        let mut spec = tiny();
        spec.kernel.per_epoch = 12;
        spec.kernel.lag = 1.0 / 12.0;
        spec.changes = vec![Change { place: Some(2), ..change }];
        read_all(&start(spec))
    };
    // Clamped: every step of the second task is as long as every other; those of the first are not.
    let rows = timeless(with(Change::from(Effect::Clamped(Clamp::Step))));
    let lengths = |task: usize| -> Vec<f64> {
        rows.iter().filter(|row| row.task == task).filter_map(|row| row.blocks[0].step_norm).collect()
    };
    let spread = |values: &[f64]| {
        let (least, most) = values.iter().fold((f64::MAX, 0.0f64), |(l, m), &v| (l.min(v), m.max(v)));
        most / least
    };
    assert!(lengths(2).len() >= 8 && spread(&lengths(2)) < 1.0 + 1e-4, "{:?}", lengths(2));
    assert!(spread(&lengths(1)) > 1.05, "{:?}", lengths(1));

    // Frozen: its tensors do not move, the others do.
    let weights: Vec<_> = with(Change::from(Effect::Frozen(vec!["fc1".to_owned(), "fc2".to_owned()])))
        .into_iter()
        .filter_map(|event| if let Event::Weights(weights) = event { Some(weights) } else { None })
        .collect();
    let [before, .., after] = weights.as_slice() else { panic!("the weights are told of at a switch and at the end") };
    for (before, after) in before.tensors.iter().zip(&after.tensors) {
        let frozen = before.name.starts_with("fc1") || before.name.starts_with("fc2");
        assert_eq!(before.values == after.values, frozen, "{}", before.name);
    }

    // Masked: the read-out of classes that are absent gets no gradient, so their rows of the last layer stand still.
    let weights: Vec<_> = with(Change::from(Effect::Masked(true)))
        .into_iter()
        .filter_map(|event| if let Event::Weights(weights) = event { Some(weights) } else { None })
        .collect();
    let [before, .., after] = weights.as_slice() else { panic!("the weights are told of at a switch and at the end") };
    let last = |weights: &kernelscope::run::Weights| {
        weights.tensors.iter().find(|tensor| tensor.name == "fc3.weight").unwrap().clone()
    };
    let (before, after) = (last(before), last(after));
    let width = before.shape[1];
    for class in 0..10 {
        let row = class * width..(class + 1) * width;
        assert_eq!(before.values[row.clone()] == after.values[row], class < 5, "class {class}");
    }
}

#[test]
fn clamping_needs_plain_sgd_and_a_step_before() {
    let mut spec = tiny();
    spec.training.momentum = 0.5;
    spec.changes = vec![Change { place: Some(2), ..Effect::Clamped(Clamp::Step).into() }];
    let problems = spec.study_problems();
    assert!(problems.iter().any(|problem| problem.message.contains("plain SGD")), "{problems:?}");
    let mut spec = tiny();
    spec.changes = vec![Change { place: Some(1), ..Effect::Clamped(Clamp::Step).into() }];
    let events = read_all(&start(spec));
    let warned = |event: &Event| matches!(event, Event::Warning { message, .. } if message.contains("not clamped"));
    assert!(events.iter().any(warned));
}

#[test]
fn the_parts_of_a_network_are_all_its_tensors() {
    use kernelscope::model::Network;
    use kernelscope::spec::belongs;
    use kernelscope::spec::{NetworkSpec, Parametrisation};
    for kind in FIVE {
        for parametrisation in [Parametrisation::Standard, Parametrisation::Ntk] {
            let spec = NetworkSpec { parametrisation, ..NetworkSpec::of(kind) };
            let network = Network::new(&spec, 1, [1, 28, 28], 10, &burn::tensor::Device::flex());
            let (names, parts) = (network.trained_names(&[]), spec.parts([1, 28, 28], 10));
            for name in &names {
                assert_eq!(parts.iter().filter(|part| belongs(name, part)).count(), 1, "{kind:?}: {name}");
            }
            for part in &parts {
                assert!(names.iter().any(|name| belongs(name, part)), "{kind:?}: {part}");
            }
            assert!(names.last().is_some_and(|name| belongs(name, parts.last().unwrap())), "the head is the last");
        }
    }
}
