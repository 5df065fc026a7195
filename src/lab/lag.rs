//! The lag of a velocity: the stretch of training over which it is taken, and what must be kept for it.
//!
//! The trainer keeps weights this way and the analysis kernels: the same rule, so that both speak of the same lag. No lag
//! straddles a switch: what a task held is forgotten when it ends, but for the last, which is where the next task starts.

use std::collections::VecDeque;

/// The stretch of a task that ends now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    /// Steps of the task done at its end.
    pub done: u64,
    /// Its length.
    pub steps: u64,
    /// Steps of an epoch.
    pub epoch_steps: u64,
}

/// Things of this task, by how many of its steps were done; as far back as one lag.
#[derive(Clone)]
pub struct Lagged<T>(VecDeque<(u64, T)>);

impl<T> Default for Lagged<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Lagged<T> {
    /// Keeps what is at the end of this lag, and forgets what is older than its beginning.
    pub fn hold(&mut self, lag: Lag, item: T) {
        while self.0.front().is_some_and(|(then, _)| then + lag.steps < lag.done) {
            self.0.pop_front();
        }
        self.0.push_back((lag.done, item));
    }

    /// Returns what was at the beginning of this lag; none while the lag would reach back over a switch.
    pub fn before(&self, lag: Lag) -> Option<&T> {
        self.0.iter().find(|(then, _)| then + lag.steps == lag.done).map(|(_, item)| item)
    }

    /// Maps each thing that is kept.
    pub fn map<U>(&self, change: impl Fn(&T) -> U) -> Lagged<U> {
        Lagged(self.0.iter().map(|(done, item)| (*done, change(item))).collect())
    }

    /// A task ends: the last thing held, if any, is the start of the next one's first lag.
    pub fn switch(&mut self) -> Option<&T> {
        let (_, last) = self.0.pop_back()?;
        self.0.clear();
        self.0.push_back((0, last));
        self.0.front().map(|(_, item)| item)
    }
}
