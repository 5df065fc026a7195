//! Runs a laboratory on a thread of its own: commands go to it through one queue, events come back through one channel.
//!
//! Every tensor lives and dies on that thread. (The live run keeps a second one beside it, for what needs no tensor; all its
//! events pass through there: [`crate::lab::EventQueue`].)
//!
//! Guarantees:
//! * Events arrive in order and none is dropped: when nobody reads, the laboratory waits. At most [`EVENTS`] events wait here, and
//!   what waits in the laboratory is bounded there, so neither a slow nor a hidden window makes memory grow.
//! * Commands arrive in order. None is lost while the run goes on, and whoever sends one never waits.
//! * Every wait ends when the run is cancelled and the reader is gone. Dropping the handle cancels and joins.
//! * A panic in the laboratory becomes `Ended(Failed)`; the window lives on.
//! * The waker is a closure; the worker knows nothing of egui. Without it a sleeping window would never look.

pub mod progress;
pub mod study;
pub mod study_service;
pub mod threads;

use std::collections::VecDeque;
use std::mem::discriminant;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, SendTimeoutError, Sender, bounded};

pub use crate::lab::watch::WatchJob;
pub use crate::lab::{Command, gram};
use crate::lab::{Control, live, watch};
use crate::model::release_freed_memory;
pub use crate::model::{AdapterInfo, DeviceChoice, adapters};
use crate::run::{Checkpoint, Closed, Ending, Event, Sink};
use crate::spec::Spec;

/// Events that wait for a reader at most.
pub const EVENTS: usize = 32;
/// The time after which a worker that waits for its reader looks again whether the reader is still there.
const TICK: Duration = Duration::from_millis(50);

/// Called after each event, from a thread of the worker.
pub type Waker = Box<dyn Fn() + Send + Sync>;

/// A job of a worker: the run that it trains.
#[derive(Clone, Debug)]
pub struct Job {
    pub spec: Spec,
    pub device: DeviceChoice,
    /// Whether `window.pace` slows the run down.
    pub paced: bool,
}

/// A laboratory as the worker runs it: the live run, or whatever a test wants to see fail.
pub type Lab = Box<dyn FnOnce(&mut dyn Control, Box<dyn Sink + Send>) + Send>;

/// The handle of a running laboratory. Dropping it cancels the run and joins the thread.
pub struct Worker {
    commands: Arc<CommandQueue>,
    /// `None` only while dropping.
    events: Option<Receiver<Event>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts a run. Never blocks: files are read on the thread.
    pub fn start(job: Job, waker: Waker) -> Self {
        Self::start_with(job, threads::usable(), waker)
    }

    /// Starts a run with so many threads to compute.
    pub(crate) fn start_with(job: Job, threads: usize, waker: Waker) -> Self {
        let lab = move |control: &mut dyn Control, sink: Box<dyn Sink + Send>| {
            live::run(&job.spec, job.device, job.paced, control, sink);
        };
        Self::begin(Box::new(lab), threads, waker)
    }

    /// Goes on from a run that was kept, in the future that the job's spec says.
    pub fn go_on(job: Job, from: Arc<Checkpoint>, waker: Waker) -> Self {
        let lab = move |control: &mut dyn Control, sink: Box<dyn Sink + Send>| {
            live::go_on((&job.spec, &from), job.device, job.paced, control, sink);
        };
        Self::with_lab(Box::new(lab), waker)
    }

    /// Starts to watch a training in another program.
    pub fn watch(job: WatchJob, waker: Waker) -> Self {
        Self::with_lab(Box::new(move |control: &mut dyn Control, sink| watch::watch(job, control, sink)), waker)
    }

    /// Starts any laboratory.
    pub fn with_lab(lab: Lab, waker: Waker) -> Self {
        Self::begin(lab, threads::usable(), waker)
    }

    fn begin(lab: Lab, threads: usize, waker: Waker) -> Self {
        let (outbox, events) = bounded(EVENTS);
        let commands = Arc::new(CommandQueue::default());
        let inbox = Arc::clone(&commands);
        let sender = EventSender { outbox, waker: waker.into(), reported: Arc::default() };
        let refusal = sender.outbox.clone();
        let thread = Builder::new().name("trainer".to_owned()).spawn(move || {
            let pool = threads::join(threads);
            release_freed_memory();
            work(lab, &inbox, sender);
            drop(pool);
            release_freed_memory();
        });
        let thread = thread.map_err(|err| {
            let message = format!("no thread can be started to train on: {err}; end other programs and start again");
            // The channel is empty, so there is room.
            let _ = refusal.try_send(Event::Ended(Ending::Failed { step: 0, message }));
        });
        Self { commands, events: Some(events), thread: thread.ok() }
    }

    /// Hands over a command; false when the run has ended.
    pub fn send(&self, command: Command) -> bool {
        let is_heard = !self.is_finished();
        if is_heard {
            self.commands.push(command);
        }
        is_heard
    }

