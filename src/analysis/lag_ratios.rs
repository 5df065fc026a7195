//! Computes the spike at a switch over its background for all lags that pairs of kernels have on both sides of the switch.
//!
//! Guarantees: a lag is a number of steps, the same before and after, so tasks of any length can be compared; no lag straddles
//! the switch; spike, background and fake switches are those of [`crate::math::spike`].

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::distance_matrix::block;
use crate::math::distance::{Centring, Normalised};
use crate::math::spike::{SPIKE_EPOCHS, Spike, last_third, spike};
use crate::run::{History, Snapshot};

/// The most lags, which are then spaced evenly on a logarithmic axis, and the most kernels that are compared.
const MOST_LAGS: usize = 48;
const MOST_KERNELS: usize = 1024;
/// A lag with fewer pairs in the background, or with none in the first half of it, has no ratio: where kernels were measured
/// less often or dropped from memory, the median of a part would stand beside the medians of the whole.
const LEAST_PAIRS: usize = 8;

/// Holds the spike over one lag.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LagRatio {
    pub steps: u64,
    /// The lag in epochs of the task that begins at the switch.
    pub epochs: f64,
    /// The pairs of kernels in the background, and after the switch.
    pub pairs: (usize, usize),
    /// The median of S over the lag before the switch, and the largest S after it.
    pub background: f64,
    pub height: f64,
    /// height / background.
    pub ratio: f64,
    /// 99th percentile of this ratio at fake switches, where the task before was long enough for them.
    pub fake: Option<f64>,
    /// The spike of S per path length of the weights over the lag, where that is known.
    pub by_path: Option<Spike>,
}

impl LagRatio {
    /// The columns of a table of them.
    pub const COLUMNS: [&str; 10] = [
        "lag_steps",
        "lag_epochs",
        "pairs_before",
        "pairs_after",
        "background",
        "spike",
        "ratio",
        "fake_ratio",
        "ratio_path",
        "fake_ratio_path",
    ];

    /// Returns its row of such a table, from what makes a cell of a whole number and of a figure, which may be undefined.
    pub fn cells<T>(&self, whole: impl Fn(u64) -> T, figure: impl Fn(Option<f64>) -> T) -> [T; 10] {
        let (before, after) = self.pairs;
        [
            whole(self.steps),
            figure(Some(self.epochs)),
            whole(before as u64),
            whole(after as u64),
            figure(Some(self.background)),
            figure(Some(self.height)),
            figure(Some(self.ratio)),
            figure(self.fake),
            figure(self.by_path.map(|spike| spike.ratio)),
            figure(self.by_path.and_then(Spike::fake_ratio)),
        ]
    }
}

/// Holds the kernels around a switch, and when it was.
#[derive(Clone, Debug)]
pub struct SwitchKernels {
    /// Those within one epoch before what counts as the background, the background, and one epoch after the switch.
    snapshots: Vec<Arc<Snapshot>>,
    /// Beginning of the task before, switch, and end of the task after, in epochs; and the length of one epoch in that time.
    times: (f64, f64, f64),
    unit: f64,
    /// That of the distances.
    pub centring: Centring,
}

impl SwitchKernels {
    /// Returns the kernels around the switch of this index, from 0; `None` while it has not happened.
    pub fn of(history: &History, place: usize) -> Option<Self> {
        let times = *history.switches().get(place)?;
        let (start, switch, end) = times;
        let unit = history.epoch_after(switch, end)?;
        let from = (last_third(start, switch) - unit).max(start);
        let to = (switch + SPIKE_EPOCHS * unit).min(end);
        let is_near =
            |snapshot: &&Arc<Snapshot>| (from..=to).contains(&snapshot.row.epoch) && !snapshot.gram.is_empty();
        let mut snapshots: Vec<Arc<Snapshot>> = history.snapshots().iter().filter(is_near).cloned().collect();
        // Without the oldest, a lag that has no pair in the first half of the background has no ratio.
        let surplus = snapshots.len().saturating_sub(MOST_KERNELS);
        snapshots.drain(..surplus);
        Some(Self { snapshots, times, unit, centring: history.centring() })
    }

