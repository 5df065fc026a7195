//! The thread on which every tensor lives and dies, and the two bounded channels that lead to it and from it. (The live run
//! keeps a second thread beside it, for what needs no tensor: [`crate::lab::Stage`].)
//!
//! Guarantees:
//! * Events arrive in order and none is dropped: when nobody reads, the worker waits. It then holds at most [`EVENTS`] events, so
//!   neither a slow nor a hidden window makes memory grow.
//! * Every wait ends when the run is cancelled and the reader is gone. Dropping the handle cancels and joins.
//! * A panic in the laboratory becomes `Ended(Failed)`; the window lives on.
//! * The waker is a closure; the worker knows nothing of egui. Without it a sleeping window would never look.

pub mod librarian;
pub mod progress;
pub mod study;
pub mod threads;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender, bounded};

pub use crate::lab::{Command, gram};
use crate::lab::{Control, live};
use crate::model::give_back;
pub use crate::model::{AdapterInfo, DeviceChoice, adapters};
use crate::run::{Checkpoint, Closed, Ending, Event, Sink};
use crate::spec::Spec;

/// Events that wait for a reader at most.
pub const EVENTS: usize = 32;
/// Commands that wait for the next step at most.
const COMMANDS: usize = 64;
/// How often a worker that waits for its reader looks whether the reader is still there.
const TICK: Duration = Duration::from_millis(50);

/// Called after each event, from the worker's thread.
pub type Waker = Box<dyn Fn() + Send + Sync>;

/// What a worker is to do.
#[derive(Clone, Debug)]
pub struct Job {
    pub spec: Spec,
    pub device: DeviceChoice,
    /// Whether `window.pace` slows the run down.
    pub paced: bool,
}

/// A laboratory as the worker runs it: the live run, or whatever a test wants to see fail.
pub type Lab = Box<dyn FnOnce(&mut dyn Control, &mut dyn Sink) + Send>;

/// A running thread. Dropping it cancels the run and joins the thread.
pub struct Worker {
    commands: Sender<Command>,
    /// `None` only while dropping.
    events: Option<Receiver<Event>>,
    cancel: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts a run. Never blocks: files are read on the thread.
    pub fn start(job: Job, waker: Waker) -> Self {
        Self::start_with(job, threads::usable(), waker)
    }

    /// The same with so many threads to compute.
    pub(crate) fn start_with(job: Job, threads: usize, waker: Waker) -> Self {
        let lab = move |control: &mut dyn Control, sink: &mut dyn Sink| {
            live::run(&job.spec, job.device, job.paced, control, sink);
        };
        Self::begin(Box::new(lab), threads, waker)
    }

    /// Goes on from a run that was kept, in the future that the job's spec says.
    pub fn go_on(job: Job, from: Arc<Checkpoint>, waker: Waker) -> Self {
        let lab = move |control: &mut dyn Control, sink: &mut dyn Sink| {
            live::go_on((&job.spec, &from), job.device, job.paced, control, sink);
        };
        Self::with_lab(Box::new(lab), waker)
    }

    /// Starts any laboratory.
    pub fn with_lab(lab: Lab, waker: Waker) -> Self {
        Self::begin(lab, threads::usable(), waker)
    }

    fn begin(lab: Lab, threads: usize, waker: Waker) -> Self {
        let (commands, inbox) = bounded(COMMANDS);
        let (outbox, events) = bounded(EVENTS);
        let cancel = Arc::new(AtomicBool::new(false));
        let desk = Desk { inbox, cancel: Arc::clone(&cancel) };
        let post = Post { outbox, waker, step: 0, ended: false };
        let refusal = post.outbox.clone();
        let thread = Builder::new().name("trainer".to_owned()).spawn(move || {
            let pool = threads::join(threads);
            give_back();
            work(lab, desk, post);
            drop(pool);
            give_back();
        });
        let thread = thread.map_err(|err| {
            let message = format!("no thread can be started to train on: {err}; end other programs and start again");
            // The channel is empty, so there is room.
            let _ = refusal.try_send(Event::Ended(Ending::Failed { step: 0, message }));
        });
        Self { commands, events: Some(events), cancel, thread: thread.ok() }
    }

    /// Hands over a command; false when the run has ended or too many commands wait already.
    pub fn send(&self, command: Command) -> bool {
        self.commands.try_send(command).is_ok()
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
        self.cancel.store(true, Ordering::Relaxed);
    }

    /// Whether the thread has ended (its last events may still be waiting).
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

fn work(lab: Lab, mut desk: Desk, mut post: Post) {
    let outcome = catch_unwind(AssertUnwindSafe(|| lab(&mut desk, &mut post)));
    if let Err(panic) = outcome
        && !post.ended
    {
        let said = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let said = said.or_else(|| panic.downcast_ref::<String>().cloned());
        let message = format!("The training thread broke: {}", said.unwrap_or_else(|| "it did not say why".to_owned()));
        let step = post.step;
        let _ = post.emit(Event::Ended(Ending::Failed { step, message }));
    }
}

/// The worker's side of the commands.
struct Desk {
    inbox: Receiver<Command>,
    cancel: Arc<AtomicBool>,
}

impl Control for Desk {
    fn poll(&mut self) -> Option<Command> {
        self.inbox.try_recv().ok()
    }

    fn wait(&mut self, at_most: Duration) -> Option<Command> {
        match self.inbox.recv_timeout(at_most) {
            Ok(command) => Some(command),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                // Nobody can wish any more; do not spin until the cancel flag is seen.
                self.cancel.store(true, Ordering::Relaxed);
                None
            }
        }
    }

    fn cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }
}

/// The worker's side of the events.
struct Post {
    outbox: Sender<Event>,
    waker: Waker,
    /// The last step told of, for a failure that cannot say it itself.
    step: u64,
    ended: bool,
}

impl Sink for Post {
    fn emit(&mut self, event: Event) -> Result<(), Closed> {
        match &event {
            Event::Progress(progress) => self.step = progress.step,
            Event::Snapshot(snapshot) => self.step = snapshot.row.step,
            Event::Ended(_) => self.ended = true,
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
