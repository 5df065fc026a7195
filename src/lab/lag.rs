//! Defines the lag of a velocity: the stretch of training over which it is taken, and the values that must be stored for
//! it.
//!
//! The trainer stores weights this way, and the analysis kernels, so that both use the same lag. No lag straddles a
//! switch: the values of a task are dropped when it ends, except the last, which is the start of the next task.

use std::collections::VecDeque;

use crate::spec::MOST_LAGGED;

/// The lag that ends at the current step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    /// The steps of the task done at its end.
    pub done: u64,
    /// The length of the lag in steps; `None` where no value was stored that could begin it.
    pub steps: Option<u64>,
    /// The steps of an epoch.
    pub epoch_steps: u64,
}

impl Lag {
    /// Returns its length in epochs.
    pub fn epochs(self) -> Option<f64> {
        self.steps.map(|steps| steps as f64 / self.epoch_steps as f64)
    }
}

/// Values of this task, by the number of steps done; as far back as one lag, at most [`MOST_LAGGED`] where that is not known.
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
        let is_over = |held: &VecDeque<(u64, T)>| match (held.front(), lag.steps) {
            (Some((then, _)), Some(steps)) => then + steps < lag.done,
            (Some(_), None) => held.len() >= MOST_LAGGED,
            (None, _) => false,
        };
        while is_over(&self.0) {
            self.0.pop_front();
        }
        self.0.push_back((lag.done, item));
    }

    /// Returns the value at the beginning of this lag; `None` while the lag would reach back over a switch.
    pub fn before(&self, lag: Lag) -> Option<&T> {
        let steps = lag.steps?;
        self.0.iter().find(|(then, _)| then + steps == lag.done).map(|(_, item)| item)
    }

    /// Returns the stored values with the number of steps done at each, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.0.iter().map(|(done, item)| (*done, item))
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
