//! Runs that were trained once and lie in `tests/fixtures/recorded`, for pictures that are the same on every processor.
//!
//! `KERNELSCOPE_RECORD=1` trains and writes them anew (see `tests/snapshots/README.md`). Seconds are left out of them, for they
//! differ each time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kernelscope::lab::Control;
use kernelscope::run::{Ending, Event, History, Ledger, OldImage, Progress, RunInfo, Sink, SnapshotCost};
use kernelscope::spec::{Optimiser, Parametrisation, Spec, preset};
use kernelscope::storage::{create, load};
use kernelscope::worker::{Waker, Worker};

use super::{read_all, start};

/// Two tasks of five classes in 6 + 3 epochs, with everything that a view can show of a network trained by SGD.
pub fn two_tasks(width: usize, seed: u64) -> Spec {
    let mut spec = Spec { seed, ..Spec::default() };
    spec.data.per_class = 60;
    spec.data.test_per_class = 20;
    spec.network.width = width.into();
    spec.training.batch = 30;
    spec.training.rate = 0.03;
    spec.kernel.probes_per_class = 2;
    spec.kernel.per_epoch = 2;
    spec.kernel.lag = 0.5;
    spec.kernel.predict = true;
    spec.tasks.epochs = vec![6.0, 3.0];
    spec
}

/// The run of the optimiser's kernel.
fn adam() -> Spec {
    let mut spec = two_tasks(16, 1);
    spec.kernel.predict = false;
    spec.kernel.optimiser = true;
    spec.training.optimiser = Optimiser::Adam;
    spec.training.rate = 0.002;
    spec.tasks.epochs = vec![4.0, 2.0];
    spec
}

/// A ready-made run on points of the plane, made short.
fn plane(name: &str, probes_per_class: usize) -> Spec {
    let mut spec = preset(name).expect("it is in the list").spec();
    spec.network.width = 64.into();
    spec.network.parametrisation = Parametrisation::Ntk;
    spec.kernel.probes_per_class = probes_per_class;
    spec.kernel.per_epoch = 1;
    spec.kernel.lag = 1.0;
    spec.tasks.epochs = vec![8.0];
    spec
}

/// The names of all recorded runs, with their settings.
fn all() -> Vec<(&'static str, Spec)> {
    vec![
        ("width-16-seed-1", two_tasks(16, 1)),
        ("width-16-seed-2", two_tasks(16, 2)),
        ("width-32-seed-1", two_tasks(32, 1)),
        ("width-32-seed-2", two_tasks(32, 2)),
        ("adam", adam()),
        ("circle", plane("circle", 16)),
        ("disk", plane("disk", 18)),
    ]
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/recorded").join(name)
}

/// The record of a run that was trained once.
pub fn recorded(name: &str) -> Arc<History> {
    let folder = folder(name);
    let mut history = load(&folder).unwrap_or_else(|err| panic!("{err}; KERNELSCOPE_RECORD=1 writes it")).history;
    let ledger = history.info().and_then(|info| ledger(&folder.join("ledger.csv"), info));
    ledger.into_iter().for_each(|ledger| history.push(Event::Ledger(Arc::new(ledger))));
    Arc::new(history)
}

/// The ledger of the first switch. The file has only the outputs of each image's own class, and no images: those of the second
/// task's probes stand for the batch's.
fn ledger(path: &Path, info: &RunInfo) -> Option<Ledger> {
    let mut lines = csv::Reader::from_path(path).ok()?.into_records().map(Result::unwrap).peekable();
    let number = |line: &csv::StringRecord, column: usize| line[column].parse::<f64>().ok();
    let first = lines.peek()?;
    let [step, epoch, task] = [0, 1, 2].map(|column| number(first, column).unwrap());
    let (mut old, mut new_labels): (Vec<OldImage>, Vec<usize>) = (Vec::new(), Vec::new());
    for line in lines {
        let label = number(&line, 4).unwrap() as usize;
        match (number(&line, 5), old.last_mut()) {
            (Some(image), Some(last)) => {
                last.by_image.push(number(&line, 7).unwrap());
                if image as usize == new_labels.len() {
                    new_labels.push(number(&line, 6).unwrap() as usize);
                }
            }
            _ => {
                let own = |value: f64| (0..info.class_names.len()).map(move |at| if at == label { value } else { 0.0 });
                let [predicted, measured] = [7, 8].map(|column| own(number(&line, column).unwrap()).collect());
                let probe = number(&line, 3).unwrap() as usize;
                old.push(OldImage { probe, label, own: label, target: 1.0, by_image: Vec::new(), predicted, measured });
            }
        }
    }
    let images = info.thumbnails.chunks(info.thumbnails.len() / info.probes.len());
    let of_second = || images.clone().zip(&info.probes).filter(|(_, probe)| probe.task == 2);
    let image = |label: &usize| of_second().find(|(_, probe)| probe.label == *label).unwrap().0.to_vec();
    let new_thumbnails = new_labels.iter().flat_map(image).collect();
    Some(Ledger { step: step as u64, epoch, task: task as usize, old, new_labels, new_thumbnails })
}

