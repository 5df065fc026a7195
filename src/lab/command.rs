//! Defines the commands of a running laboratory, and the trait through which it receives them.

use std::time::Duration;

use crate::spec::Schedule;

/// A command of the user, carried out between two steps. A command that changes a result is recorded as an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    Pause,
    Resume,
    /// While paused: take this many steps, then pause again.
    Step(u64),
    /// End the task being trained at once.
    SwitchTask,
    /// Set `training.rate`.
    SetRate(f64),
    /// Set `training.schedule`.
    SetSchedule(Schedule),
    /// Set `training.warmup`, in epochs.
    SetWarmup(f64),
    /// Set `kernel.per_epoch`.
    SetPerEpoch(usize),
    /// Set the order of the tasks not yet begun, by number.
    SetUpcoming(Vec<usize>),
    /// Store the state of the run, now or when the next task begins, as the start of forks.
    Fork {
        at_switch: bool,
    },
    /// Record the effect of the next step on images of earlier tasks.
    TakeLedger,
    /// Set the pace in epochs a second; 0 is unlimited.
    SetPace(f64),
}

/// The laboratory's end of the queue of commands. It is independent of threads: a test passes a list.
pub trait Control {
    /// Takes the next command, if there is one.
    fn poll(&mut self) -> Option<Command>;
    /// Waits for the next command, at most this long; returns early when the run is cancelled.
    fn wait(&mut self, at_most: Duration) -> Option<Command>;
    /// Returns whether the run is cancelled.
    fn cancelled(&self) -> bool;
}
