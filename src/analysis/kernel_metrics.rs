//! Computes rows of metrics from Grams alone: everything about a kernel that needs neither network nor outputs.
//!
//! A run uses the same functions, so its own Grams reproduce its own numbers. Metrics that need more than the kernel (the loss,
//! ‖Δw‖, accuracies) are missing, not zero.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use crate::math::Gram;
use crate::math::alignment::{PermutedAlignment, alignment, alignment_centred, alignment_debiased};
use crate::math::distance::{Centring, angle, change, distance, distance_if_defined};
use crate::math::leave_one_out::leave_one_out_error;
use crate::math::spectrum::{effective_rank, eigenvalues};
use crate::run::{Block, BlockMetrics, CrossMetrics, Row, Snapshot, finite};

/// The time at which a Gram was taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Moment {
    pub(crate) step: u64,
    pub(crate) epoch: f64,
    /// Number of the task being trained.
    pub(crate) task: usize,
    /// Whether the next Gram is another task's.
    pub(crate) at_switch: bool,
    /// Steps over which its velocity is taken, where each Gram states its own.
    pub(crate) lag: Option<u64>,
}

impl Moment {
    /// Returns the step at which its velocity begins, where the Gram states it.
    fn lag_from(self) -> Option<u64> {
        self.step.checked_sub(self.lag.filter(|lag| *lag > 0)?)
    }
}

/// The steps over which velocities are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lag {
    Steps(u64),
    /// The velocity is taken from each Gram to the one before it, because they are spaced too unevenly for one lag.
    Gaps,
    /// Each Gram has a lag of its own; this is the longest.
    Own(u64),
}

impl Lag {
    /// Returns the most frequent gap between Grams if at least half of the gaps equal it, else [`Lag::Gaps`].
    pub(crate) fn usual(moments: &[Moment]) -> Self {
        let gaps: Vec<u64> =
            moments.windows(2).map(|pair| pair[1].step - pair[0].step).filter(|gap| *gap > 0).collect();
        let count = |gap: u64| gaps.iter().filter(|&&other| other == gap).count();
        // Of two equally frequent gaps the shorter one wins.
        let most = gaps.iter().copied().max_by_key(|&gap| (count(gap), std::cmp::Reverse(gap)));
        match most {
            Some(gap) if 2 * count(gap) >= gaps.len() => Self::Steps(gap),
            _ => Self::Gaps,
        }
    }
}

/// A Gram that later velocities may need, cut into its blocks.
type StoredGram = (u64, f64, Vec<Gram>);
/// Grams at the beginning of a lag that are no rows themselves, by step: epoch and values.
pub(crate) type LagPartners = BTreeMap<u64, (f64, Vec<f64>)>;

/// The state that the metrics of the next Gram depend on.
pub(crate) struct MetricHistory {
    labels: Option<Vec<usize>>,
    blocks: Vec<(Block, Range<usize>)>,
    lag: Lag,
    first: Option<Vec<Gram>>,
    at_switch: Option<Vec<Gram>>,
    recent: VecDeque<StoredGram>,
    partners: LagPartners,
    /// The largest asymmetry seen.
    pub(crate) asymmetry: f64,
}

impl MetricHistory {
    /// Creates the state for Grams of n rows; `tasks` are the rows of each task's block, which may be empty.
    pub(crate) fn new(n: usize, labels: Option<Vec<usize>>, tasks: Vec<Range<usize>>, lag: Lag) -> Self {
        let own = tasks.into_iter().enumerate().map(|(place, rows)| (Block::Task(place + 1), rows));
        let blocks = std::iter::once((Block::All, 0..n)).chain(own).collect();
        let (recent, partners) = (VecDeque::new(), LagPartners::new());
        Self { labels, blocks, lag, first: None, at_switch: None, recent, partners, asymmetry: 0.0 }
    }

    /// Creates the same state with Grams at which lags begin although they are no rows.
    pub(crate) fn with_partners(self, partners: LagPartners) -> Self {
        Self { partners, ..self }
    }