    /// Hands over a command in the place of the last one where that is of the same kind and still waits: of a slider that is
    /// dragged only the last position matters.
    pub fn send_latest(&self, command: Command) -> bool {
        let is_heard = !self.is_finished();
        if is_heard {
            self.commands.push_latest(command);
        }
        is_heard
    }

    /// The next event, if there is one.
    pub fn try_recv(&self) -> Option<Event> {
        self.events.as_ref()?.try_recv().ok()
    }

    /// Waits for the next event, at most this long.
    pub fn recv_timeout(&self, at_most: Duration) -> Option<Event> {
        self.events.as_ref()?.recv_timeout(at_most).ok()
    }

    /// The events until there are no more; `None` when nothing has happened for so long.
    pub fn events(&self, quiet: Duration) -> impl Iterator<Item = Option<Event>> + '_ {
        std::iter::from_fn(move || match self.recv_timeout(quiet) {
            Some(event) => Some(Some(event)),
            // The last event may have come just before the thread was seen to have ended.
            None if self.is_finished() => self.try_recv().map(Some),
            None => Some(None),
        })
    }

    /// Asks the run to end; `Ended(Stopped)` follows after the step or kernel block in progress.
    pub fn stop(&self) {
        self.commands.cancel();
    }

    /// Returns whether the thread has ended (its last events may still be waiting).
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop();
        // Before joining: a worker that waits for its reader must see that there is none.
        self.events = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(lab: Lab, mut commands: &CommandQueue, mut sender: EventSender) {
    let sink = Box::new(sender.clone());
    let outcome = catch_unwind(AssertUnwindSafe(|| lab(&mut commands, sink)));
    if let Err(panic) = outcome
        && !sender.reported.ended.load(Ordering::Relaxed)
    {
        let said = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let said = said.or_else(|| panic.downcast_ref::<String>().cloned());
        let message = format!("The training thread broke: {}", said.unwrap_or_else(|| "it did not say why".to_owned()));
        let step = sender.reported.step.load(Ordering::Relaxed);
        let _ = sender.emit(Event::Ended(Ending::Failed { step, message }));
    }
}

/// The commands on their way to the run, and whether it is to end. A person gives them, and of a slider only the last position
/// is kept, so the queue needs no bound.
#[derive(Default)]
struct CommandQueue {
    waiting: Mutex<VecDeque<Command>>,
    came: Condvar,
    cancelled: AtomicBool,
}

impl CommandQueue {
    fn push(&self, command: Command) {
        self.lock().push_back(command);
        self.came.notify_one();
    }

    fn push_latest(&self, command: Command) {
        let mut waiting = self.lock();
        let counts = matches!(command, Command::Step(_) | Command::SwitchTask);
        match waiting.back_mut() {
            Some(last) if !counts && discriminant(last) == discriminant(&command) => *last = command,
            _ => waiting.push_back(command),
        }
        self.came.notify_one();
    }

    fn cancel(&self) {
        // Under the lock: whoever is about to wait sees it, or is woken.
        let _waiting = self.lock();
        self.cancelled.store(true, Ordering::Relaxed);
        self.came.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Command>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Control for &CommandQueue {
    fn poll(&mut self) -> Option<Command> {
        self.lock().pop_front()
    }

    fn wait(&mut self, at_most: Duration) -> Option<Command> {
        let nothing = |waiting: &mut VecDeque<Command>| waiting.is_empty() && !self.cancelled();
        let waited = self.came.wait_timeout_while(self.lock(), at_most, nothing);
        waited.unwrap_or_else(PoisonError::into_inner).0.pop_front()
    }

    fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

/// The laboratory's end of the events; a clone of it stays with the worker.
#[derive(Clone)]
struct EventSender {
    outbox: Sender<Event>,
    waker: Arc<dyn Fn() + Send + Sync>,
    reported: Arc<Reported>,
}

/// The last that was reported, for a failure that cannot say it itself.
#[derive(Default)]
struct Reported {
    /// The last step.
    step: AtomicU64,
    /// Whether the run has ended.
    ended: AtomicBool,
}

impl Sink for EventSender {
    fn emit(&mut self, event: Event) -> Result<(), Closed> {
        match &event {
            Event::Progress(progress) => self.reported.step.store(progress.step, Ordering::Relaxed),
            Event::Snapshot(snapshot) => self.reported.step.store(snapshot.row.step, Ordering::Relaxed),
            Event::Ended(_) => self.reported.ended.store(true, Ordering::Relaxed),
            _ => {}
        }
        let mut waiting = event;
        loop {
            match self.outbox.send_timeout(waiting, TICK) {
                Ok(()) => {
                    (self.waker)();
                    return Ok(());
                }
                // Full: the reader is slow or hidden. It is woken again, in case it missed the last call.
                Err(SendTimeoutError::Timeout(back)) => {
                    (self.waker)();
                    waiting = back;
                }
                Err(SendTimeoutError::Disconnected(_)) => return Err(Closed),
            }
        }
    }
}
