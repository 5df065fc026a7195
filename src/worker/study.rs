//! Executes a study: several runs at once, each on its own worker and into its own folder.
//!
//! Guarantees: dropping the handle or killing the program loses nothing but the runs in progress, which start over the
//! next time; a run that fails is reported and does not affect the others. The channel is bounded: a slow reader slows
//! the study down and loses nothing.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::threads::{join, usable};
use super::{DeviceChoice, Job, TICK, Worker};
use crate::lab::scaling::{Observer, Progress, Shelf, Stop, run_experiment};
use crate::model::release_freed_memory;
use crate::run::{Ending, Event};
use crate::spec::{LearningExperiment, Spec};
use crate::storage::{ExperimentFolder, Opened, RunFolder, ShelfFolder, create};

/// The largest number of messages that wait for a reader.
const MESSAGES: usize = 64;

/// A run that is still to be executed.
#[derive(Clone, Debug)]
pub struct PendingRun {
    /// Its index in the study.
    pub place: usize,
    pub spec: Spec,
    pub folder: PathBuf,
    /// The experiment, in a study of learners.
    pub experiment: Option<Arc<LearningExperiment>>,
    /// Whether it computes the instant curves, of all runs that share them.
    pub predict: bool,
}

/// A message of a running study.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// A run has begun, or has done this share of its steps.
    Progress { place: usize, share: f64 },
    /// A learner of a run is done; its point is in the run's folder.
    LearningCurves { place: usize },
    /// A run has ended, possibly because it diverged; its folder is complete.
    Ended { place: usize },
    /// A run failed.
    Failed { place: usize, message: String },
}

/// A running study. Dropping it cancels the runs in progress and joins.
pub struct Study {
    /// `None` only while dropping.
    messages: Option<Receiver<Message>>,
    cancel: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Study {
    /// Starts with these runs, `at_once` of them at a time.
    pub fn start(runs: Vec<PendingRun>, device: DeviceChoice, at_once: usize) -> Self {
        let (outbox, messages) = bounded(MESSAGES);
        let cancel = Arc::new(AtomicBool::new(false));
        let count = at_once.clamp(1, runs.len().max(1));
        // Learners compute on the threads of the study; a run of another study starts its own.
        let of_learners = runs.iter().any(|run| run.experiment.is_some());
        let waiting = Arc::new(Mutex::new(VecDeque::from(runs)));
        let start = |number: usize| {
            let threads = (usable() / count).max(1);
            let slot = Slot { outbox: outbox.clone(), cancel: Arc::clone(&cancel), device, threads };
            let waiting = Arc::clone(&waiting);
            let next = move || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let work = move || {
                let _pool = of_learners.then(|| join(slot.threads));
                slot.work(next);
            };
            Builder::new().name(format!("study {number}")).spawn(work)
        };
        let threads = (0..count).filter_map(|number| start(number).ok()).collect();
        Self { messages: Some(messages), cancel, threads }
    }

    /// Returns the messages until there are no more; `None` when nothing has happened for this long.
    pub fn messages(&self, quiet: Duration) -> impl Iterator<Item = Option<Message>> + '_ {
        std::iter::from_fn(move || match self.messages.as_ref()?.recv_timeout(quiet) {
            Ok(message) => Some(Some(message)),
            Err(RecvTimeoutError::Timeout) => Some(None),
            Err(RecvTimeoutError::Disconnected) => None,
        })
    }
}