    /// Returns the snapshot of the next Gram, row-major [n, n] and finite.
    pub(crate) fn next(&mut self, moment: Moment, values: Vec<f64>) -> Result<Snapshot, String> {
        let n = self.blocks[0].1.len();
        let shown: Arc<[f64]> = values.as_slice().into();
        let (whole, asymmetry) = Gram::symmetrised(n, values).map_err(|err| err.to_string())?;
        self.asymmetry = self.asymmetry.max(asymmetry);
        let grams: Vec<Gram> = self.blocks.iter().map(|(_, rows)| whole.block(rows.clone())).collect();
        let mut spectra: Vec<Vec<f64>> = Vec::with_capacity(grams.len());
        for gram in &grams {
            // With one task that has all probes the block is the whole kernel.
            let known = spectra.first().filter(|_| gram.len() == n).cloned();
            spectra.push(known.map_or_else(|| eigenvalues(gram), Ok)?);
        }
        let partner = self.partner(moment)?;
        let held = |from: u64| self.recent.iter().find(|held| held.0 == from);
        let before = match self.lag {
            Lag::Steps(steps) => moment.step.checked_sub(steps).and_then(held),
            Lag::Gaps => self.recent.back().filter(|held| held.0 < moment.step),
            Lag::Own(_) => moment.lag_from().and_then(held).or(partner.as_ref()),
        };
        let first = self.first.get_or_insert_with(|| grams.clone()).as_slice();
        let one = |(place, (block, rows)): (usize, &(Block, Range<usize>))| {
            let against = ReferenceKernels {
                start: &first[place],
                switch: self.at_switch.as_ref().map(|grams| &grams[place]),
                lagged: before.map(|(step, epoch, held)| (&held[place], moment.step - step, moment.epoch - epoch)),
                moved: Moved::default(),
                labels: self.labels.as_ref().map(|labels| &labels[rows.clone()]),
            };
            let metrics = BlockMetrics::of_kernel(*block, &grams[place], &spectra[place], &against);
            BlockMetrics { asymmetry: Some(asymmetry), ..metrics }
        };
        let blocks: Vec<BlockMetrics> = self.blocks.iter().enumerate().map(one).collect();
        let tasks: Vec<Range<usize>> = self.blocks[1..].iter().map(|(_, rows)| rows.clone()).collect();
        self.hold(moment, grams);
        let eigenvalues = spectra.remove(0);
        let row = Row {
            at_switch: moment.at_switch,
            blocks,
            cross: CrossMetrics::between(&whole, &tasks),
            ..Row::bare(moment.step, moment.epoch, moment.task)
        };
        let tensors = Arc::default();
        Ok(Snapshot { row, gram: shown, tensors, eigenvalues, block_eigenvalues: spectra, outputs: None })
    }

    /// Returns the Gram at the beginning of this lag, if it is not itself a row.
    fn partner(&mut self, moment: Moment) -> Result<Option<StoredGram>, String> {
        let Some(from) = moment.lag_from() else { return Ok(None) };
        let Some((epoch, values)) = self.partners.remove(&from) else { return Ok(None) };
        let n = self.blocks[0].1.len();
        let (whole, _) = Gram::symmetrised(n, values).map_err(|err| err.to_string())?;
        Ok(Some((from, epoch, self.blocks.iter().map(|(_, rows)| whole.block(rows.clone())).collect())))
    }

    /// Stores the Grams that later velocities need; no lag straddles a switch, and the last Gram of a task is the start
    /// of the next one.
    fn hold(&mut self, moment: Moment, grams: Vec<Gram>) {
        if moment.at_switch {
            self.at_switch = Some(grams.clone());
            self.recent.clear();
        }
        let reach = match self.lag {
            Lag::Steps(steps) | Lag::Own(steps) => steps,
            Lag::Gaps => 0,
        };
        while self.recent.front().is_some_and(|held| held.0.saturating_add(reach) <= moment.step) {
            self.recent.pop_front();
        }
        self.recent.push_back((moment.step, moment.epoch, grams));
    }
}

/// How far the weights went over a lag, where there are weights.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moved {
    /// ‖Δw‖ from the beginning of the lag to its end.
    pub net: Option<f64>,
    /// Σ ‖Δw‖ over its steps.
    pub path: Option<f64>,
}

impl Moved {
    /// Returns net over path: at most 1, and 1 where every step went the same way.
    pub fn straightness(self) -> Option<f64> {
        finite(self.net? / self.path.filter(|path| *path > 0.0)?)
    }
}

/// The kernels and labels that a kernel is compared with.
pub struct ReferenceKernels<'a> {
    /// The kernel at the start, and at the last switch, if there was one.
    pub start: &'a Gram,
    pub switch: Option<&'a Gram>,
    /// The kernel at the beginning of the lag: this many steps and epochs ago.
    pub lagged: Option<(&'a Gram, u64, f64)>,
    pub moved: Moved,
    /// The class of each row.
    pub labels: Option<&'a [usize]>,
}