    /// Returns the steps of the kernels, which name what is computed from them.
    pub fn steps(&self) -> Vec<u64> {
        self.snapshots.iter().map(|snapshot| snapshot.row.step).collect()
    }

    /// Returns the spike on these rows for each lag, shortest first.
    pub fn ratios(&self, rows: &Range<usize>) -> Vec<LagRatio> {
        let (start, switch, end) = self.times;
        let of = |snapshot: &Arc<Snapshot>| {
            let kernel = Normalised::of(&block(snapshot, rows)?, self.centring);
            Some((snapshot.row.step, snapshot.row.epoch, kernel, snapshot.row.path))
        };
        let kernels: Vec<(u64, f64, Normalised, Option<f64>)> = self.snapshots.iter().filter_map(of).collect();
        // Pairs by their lag, each as the indices of the earlier and the later kernel; before and after the switch.
        let mut pairs: BTreeMap<u64, [Vec<(usize, usize)>; 2]> = BTreeMap::new();
        for (later, &(step, epoch, ..)) in kernels.iter().enumerate() {
            let is_after = epoch > switch;
            for (earlier, &(from, begun, ..)) in kernels[..later].iter().enumerate().rev() {
                if epoch - begun > self.unit * (1.0 + 1e-9) || (is_after && begun < switch) {
                    break;
                }
                if from < step {
                    pairs.entry(step - from).or_default()[usize::from(is_after)].push((earlier, later));
                }
            }
        }
        let third = last_third(start, switch);
        let quiet = |pairs: &[(usize, usize)]| pairs.iter().filter(|pair| kernels[pair.1].1 > third).count();
        let is_covered = |pairs: &[(usize, usize)]| {
            let half = (third + switch) / 2.0;
            quiet(pairs) >= LEAST_PAIRS && pairs.iter().any(|pair| (third..=half).contains(&kernels[pair.1].1))
        };
        pairs.retain(|_, [before, after]| is_covered(before) && !after.is_empty());
        let lags: Vec<u64> = pairs.keys().copied().collect();
        let one = |steps: u64| {
            let [before, after] = &pairs[&steps];
            let distance = |&(earlier, later): &(usize, usize)| {
                (kernels[later].1 / self.unit, kernels[earlier].2.distance(&kernels[later].2))
            };
            let curve: Vec<(f64, f64)> =
                before.iter().chain(after).map(distance).filter(|point| point.1.is_finite()).collect();
            let spike = |curve: &[(f64, f64)]| spike(curve, start / self.unit, switch / self.unit, end / self.unit);
            let found = spike(&curve)?;
            let per_path = |pair: &(usize, usize)| {
                let ((time, gap), path) = (distance(pair), kernels[pair.1].3? - kernels[pair.0].3?);
                Some((time, gap / path)).filter(|point| point.1.is_finite())
            };
            let by_path: Vec<(f64, f64)> = before.iter().chain(after).filter_map(per_path).collect();
            let (earlier, later) = after[0];
            Some(LagRatio {
                steps,
                pairs: (quiet(before), after.len()),
                epochs: (kernels[later].1 - kernels[earlier].1) / self.unit,
                background: found.background,
                height: found.height,
                ratio: found.ratio,
                fake: found.fake_ratio(),
                by_path: spike(&by_path),
            })
        };
        thinned(&lags).into_iter().filter_map(one).collect()
    }
}

/// Returns at most [`MOST_LAGS`] of these lags, with the first and the last.
fn thinned(lags: &[u64]) -> Vec<u64> {
    let (Some(&first), Some(&last)) = (lags.first(), lags.last()) else { return Vec::new() };
    if lags.len() <= MOST_LAGS {
        return lags.to_vec();
    }
    let (low, high) = ((first as f64).ln(), (last as f64).ln());
    let wanted = (0..MOST_LAGS).map(|place| (low + (high - low) * place as f64 / (MOST_LAGS - 1) as f64).exp());
    let nearest = wanted.filter_map(|wanted| {
        lags.iter().copied().min_by(|a, b| (*a as f64 - wanted).abs().total_cmp(&(*b as f64 - wanted).abs()))
    });
    let mut found: Vec<u64> = nearest.collect();
    found.dedup();
    found
}
