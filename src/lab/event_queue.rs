//! Carries all events of a run through a queue to the analysis thread, which analyses measurements and passes the events
//! to the sink.
//!
//! It holds plain events, and pieces of work that become events when they are analysed; both leave it in the order in
//! which they were put in, so a snapshot that is still being analysed delays the events behind it. Without a fixed order
//! two runs of one spec would differ, and a folder could have a task begin before the kernel at its start.
//!
//! Guarantees:
//! * Memory is bounded. At most one piece of work waits while one is analysed, and the reports of half a minute; a
//!   trainer that puts in more waits, and stops waiting when it is cancelled.
//! * The first failure of the analysis is final: no event behind it reaches the sink, and the next call returns the
//!   reason. A panic of the analysis resumes in the thread of the next caller. What came before is passed on first.
//! * Closing waits for an analysis no longer than the given time. Work that is not analysed by then is dropped, every
//!   plain event is passed on, and the thread passes nothing on afterwards.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender, bounded};

use crate::run::{Closed, Event, Sink};

/// The largest number of items that wait for the thread: reports of half a minute, which come no more often than the
/// screen is drawn.
const EVENTS: usize = 1024;
/// The largest number of pieces of work that wait for the one being analysed.
const WORK: usize = 1;
/// The interval at which a waiting caller checks whether it was cancelled.
const TICK: Duration = Duration::from_millis(20);

/// The reason why a queue accepts no more items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Halt {
    /// The caller was cancelled while it waited for room.
    Cancelled,
    /// The receiver of the events is gone.
    Closed,
    /// The analysis of a measurement at this step has failed.
    Failed { step: u64, message: String },
}

impl From<Closed> for Halt {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

/// An item that waits in the queue.
enum Item<W> {
    Event(Event),
    Work(W),
    /// A mark, answered as soon as everything before it is passed on.
    Mark(Sender<()>),
}

/// The time that a caller waited before it could put in a piece of work.
#[derive(Clone, Copy, Debug, Default)]
pub struct WaitTime {
    /// The time spent waiting for analyses.
    pub for_analysis: Duration,
    /// The time spent waiting for a slow reader of the events.
    pub for_reader: Duration,
}

/// The sending end of the queue, and the handle of its thread.
pub struct EventQueue<W> {
    /// `None` once the queue is closed: then events go straight to the sink.
    items: Option<Sender<Item<W>>>,
    /// Full while the largest number of pieces of work waits.
    work_waiting: Sender<()>,
    outlet: Arc<Outlet<W>>,
    /// `None` once it was joined or detached.
    thread: Option<JoinHandle<Result<(), Halt>>>,
    /// The reason why the thread has ended, once it was joined.
    halt: Option<Halt>,
}

/// The outlet of the queue, which the two threads share.
struct Outlet<W> {
    delivery: Mutex<Delivery<W>>,
    /// Whether the queue is closed, so that the thread passes nothing on any more.
    is_closed: AtomicBool,
    reading: ReadingTime,
}

/// The end of the queue and the sink. The holder of the lock may take items and pass them on; the thread holds it as long
/// as it lives, except during an analysis. So the sink can be taken while an analysis takes too long, and nothing is
/// lost.
struct Delivery<W> {
    items: Receiver<Item<W>>,
    sink: Box<dyn Sink + Send>,
}

impl<W> Outlet<W> {
    // A sink that a reader made panic passes on nothing more.
    fn lock(&self) -> MutexGuard<'_, Delivery<W>> {
        self.delivery.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, telling: &mut Delivery<W>, event: Event) -> Result<(), Closed> {
        self.reading.during(|| telling.sink.emit(event))
    }
}

