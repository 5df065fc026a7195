//! A second thread that takes work off the first: behind a bounded channel, in order, and never silently dead.
//!
//! Guarantees:
//! * Answers come in the order of the work. At most one piece waits while one is done; whoever gives more waits, watching
//!   its own cancel flag.
//! * A panic of the task goes on in the thread that asks for its answers; an error of the task is handed over. Answers from
//!   before come first.
//! * Dropping the stage never waits: the thread ends by itself after the piece in its hand.
//!
//! Otherwise memory grows while the second thread lags, or a run waits for ever for an answer that nobody computes.

use std::collections::VecDeque;
use std::io;
use std::panic::resume_unwind;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender, bounded};

/// Pieces of work that wait for the one being done at most.
const QUEUE: usize = 1;
/// How often somebody who waits looks whether to go on waiting.
const TICK: Duration = Duration::from_millis(20);

/// A running second thread.
pub struct Stage<W, A> {
    work: Sender<W>,
    answers: Receiver<A>,
    /// Answers that were taken from the channel so that the thread never waits for room in it.
    ready: VecDeque<A>,
    thread: Option<JoinHandle<Result<(), String>>>,
    /// The task's last word, once it was asked for.
    failure: String,
}

impl<W: Send + 'static, A: Send + 'static> Stage<W, A> {
    /// Starts the thread; `task` does one piece of work after the other, and the first error is its last word.
    pub fn start(
        name: &str,
        mut task: impl FnMut(W) -> Result<Option<A>, String> + Send + 'static,
    ) -> io::Result<Self> {
        let (work, inbox) = bounded::<W>(QUEUE);
        // One for each piece that waits, is being done or is being given: `give` empties the channel first, so the thread
        // always has room for its answer, and the two never wait for each other.
        let (outbox, answers) = bounded(QUEUE + 2);
        let thread = Builder::new().name(name.to_owned()).spawn(move || {
            for piece in inbox {
                if let Some(answer) = task(piece)?
                    && outbox.send(answer).is_err()
                {
                    break;
                }
            }
            Ok(())
        })?;
        Ok(Self { work, answers, ready: VecDeque::new(), thread: Some(thread), failure: String::new() })
    }

    /// Hands over a piece of work, and says how long that had to wait; `None` when `cancelled` says so while it waits. Once the
    /// task has failed the piece is dropped: whoever asks for an answer hears why.
    pub fn give(&mut self, piece: W, cancelled: &dyn Fn() -> bool) -> Option<Duration> {
        let began = Instant::now();
        self.ready.extend(self.answers.try_iter());
        let mut waiting = piece;
        loop {
            match self.work.send_timeout(waiting, TICK) {
                Ok(()) | Err(SendTimeoutError::Disconnected(_)) => return Some(began.elapsed()),
                Err(SendTimeoutError::Timeout(_)) if cancelled() => return None,
                Err(SendTimeoutError::Timeout(back)) => waiting = back,
            }
        }
    }

    /// The next answer; `None` when none comes in this time.
    ///
    /// # Errors
    /// When the task has failed, in its words.
    ///
    /// # Panics
    /// As the task did.
    pub fn answer(&mut self, at_most: Duration) -> Result<Option<A>, String> {
        if let Some(answer) = self.ready.pop_front() {
            return Ok(Some(answer));
        }
        match self.answers.recv_timeout(at_most) {
            Ok(answer) => Ok(Some(answer)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(self.last_word()),
        }
    }

    /// Why the thread has ended.
    fn last_word(&mut self) -> String {
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(panic)) => {
                self.failure = "the thread beside training broke".to_owned();
                resume_unwind(panic)
            }
            Some(Ok(Err(message))) => self.failure = message,
            // It only returns without one when this stage is dropped.
            Some(Ok(Ok(()))) | None => {}
        }
        self.failure.clone()
    }
}
