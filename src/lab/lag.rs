//! Defines the lag of a velocity: the stretch of training over which it is taken, and the values that must be stored for
//! it.
//!
//! The trainer stores weights this way, and the analysis kernels, so that both use the same lag. No lag straddles a
//! switch: the values of a task are dropped when it ends, except the last, which is the start of the next task.

use std::collections::VecDeque;

/// The lag that ends at the current step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    /// The steps of the task done at its end.
    pub done: u64,
    /// The length of the lag in steps.
    pub steps: u64,
    /// The steps of an epoch.
    pub epoch_steps: u64,
}

/// Values of this task, by the number of steps done; as far back as one lag.
#[derive(Clone)]
pub struct Lagged<T>(VecDeque<(u64, T)>);

impl<T> Default for Lagged<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Lagged<T> {
    /// Stores the value at the end of this lag, and drops values older than its beginning.
    pub fn store(&mut self, lag: Lag, item: T) {
        while self.0.front().is_some_and(|(then, _)| then + lag.steps < lag.done) {
            self.0.pop_front();
        }
        self.0.push_back((lag.done, item));
    }

    /// Returns the value at the beginning of this lag; `None` while the lag would reach back over a switch.
    pub fn before(&self, lag: Lag) -> Option<&T> {
        self.0.iter().find(|(then, _)| then + lag.steps == lag.done).map(|(_, item)| item)
    }

    /// Maps each stored value.
    pub fn map<U>(&self, change: impl Fn(&T) -> U) -> Lagged<U> {
        Lagged(self.0.iter().map(|(done, item)| (*done, change(item))).collect())
    }

    /// Ends a task, and returns the last stored value, which is the start of the next task's first lag.
    pub fn switch(&mut self) -> Option<&T> {
        let (_, last) = self.0.pop_back()?;
        self.0.clear();
        self.0.push_back((0, last));
        self.0.front().map(|(_, item)| item)
    }
}