impl<W: Send + 'static> EventQueue<W> {
    /// Starts the thread under this name. `analyse` turns a piece of work into the events that report its results.
    ///
    /// Where the system cannot start a thread, the queue is closed and [`Self::check`] returns the reason.
    pub fn start(
        name: &str,
        sink: Box<dyn Sink + Send>,
        analyse: impl FnMut(W) -> Result<Vec<Event>, Halt> + Send + 'static,
    ) -> Self {
        let (items, inbox) = bounded(EVENTS);
        let (work_waiting, work_taken) = bounded(WORK);
        let telling = Mutex::new(Delivery { items: inbox, sink });
        let outlet =
            Arc::new(Outlet { delivery: telling, is_closed: AtomicBool::new(false), reading: ReadingTime::default() });
        let shared = Arc::clone(&outlet);
        let run = move || deliver_all(&shared, &work_taken, analyse);
        let failed = |err| {
            let message = format!("no thread for the analysis can be started: {err}");
            (None, None, Some(Halt::Failed { step: 0, message }))
        };
        let thread = Builder::new().name(name.to_owned()).spawn(run);
        let (items, thread, halt) = thread.map_or_else(failed, |thread| (Some(items), Some(thread), None));
        Self { items, work_waiting, outlet, thread, halt }
    }

    /// Puts in an event, which is passed on after everything that was put in before.
    ///
    /// # Errors
    /// When the queue is closed, or `cancelled` returns true while there is no room.
    ///
    /// # Panics
    /// When the analysis panicked, with its panic.
    pub fn emit(&mut self, event: Event, cancelled: &dyn Fn() -> bool) -> Result<(), Halt> {
        if self.items.is_none() {
            let mut telling = self.outlet.lock();
            return Ok(self.outlet.tell(&mut telling, event)?);
        }
        self.put(Item::Event(event), cancelled)
    }

    /// Waits until a piece of work may be put in, and returns the time spent waiting and its cause.
    ///
    /// # Errors
    /// As [`Self::emit`].
    ///
    /// # Panics
    /// As [`Self::emit`].
    pub fn reserve(&mut self, cancelled: &dyn Fn() -> bool) -> Result<WaitTime, Halt> {
        let (began, read) = (Instant::now(), self.outlet.reading.total());
        loop {
            self.check()?;
            match self.work_waiting.send_timeout((), TICK) {
                Ok(()) => break,
                Err(_) if cancelled() => return Err(Halt::Cancelled),
                Err(_) => {}
            }
        }
        let waited = began.elapsed();
        let for_reader = self.outlet.reading.total().saturating_sub(read).min(waited);
        Ok(WaitTime { for_analysis: waited - for_reader, for_reader })
    }

    /// Puts in a piece of work for which room was made by [`Self::reserve`].
    ///
    /// # Errors
    /// As [`Self::emit`].
    ///
    /// # Panics
    /// As [`Self::emit`].
    pub fn give(&mut self, work: W, cancelled: &dyn Fn() -> bool) -> Result<(), Halt> {
        self.put(Item::Work(work), cancelled)
    }

    /// Waits until everything that was put in before is passed on.
    ///
    /// # Errors
    /// As [`Self::emit`].
    ///
    /// # Panics
    /// As [`Self::emit`].
    pub fn settle(&mut self, cancelled: &dyn Fn() -> bool) -> Result<(), Halt> {
        if self.items.is_none() {
            return self.halt.clone().map_or(Ok(()), Err);
        }
        let (mark, reached) = bounded(1);
        self.put(Item::Mark(mark), cancelled)?;
        loop {
            match reached.recv_timeout(TICK) {
                Ok(()) => return Ok(()),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => self.check()?,
            }
            if cancelled() {
                return Err(Halt::Cancelled);
            }
        }
    }

    /// Checks that the queue is still open.
    ///
    /// # Errors
    /// The reason why the thread has ended.
    ///
    /// # Panics
    /// As [`Self::emit`].
    pub fn check(&mut self) -> Result<(), Halt> {
        if self.thread.as_ref().is_some_and(JoinHandle::is_finished) {
            let ended = self.thread.take().map(JoinHandle::join);
            match ended {
                Some(Err(panic)) => {
                    self.halt = Some(Halt::Failed { step: 0, message: "the analysis thread panicked".to_owned() });
                    resume_unwind(panic)
                }
                Some(Ok(outcome)) => self.halt = outcome.err(),
                None => {}
            }
        }
        self.halt.clone().map_or(Ok(()), Err)
    }

    /// Closes the queue: waits at most this long for the analysis in progress, and then passes on the waiting events
    /// without the results of the waiting work. From here on events go straight to the sink. After a failure no waiting
    /// event is passed on.
    pub fn close(&mut self, patience: Duration) {
        let until = Instant::now() + patience;
        // Either everything is passed on or the thread has ended, unless the time is up.
        let has_ended = self.settle(&|| Instant::now() >= until);
        self.items = None;
        if !matches!(has_ended, Err(Halt::Cancelled)) {
            // A thread with an empty queue ends, because nothing can be put in any more.
            if let Some(thread) = self.thread.take() {
                let _ = thread.join();
            }
            return;
        }
        // The lock is free as soon as the thread analyses, or has nothing to do any more.
        let mut telling = self.outlet.lock();
        self.outlet.is_closed.store(true, Ordering::Relaxed);
        self.thread = None;
        while let Ok(item) = telling.items.try_recv() {
            if let Item::Event(event) = item
                && self.outlet.tell(&mut telling, event).is_err()
            {
                return;
            }
        }
    }

    fn put(&mut self, item: Item<W>, cancelled: &dyn Fn() -> bool) -> Result<(), Halt> {
        let mut waiting = item;
        loop {
            self.check()?;
            let Some(items) = &self.items else { return Err(Halt::Closed) };
            match items.send_timeout(waiting, TICK) {
                Ok(()) => return Ok(()),
                Err(_) if cancelled() => return Err(Halt::Cancelled),
                Err(SendTimeoutError::Timeout(back) | SendTimeoutError::Disconnected(back)) => waiting = back,
            }
        }
    }
}

