//! Decides when the kernel is measured within one task: on a fixed grid of steps, so that runs repeat bit for bit.
//!
//! There are `per_epoch` snapshots an epoch, and about three times as many in the first epoch after a switch, because the
//! dip is over within a quarter to three quarters of one. The velocity is taken over one fixed lag in whole steps: S
//! grows with the square of the lag in smooth motion, so a varying lag would bend the curve. A kernel is therefore also
//! measured, without a snapshot, one lag before each snapshot where the grid has no measurement; the numbers below are
//! chosen so that it has.

use crate::spec::{KernelSpec, VelocityLag};

/// The grid of measurements of one task. Steps count from 0 at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cadence {
    steps_per_epoch: u64,
    /// Steps between snapshots after the first epoch.
    sparse: u64,
    dense: u64,
    lag: u64,
    after_switch: bool,
    total: u64,
    /// The factor by which the grid is coarser, to keep the kernel's share of the time under a budget.
    stretch: u64,
}

impl Cadence {
    /// Returns the grid of a task of `total` steps. `lag` comes from [`lag_steps`] with the cadence the run began with.
    pub fn new(per_epoch: usize, lag: u64, steps_per_epoch: u64, after_switch: bool, total: u64) -> Self {
        let sparse = spacing(per_epoch, steps_per_epoch);
        let dense =
            (1..=sparse).filter(|d| sparse.is_multiple_of(*d)).min_by_key(|d| (3 * d).abs_diff(sparse)).unwrap_or(1);
        Self { steps_per_epoch, sparse, dense, lag, after_switch, total, stretch: 1 }
    }

    /// Returns whether a snapshot is taken once this many steps of the task are done.
    pub fn snapshot_due(&self, done: u64) -> bool {
        if done == self.total {
            return true;
        }
        done > 0 && done < self.total && done.is_multiple_of(self.spacing(done))
    }

    /// Returns the number of steps between snapshots at this point of the task.
    fn spacing(&self, done: u64) -> u64 {
        let dense = self.after_switch && done <= self.steps_per_epoch;
        self.stretch * if dense { self.dense } else { self.sparse }
    }

    /// Returns whether the kernel is needed: for a snapshot now or for the velocity of one a lag later.
    pub fn kernel_due(&self, done: u64) -> bool {
        self.snapshot_due(done) || self.snapshot_due(done + self.lag)
    }

    /// Returns whether this is the last snapshot of an epoch or of the task, where the more expensive metrics are
    /// computed too: the grid need not meet the end of an epoch.
    pub fn epoch_ends(&self, done: u64) -> bool {
        let epoch_of = |done: u64| (done - 1) / self.steps_per_epoch;
        done == self.total || (done > 0 && epoch_of(done) != epoch_of(done + self.spacing(done + 1)))
    }

    /// Returns the lag of the velocity in steps.
    pub fn lag(&self) -> u64 {
        self.lag
    }

    /// Adapts the grid after a snapshot to the `budget` of the kernels' share of the time, of which `share` was used
    /// since the last snapshot. At least one snapshot an epoch remains.
    pub fn keep_to(&mut self, budget: f64, share: f64) {
        if share > budget {
            self.stretch = (self.stretch * 2).min((self.steps_per_epoch / self.sparse).max(1));
        } else if share < budget / 3.0 {
            self.stretch = (self.stretch / 2).max(1);
        }
    }
}

/// Returns the lag of the velocity in steps. Of one in epochs it is a whole number of snapshot spacings where it is at least
/// one, else whole steps. Of one in path length, whose steps are found at each snapshot, it is 0, so that no kernel is measured
/// for it beside the snapshots.
pub fn lag_steps(kernel: &KernelSpec, steps_per_epoch: u64) -> u64 {
    let lag = match kernel.velocity_lag() {
        VelocityLag::Epochs(epochs) => epochs,
        VelocityLag::Steps(steps) => return steps,
        VelocityLag::Path(_) => return 0,
    };
    let spacing = spacing(kernel.per_epoch, steps_per_epoch);
    let wanted = lag * steps_per_epoch as f64;
    let spacings = (wanted / spacing as f64).round() as u64;
    if spacings > 0 { spacings * spacing } else { (wanted.round() as u64).max(1) }
}

/// Returns the number of steps between snapshots: a multiple of three where it is three or more, so that the dense grid
/// fits into it.
fn spacing(per_epoch: usize, steps_per_epoch: u64) -> u64 {
    let wanted = steps_per_epoch as f64 / per_epoch.max(1) as f64;
    if wanted < 2.0 { (wanted.round() as u64).max(1) } else { 3 * ((wanted / 3.0).round() as u64).max(1) }
}
