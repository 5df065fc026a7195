//! Summarises one number of several seeds: how many there are, their mean, and a 95 % bootstrap interval of that mean.
//!
//! The interval is the expanded percentile interval of Hesterberg (2015, “What Teachers Should Know about the Bootstrap”): the
//! seeds are drawn with replacement, and the interval goes from one percentile of the means of these draws to the other. A plain
//! percentile interval is too short for a handful of seeds, because a draw varies by √((n−1)/n) too little and because the
//! deviation itself is estimated; so the percentiles lie further out, where they give Student's interval if the numbers are
//! normal. [`INTERVAL_IN_WORDS`] says it in words, which the window and the files show.
//!
//! Guarantees: the draws come from a stream of their own and depend on the number of seeds alone, so the same numbers have the
//! same interval everywhere; an interval never reaches beyond the smallest and the largest number; with fewer than [`FEWEST`]
//! there is none.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rand::RngExt as _;

use super::fit::student_t;
use super::rng::{Stream, rng};

/// The fewest seeds that have an interval; of fewer, the single values are shown. Four seeds have 35 different draws, whose
/// 95 % would be hardly anything else than their range.
pub const FEWEST: usize = 5;
/// The definition of the interval in words.
pub const INTERVAL_IN_WORDS: &str = "95 % interval of the mean over seeds, from five seeds on: ten thousand draws of the seeds \
     with replacement, percentiles as far out as give Student's interval for normal numbers (Hesterberg 2015)";

/// Number of draws for a number in a table.
const DRAWS: usize = 10_000;
/// Number of draws for a point of a band around a curve.
const DRAWS_OF_CURVES: usize = 1000;
/// Largest number of seeds whose draws are kept for the next use.
const MOST_KEPT: usize = 64;

/// One number of several seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Number of seeds.
    pub seeds: usize,
    pub mean: f64,
    /// The interval of the mean; `None` with fewer than [`FEWEST`] seeds.
    pub interval: Option<(f64, f64)>,
}

impl Summary {
    /// Summarises these numbers, one for each seed; `None` without any.
    pub fn of(values: &[f64]) -> Option<Self> {
        Self::drawn(values, DRAWS)
    }

    /// Summarises the numbers of one point of a curve, with fewer draws because a curve has many points.
    pub fn of_point(values: &[f64]) -> Option<Self> {
        Self::drawn(values, DRAWS_OF_CURVES)
    }

    /// Summarises the ratio of two means, from numerator and denominator of each seed, which are drawn together; `None` without
    /// seeds, or where the mean of the denominators is not surely above 0: its whole interval or, of a handful, each of them.
    pub fn of_ratio(pairs: &[(f64, f64)]) -> Option<Self> {
        let mut pairs = pairs.to_vec();
        pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let ratio = |places: &mut dyn Iterator<Item = usize>| {
            let (above, below) = places.fold((0.0, 0.0), |sum, place| (sum.0 + pairs[place].0, sum.1 + pairs[place].1));
            above / below
        };
        let interval =
            Draws::known(pairs.len(), DRAWS).map(|draws| draws.interval(|places| ratio(&mut places.iter().map(at))));
        let mean = ratio(&mut (0..pairs.len()));
        let below: Vec<f64> = pairs.iter().map(|pair| pair.1).collect();
        let is_defined = match Self::of(&below)?.interval {
            Some((low, _)) => low > 0.0,
            None => below.iter().all(|value| *value > 0.0),
        };
        is_defined.then_some(Self { seeds: pairs.len(), mean, interval })
    }

    fn drawn(values: &[f64], draws: usize) -> Option<Self> {
        let seeds = values.len();
        let mean = values.iter().sum::<f64>() / seeds as f64;
        // Sorted, so that the order in which runs have ended does not change the interval.
        let mut values = values.to_vec();
        values.sort_unstable_by(f64::total_cmp);
        let of = |places: &[u16]| places.iter().map(|place| values[at(place)]).sum::<f64>() / seeds as f64;
        let interval = Draws::known(seeds, draws).map(|draws| draws.interval(of));
        (seeds > 0).then_some(Self { seeds, mean, interval })
    }
}

fn at(place: &u16) -> usize {
    usize::from(*place)
}

/// Draws of so many seeds with replacement.
#[derive(Debug)]
struct Draws {
    seeds: usize,
    /// The places of the seeds that are drawn, draw by draw.
    places: Vec<u16>,
}

impl Draws {
    /// Returns the draws of so many seeds; `None` where there are too few for an interval.
    fn known(seeds: usize, draws: usize) -> Option<Arc<Self>> {
        static KNOWN: Mutex<BTreeMap<(usize, usize), Arc<Draws>>> = Mutex::new(BTreeMap::new());
        let most = usize::from(u16::MAX);
        if !(FEWEST..=most).contains(&seeds) {
            return None;
        }
        if seeds > MOST_KEPT {
            return Some(Arc::new(Self::of(seeds, draws)));
        }
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(known.entry((seeds, draws)).or_insert_with(|| Arc::new(Self::of(seeds, draws)))))
    }

    fn of(seeds: usize, draws: usize) -> Self {
        let mut generator = rng(seeds as u64, Stream::Resampling, 0, 0);
        // At most as many as a u16 counts.
        let places = (0..seeds * draws).map(|_| generator.random_range(0..seeds) as u16).collect();
        Self { seeds, places }
    }

    /// Returns the interval of what is computed from the places of the seeds of a draw.
    fn interval(&self, statistic: impl Fn(&[u16]) -> f64) -> (f64, f64) {
        let mut found: Vec<f64> = self.places.chunks_exact(self.seeds).map(statistic).collect();
        found.sort_unstable_by(f64::total_cmp);
        let rank = tail(self.seeds) * (found.len() - 1) as f64;
        let (low, part) = (rank.floor() as usize, rank.fract());
        let quantile = |of: &dyn Fn(usize) -> f64| of(low) + part * (of(low + 1) - of(low));
        (quantile(&|place| found[place]), quantile(&|place| found[found.len() - 1 - place]))
    }
}

/// Returns the share of draws beyond either end of the interval: Φ(−t √(n/(n−1))), with Student's t of n − 1 degrees.
fn tail(seeds: usize) -> f64 {
    let n = seeds as f64;
    below(-student_t(seeds - 1) * (n / (n - 1.0)).sqrt())
}

/// Returns Φ(x) of the normal distribution for x ≤ 0, to 8·10⁻⁸ (Abramowitz and Stegun 26.2.17).
fn below(x: f64) -> f64 {
    const SERIES: [f64; 5] = [0.319_381_530, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
    let t = 1.0 / (1.0 - 0.231_641_9 * x);
    let series = SERIES.iter().rev().fold(0.0, |sum, part| (sum + part) * t);
    (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt() * series
}