impl<W> Drop for EventQueue<W> {
    /// Detaches the thread, which ends after the analysis in progress and reports nothing of it.
    fn drop(&mut self) {
        self.outlet.is_closed.store(true, Ordering::Relaxed);
    }
}

/// Runs the thread: passes everything on in order, until nothing can be put in any more.
fn deliver_all<W>(
    outlet: &Outlet<W>,
    work_taken: &Receiver<()>,
    mut analyse: impl FnMut(W) -> Result<Vec<Event>, Halt>,
) -> Result<(), Halt> {
    let mut telling = outlet.lock();
    while let Ok(item) = telling.items.recv() {
        match item {
            Item::Event(event) => outlet.tell(&mut telling, event)?,
            Item::Mark(mark) => {
                let _ = mark.try_send(());
            }
            Item::Work(work) => {
                drop(telling);
                // The next piece of work may be put in.
                let _ = work_taken.try_recv();
                let events = analyse(work)?;
                telling = outlet.lock();
                if outlet.is_closed.load(Ordering::Relaxed) {
                    return Ok(());
                }
                events.into_iter().try_for_each(|event| outlet.tell(&mut telling, event))?;
            }
        }
    }
    Ok(())
}

/// A clock that runs while the sink takes an event, which takes long where its reader is slow.
#[derive(Default)]
struct ReadingTime(Mutex<(Duration, Option<Instant>)>);

impl ReadingTime {
    fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        self.lock().1 = Some(Instant::now());
        let done = work();
        let mut time = self.lock();
        let took = time.1.take().map_or(Duration::ZERO, |since| since.elapsed());
        time.0 += took;
        done
    }

    fn total(&self) -> Duration {
        let time = self.lock();
        time.0 + time.1.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn lock(&self) -> MutexGuard<'_, (Duration, Option<Instant>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
