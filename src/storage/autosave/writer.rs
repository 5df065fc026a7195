//! Saves the window's runs to folders while they continue, so that a kill loses the last second and not the run.
//!
//! Guarantees: the sender of events never waits, neither for a disk nor for this thread; the queue of events takes bounded
//! memory, and where the disk cannot keep up snapshots are dropped and the folder records how many. A folder takes
//! bounded room: the Grams at most [`GRAMS`] bytes, by growing coarser, and the tables about [`TABLES`], after which no snapshot
//! is added. The last [`KEPT`](super::shelf::KEPT) runs stay; of older ones only files of our own names go. A run that ended, was replaced by
//! another or whose window was closed has an ending in its folder, so that one without was cut off.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

use super::shelf::{Shelf, table_bytes};
use crate::run::{Ending, Event, TensorGram};
use crate::spec::Spec;
use crate::storage::format::errors::FolderError;
use crate::storage::run_folder::create::Opened;
use crate::storage::run_folder::writer::RunFolder;

pub use super::shelf::CutOff;

/// Bytes that the Grams of a run may take.
const GRAMS: u64 = 256 << 20;
/// Bytes that its tables may take, about.
const TABLES: u64 = 128 << 20;
/// Events that wait to be written at most; the last few places are for what a folder cannot be read without.
const EVENTS: usize = 1024;
const SPARE: usize = 64;
/// Bytes that wait to be written at most.
const WAITING: u64 = 64 << 20;
/// How long the thread waits for an event before it looks at the clock.
const QUIET: Duration = Duration::from_millis(100);
/// How often it looks how large the tables have become.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The place where runs are kept.
#[derive(Debug)]
pub struct Autosave {
    shelf: Arc<Shelf>,
    /// The folder of the run that has begun last.
    place: Arc<Mutex<Option<PathBuf>>>,
}

impl Autosave {
    /// Keeps runs in this folder, and looks whether the last one was cut off.
    pub fn open(folder: PathBuf) -> Self {
        Self { shelf: Arc::new(Shelf::open(folder)), place: Arc::default() }
    }

    /// The last run, if it was cut off; its folder stays as long as this does.
    pub fn cut_off(&self) -> Option<&CutOff> {
        self.shelf.cut_off.as_ref()
    }

    /// Runs of earlier windows that nobody writes any more, the last one first: what each is called, and its folder.
    pub fn before(&self) -> &[(String, PathBuf)] {
        &self.shelf.before
    }

    /// Tells where the run is kept that has begun last; from any thread, and without waiting.
    pub fn place(&self) -> impl Fn() -> Option<PathBuf> + Send + Sync + 'static {
        let place = Arc::clone(&self.place);
        move || place.try_lock().ok()?.clone()
    }

    /// Begins to keep a run of this spec. Nothing is written before it has started.
    pub fn begin(&self, spec: &Spec) -> Saver {
        let (outbox, inbox) = bounded(EVENTS);
        let (tell, trouble) = bounded(1);
        let (waiting, closed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (shelf, place, spec) = (Arc::clone(&self.shelf), Arc::clone(&self.place), spec.clone());
        let folder = Arc::new(OnceLock::new());
        let (waits, ends) = (Arc::clone(&waiting), Arc::clone(&closed));
        let desk = WriterThread { inbox, waiting: waits, closed: ends, place, folder: Arc::clone(&folder) };
        let keep = move || {
            if let Err(err) = desk.keep(&shelf, &spec) {
                let _ = tell.try_send(format!("This run is no longer autosaved: {err}"));
            }
        };
        let started = std::thread::Builder::new().name("autosave".to_owned()).spawn(keep);
        if let Err(err) = started {
            log::warn!("no thread to autosave this run: {err}");
        }
        Saver { outbox: Some(outbox), waiting, closed, trouble, lost: 0, folder }
    }
}

/// Takes the events of one run. Dropping it while a panic unwinds leaves the run cut off; otherwise the run is over.
#[derive(Debug)]
pub struct Saver {
    /// None after it was given up.
    outbox: Option<Sender<Event>>,
    waiting: Arc<AtomicU64>,
    closed: Arc<AtomicBool>,
    trouble: Receiver<String>,
    /// Events since the last one that could be taken.
    lost: u64,
    folder: Arc<OnceLock<PathBuf>>,
}

impl Saver {
    /// Takes the next event, or leaves it out where the disk cannot keep up.
    pub fn take(&mut self, event: &Event) {
        let Some(outbox) = &self.outbox else { return };
        let is_light = match event {
            // No folder has these.
            Event::Progress(_)
            | Event::Moved(_)
            | Event::Forked(_)
            | Event::Paused { .. }
            | Event::Resumed { .. }
            | Event::PassedOver(_) => return,
            Event::Started(_) | Event::Task(_) | Event::Changed { .. } | Event::TakenBack { .. } | Event::Ended(_) => {
                true
            }
            Event::Snapshot(_)
            | Event::Partner(_)
            | Event::Limit(_)
            | Event::Ledger(_)
            | Event::Warning { .. }
            | Event::Weights(_)
            | Event::Saved(_) => false,
        };
        let weight = weight(event);
        let waiting = self.waiting.load(Ordering::Relaxed);
        let is_full = outbox.len() + SPARE >= EVENTS || (waiting > 0 && waiting + weight > WAITING);
        if is_full && !is_light {
            self.lost += 1;
            return;
        }
        if self.lost > 0
            && let Event::Snapshot(snapshot) = event
        {
            let (step, epoch) = (snapshot.row.step, snapshot.row.epoch);
            let message = format!("{} events before this one are not in this folder: the disk was too slow", self.lost);
            if outbox.try_send(Event::Warning { step, epoch, message }).is_ok() {
                self.lost = 0;
            }
        }
        self.waiting.fetch_add(weight, Ordering::Relaxed);
        match outbox.try_send(event.clone()) {
            Ok(()) => {}
            // What the folder cannot be read without: better a run that ends here than one with a hole.
            Err(TrySendError::Full(_)) => {
                log::warn!("the disk is too slow: this run is no longer autosaved");
                self.outbox = None;
            }
            // The thread, if it existed, has already reported the reason.
            Err(TrySendError::Disconnected(_)) => self.outbox = None,
        }
    }

