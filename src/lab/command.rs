//! The commands of a running laboratory, and the trait through which it receives them.

use std::time::Duration;

/// A command of the user; it acts between two steps. What changes a result is recorded as an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    Pause,
    Resume,
    /// While paused: so many steps, then pause again.
    Step(u64),
    /// The task being trained ends at once.
    SwitchTask,
    /// New `training.rate`.
    SetRate(f64),
    /// New `kernel.per_epoch`.
    SetPerEpoch(usize),
    /// New order of the tasks not yet begun, by number.
    SetUpcoming(Vec<usize>),
    /// Keep the state of the run, now or when the next task begins, for other futures to go on from.
    Fork {
        at_switch: bool,
    },
    /// Write down what the next step does to images of earlier tasks.
    TakeLedger,
    /// New pace in epochs a second; 0 is as fast as it goes.
    SetPace(f64),
}

/// The laboratory's end of the commands. It knows of no thread: a test hands in a list.
pub trait Control {
    /// Takes the next command, if there is one.
    fn poll(&mut self) -> Option<Command>;
    /// Waits for the next command, at most this long; returns early when the run is to end.
    fn wait(&mut self, at_most: Duration) -> Option<Command>;
    /// Returns whether the run is to end.
    fn cancelled(&self) -> bool;
}
