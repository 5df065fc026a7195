//! Saves the window's runs to folders while they continue, so that a kill loses the last second and not the run.
//!
//! Guarantees: the sender of events never waits, neither for a disk nor for this thread; the queue of events takes
//! bounded memory, and where the disk cannot keep up snapshots are dropped and the folder records how many. A folder
//! takes bounded room: the Grams at most [`GRAMS`] bytes, by growing coarser, and the tables about [`TABLES`], after
//! which no snapshot is added. The last [`KEPT`](super::shelf::KEPT) runs stay; of older ones only files with names of
//! this program are removed. A run that ended, was replaced by another or whose window was closed has an ending in its
//! folder, so that one without was cut off.

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
/// Bytes that the tables of a run may take, about.
const TABLES: u64 = 128 << 20;
/// The largest number of events in the queue; the last few places are reserved for events without which a folder cannot
/// be read.
const EVENTS: usize = 1024;
const SPARE: usize = 64;
/// The largest number of bytes in the queue.
const WAITING: u64 = 64 << 20;
/// The time for which the thread waits for an event before it checks the clock.
const QUIET: Duration = Duration::from_millis(100);
/// The interval at which the thread checks the size of the tables.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Autosaves runs to folders of one parent folder.
#[derive(Debug)]
pub struct Autosave {
    shelf: Arc<Shelf>,
    /// The folder of the run that started last.
    current_folder: Arc<Mutex<Option<PathBuf>>>,
}

impl Autosave {
    /// Opens the folder of autosaved runs, and checks whether the last one was cut off.
    pub fn open(folder: PathBuf) -> Self {
        Self { shelf: Arc::new(Shelf::open(folder)), current_folder: Arc::default() }
    }

    /// Returns the last run, if it was cut off; its folder is not removed while this value exists.
    pub fn cut_off(&self) -> Option<&CutOff> {
        self.shelf.cut_off.as_ref()
    }

    /// Returns the name and the folder of each run of an earlier window that no process writes any more, the last one
    /// first.
    pub fn earlier(&self) -> &[(String, PathBuf)] {
        &self.shelf.earlier
    }

