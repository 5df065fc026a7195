//! Measures the reaction of the kernel to a task switch: the spike of its velocity and the dip of its λ_max, from the
//! curves alone.
//!
//! The definitions are the ones shown in the window and in the documentation; no other code computes them.
//! [`SPIKE_IN_WORDS`], [`FAKE_IN_WORDS`], [`DIP_IN_WORDS`], [`FAKE_DIP_IN_WORDS`] and [`RECOVERY_IN_WORDS`] state them in
//! words, which the window shows too, so that the texts always agree.

/// The definition of [`spike`] in words.
pub const SPIKE_IN_WORDS: &str = "Background: the median velocity over the last third of the task before the switch. \
     Spike: the largest velocity from the switch to one epoch after it (or to the next switch). Ratio: spike / background. The \
     background is the noise of SGD, so the ratio depends on lag, batch and rate, and ratios of tasks of unequal size, whose \
     lags differ in steps, cannot be compared. Where a task has fewer than 40 probes, velocities are debiased (HSIC₁), else \
     centred.";
/// The definition of the 99th percentile in [`Spike::fake`] in words.
pub const FAKE_IN_WORDS: &str = "Fake switches: every measured time in that last third taken for a switch, as far as an \
     epoch of it follows; the largest velocity in that epoch. A real spike stands above the 99th percentile of these. (After \
     a real switch there are three times as many samples, which alone would lift a maximum over noise a little: the preset \
     no-shift shows how much.)";
/// The definition of [`dip`] in words.
pub const DIP_IN_WORDS: &str = "Before: the median of the last three λ_max up to the switch. Dip: the smallest λ_max \
     within three epochs after the switch (or to the next one), divided by “before”.";
/// The definition of the 1st percentile in [`Dip::fake`] in words.
pub const FAKE_DIP_IN_WORDS: &str = "Fake switches: every measured time in the last third of the task before, taken for a \
     switch, as far as three epochs of that task follow; the smallest λ_max in these, divided by the median of the last three \
     up to that time. A real dip lies below the 1st percentile of these.";
/// The definitions of [`Dip::recovery`] and [`Dip::recovery_epochs`] in words.
pub const RECOVERY_IN_WORDS: &str = "Recovery: the last λ_max of the new task over that smallest one. Recovery time: from \
     the switch until λ_max, after that smallest one, first is as large as “before” again.";

/// The reaction of the velocity to one switch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spike {
    /// Epoch of the largest velocity.
    pub epoch: f64,
    /// Epochs from the switch to the largest velocity, at least one lag: there is no velocity before.
    pub delay: f64,
    pub height: f64,
    pub background: f64,
    /// height / background.
    pub ratio: f64,
    /// 99th percentile of the heights at fake switches; `None` if the last third of the task is shorter than an epoch.
    pub fake: Option<f64>,
}

impl Spike {
    /// Returns the 99th percentile of the ratios at fake switches.
    pub fn fake_ratio(self) -> Option<f64> {
        Some(self.fake? / self.background)
    }
}

/// The reaction of λ_max to one switch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dip {
    /// Epoch of the smallest value.
    pub epoch: f64,
    pub before: f64,
    pub minimum: f64,
    /// minimum / before: 0.85 is a loss of 15 %.
    pub depth: f64,
    /// 1st percentile of the depths at fake switches; `None` if the last third of the task is shorter than three epochs.
    pub fake: Option<f64>,
    /// Last value of the new task / minimum.
    pub recovery: f64,
    /// Epochs from the switch until, after the minimum, λ_max is back at its previous value; `None` if that never happens.
    pub recovery_epochs: Option<f64>,
}