impl BlockMetrics {
    /// Computes the metrics that need a block's kernel alone; the others are missing. The spectrum ascends.
    pub fn of_kernel(block: Block, gram: &Gram, spectrum: &[f64], against: &ReferenceKernels<'_>) -> Self {
        let ReferenceKernels { start, switch, lagged, moved, labels } = *against;
        let since_start = change(gram, start);
        let lag = lagged.filter(|lagged| lagged.2 > 0.0);
        let gap =
            |centring| lag.and_then(|(before, _, epochs)| Some((distance_if_defined(gram, before, centring)?, epochs)));
        let [centred, uncentred, debiased] = [Centring::Centred, Centring::Uncentred, Centring::Debiased].map(gap);
        let permuted_debiased =
            labels.and_then(|labels| PermutedAlignment::debiased(gram, labels)).map(PermutedAlignment::band);
        let per = |found: Option<(f64, f64)>, unit: Option<f64>| finite(found?.0 / unit?);
        let of_weights = |found: Option<(f64, f64)>| {
            let moved = moved.net.filter(|moved| *moved > 0.0)?;
            per(found, Some(moved * moved))
        };
        let steps = lag.map(|(_, steps, _)| steps as f64);
        let permuted = labels.and_then(|labels| PermutedAlignment::of(gram, labels)).map(PermutedAlignment::band);
        let permuted_centred =
            labels.and_then(|labels| PermutedAlignment::centred(gram, labels)).map(PermutedAlignment::band);
        Self {
            lag_steps: lagged.map(|lagged| lagged.1),
            velocity: centred.and_then(|(gap, lag)| finite(gap / lag)),
            velocity_uncentred: uncentred.and_then(|(gap, lag)| finite(gap / lag)),
            velocity_debiased: debiased.and_then(|(gap, lag)| finite(gap / lag)),
            velocity_angle: centred.and_then(|(gap, lag)| finite(angle(gap) / lag)),
            velocity_step: per(centred, steps),
            velocity_path: per(centred, moved.path),
            velocity_angle_debiased: debiased.and_then(|(gap, lag)| finite(angle(gap) / lag)),
            velocity_step_debiased: per(debiased, steps),
            velocity_path_debiased: per(debiased, moved.path),
            step_norm: moved.net.and_then(finite),
            path_lag: moved.path.and_then(finite),
            straightness: moved.straightness(),
            susceptibility: of_weights(centred),
            susceptibility_debiased: of_weights(debiased),
            distance: finite(distance(gram, start, Centring::Centred)),
            distance_debiased: distance_if_defined(gram, start, Centring::Debiased),
            distance_switch: switch.and_then(|switch| distance_if_defined(gram, switch, Centring::Centred)),
            distance_switch_debiased: switch.and_then(|switch| distance_if_defined(gram, switch, Centring::Debiased)),
            scale: finite(since_start.scale),
            rotation: finite(since_start.rotation),
            drift: finite(since_start.drift),
            lambda_max: finite(spectrum.last().copied().unwrap_or(0.0)),
            lambda_min: finite(spectrum.first().copied().unwrap_or(0.0)),
            trace: finite(gram.trace()),
            frobenius: finite(gram.frobenius()),
            effective_rank: finite(effective_rank(spectrum)),
            alignment: labels.and_then(|labels| finite(alignment(gram, labels))),
            alignment_centred: labels.and_then(|labels| alignment_centred(gram, labels)),
            alignment_permuted_low: permuted.and_then(|band| finite(band.0)),
            alignment_permuted_high: permuted.and_then(|band| finite(band.1)),
            alignment_centred_permuted_low: permuted_centred.and_then(|band| finite(band.0)),
            alignment_centred_permuted_high: permuted_centred.and_then(|band| finite(band.1)),
            leave_one_out: labels.filter(|_| block != Block::All).and_then(|labels| leave_one_out_error(gram, labels)),
            alignment_debiased: labels.and_then(|labels| alignment_debiased(gram, labels)),
            alignment_debiased_permuted_low: permuted_debiased.and_then(|band| finite(band.0)),
            alignment_debiased_permuted_high: permuted_debiased.and_then(|band| finite(band.1)),
            ..Self::bare(block)
        }
    }
}