/// The event without what differs from one machine to the next.
pub fn without_seconds(event: Event) -> Event {
    match event {
        Event::Snapshot(mut snapshot) => {
            Arc::make_mut(&mut snapshot).row.cost = SnapshotCost::default();
            Event::Snapshot(snapshot)
        }
        Event::Progress(progress) => Event::Progress(Progress { steps_per_second: 0.0, kernel_share: 0.0, ..progress }),
        other => other,
    }
}

/// How far a run is played.
#[derive(Clone, Copy, PartialEq)]
pub enum Until {
    /// To its end.
    End,
    /// To the snapshot at this epoch, where it goes on without anything being told, until it is stopped.
    Epoch(f64),
    /// To the snapshot at this epoch, where it diverges.
    Diverges(f64),
}

/// A worker that tells what was recorded, in the order in which it happened.
pub fn play(history: &Arc<History>, until: Until, waker: Waker) -> Worker {
    let history = Arc::clone(history);
    let lab = move |control: &mut dyn Control, mut sink: Box<dyn Sink + Send>| {
        for event in events(&history, until) {
            if sink.emit(event).is_err() {
                return;
            }
        }
        if let Until::Epoch(_) = until {
            while !control.cancelled() {
                control.wait(std::time::Duration::from_millis(20));
            }
            let step = history.rows().last().map_or(0, |row| row.step);
            _ = sink.emit(Event::Ended(Ending::Stopped { step }));
        }
    };
    Worker::with_lab(Box::new(lab), waker)
}

/// What was recorded, as it was told.
pub fn events(history: &History, until: Until) -> Vec<Event> {
    let last = match until {
        Until::End => f64::INFINITY,
        Until::Epoch(epoch) | Until::Diverges(epoch) => epoch,
    };
    let info = history.info().expect("it has begun");
    let mut events = vec![Event::Started(Arc::clone(info))];
    events.extend(history.limit().cloned().map(Event::Limit));
    let mut tasks = history.tasks().iter().peekable();
    let mut ledgers = history.ledgers().iter().peekable();
    for snapshot in history.snapshots().iter().filter(|snapshot| snapshot.row.epoch <= last) {
        let step = snapshot.row.step;
        // A task begins after the snapshot at its switch, the first one before all.
        while let Some(task) = tasks.next_if(|task| task.step < step || task.from.is_none()) {
            events.push(Event::Task(*task));
        }
        while let Some(ledger) = ledgers.next_if(|ledger| ledger.step < step) {
            events.push(Event::Ledger(Arc::clone(ledger)));
        }
        events.push(Event::Progress(Progress {
            step,
            epoch: snapshot.row.epoch,
            losses: snapshot.row.train_loss.map(|loss| (snapshot.row.epoch, loss)).into_iter().collect(),
            planned_steps: info.planned_steps,
            upcoming: tasks.clone().map(|task| task.task).collect(),
            steps_per_second: 0.0,
            kernel_share: 0.0,
        }));
        events.push(Event::Snapshot(Arc::clone(snapshot)));
    }
    let reached = history.snapshots().iter().rfind(|snapshot| snapshot.row.epoch <= last);
    let step = reached.map_or(0, |snapshot| snapshot.row.step);
    let message = "the loss is no longer a number: the rate is too high".to_owned();
    match until {
        Until::End => events.push(Event::Ended(Ending::Finished { step })),
        Until::Diverges(_) => events.push(Event::Ended(Ending::Diverged { step, message })),
        Until::Epoch(_) => {}
    }
    events
}

/// Trains what is recorded, where that was asked for.
#[test]
fn recorded_runs_are_there_and_are_written_anew_where_asked_for() {
    if std::env::var_os("KERNELSCOPE_RECORD").is_some() {
        for (name, spec) in all() {
            let folder = folder(name);
            _ = std::fs::remove_dir_all(&folder);
            let mut opened = create(&folder, &spec, true).unwrap().folder;
            for event in read_all(&start(spec)).into_iter().map(without_seconds) {
                // The weights are large, and no view shows them.
                if !matches!(event, Event::Weights(_)) {
                    opened.take(&event).unwrap();
                }
            }
        }
    }
    for (name, spec) in all() {
        let history = recorded(name);
        assert_eq!(history.info().unwrap().spec, spec, "{name}");
        assert!(history.snapshots().len() > 8, "{name}");
    }
}