/// Returns the spike at `switch`, from (epoch, velocity) in order of time. `start` is the beginning of the previous task,
/// `end` the end of the new one (or infinity). `None` if there is no velocity on one of the sides, or the background is 0.
pub fn spike(velocity: &[(f64, f64)], start: f64, switch: f64, end: f64) -> Option<Spike> {
    let quiet: Vec<(f64, f64)> = velocity.iter().copied().filter(|p| is_background(p.0, start, switch)).collect();
    let background = quantile(quiet.iter().map(|p| p.1), 0.5)?;
    let after = velocity.iter().filter(|p| p.0 > switch && p.0 <= (switch + SPIKE_EPOCHS).min(end));
    let &(epoch, height) = after.max_by(|a, b| a.1.total_cmp(&b.1))?;
    if background <= 0.0 {
        return None;
    }
    let fakes = quiet.iter().filter(|p| p.0 + SPIKE_EPOCHS <= switch + 1e-9).map(|fake| {
        let window = quiet.iter().filter(|p| p.0 > fake.0 && p.0 <= fake.0 + SPIKE_EPOCHS);
        window.map(|p| p.1).fold(0.0, f64::max)
    });
    let fake = quantile(fakes, 0.99);
    Some(Spike { epoch, delay: epoch - switch, height, background, ratio: height / background, fake })
}

/// Returns the dip at `switch`, from (epoch, λ_max) in order of time; `start` and `end` as in [`spike`].
pub fn dip(lambda_max: &[(f64, f64)], start: f64, switch: f64, end: f64) -> Option<Dip> {
    let (before, after) = around(lambda_max, switch, end)?;
    let &(epoch, minimum) = smallest(after, switch)?;
    let last = after.last()?.1;
    let back = after.iter().find(|p| p.0 >= epoch && p.1 >= before);
    let third = last_third(start, switch);
    let quiet = lambda_max.iter().filter(|p| p.0 > third && p.0 + DIP_EPOCHS <= switch + 1e-9);
    let fakes = quiet.filter_map(|fake| {
        let (before, after) = around(lambda_max, fake.0, switch)?;
        Some(smallest(after, fake.0)?.1 / before).filter(|depth| depth.is_finite())
    });
    let fake = quantile(fakes, 0.01);
    (before > 0.0 && minimum > 0.0).then(|| Dip {
        epoch,
        before,
        minimum,
        depth: minimum / before,
        fake,
        recovery: last / minimum,
        recovery_epochs: back.map(|p| p.0 - switch),
    })
}

/// Returns the beginning of the last third of a task, which is the background of the switch that ends it.
pub fn last_third(start: f64, switch: f64) -> f64 {
    start + (switch - start) * 2.0 / 3.0
}

/// Returns whether a time lies in the background of a switch.
pub fn is_background(time: f64, start: f64, switch: f64) -> bool {
    time > last_third(start, switch) && time <= switch
}

/// Returns the median of the last three values up to a time, and the points after it up to `end`.
fn around(lambda_max: &[(f64, f64)], time: f64, end: f64) -> Option<(f64, &[(f64, f64)])> {
    let upto = lambda_max.partition_point(|p| p.0 <= time);
    let before = quantile(lambda_max[upto.saturating_sub(3)..upto].iter().map(|p| p.1), 0.5)?;
    // Empty if the new task ends before it begins, as in a record whose events were reordered.
    Some((before, &lambda_max[upto..lambda_max.partition_point(|p| p.0 <= end).max(upto)]))
}

/// Returns the point of the smallest value within the interval that is searched for a dip.
fn smallest(after: &[(f64, f64)], time: f64) -> Option<&(f64, f64)> {
    after.iter().filter(|p| p.0 <= time + DIP_EPOCHS).min_by(|a, b| a.1.total_cmp(&b.1))
}

/// Returns the q-quantile by linear interpolation between order statistics; `None` without values.
pub fn quantile(values: impl Iterator<Item = f64>, q: f64) -> Option<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = q * sorted.len().checked_sub(1)? as f64;
    let (low, part) = (at.floor() as usize, at.fract());
    let high = (low + 1).min(sorted.len() - 1);
    Some(sorted[low] + part * (sorted[high] - sorted[low]))
}

/// Length of the interval after a switch that is searched for its spike, in epochs.
pub const SPIKE_EPOCHS: f64 = 1.0;
/// Length of the interval after a switch that is searched for its dip, in epochs.
pub const DIP_EPOCHS: f64 = 3.0;
