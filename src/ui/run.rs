//! What the window needs of a running laboratory: a handle that takes commands and gives events.
//!
//! The window never waits for it. A run that is no longer wanted is told to stop and handed to a thread of its own, which
//! joins it; joined here, a run in the middle of a large kernel would freeze the window.

use crate::lab::Command;
use crate::record::Event;

/// A run in progress, seen from the window.
pub trait Run: Send {
    /// Passes on a wish; `false` when the run cannot take it now (its queue is full, or it has ended).
    fn send(&self, command: Command) -> bool;
    /// The next event, if one is there.
    fn try_recv(&self) -> Option<Event>;
    /// Asks it to end; `Event::Ended` follows.
    fn stop(&self);
}

/// Wakes the window from another thread.
pub type Waker = Box<dyn Fn() + Send + Sync>;

/// Starts a run of this spec.
pub type StartFn = Box<dyn Fn(crate::spec::Spec, Waker) -> Box<dyn Run>>;

/// Ends a run without waiting for it.
pub fn retire(run: Box<dyn Run>) {
    run.stop();
    let joining = std::thread::Builder::new().name("reaper".to_owned()).spawn(move || drop(run));
    if let Err(err) = joining {
        // Without a thread the run was dropped, and thereby joined, right here: slow, but nothing is lost.
        log::warn!("a run was joined on the window's thread: {err}");
    }
}