    /// Returns a function that gives the folder of the run that started last; any thread may call it, and it does not
    /// wait.
    pub fn current_folder(&self) -> impl Fn() -> Option<PathBuf> + Send + Sync + 'static {
        let place = Arc::clone(&self.current_folder);
        move || place.try_lock().ok()?.clone()
    }

    /// Starts the autosave of a run of this spec. Nothing is written before the run has started.
    pub fn begin(&self, spec: &Spec) -> Saver {
        let (outbox, inbox) = bounded(EVENTS);
        let (tell, trouble) = bounded(1);
        let (waiting, closed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (shelf, place, spec) = (Arc::clone(&self.shelf), Arc::clone(&self.current_folder), spec.clone());
        let folder = Arc::new(OnceLock::new());
        let (waits, ends) = (Arc::clone(&waiting), Arc::clone(&closed));
        let desk = WriterThread { inbox, waiting: waits, closed: ends, place, folder: Arc::clone(&folder) };
        let keep = move || {
            if let Err(err) = desk.write_events(&shelf, &spec) {
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

/// Takes the events of one run. Dropped while a panic unwinds, it leaves the run cut off; otherwise it ends the run.
#[derive(Debug)]
pub struct Saver {
    /// `None` after the autosave was given up.
    outbox: Option<Sender<Event>>,
    waiting: Arc<AtomicU64>,
    closed: Arc<AtomicBool>,
    trouble: Receiver<String>,
    /// The number of events dropped since the last one that was taken.
    lost: u64,
    folder: Arc<OnceLock<PathBuf>>,
}

impl Saver {
    /// Takes the next event, or drops it where the disk cannot keep up.
    pub fn take(&mut self, event: &Event) {
        let Some(outbox) = &self.outbox else { return };
        let is_light = match event {
            // These events are not stored in a folder.
            Event::Progress(_)
            | Event::Moved(_)
            | Event::Forked(_)
            | Event::Paused { .. }
            | Event::Resumed { .. }
            | Event::PassedOver(_) => return,
            Event::Started(_)
            | Event::Initial(_)
            | Event::Task(_)
            | Event::Changed { .. }
            | Event::TakenBack { .. }
            | Event::Ended(_) => true,
            Event::Snapshot(_)
            | Event::Partner(_)
            | Event::Limit(_)
            | Event::Ledger(_)
            | Event::Warning { .. }
            | Event::Weights(_)
            | Event::Saved(_) => false,
        };
        let weight = queued_bytes(event);
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
            // A folder cannot be read without this event: the autosave ends here rather than leave a gap.
            Err(TrySendError::Full(_)) => {
                log::warn!("the disk is too slow: this run is no longer autosaved");
                self.outbox = None;
            }
            // The thread, if it existed, has already reported the reason.
            Err(TrySendError::Disconnected(_)) => self.outbox = None,
        }
    }

    /// Returns the cell that holds the folder of the run once it has started.
    pub fn folder(&self) -> Arc<OnceLock<PathBuf>> {
        Arc::clone(&self.folder)
    }

    /// Returns the reason why the run is no longer saved; each reason is returned once.
    pub fn take_failure(&self) -> Option<String> {
        self.trouble.try_recv().ok()
    }

    /// Ends the saving of a run: writes the queued events and, if the run has not ended by itself, records that it was
    /// stopped.
    pub fn close(self) -> Closing {
        Closing(self.trouble.clone())
    }
}

impl Drop for Saver {
    fn drop(&mut self) {
        // This comes before the channel closes, which is when the thread looks. After a panic nobody has ended the run.
        if self.outbox.is_some() && !std::thread::panicking() {
            self.closed.store(true, Ordering::Release);
        }
    }
}

/// A run whose last events are being written.
#[derive(Debug)]
pub struct Closing(Receiver<String>);

impl Closing {
    /// Waits until everything is written, at most for this time.
    pub fn wait(&self, at_most: Duration) {
        let patience = Instant::now() + at_most;
        // The channel is closed when the thread has ended; an error message before that is not the end.
        while self.0.recv_deadline(patience).is_ok() {}
    }
}

/// The state of the thread that writes.
struct WriterThread {
    inbox: Receiver<Event>,
    waiting: Arc<AtomicU64>,
    closed: Arc<AtomicBool>,
    place: Arc<Mutex<Option<PathBuf>>>,
    folder: Arc<OnceLock<PathBuf>>,
}

impl WriterThread {
    /// Writes until the run has ended or its sender is gone.
    fn write_events(&self, shelf: &Shelf, spec: &Spec) -> Result<(), FolderError> {
        let (path, Opened { folder, .. }) = shelf.make_room(spec, jiff::Timestamp::now())?;
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
            self.waiting.fetch_sub(queued_bytes(&event), Ordering::Relaxed);
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
                        record_full(&mut folder, step, snapshot.row.epoch)?;
                    }
                }
                _ => {}
            }
        }
        if self.closed.load(Ordering::Acquire) { folder.take(&Event::Ended(Ending::Stopped { step })) } else { Ok(()) }
    }
}

/// Records in the folder that no more room is left and the run is over.
fn record_full(folder: &mut RunFolder, step: u64, epoch: f64) -> Result<(), FolderError> {
    let message = format!("These tables have {} MiB: no snapshot after this one is autosaved", TABLES >> 20);
    folder.take(&Event::Warning { step, epoch, message })
}

/// Returns about how many bytes an event keeps from being freed while it waits.
fn queued_bytes(event: &Event) -> u64 {
    match event {
        Event::Snapshot(snapshot) => {
            let tensors: u64 = snapshot.tensors.iter().map(TensorGram::bytes).sum();
            8 * snapshot.gram.len() as u64 + tensors + snapshot.row.bytes()
        }
        Event::Partner(partner) => 8 * partner.gram.len() as u64,
        Event::Limit(kernel) => 8 * kernel.len() as u64,
        Event::Initial(weights) | Event::Weights(weights) => {
            weights.tensors.iter().map(|tensor| 4 * tensor.values.len() as u64).sum()
        }
        _ => 0,
    }
}
