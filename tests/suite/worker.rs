//! The protocol of the worker, path by path, on the real thread and the real run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kernelscope::run::{Ending, Event, Snapshot};
use kernelscope::spec::{Change, Effect, Spec};
use kernelscope::worker::{Command, DeviceChoice, EVENTS, Job, Worker};

use super::{at_once, ending, read_all, read_until, start, tiny, wait_until};

fn endless() -> Spec {
    let mut spec = tiny();
    spec.tasks.epochs = vec![100_000.0];
    spec
}

fn snapshots(events: &[Event]) -> Vec<&Arc<Snapshot>> {
    events
        .iter()
        .filter_map(|event| if let Event::Snapshot(snapshot) = event { Some(snapshot) } else { None })
        .collect()
}

fn changes(events: &[Event]) -> Vec<Change> {
    events
        .iter()
        .filter_map(|event| if let Event::Changed { change, .. } = event { Some(change.clone()) } else { None })
        .collect()
}

#[test]
fn a_run_begins_with_its_facts_and_ends_with_its_reason() {
    let events = read_all(&start(tiny()));
    assert!(matches!(events[0], Event::Started(_)));
    assert!(matches!(events[1], Event::Task(task) if task.task == 1 && task.step == 0 && task.from.is_none()));
    let Event::Started(info) = &events[0] else { unreachable!("asserted above") };
    let steps: u64 = info.planned_steps;
    assert_eq!(ending(&events), &Ending::Finished { step: steps });
    let grams = snapshots(&events);
    assert_eq!(grams[0].row.step, 0);
    assert_eq!(grams.last().unwrap().row.step, steps);
    assert!(grams.windows(2).all(|pair| pair[0].row.step < pair[1].row.step), "one snapshot a step, in order");
    // The snapshot of the switch still carries the old task, and comes before the new one begins.
    let switch = events.iter().position(|event| matches!(event, Event::Task(task) if task.task == 2)).unwrap();
    let before = snapshots(&events[..switch]);
    let Event::Task(second) = &events[switch] else { unreachable!("found above") };
    assert_eq!((before.last().unwrap().row.step, before.last().unwrap().row.task), (second.step, 1));
    assert!(before.last().unwrap().row.at_switch);
}

#[test]
fn no_lag_straddles_a_switch_and_the_lag_never_varies() {
    let mut spec = tiny();
    spec.tasks.epochs = vec![3.0, 3.0];
    let events = read_all(&start(spec));
    let second = events.iter().find_map(|event| match event {
        Event::Task(task) if task.task == 2 => Some(task.step),
        _ => None,
    });
    for snapshot in snapshots(&events) {
        let row = &snapshot.row;
        let done = row.step - if row.task == 2 { second.unwrap() } else { 0 };
        for block in &row.blocks {
            assert_eq!(block.velocity.is_some(), block.lag_steps.is_some());
            assert!(
                block.lag_steps.is_none_or(|lag| lag == 3 && done >= lag),
                "lag {:?} after {done} steps",
                block.lag_steps
            );
            assert_eq!(block.velocity.is_some(), done >= 3, "every later snapshot has its velocity");
        }
    }
}

#[test]
fn pausing_is_confirmed_and_stepping_goes_exactly_so_far() {
    let worker = start(endless());
    read_until(&worker, |event| matches!(event, Event::Snapshot(_)));
    assert!(worker.send(Command::Pause));
    let events = read_until(&worker, |event| matches!(event, Event::Paused { .. }));
    let Some(Event::Paused { step }) = events.last() else { unreachable!("waited for it") };
    assert!(worker.recv_timeout(Duration::from_millis(200)).is_none(), "nothing moves while it is paused");
    assert!(worker.send(Command::Step(5)));
    let events = read_until(&worker, |event| matches!(event, Event::Paused { .. }));
    assert!(matches!(events.last(), Some(Event::Paused { step: then }) if *then == step + 5), "{events:?}");
    assert!(worker.send(Command::Resume));
    read_until(&worker, |event| matches!(event, Event::Resumed { .. }));
    read_until(&worker, |event| matches!(event, Event::Snapshot(_)));
    worker.stop();
    assert!(matches!(ending(&read_all(&worker)), Ending::Stopped { .. }));
}

