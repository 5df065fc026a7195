//! Estimates how far a study is, and how many runs fit into the machine: for the progress bars of the command line and
//! the window.

use std::time::Instant;

use crate::lab::speed::flops;
use crate::spec::{Cost, DataShape, Spec, StudyRun, memory_available};

/// The share of a study that is done, each run weighted by its cost.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The share of each run of the whole, by its index.
    weights: Vec<f64>,
    reached: Vec<f64>,
    /// The share that was done before it began, and the time of that.
    before: f64,
    begun: Instant,
    /// The operations of all runs, see [`total_work`].
    total: f64,
}

impl Progress {
    /// Begins with these runs, some of which are done already.
    pub fn new(runs: &[StudyRun], is_done: impl Fn(usize) -> bool) -> Self {
        let each: Vec<f64> = runs.iter().map(|run| cost(run).0).collect();
        let total = each.iter().sum::<f64>().max(1.0);
        let weights: Vec<f64> = each.into_iter().map(|work| work / total).collect();
        let reached = (0..runs.len()).map(|place| f64::from(u8::from(is_done(place)))).collect();
        let mut progress = Self { weights, reached, before: 0.0, begun: Instant::now(), total };
        progress.before = progress.share();
        progress
    }

    /// Records the share of a run that is done.
    pub fn reach(&mut self, place: usize, share: f64) {
        self.reached[place] = share;
    }

    /// Returns the share of everything that is done.
    pub fn share(&self) -> f64 {
        self.weights.iter().zip(&self.reached).map(|(weight, share)| weight * share).sum::<f64>().min(1.0)
    }

    /// Returns the number of runs that have ended, and the number of all runs.
    pub fn done(&self) -> (usize, usize) {
        (self.reached.iter().filter(|share| **share >= 1.0).count(), self.reached.len())
    }

    /// Returns the number of operations that are left.
    pub fn work_left(&self) -> f64 {
        (1.0 - self.share()) * self.total
    }

    /// Returns the operations a second so far, of all runs together; `None` before enough is done.
    pub fn speed(&self) -> Option<f64> {
        let (gained, elapsed) = (self.share() - self.before, self.begun.elapsed().as_secs_f64());
        (gained > 1e-3 && elapsed > 1.0).then(|| gained * self.total / elapsed)
    }

    /// Returns the seconds until everything is done, at the speed so far; `None` before there is one.
    pub fn seconds_left(&self) -> Option<f64> {
        Some(self.work_left() / self.speed()?)
    }
}

/// An estimate of the time of a run on this machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The time of the whole run.
    pub seconds: f64,
    /// The time until its first snapshot.
    pub first_seconds: f64,
}

impl Estimate {
    /// Estimates a run of this cost. Measures for a moment how fast this machine is.
    pub fn of(spec: &Spec, cost: &Cost) -> Self {
        let speed = flops();
        let reaches = spec.network.outline().map_or(REACHED, |program| program.reaches());
        let seconds = |flop: f64, besides: f64| flop / (reaches * speed) + besides / (REACHED * speed);
        Self {
            seconds: seconds(cost.training_flop + cost.kernel_flop, besides(cost)),
            first_seconds: seconds(cost.first_flop, SNAPSHOT),
        }
    }
}

/// The share of the speed of large products at which the other work of steps and snapshots is counted.
const REACHED: f64 = 0.4;

/// Returns the floating-point operations of all these runs, the other work of steps and snapshots included.
pub fn total_work<'a>(runs: impl IntoIterator<Item = &'a StudyRun>) -> f64 {
    runs.into_iter().map(|run| cost(run).0).sum()
}

/// Returns the bytes that the largest of these runs takes.
pub fn largest_bytes<'a>(runs: impl IntoIterator<Item = &'a StudyRun>) -> u64 {
    runs.into_iter().map(|run| cost(run).1).max().unwrap_or(0)
}

/// Returns how many runs of at most this many bytes can run at a time: at most `requested`, and no more than the memory
/// holds.
pub fn runs_that_fit(requested: usize, largest: u64) -> usize {
    let held = usize::try_from(memory_available() / largest.max(1)).unwrap_or(usize::MAX);
    requested.min(held.max(1))
}

/// Returns the floating-point operations of a run, and its bytes. The other work of each step and snapshot is counted as
/// the operations that would take the same time: runs of narrow networks spend most of theirs there.
fn cost(run: &StudyRun) -> (f64, u64) {
    let shape = DataShape::expected(&run.spec);
    if let Some(experiment) = &run.experiment {
        return experiment.cost(&run.spec, &shape);
    }
    let cost = Cost::of(&run.spec, &shape);
    (cost.training_flop + cost.kernel_flop + besides(&cost), cost.peak_bytes)
}

fn besides(cost: &Cost) -> f64 {
    STEP * cost.steps as f64 + SNAPSHOT * cost.snapshots as f64
}

/// Measured on runs of 64 to 1024 units, whose CPU time is 3 s and 33 µs for each weight (5, 12, 26 and 67 s).
const STEP: f64 = 1e8;
const SNAPSHOT: f64 = 5e8;
