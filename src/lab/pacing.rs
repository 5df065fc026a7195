//! Paces a run: decides when it reports and how long it waits, collects losses for the next report, and counts the time
//! spent training and measuring.
//!
//! Nothing here changes a result, only the time of the reports.

use std::time::{Duration, Instant};

use crate::run::Progress;

/// The shortest time between two reports: no more often than the screen is drawn.
const REPORT_EVERY: Duration = Duration::from_millis(33);
/// The longest delay that a paced run catches up.
const MOST_BEHIND: Duration = Duration::from_millis(250);

/// The pacing of one run: its clock and its tallies.
pub struct Pacing {
    paced: bool,
    /// The pace in epochs a second; 0 is unlimited.
    pace: f64,
    /// The time and the epoch from which the pace counts.
    anchor: Option<(Instant, f64)>,
    reported: Instant,
    loss: (f64, u64),
    grad_norm: Option<f64>,
    /// Steps, their seconds and the seconds of kernels, as sums that fade over some seconds.
    steps: f64,
    training: f64,
    measuring: f64,
    /// Seconds since the share was last taken: training, measuring.
    since: (f64, f64),
}

impl Pacing {
    /// Begins a run at this pace; one that is not `paced` ignores every pace.
    pub fn new(pace: f64, paced: bool) -> Self {
        Self {
            paced,
            pace,
            anchor: None,
            reported: Instant::now(),
            loss: (0.0, 0),
            grad_norm: None,
            steps: 0.0,
            training: 0.0,
            measuring: 0.0,
            since: (0.0, 0.0),
        }
    }

    /// Counts a step that was taken.
    pub fn stepped(&mut self, took: Duration, loss: f64, grad_norm: Option<f64>) {
        self.loss.0 += loss;
        self.loss.1 += 1;
        self.grad_norm = grad_norm;
        self.steps += 1.0;
        self.training += took.as_secs_f64();
        self.since.0 += took.as_secs_f64();
        self.fade();
    }

    /// Counts a kernel that was measured.
    pub fn measured(&mut self, took: Duration) {
        self.measuring += took.as_secs_f64();
        self.since.1 += took.as_secs_f64();
        self.fade();
    }

    /// Returns the share of the time that kernels took since the last call.
    pub fn take_share(&mut self) -> f64 {
        let (training, measuring) = std::mem::take(&mut self.since);
        measuring / (training + measuring).max(f64::MIN_POSITIVE)
    }

    /// Returns ‖∇L‖ of the last step, if it was requested.
    pub fn take_grad_norm(&mut self) -> Option<f64> {
        self.grad_norm.take()
    }

    /// Sets a new pace from here on.
    pub fn set_pace(&mut self, pace: f64) {
        if pace.is_finite() && pace >= 0.0 {
            self.pace = pace;
            self.restart();
        }
    }

    /// Counts the pace from here on.
    pub fn restart(&mut self) {
        self.anchor = None;
    }

    /// Returns the time for which the step after this epoch has to wait.
    pub fn wait(&mut self, epoch: f64) -> Option<Duration> {
        if !self.paced || self.pace <= 0.0 {
            return None;
        }
        let now = Instant::now();
        let (begin, from) = *self.anchor.get_or_insert((now, epoch));
        let target = begin + Duration::try_from_secs_f64((epoch - from).max(0.0) / self.pace).ok()?;
        if now > target + MOST_BEHIND {
            self.anchor = Some((now, epoch));
        }
        target.checked_duration_since(now).filter(|wait| !wait.is_zero())
    }

    /// Returns whether the screen could show something new.
    pub fn report_due(&self) -> bool {
        self.reported.elapsed() >= REPORT_EVERY
    }

    /// Makes the next report.
    pub fn report(&mut self, step: u64, epoch: f64, planned_steps: u64, upcoming: Vec<usize>) -> Progress {
        self.reported = Instant::now();
        let (sum, count) = std::mem::take(&mut self.loss);
        Progress {
            step,
            epoch,
            losses: (count > 0).then(|| (epoch, sum / count as f64)).into_iter().collect(),
            planned_steps,
            upcoming,
            steps_per_second: self.steps / self.training.max(f64::MIN_POSITIVE),
            kernel_share: self.measuring / (self.training + self.measuring).max(f64::MIN_POSITIVE),
        }
    }

    fn fade(&mut self) {
        const MEMORY_SECONDS: f64 = 2.0;
        if self.training + self.measuring > MEMORY_SECONDS {
            self.steps *= 0.5;
            self.training *= 0.5;
            self.measuring *= 0.5;
        }
    }
}