#[test]
fn switching_ends_the_task_at_once_and_measures_there() {
    let mut spec = tiny();
    spec.tasks.epochs = vec![100_000.0, 1.0];
    let worker = start(spec);
    read_until(&worker, |event| matches!(event, Event::Snapshot(snapshot) if snapshot.row.step > 4));
    assert!(worker.send(Command::SwitchTask));
    let events = read_all(&worker);
    let change = &changes(&events)[0];
    let second =
        events.iter().find_map(|event| if let Event::Task(task) = event { Some(*task) } else { None }).unwrap();
    assert!(
        change.effect == Effect::Switch && change.step == second.step && second.task == 2 && second.from == Some(1)
    );
    assert!(snapshots(&events).iter().any(|snapshot| snapshot.row.step == second.step && snapshot.row.task == 1));
    assert!(matches!(ending(&events), Ending::Finished { .. }));
}

#[test]
fn live_changes_fed_back_repeat_the_run_as_it_went() {
    let mut spec = tiny();
    spec.tasks.kind = kernelscope::spec::TaskKind::Permuted;
    spec.tasks.count = 3;
    spec.tasks.epochs = vec![4.0, 2.0];
    let worker = start(spec.clone());
    let mut first = read_until(&worker, |event| matches!(event, Event::Snapshot(snapshot) if snapshot.row.step > 10));
    for command in [
        Command::SetRate(0.05),
        Command::SetPerEpoch(6),
        Command::SetUpcoming(vec![3, 2]),
        Command::SetUpcoming(vec![3, 3]),
        Command::SwitchTask,
    ] {
        assert!(worker.send(command));
    }
    first.extend(read_all(&worker));
    let made = changes(&first);
    assert_eq!(made.len(), 4, "the order that names no task twice is left out: {made:?}");
    assert!(first.iter().any(|event| matches!(event, Event::Warning { .. })), "and said so");
    spec.changes = made.clone();
    let second = read_all(&start(spec));
    assert_eq!(changes(&second), made);
    let rows = |events: &[Event]| -> Vec<_> {
        snapshots(events)
            .iter()
            .map(|s| (s.row.step, s.row.task, s.row.blocks.clone(), s.row.accuracy.clone()))
            .collect()
    };
    assert_eq!(rows(&first), rows(&second));
}

#[test]
fn stopping_is_quick_in_every_phase() {
    let phases: [fn(&Event) -> bool; 4] = [
        |event| matches!(event, Event::Started(_)),
        |event| matches!(event, Event::Task(_)),
        |event| matches!(event, Event::Snapshot(_)),
        |event| matches!(event, Event::Snapshot(snapshot) if snapshot.row.step > 0),
    ];
    for phase in std::iter::once(None).chain(phases.map(Some)) {
        let mut spec = endless();
        spec.network.width = 512.into();
        let worker = start(spec);
        phase.into_iter().for_each(|phase| _ = read_until(&worker, phase));
        let asked = Instant::now();
        worker.stop();
        assert!(matches!(ending(&read_all(&worker)), Ending::Stopped { .. }));
        at_once("stopping", asked);
    }
    // While paused, and while it keeps to a slow pace.
    let mut spec = endless();
    spec.window.pace = 1e-3;
    let worker = Worker::start(Job { spec, device: DeviceChoice::Cpu, paced: true }, Box::new(|| {}));
    read_until(&worker, |event| matches!(event, Event::Snapshot(_)));
    worker.send(Command::Pause);
    read_until(&worker, |event| matches!(event, Event::Paused { .. }));
    worker.stop();
    assert!(matches!(ending(&read_all(&worker)), Ending::Stopped { .. }));
}

