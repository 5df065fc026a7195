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

    fn drawn(values: &[f64], draws: usize) -> Option<Self> {
        let seeds = values.len();
        let mean = values.iter().sum::<f64>() / seeds as f64;
        (seeds > 0).then(|| Self {
            seeds,
            mean,
            interval: Draws::known(seeds, draws).map(|draws| draws.interval(values)),
        })
    }
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

    /// Returns the interval of the mean of these values.
    fn interval(&self, values: &[f64]) -> (f64, f64) {
        // Sorted, so that the order in which runs have ended does not change it.
        let mut values = values.to_vec();
        values.sort_unstable_by(f64::total_cmp);
        let mean_of =
            |drawn: &[u16]| drawn.iter().map(|&place| values[usize::from(place)]).sum::<f64>() / drawn.len() as f64;
        let mut means: Vec<f64> = self.places.chunks_exact(self.seeds).map(mean_of).collect();
        means.sort_unstable_by(f64::total_cmp);
        let at = tail(self.seeds) * (means.len() - 1) as f64;
        let (low, part) = (at.floor() as usize, at.fract());
        let quantile = |of: &dyn Fn(usize) -> f64| of(low) + part * (of(low + 1) - of(low));
        (quantile(&|place| means[place]), quantile(&|place| means[means.len() - 1 - place]))
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
