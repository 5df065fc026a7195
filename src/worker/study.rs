//! Executes a study: several runs at once, each on its own worker and into its own folder. Other processes may be at work on
//! the same study: a run that one of them holds is left to it, and taken when it is free and not done.
//!
//! Guarantees: dropping the handle or killing the program loses nothing but the runs in progress, which start over the
//! next time; a run that fails is reported and does not affect the others. The channel is bounded: a slow reader slows
//! the study down and loses nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::threads::{join, usable};
use super::{DeviceChoice, Job, TICK, Worker};
use crate::lab::scaling::{Observer, Progress, Shelf, Stop, run_experiment};
use crate::model::release_freed_memory;
use crate::run::{Ending, Event};
use crate::spec::{LearningExperiment, Spec};
use crate::storage::{
    ClaimWatch, ExperimentFolder, FolderError, Holder, LogEntry, Opened, RunFolder, RunLog, ShelfFolder, Standing,
    create, is_done,
};

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
    /// Where it is written down what becomes of it, in a study that was planned for several processes.
    pub log: Option<RunLog>,
}

/// What becomes of the runs that other processes hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// The study is over when they are done, too; one whose process is gone is taken.
    Awaited,
    /// They are left to a process that is known to be alive.
    Left,
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
    /// Another process holds the run; `None` where its claim does not say which.
    Held { place: usize, holder: Option<Holder> },
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
    pub fn start(runs: Vec<PendingRun>, device: DeviceChoice, at_once: usize, others: Others) -> Self {
        let (outbox, messages) = bounded(MESSAGES);
        let cancel = Arc::new(AtomicBool::new(false));
        let count = at_once.clamp(1, runs.len().max(1));
        // Learners compute on the threads of the study; a run of another study starts its own.
        let of_learners = runs.iter().any(|run| run.experiment.is_some());
        let waiting = Arc::new(Mutex::new(runs.into_iter().map(Candidate::new).collect::<Vec<_>>()));
        let start = |number: usize| {
            let threads = (usable() / count).max(1);
            let (outbox, cancel, waiting) = (outbox.clone(), Arc::clone(&cancel), Arc::clone(&waiting));
            let slot = Slot { outbox, cancel, device, threads, waiting, others };
            let work = move || {
                let _pool = of_learners.then(|| join(slot.threads));
                slot.work();
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

/// A run that is still to be done, by this process or by another one.
struct Candidate {
    run: PendingRun,
    watch: ClaimWatch,
    /// The time before which there is no need to look whether it is free.
    due: Instant,
    /// The holder that was reported.
    reported: Option<Holder>,
}

/// The time after which a run that another process holds is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Candidate {
    fn new(run: PendingRun) -> Self {
        let watch = ClaimWatch::new(&run.folder);
        Self { run, watch, due: Instant::now(), reported: None }
    }
}

/// One of the threads that execute the runs, one after the other.
struct Slot {
    outbox: Sender<Message>,
    cancel: Arc<AtomicBool>,
    device: DeviceChoice,
    /// The threads that compute for one of its runs.
    threads: usize,
    waiting: Arc<Mutex<Vec<Candidate>>>,
    others: Others,
}

/// What became of an attempt to do a run.
enum Attempt {
    Over,
    /// Another process was faster.
    Held,
}

/// The error of a study whose reader is gone, or that was cancelled.
struct Halted;

impl Slot {
    fn work(&self) {
        while !self.cancel.load(Ordering::Relaxed) {
            let next = {
                let mut waiting = self.candidates();
                let now = Instant::now();
                match waiting.iter().position(|candidate| candidate.due <= now) {
                    // In the order of the study.
                    Some(at) => Some(waiting.remove(at)),
                    None if waiting.is_empty() => return,
                    None => None,
                }
            };
            match next {
                Some(candidate) => match self.attempt(candidate) {
                    Ok(Some(later)) => self.candidates().push(later),
                    Ok(None) => {}
                    Err(Halted) => return,
                },
                None => std::thread::sleep(TICK),
            }
        }
    }

    fn candidates(&self) -> MutexGuard<'_, Vec<Candidate>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does a run if it is free. Returns it where another process holds it, to be looked at later.
    fn attempt(&self, mut candidate: Candidate) -> Result<Option<Candidate>, Halted> {
        let place = candidate.run.place;
        let (holder, is_alive) = match candidate.watch.look() {
            Ok(Standing::Free) => match self.take(&candidate.run)? {
                Attempt::Over => return Ok(None),
                Attempt::Held => (None, false),
            },
            Ok(Standing::Held { holder, is_alive }) => (holder, is_alive),
            Err(err) => return self.failed(&candidate.run, err.to_string()).map(|_| None),
        };
        if holder.is_some() && holder != candidate.reported {
            candidate.reported.clone_from(&holder);
            self.send(Message::Held { place, holder })?;
        }
        if is_alive && self.others == Others::Left {
            return Ok(None);
        }
        candidate.due = Instant::now() + LOOK_AGAIN;
        Ok(Some(candidate))
    }

    fn take(&self, waiting: &PendingRun) -> Result<Attempt, Halted> {
        let place = waiting.place;
        let ended = || self.send(Message::Ended { place }).map(|()| Attempt::Over);
        let note = |entry: &LogEntry| waiting.log.iter().for_each(|log| log.note(entry));
        if let Some(experiment) = &waiting.experiment {
            let mut folder = match ExperimentFolder::create(&waiting.folder, &waiting.spec) {
                Ok(folder) => folder,
                Err(FolderError::Busy { .. } | FolderError::Claimed { .. }) => return Ok(Attempt::Held),
                Err(err) => return self.failed(waiting, err.to_string()),
            };
            note(&LogEntry::Began);
            self.send(Message::Progress { place, share: 0.0 })?;
            let learnt = self.evaluate(waiting, experiment, &mut folder);
            if learnt.is_ok() {
                folder.close();
            }
            release_freed_memory();
            return match learnt {
                Ok(()) => {
                    note(&LogEntry::Ended);
                    ended()
                }
                Err(Stop::Cancelled) => {
                    note(&LogEntry::Stopped);
                    Err(Halted)
                }
                Err(Stop::Failed(message)) => self.failed(waiting, message),
            };
        }
        // Another process may have done it since the study was read.
        if is_done(&waiting.folder, &waiting.spec).is_ok_and(|done| done) {
            return ended();
        }
        let mut folder = match create(&waiting.folder, &waiting.spec, false) {
            Ok(Opened { folder, .. }) => folder,
            Err(FolderError::Busy { .. } | FolderError::Claimed { .. }) => return Ok(Attempt::Held),
            Err(FolderError::Finished(_)) => return ended(),
            Err(err) => return self.failed(waiting, err.to_string()),
        };
        note(&LogEntry::Began);
        self.send(Message::Progress { place, share: 0.0 })?;
        let failed = |message: String| self.failed(waiting, message);
        let job = Job { spec: folder.spec().clone(), device: self.device, paced: false };
        let worker = Worker::start_with(job, self.threads, Box::new(|| {}));
        let mut reported = 0.0;
        for event in worker.events(TICK) {
            if self.cancel.load(Ordering::Relaxed) {
                stop(&worker, &mut folder);
                note(&LogEntry::Stopped);
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
                    note(&LogEntry::Ended);
                    return ended();
                }
                Event::Ended(Ending::Failed { message, .. }) => return failed(message),
                Event::Ended(Ending::Stopped { .. }) => {
                    note(&LogEntry::Stopped);
                    return Err(Halted);
                }
                _ => {}
            }
        }
        failed("the training thread ended without a word".to_owned())
    }

    /// Reports that a run failed, and writes down why.
    fn failed(&self, waiting: &PendingRun, message: String) -> Result<Attempt, Halted> {
        waiting.log.iter().for_each(|log| log.note(&LogEntry::Failed(message.clone())));
        self.send(Message::Failed { place: waiting.place, message }).map(|()| Attempt::Over)
    }

    /// Evaluates the learners of a run. A panic fails the run, not the study.
    fn evaluate(
        &self,
        waiting: &PendingRun,
        experiment: &LearningExperiment,
        folder: &mut ExperimentFolder,
    ) -> Result<(), Stop> {
        let place = waiting.place;
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
        match broken {
            Some(err) => Err(Stop::Failed(err.to_string())),
            None => done,
        }
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
