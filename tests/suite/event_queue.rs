//! The queue of events and the thread beside training: in order, bounded, and its failure is the run's.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kernelscope::lab::{Control, EventQueue, Halt};
use kernelscope::run::{Closed, Ending, Event, Sink, Snapshot};
use kernelscope::spec::Spec;
use kernelscope::worker::Worker;

use super::{at_once, ending, read_all, read_until, start, tiny, wait_until};

fn never() -> bool {
    false
}

/// An event by which it can be told in which order things were told.
fn number(step: u64) -> Event {
    Event::Resumed { step }
}

/// The numbers of the events that were told, and the sink that notes them.
fn notes() -> (Arc<Mutex<Vec<u64>>>, Box<dyn Sink + Send>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&told);
    let sink = move |event: Event| {
        let Event::Resumed { step } = event else { unreachable!("only these are sent here") };
        notes.lock().unwrap().push(step);
        Ok(())
    };
    (told, Box::new(sink))
}

fn give<W: Send + 'static>(queue: &mut EventQueue<W>, work: W, cancelled: &dyn Fn() -> bool) -> Result<(), Halt> {
    queue.reserve(cancelled)?;
    queue.give(work, cancelled)
}

#[test]
fn events_come_in_order_and_the_giver_gets_only_so_far_ahead() {
    let done = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&done);
    let task = move |piece: usize| {
        std::thread::sleep(Duration::from_millis(5));
        count.store(piece, Ordering::SeqCst);
        Ok(if piece.is_multiple_of(2) { vec![number(piece as u64)] } else { Vec::new() })
    };
    let (told, sink) = notes();
    let mut queue = EventQueue::start("test", sink, task);
    for piece in 1..=40 {
        give(&mut queue, piece, &never).unwrap();
        assert!(piece <= done.load(Ordering::SeqCst) + 3, "{piece} given, {} done", done.load(Ordering::SeqCst));
        // What needs no analysis waits for what came before.
        queue.emit(number(100 + piece as u64), &never).unwrap();
    }
    queue.settle(&never).unwrap();
    let each = |piece: u64| piece.is_multiple_of(2).then_some(piece).into_iter().chain([100 + piece]);
    assert_eq!(*told.lock().unwrap(), (1..=40).flat_map(each).collect::<Vec<_>>());
    assert_eq!(queue.check(), Ok(()));
}

#[test]
fn waiting_ends_when_it_is_cancelled_and_dropping_does_not_wait() {
    let (told, sink) = notes();
    // A piece is done when the test says so, which it does after all else.
    let (release, held) = crossbeam_channel::bounded::<()>(0);
    let mut queue = EventQueue::<u8>::start("test", sink, move |_| {
        _ = held.recv();
        Ok(vec![number(1)])
    });
    let asked = AtomicUsize::new(0);
    let cancelled = || asked.fetch_add(1, Ordering::SeqCst) > 3;
    let given = (0..4).map(|piece| give(&mut queue, piece, &cancelled)).filter(Result::is_ok).count();
    assert!(given <= 2, "{given} pieces were taken, and none was done");
    drop(queue);
    drop(release);
    // The sink goes with the thread, after the piece that it was at.
    wait_until("the thread is gone", || Arc::strong_count(&told) == 1);
    assert_eq!(*told.lock().unwrap(), [0; 0], "nothing is told behind the back of whoever let go");
}

#[test]
fn a_queue_that_is_closed_tells_what_needs_no_analysis() {
    let (told, sink) = notes();
    let mut queue = EventQueue::start("test", sink, |piece: u64| {
        std::thread::sleep(Duration::from_secs(piece));
        Ok(vec![number(10 + piece)])
    });
    queue.emit(number(1), &never).unwrap();
    give(&mut queue, 0, &never).unwrap();
    queue.emit(number(2), &never).unwrap();
    give(&mut queue, 2, &never).unwrap();
    queue.emit(number(3), &never).unwrap();
    give(&mut queue, 1, &never).unwrap();
    queue.emit(number(4), &never).unwrap();
    let began = Instant::now();
    queue.close(Duration::from_millis(300));
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    queue.emit(number(5), &never).unwrap();
    assert_eq!(*told.lock().unwrap(), [1, 10, 2, 3, 4, 5]);
    drop(queue);
    wait_until("the queue's thread has ended", || Arc::strong_count(&told) == 1);
    assert_eq!(*told.lock().unwrap(), [1, 10, 2, 3, 4, 5], "and the thread tells nothing any more");
}

#[test]
fn waiting_for_a_reader_is_not_waiting_for_the_analysis() {
    let slow = |_: Event| {
        std::thread::sleep(Duration::from_millis(50));
        Ok(())
    };
    let mut queue = EventQueue::start("test", Box::new(slow), |piece: u64| Ok(vec![number(piece)]));
    let (mut for_analysis, mut for_reader) = (Duration::ZERO, Duration::ZERO);
    for piece in 0..8 {
        let waited = queue.reserve(&never).unwrap();
        for_analysis += waited.for_analysis;
        for_reader += waited.for_reader;
        queue.give(piece, &never).unwrap();
    }
    assert!(for_reader > Duration::from_millis(200), "{for_reader:?}");
    assert!(for_analysis < for_reader / 2, "{for_analysis:?} and {for_reader:?}");
}

#[test]
fn a_reader_that_has_gone_ends_the_queue() {
    let gone = |_: Event| Err(Closed);
    let mut queue = EventQueue::<u8>::start("test", Box::new(gone), |_| Ok(Vec::new()));
    queue.emit(number(1), &never).unwrap();
    assert_eq!(queue.settle(&never), Err(Halt::Closed));
    assert_eq!(queue.emit(number(2), &never), Err(Halt::Closed));
}

#[test]
fn a_failure_comes_after_the_events_before_it_and_nothing_after_it() {
    let failed = || Halt::Failed { step: 3, message: "three is too many".to_owned() };
    let task = move |piece: u64| if piece == 3 { Err(failed()) } else { Ok(vec![number(piece)]) };
    let (told, sink) = notes();
    let mut queue = EventQueue::start("test", sink, task);
    let given = (1..=6).map(|piece| give(&mut queue, piece, &never)).find_map(Result::err);
    assert!(given.is_none_or(|halt| halt == failed()), "a dead thread holds nobody up");
    for _ in 0..2 {
        assert_eq!(queue.settle(&never), Err(failed()));
    }
    queue.close(Duration::from_secs(10));
    assert_eq!(*told.lock().unwrap(), [1, 2]);
}

#[test]
fn a_panic_beside_training_is_the_last_event_of_the_run() {
    let lab = |control: &mut dyn Control, sink: Box<dyn Sink + Send>| {
        let mut queue = EventQueue::<u8>::start("test", sink, |_| panic!("the floor gave way"));
        let cancelled = || control.cancelled();
        let _ = queue.emit(number(7), &cancelled);
        let _ = give(&mut queue, 1, &cancelled);
        let _ = queue.settle(&cancelled);
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
    assert!(
        once.iter().any(|snapshot| snapshot.row.cost.waiting_seconds > Some(0.001)),
        "the trainer waits, and says so"
    );
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
    for snapshots in [0, 1, 8] {
        let worker = start(spec.clone());
        for _ in 0..snapshots {
            read_until(&worker, |event| matches!(event, Event::Snapshot(_)));
        }
        let asked = Instant::now();
        worker.stop();
        assert!(matches!(ending(&read_all(&worker)), Ending::Stopped { .. }));
        at_once("stopping", asked);
    }
}