/// A run without an end of which nobody has read anything, and which has filled its channel; and how often it called.
fn unread() -> (Worker, Arc<AtomicUsize>) {
    let called = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&called);
    let waker = Box::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let worker = Worker::start(Job { spec: endless(), device: DeviceChoice::Cpu, paced: false }, waker);
    // Once for each event, and then again and again while there is no room.
    wait_until("a full channel", || called.load(Ordering::Relaxed) > EVENTS + 3);
    (worker, called)
}

#[test]
fn a_reader_that_never_reads_stops_the_run_not_the_machine() {
    let (worker, called) = unread();
    assert!(!worker.is_finished());
    // What waited is at most the channel and the one in the worker's hand; then it goes on where it stood.
    let mut waiting = 0;
    while worker.try_recv().is_some() {
        waiting += 1;
        if waiting > EVENTS + 8 {
            break;
        }
    }
    assert!((1..=EVENTS + 8).contains(&waiting), "{waiting} events waited");
    assert!(called.load(Ordering::Relaxed) >= EVENTS, "the window was called, also while the channel was full");
    read_until(&worker, |event| matches!(event, Event::Snapshot(_)));
}

#[test]
fn dropping_the_handle_joins_even_when_nobody_read() {
    let (worker, _) = unread();
    let began = Instant::now();
    drop(worker);
    at_once("dropping", began);
}

#[test]
fn a_panic_becomes_the_last_event() {
    let worker = Worker::with_lab(
        Box::new(|_, mut sink| {
            let _ = sink.emit(Event::Resumed { step: 7 });
            panic!("the roof fell in");
        }),
        Box::new(|| {}),
    );
    let events = read_all(&worker);
    assert!(matches!(ending(&events), Ending::Failed { message, .. } if message.contains("the roof fell in")));
}

#[test]
fn data_that_cannot_be_read_is_one_sentence() {
    let mut spec = tiny();
    spec.data.source = kernelscope::spec::Source::Idx;
    spec.data.path = Some("/nowhere/at/all".into());
    let events = read_all(&start(spec));
    let Ending::Failed { step: 0, message } = ending(&events) else { panic!("{events:?}") };
    assert!(message.contains("/nowhere/at/all") && !message.contains('\n'), "{message}");
}

#[test]
fn what_is_asked_where_two_tasks_meet_repeats_too() {
    // Switching twice at one step, pausing in the middle of steps, and moving tasks between them.
    let mut spec = tiny();
    spec.tasks.kind = kernelscope::spec::TaskKind::Permuted;
    spec.tasks.count = 4;
    spec.tasks.epochs = vec![3.0];
    let worker = start(spec.clone());
    let mut first = read_until(&worker, |event| matches!(event, Event::Snapshot(snapshot) if snapshot.row.step > 4));
    for command in [Command::Pause, Command::Step(1000), Command::Pause, Command::SwitchTask] {
        assert!(worker.send(command));
    }
    first.extend(read_until(&worker, |event| matches!(event, Event::Task(task) if task.task == 2)));
    for command in [Command::SetUpcoming(vec![4, 3]), Command::SwitchTask, Command::Resume] {
        assert!(worker.send(command));
    }
    first.extend(read_all(&worker));
    let made = changes(&first);
    assert_eq!(made.len(), 3, "{made:?}");
    assert_eq!(
        made.iter().filter(|change| change.effect == Effect::Switch).map(|change| change.task).collect::<Vec<_>>(),
        [Some(1), Some(2)]
    );
    spec.changes = made.clone();
    let second = read_all(&start(spec));
    assert_eq!(changes(&second), made);
    let tasks = |events: &[Event]| -> Vec<_> {
        events.iter().filter_map(|event| if let Event::Task(task) = event { Some(*task) } else { None }).collect()
    };
    assert_eq!(tasks(&second), tasks(&first));
    let rows = |events: &[Event]| -> Vec<_> {
        snapshots(events).iter().map(|s| (s.row.step, s.row.task, s.row.blocks.clone())).collect()
    };
    assert_eq!(rows(&second), rows(&first));
}
