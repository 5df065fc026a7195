//! The thread beside training: in order, bounded, and its failure is the run's.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kernelscope::lab::{Control, Stage};
use kernelscope::run::{Ending, Event, Sink, Snapshot};
use kernelscope::spec::Spec;
use kernelscope::worker::Worker;

use super::{ending, read_all, start, tiny};

const SOON: Duration = Duration::from_secs(10);

fn never() -> bool {
    false
}

#[test]
fn answers_come_in_order_and_the_giver_gets_only_so_far_ahead() {
    let done = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&done);
    let task = move |piece: usize| {
        std::thread::sleep(Duration::from_millis(5));
        count.store(piece, Ordering::SeqCst);
        Ok(piece.is_multiple_of(2).then_some(piece))
    };
    let mut stage = Stage::start("test", task).unwrap();
    let mut answers = Vec::new();
    for piece in 1..=40 {
        // Nothing is taken out on the way: neither may wait for the other.
        assert!(stage.give(piece, &never).is_some());
        assert!(piece <= done.load(Ordering::SeqCst) + 3, "{piece} given, {} done", done.load(Ordering::SeqCst));
    }
    while answers.len() < 20 {
        answers.push(stage.answer(SOON).unwrap().expect("it answers"));
    }
    assert_eq!(answers, (1..=20).map(|half| 2 * half).collect::<Vec<_>>());
    assert_eq!(stage.answer(Duration::ZERO), Ok(None));
}

#[test]
fn waiting_ends_when_it_is_cancelled_and_dropping_does_not_wait() {
    let began = Instant::now();
    let mut stage = Stage::<u8, u8>::start("test", |_| {
        std::thread::sleep(Duration::from_secs(2));
        Ok(None)
    })
    .unwrap();
    let cancelled = || began.elapsed() > Duration::from_millis(100);
    let given = (0..4).map(|piece| stage.give(piece, &cancelled)).filter(Option::is_some).count();
    assert!(given <= 2, "{given} pieces of two seconds were taken at once");
    drop(stage);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[test]
fn a_failure_comes_after_the_answers_before_it() {
    let task = |piece: u8| if piece == 3 { Err("three is too many".to_owned()) } else { Ok(Some(piece)) };
    let mut stage = Stage::start("test", task).unwrap();
    for piece in 1..=6 {
        assert!(stage.give(piece, &never).is_some(), "a dead thread holds nobody up");
    }
    assert_eq!((stage.answer(SOON), stage.answer(SOON)), (Ok(Some(1)), Ok(Some(2))));
    for _ in 0..2 {
        assert_eq!(stage.answer(SOON), Err("three is too many".to_owned()));
    }
}

#[test]
fn a_panic_beside_training_is_the_last_event_of_the_run() {
    let lab = |control: &mut dyn Control, sink: &mut dyn Sink| {
        let mut stage = Stage::<u8, u8>::start("test", |_| panic!("the floor gave way")).unwrap();
        let _ = sink.emit(Event::Resumed { step: 7 });
        stage.give(1, &|| control.cancelled());
        let _ = stage.answer(SOON);
        unreachable!("the panic goes on here");
    };
    let events = read_all(&Worker::with_lab(Box::new(lab), Box::new(|| {})));
    assert!(matches!(ending(&events), Ending::Failed { message, .. } if message.contains("the floor gave way")));
}

/// A run whose analysis takes much longer than its training: 16 units, 400 probes.
fn lopsided() -> Spec {
    let mut spec = tiny();
    spec.data.per_class = 80;
    spec.kernel.probes_per_class = 40;
    spec.kernel.per_epoch = 12;
    spec
}

fn step_of(event: &Event) -> Option<u64> {
    match event {
        Event::Task(start) => Some(start.step),
        Event::Progress(progress) => Some(progress.step),
        Event::Snapshot(snapshot) => Some(snapshot.row.step),
        Event::Changed { change, .. } => Some(change.step),
        Event::Weights(weights) => Some(weights.step),
        Event::Ended(ending) => Some(ending.step()),
        _ => None,
    }
}

#[test]
fn a_slow_analysis_changes_neither_the_order_nor_the_numbers() {
    let once = read_all(&start(lopsided()));
    let steps: Vec<u64> = once.iter().filter_map(step_of).collect();
    assert!(steps.is_sorted(), "events are told in the order in which they happened: {steps:?}");
    let snapshots = |events: &[Event]| -> Vec<Snapshot> {
        let snapshot =
            |event: &Event| if let Event::Snapshot(snapshot) = event { Some((**snapshot).clone()) } else { None };
        events.iter().filter_map(snapshot).collect()
    };
    let once = snapshots(&once);
    assert!(once.iter().any(|snapshot| snapshot.row.cost.waiting_seconds > 0.001), "the trainer waits, and says so");
    let again = snapshots(&read_all(&start(lopsided())));
    assert_eq!(once.len(), again.len());
    for (one, other) in once.iter().zip(&again) {
        assert_eq!(
            (&one.row.blocks, &one.row.accuracy, &one.gram),
            (&other.row.blocks, &other.row.accuracy, &other.gram)
        );
        assert_eq!((&one.eigenvalues, &one.block_eigenvalues), (&other.eigenvalues, &other.block_eigenvalues));
    }
}

#[test]
fn stopping_does_not_wait_for_the_analysis() {
    let mut spec = lopsided();
    spec.tasks.epochs = vec![100_000.0];
    for wait in [0, 100, 500] {
        let worker = start(spec.clone());
        std::thread::sleep(Duration::from_millis(wait));
        let asked = Instant::now();
        worker.stop();
        assert!(matches!(ending(&read_all(&worker)), Ending::Stopped { .. }));
        assert!(asked.elapsed() < Duration::from_secs(1), "stopped after {:?}", asked.elapsed());
    }
}
