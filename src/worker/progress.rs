//! How far a study is, and how much of it fits into the machine: for the bar of the command line and for that of the window.

use std::time::Instant;

use crate::lab::speed::flops;
use crate::spec::{Cost, DataShape, Spec, StudyRun, memory_available};

/// The share of a study that is done, each run counting as much as it costs.
#[derive(Clone, Debug)]
pub struct Progress {
    /// What each run is of the whole, by its place.
    weights: Vec<f64>,
    reached: Vec<f64>,
    /// What was there before it began, and when that was.
    before: f64,
    begun: Instant,
    /// Operations of all runs, see [`total_work`].
    total: f64,
}

impl Progress {
    /// Begins with these runs, of which some are done already.
    pub fn new(runs: &[StudyRun], is_done: impl Fn(usize) -> bool) -> Self {
        let each: Vec<f64> = runs.iter().map(|run| cost(run).0).collect();
        let total = each.iter().sum::<f64>().max(1.0);
        let weights: Vec<f64> = each.into_iter().map(|work| work / total).collect();
        let reached = (0..runs.len()).map(|place| f64::from(u8::from(is_done(place)))).collect();
        let mut progress = Self { weights, reached, before: 0.0, begun: Instant::now(), total };
        progress.before = progress.share();
        progress
    }

    /// A run has come so far.
    pub fn reach(&mut self, place: usize, share: f64) {
        self.reached[place] = share;
    }

    /// The share of everything that is done.
    pub fn share(&self) -> f64 {
        self.weights.iter().zip(&self.reached).map(|(weight, share)| weight * share).sum::<f64>().min(1.0)
    }

    /// Returns how many runs have come to an end, and how many there are.
    pub fn done(&self) -> (usize, usize) {
        (self.reached.iter().filter(|share| **share >= 1.0).count(), self.reached.len())
    }

    /// Operations that are left.
    pub fn work_left(&self) -> f64 {
        (1.0 - self.share()) * self.total
    }

    /// Operations a second so far, all runs together; `None` before enough is done to tell.
    pub fn speed(&self) -> Option<f64> {
        let (gained, elapsed) = (self.share() - self.before, self.begun.elapsed().as_secs_f64());
        (gained > 1e-3 && elapsed > 1.0).then(|| gained * self.total / elapsed)
    }

    /// Seconds until everything is done, at the speed so far; `None` before there is one.
    pub fn seconds_left(&self) -> Option<f64> {
        Some(self.work_left() / self.speed()?)
    }
}

/// An estimate of what a run will take on this machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Of the whole run.
    pub seconds: f64,
    /// Until its first snapshot is there.
    pub first_seconds: f64,
}

impl Estimate {
    /// Estimates a run that costs so much. Measures for a moment how fast this machine is.
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

/// What the operations that steps and snapshots stand for besides reach of the speed of large products.
const REACHED: f64 = 0.4;

/// Floating-point operations of all these runs, with what steps and snapshots take besides counted as such.
pub fn total_work<'a>(runs: impl IntoIterator<Item = &'a StudyRun>) -> f64 {
    runs.into_iter().map(|run| cost(run).0).sum()
}

/// Bytes that the largest of these runs takes.
pub fn largest_bytes<'a>(runs: impl IntoIterator<Item = &'a StudyRun>) -> u64 {
    runs.into_iter().map(|run| cost(run).1).max().unwrap_or(0)
}

/// Returns how many runs of at most so many bytes go at a time: as many as are asked for, but no more than the memory holds.
pub fn fitting(asked: usize, largest: u64) -> usize {
    let held = usize::try_from(memory_available() / largest.max(1)).unwrap_or(usize::MAX);
    asked.min(held.max(1))
}

/// Floating-point operations of a run, and its bytes. For each step and snapshot there are as many operations as would take the
/// time that it takes besides: runs of narrow networks spend most of theirs there.
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
