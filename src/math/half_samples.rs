//! Estimates how far a number computed from a set of probes depends on the choice of these probes, from the set itself.
//!
//! Random halves are drawn from each class without replacement, and the number is computed on each. Halves vary about the whole
//! set as much as such sets vary about the population (the delete-d jackknife with d = n/2; Shao & Wu 1989), so the interval goes
//! from one percentile of the deviations to the other. Draws with replacement would have pairs of equal probes, whose entries of
//! a kernel are those of its diagonal, and would make two kernels more alike than they are.
//!
//! Guarantees: the deviations are taken from the median of the halves, so that a number that depends on the size of a set, as a
//! CKA of few probes does, has an interval around its value on the whole set; the draws depend on the classes alone.

use super::rng::{Stream, rng};
use super::spike::quantile;
use rand::seq::SliceRandom as _;

/// Number of halves.
pub const HALVES: usize = 400;
/// The definition of the interval in words.
pub const HALVES_IN_WORDS: &str = "95 % interval over the choice of probes: 400 random halves of the probes of each class, whose \
     percentiles about their median are laid around the value on all probes";

/// Random halves of a set of probes.
#[derive(Debug)]
pub struct HalfSamples {
    halves: Vec<Vec<usize>>,
    /// The factor that makes up for halves that are not exactly halves.
    widened: f64,
}

impl HalfSamples {
    /// Draws halves of the probes with these classes; `None` if a class has a single probe.
    pub fn of(classes: &[usize]) -> Option<Self> {
        let mut known: Vec<usize> = classes.to_vec();
        known.sort_unstable();
        known.dedup();
        let members = |class: &usize| (0..classes.len()).filter(|&probe| classes[probe] == *class).collect::<Vec<_>>();
        let groups: Vec<Vec<usize>> = known.iter().map(members).collect();
        if groups.is_empty() || groups.iter().any(|group| group.len() < 2) {
            return None;
        }
        let taken: usize = groups.iter().map(|group| group.len() / 2).sum();
        let mut generator = rng(classes.len() as u64, Stream::Resampling, 1, known.len() as u64);
        let halves = (0..HALVES).map(|_| {
            let mut half: Vec<usize> = Vec::with_capacity(taken);
            for group in &groups {
                let mut order = group.clone();
                order.shuffle(&mut generator);
                half.extend(&order[..group.len() / 2]);
            }
            half.sort_unstable();
            half
        });
        let widened = (taken as f64 / (classes.len() - taken) as f64).sqrt();
        Some(Self { halves: halves.collect(), widened })
    }

    /// Returns the probes of each half, ascending.
    pub fn halves(&self) -> &[Vec<usize>] {
        &self.halves
    }

    /// Returns the interval around a number on the whole set, from the numbers on the halves; `None` where it is not defined on
    /// half of them.
    pub fn interval(&self, whole: f64, on_halves: &[Option<f64>]) -> Option<(f64, f64)> {
        let known = || on_halves.iter().flatten().copied().filter(|value| value.is_finite());
        if 2 * known().count() < self.halves.len() {
            return None;
        }
        let middle = quantile(known(), 0.5)?;
        let end = |q: f64| Some(whole + self.widened * (quantile(known(), q)? - middle));
        Some((end(0.025)?, end(0.975)?))
    }
}
