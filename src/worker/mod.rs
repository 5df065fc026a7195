//! Runs a laboratory on its own thread: commands go to it through one queue, events come back through one channel.
//!
//! Every tensor is created and dropped on that thread. (The live run has a second one beside it, for computations without
//! tensors; all its events pass through it: [`crate::lab::EventQueue`].)
//!
//! Guarantees:
//! * Events arrive in order and none is dropped: when no events are read, the laboratory waits. At most [`EVENTS`] events
//!   wait here, and the number that waits in the laboratory is bounded there, so neither a slow nor a hidden window makes
//!   memory grow.
//! * Commands arrive in order. None is lost while the run continues, and sending one never waits.
//! * Every wait ends when the run is cancelled and the reader is gone. Dropping the handle cancels and joins.
//! * A panic in the laboratory becomes `Ended(Failed)`; the window is not affected.
//! * The waker is a closure; the worker does not depend on egui. Without it a sleeping window would not read its events.

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

pub use crate::data::Cifar;
pub use crate::data::packing;
pub use crate::lab::watch::WatchJob;
pub use crate::lab::{Command, gram};
use crate::lab::{Control, live, watch};
use crate::model::release_freed_memory;
pub use crate::model::{AdapterInfo, DeviceChoice, adapters};
use crate::run::{Checkpoint, Closed, Ending, Event, Sink};
use crate::spec::Spec;

/// The largest number of events that wait for a reader.
pub const EVENTS: usize = 32;
/// The time after which a worker that waits for its reader checks whether the reader still exists.
const TICK: Duration = Duration::from_millis(50);

/// A function called after each event, on a thread of the worker.
pub type Waker = Box<dyn Fn() + Send + Sync>;

/// A job of a worker: the run that it trains.
#[derive(Clone, Debug)]
pub struct Job {
    pub spec: Spec,
    pub device: DeviceChoice,
    /// Whether `window.pace` slows the run down.
    pub paced: bool,
}

/// A laboratory as the worker runs it: the live run, or one of a test.
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

    /// Starts a run with this many threads for computations.
    pub(crate) fn start_with(job: Job, threads: usize, waker: Waker) -> Self {
        let lab = move |control: &mut dyn Control, sink: Box<dyn Sink + Send>| {
            live::run(&job.spec, job.device, job.paced, control, sink);
        };
        Self::begin(Box::new(lab), threads, waker)
    }

    /// Continues a stored run as a fork with the job's spec.
    pub fn continue_run(job: Job, from: Arc<Checkpoint>, waker: Waker) -> Self {
        let lab = move |control: &mut dyn Control, sink: Box<dyn Sink + Send>| {
            live::continue_run((&job.spec, &from), job.device, job.paced, control, sink);
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

    /// Sends a command; false when the run has ended.
    pub fn send(&self, command: Command) -> bool {
        let is_heard = !self.is_finished();
        if is_heard {
            self.commands.push(command);
        }
        is_heard
    }

    /// Sends a command in the place of the last one if that is of the same kind and still waits: of a slider that is
    /// dragged only the last position matters.
    pub fn send_latest(&self, command: Command) -> bool {
        let is_heard = !self.is_finished();
        if is_heard {
            self.commands.push_latest(command);
        }
        is_heard
    }

    /// Returns the next event, if there is one.
    pub fn try_recv(&self) -> Option<Event> {
        self.events.as_ref()?.try_recv().ok()
    }

    /// Waits for the next event, at most this long.
    pub fn recv_timeout(&self, at_most: Duration) -> Option<Event> {
        self.events.as_ref()?.recv_timeout(at_most).ok()
    }

    /// Returns the events until there are no more; `None` when nothing has happened for this long.
    pub fn events(&self, quiet: Duration) -> impl Iterator<Item = Option<Event>> + '_ {
        std::iter::from_fn(move || match self.recv_timeout(quiet) {
            Some(event) => Some(Some(event)),
            // The last event may have come just before the thread was seen to have ended.
            None if self.is_finished() => self.try_recv().map(Some),
            None => Some(None),
        })
    }

    /// Cancels the run; `Ended(Stopped)` follows after the step or kernel block in progress.
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
        let message = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let message = message.or_else(|| panic.downcast_ref::<String>().cloned());
        let message =
            format!("The training thread broke: {}", message.unwrap_or_else(|| "it did not say why".to_owned()));
        let step = sender.reported.step.load(Ordering::Relaxed);
        let _ = sender.emit(Event::Ended(Ending::Failed { step, message }));
    }
}

/// The commands on their way to the run, and whether it is cancelled. A person gives them, and of a slider only the last
/// position is kept, so the queue needs no bound.
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
        // Under the lock: a thread about to wait sees the cancellation, or is woken.
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

/// The laboratory's end of the channel of events; the worker keeps a clone of it.
#[derive(Clone)]
struct EventSender {
    outbox: Sender<Event>,
    waker: Arc<dyn Fn() + Send + Sync>,
    reported: Arc<Reported>,
}

/// The last reported progress, for the report of a failure.
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