    /// Where the run is kept; nothing before it has started.
    pub fn folder(&self) -> Arc<OnceLock<PathBuf>> {
        Arc::clone(&self.folder)
    }

    /// Why the run is no longer kept, once.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.try_recv().ok()
    }

    /// Ends the saving of a run: writes the queued events and, if the run has not ended by itself, that it was stopped.
    pub fn close(self) -> Closing {
        Closing(self.trouble.clone())
    }
}

impl Drop for Saver {
    fn drop(&mut self) {
        // Before the channel closes, which is when the thread looks. After a panic the run was not ended by anybody.
        if self.outbox.is_some() && !std::thread::panicking() {
            self.closed.store(true, Ordering::Release);
        }
    }
}

/// A run that is being brought to its end.
#[derive(Debug)]
pub struct Closing(Receiver<String>);

impl Closing {
    /// Waits until everything is written, so long at most.
    pub fn wait(&self, at_most: Duration) {
        let patience = Instant::now() + at_most;
        // Closed when the thread has ended; a sentence of trouble before that is no end.
        while self.0.recv_deadline(patience).is_ok() {}
    }
}

/// The thread's side.
struct WriterThread {
    inbox: Receiver<Event>,
    waiting: Arc<AtomicU64>,
    closed: Arc<AtomicBool>,
    place: Arc<Mutex<Option<PathBuf>>>,
    folder: Arc<OnceLock<PathBuf>>,
}

impl WriterThread {
    /// Writes until the run has ended or its sender is gone.
    fn keep(&self, shelf: &Shelf, spec: &Spec) -> Result<(), FolderError> {
        let (path, Opened { folder, .. }) = shelf.room(spec, jiff::Timestamp::now())?;
        let mut folder = folder.with_gram_bytes(GRAMS);
        let (mut step, mut looked, mut is_full) = (0, Instant::now(), false);
        loop {
            let event = match self.inbox.recv_timeout(QUIET) {
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout) => {
                    folder.tick()?;
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            self.waiting.fetch_sub(weight(&event), Ordering::Relaxed);
            match &event {
                Event::Snapshot(snapshot) if is_full => {
                    step = snapshot.row.step;
                    continue;
                }
                Event::Partner(_) | Event::Ledger(_) if is_full => continue,
                Event::Limit(kernel) if 8 * kernel.len() as u64 > GRAMS / 8 => continue,
                Event::Snapshot(snapshot) => step = snapshot.row.step,
                _ => {}
            }
            folder.take(&event)?;
            match &event {
                Event::Started(_) => {
                    log::info!("this run is kept in {}", path.display());
                    let _ = self.folder.set(path.clone());
                    if let Ok(mut place) = self.place.lock() {
                        *place = Some(path.clone());
                    }
                }
                Event::Warning { step, message, .. } => log::info!("at step {step}: {message}"),
                Event::Ended(ending) => {
                    log::info!("the run in {} has ended: {ending:?}", path.display());
                    return Ok(());
                }
                Event::Snapshot(snapshot) if looked.elapsed() > LOOK_EVERY => {
                    looked = Instant::now();
                    is_full = table_bytes(&path) > TABLES;
                    if is_full {
                        full(&mut folder, step, snapshot.row.epoch)?;
                    }
                }
                _ => {}
            }
        }
        if self.closed.load(Ordering::Acquire) { folder.take(&Event::Ended(Ending::Stopped { step })) } else { Ok(()) }
    }
}

/// Records in the folder that its run is over.
fn full(folder: &mut RunFolder, step: u64, epoch: f64) -> Result<(), FolderError> {
    let message = format!("These tables have {} MiB: no snapshot after this one is autosaved", TABLES >> 20);
    folder.take(&Event::Warning { step, epoch, message })
}

/// Bytes that an event keeps from being freed while it waits, about.
fn weight(event: &Event) -> u64 {
    match event {
        Event::Snapshot(snapshot) => {
            let tensors: u64 = snapshot.tensors.iter().map(TensorGram::bytes).sum();
            8 * snapshot.gram.len() as u64 + tensors + snapshot.row.bytes()
        }
        Event::Partner(partner) => 8 * partner.gram.len() as u64,
        Event::Limit(kernel) => 8 * kernel.len() as u64,
        Event::Weights(weights) => weights.tensors.iter().map(|tensor| 4 * tensor.values.len() as u64).sum(),
        _ => 0,
    }
}