impl Drop for Study {
    fn drop(&mut self) {
        self.cancel.store(true, Ordering::Relaxed);
        // Before joining: a thread that waits for its reader must see that there is none.
        self.messages = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// One of the threads that execute the runs, one after the other.
struct Slot {
    outbox: Sender<Message>,
    cancel: Arc<AtomicBool>,
    device: DeviceChoice,
    /// The threads that compute for one of its runs.
    threads: usize,
}

/// The error of a study whose reader is gone, or that was cancelled.
struct Halted;

impl Slot {
    fn work(&self, mut next: impl FnMut() -> Option<PendingRun>) {
        while let Some(waiting) = next() {
            if self.take(&waiting).is_err() {
                return;
            }
        }
    }

    fn take(&self, waiting: &PendingRun) -> Result<(), Halted> {
        let place = waiting.place;
        self.send(Message::Progress { place, share: 0.0 })?;
        let failed = |message: String| self.send(Message::Failed { place, message });
        if let Some(experiment) = &waiting.experiment {
            let learnt = self.evaluate(waiting, experiment);
            release_freed_memory();
            return match learnt {
                Ok(()) => self.send(Message::Ended { place }),
                Err(Stop::Cancelled) => Err(Halted),
                Err(Stop::Failed(message)) => failed(message),
            };
        }
        let mut folder = match create(&waiting.folder, &waiting.spec, false) {
            Ok(Opened { folder, .. }) => folder,
            Err(err) => return failed(err.to_string()),
        };
        let job = Job { spec: folder.spec().clone(), device: self.device, paced: false };
        let worker = Worker::start_with(job, self.threads, Box::new(|| {}));
        let mut reported = 0.0;
        for event in worker.events(TICK) {
            if self.cancel.load(Ordering::Relaxed) {
                stop(&worker, &mut folder);
                return Err(Halted);
            }
            let Some(event) = event else {
                if let Err(err) = folder.tick() {
                    return failed(err.to_string());
                }
                continue;
            };
            if let Err(err) = folder.take(&event) {
                return failed(err.to_string());
            }
            match event {
                Event::Progress(progress) => {
                    let share = progress.step as f64 / progress.planned_steps.max(1) as f64;
                    // About a hundred messages a run, whatever its speed.
                    if share >= reported + 0.01 {
                        reported = share;
                        self.send(Message::Progress { place, share })?;
                    }
                }
                Event::Ended(Ending::Finished { .. } | Ending::Diverged { .. }) => {
                    return self.send(Message::Ended { place });
                }
                Event::Ended(Ending::Failed { message, .. }) => return failed(message),
                Event::Ended(Ending::Stopped { .. }) => return Err(Halted),
                _ => {}
            }
        }
        failed("the training thread ended without a word".to_owned())
    }

    /// Evaluates the learners of a run. A panic fails the run, not the study.
    fn evaluate(&self, waiting: &PendingRun, experiment: &LearningExperiment) -> Result<(), Stop> {
        let place = waiting.place;
        let failed = |err: crate::storage::FolderError| Stop::Failed(err.to_string());
        let mut folder = ExperimentFolder::create(&waiting.folder, &waiting.spec).map_err(failed)?;
        let known = folder.points().to_vec();
        let mut shelf = folder.shelf();
        let (mut broken, mut share_reported) = (None, 0.0);
        let mut report = |progress: Progress| {
            let written = match progress {
                Progress::Share(share) => {
                    let news = share >= share_reported + 0.01;
                    share_reported = if news { share } else { share_reported };
                    return !news || self.send(Message::Progress { place, share }).is_ok();
                }
                Progress::Point(point) => folder.take(*point),
                Progress::Instant(prediction) => folder.predict(prediction),
            };
            if let Err(err) = written {
                broken = Some(err);
                return false;
            }
            self.send(Message::LearningCurves { place }).is_ok()
        };
        let cancelled = || self.cancel.load(Ordering::Relaxed);
        let mut observer = Observer { report: &mut report, cancelled: &cancelled, shelf: &mut shelf };
        let work =
            AssertUnwindSafe(|| run_experiment(&waiting.spec, experiment, &known, waiting.predict, &mut observer));
        let done = catch_unwind(work)
            .unwrap_or_else(|_| Err(Stop::Failed("the run panicked; the log has the place".to_owned())));
        if let Some(err) = broken {
            return Err(failed(err));
        }
        if done.is_ok() {
            folder.close();
        }
        done
    }

    /// Waits for a slow reader; the wait ends if the reader is gone.
    fn send(&self, message: Message) -> Result<(), Halted> {
        self.outbox.send(message).map_err(|_| Halted)
    }
}

/// Stops a run: writes its measurements, and that it was stopped.
fn stop(worker: &Worker, folder: &mut RunFolder) {
    worker.stop();
    for event in worker.events(TICK).flatten() {
        // A run whose last events cannot be written starts over like one that was cut off.
        if folder.take(&event).is_err() || matches!(event, Event::Ended(_)) {
            return;
        }
    }
}

impl Shelf for ShelfFolder {
    fn get(&self, name: &str) -> Option<Vec<f64>> {
        Self::get(self, name)
    }

    fn put(&mut self, name: &str, values: &[f64]) {
        Self::put(self, name, values);
    }
}
