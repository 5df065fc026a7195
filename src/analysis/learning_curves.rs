//! Compares the learners of a learning experiment: a curve of test error against n for each learner, with its power law, its
//! uncertainty, and a plain sentence on what the fit does and does not show.
//!
//! Guarantees: figures, tables and window use only these curves. The law is fitted to means over seeds, and its interval comes
//! from resampling the seeds; the range of n of the fit is part of the result, because the exponent depends on it.

use std::sync::Arc;

use crate::math::bootstrap::Summary;
use crate::math::scaling::{FloorLaw, Interval, bootstrap, fit, local_slopes, mean_curve, summary_curve};
use crate::run::{InstantCurve, Point};
use crate::spec::{Learner, SAMPLES, StudyRun};

/// The kind of test error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The share of the targets' mean square.
    Square,
    /// The share of samples in the wrong class.
    ZeroOne,
}

impl ErrorKind {
    pub const ALL: [Self; 2] = [Self::Square, Self::ZeroOne];

    /// Returns this error of a point, if the point has it.
    pub fn of(self, point: &Point) -> Option<f64> {
        match self {
            Self::Square => point.mse,
            Self::ZeroOne => point.error,
        }
    }

    /// Returns its name in tables.
    pub fn key(self) -> &'static str {
        match self {
            Self::Square => "mse",
            Self::ZeroOne => "error",
        }
    }
}

/// The number of resamplings of the seeds from which an interval is computed.
const ROUNDS: usize = 1000;

/// The errors of one learner along the axis.
#[derive(Clone, Debug)]
pub struct Curve {
    pub learner: Learner,
    pub epoch: Option<f64>,
    /// The series of runs that it belongs to; empty where there is only one.
    pub variant: String,
    /// The points by seed, each with its position on the axis.
    pub seeds: Vec<(u64, Vec<(f64, Point)>)>,
}

/// A power law E = A (1/n + α)^β in a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    pub law: FloorLaw,
    /// The interval of β over seeds; `None` with one seed.
    pub interval: Option<Interval>,
}

/// The learning curve predicted for the kernel of one seed.
#[derive(Clone, Debug)]
pub struct Instant {
    pub variant: String,
    pub seed: u64,
    pub prediction: InstantCurve,
}

/// The learning curves of a whole study.
#[derive(Clone, Debug, Default)]
pub struct LearningCurves {
    /// The key that varies.
    pub axis: String,
    /// All runs of the study, with or without points: their series, seed and position on the axis.
    runs: Vec<(String, u64, f64)>,
    pub curves: Vec<Curve>,
    pub instants: Vec<Instant>,
}

impl Curve {
    /// Returns its name for display within a study.
    pub fn name(&self) -> String {
        let learner = match self.epoch {
            Some(epoch) => format!("eNTK after epoch {epoch}"),
            None => self.learner.words().to_owned(),
        };
        if self.variant.is_empty() { learner } else { format!("{} · {learner}", self.variant) }
    }

    /// Returns a short name.
    pub fn short_name(&self) -> String {
        match (self.learner, self.epoch) {
            (Learner::KernelEpochs, Some(epoch)) => format!("epoch {epoch}"),
            (Learner::Network, _) => "network".to_owned(),
            (Learner::Ensemble, _) => "ensemble".to_owned(),
            (Learner::KernelStart, _) => "eNTK₀".to_owned(),
            (Learner::Linearised, _) => "linearised".to_owned(),
            (Learner::KernelEnd, _) => "eNTK_f".to_owned(),
            (Learner::KernelConstant, _) => "eNTK n₀".to_owned(),
            (Learner::KernelEpochs, None) => "eNTK".to_owned(),
            (Learner::Infinite, _) => "NTK ∞".to_owned(),
            (Learner::FeatureMachine, _) => "RFM".to_owned(),
        }
    }

    /// Returns the errors summarised over seeds, by their place on the axis.
    pub fn mean(&self, kind: ErrorKind) -> Vec<(f64, Summary)> {
        summary_curve(&self.by_seed(kind, (0.0, f64::INFINITY)))
    }

    /// Returns the law through the means within a window, both ends included.
    pub fn fitted(&self, kind: ErrorKind, window: (f64, f64)) -> Option<Fitted> {
        let curves = self.by_seed(kind, window);
        let means: Vec<(f64, f64)> = mean_curve(&curves).into_iter().map(|point| (point.n, point.mean)).collect();
        Some(Fitted { law: fit(&means)?, interval: bootstrap(&curves, ROUNDS, 0) })
    }

    /// Returns −d log E/d log n between neighbouring means.
    pub fn slopes(&self, kind: ErrorKind) -> Vec<(f64, f64)> {
        let means: Vec<(f64, f64)> = self.mean(kind).into_iter().map(|(n, summary)| (n, summary.mean)).collect();
        local_slopes(&means)
    }

    fn by_seed(&self, kind: ErrorKind, (low, high): (f64, f64)) -> Vec<Vec<(f64, f64)>> {
        let within = |at: f64| at >= low * (1.0 - 1e-9) && at <= high * (1.0 + 1e-9);
        let curve = |points: &Vec<(f64, Point)>| {
            let errors = points.iter().filter_map(|(at, point)| Some((*at, kind.of(point)?)));
            errors.filter(|(at, _)| within(*at)).collect()
        };
        self.seeds.iter().map(|(_, points)| curve(points)).filter(|curve: &Vec<_>| !curve.is_empty()).collect()
    }
}

impl Fitted {
    /// Formats β and its interval: 1.61 [1.48, 1.73].
    pub fn in_words(&self) -> String {
        let interval = self.interval.map_or(String::new(), |found| format!(" [{:.2}, {:.2}]", found.low, found.high));
        // A number that rounds to 0 has no minus sign.
        format!("{:.2}{interval}", self.law.exponent).replace("-0.00", "0.00").replace('-', "−")
    }
}

impl LearningCurves {
    /// Collects the curves of these runs, as far as `known` has their points.
    pub fn of(axis: &str, runs: &[StudyRun], known: impl Fn(usize) -> (Arc<[Point]>, Arc<[InstantCurve]>)) -> Self {
        let mut learnt = Self { axis: axis.to_owned(), ..Self::default() };
        for (place, run) in runs.iter().enumerate() {
            let (points, predictions) = known(place);
            let at = run.value.parse().unwrap_or(place as f64);
            learnt.runs.push((run.variant.clone(), run.seed, at));
            for point in points.iter() {
                let curve = learnt.curve_of(point, &run.variant);
                match curve.seeds.iter_mut().find(|(seed, _)| *seed == run.seed) {
                    Some((_, points)) => points.push((at, point.clone())),
                    None => curve.seeds.push((run.seed, vec![(at, point.clone())])),
                }
            }
            let of = |prediction: &InstantCurve| Instant {
                variant: run.variant.clone(),
                seed: run.seed,
                prediction: prediction.clone(),
            };
            learnt.instants.extend(predictions.iter().map(of));
        }
        for curve in &mut learnt.curves {
            curve.seeds.iter_mut().for_each(|(_, points)| points.sort_by(|a, b| a.0.total_cmp(&b.0)));
        }
        learnt.curves.sort_by(|a, b| {
            let order = |curve: &Curve| (curve.learner, curve.epoch.map(f64::to_bits));
            order(a).cmp(&order(b))
        });
        learnt
    }

    /// Returns the index in the study of the run that a point of a curve belongs to.
    pub fn run_of(&self, curve: &Curve, seed: u64, at: f64) -> Option<usize> {
        self.runs.iter().position(|(variant, of, value)| *variant == curve.variant && *of == seed && *value == at)
    }

    /// Returns the positions on the axis that have points, in order.
    pub fn places(&self) -> Vec<f64> {
        let points = self.curves.iter().flat_map(|curve| &curve.seeds).flat_map(|(_, points)| points);
        let mut places: Vec<f64> = points.map(|(at, _)| *at).collect();
        places.sort_by(f64::total_cmp);
        places.dedup();
        places
    }

    /// Returns the point of the network of a run, if it is known.
    pub fn network_of(&self, run: &StudyRun) -> Option<&Point> {
        let at: f64 = run.value.parse().ok()?;
        let mut own = self.curves.iter().filter(|curve| curve.variant == run.variant && curve.learner.is_network());
        let (_, points) = own.next()?.seeds.iter().find(|(seed, _)| *seed == run.seed)?;
        points.iter().find(|(place, _)| *place == at).map(|(_, point)| point)
    }

    fn curve_of(&mut self, point: &Point, variant: &str) -> &mut Curve {
        let is = |curve: &Curve| point.is_of(curve.learner, curve.epoch) && curve.variant == variant;
        let place = self.curves.iter().position(is).unwrap_or(self.curves.len());
        if place == self.curves.len() {
            let (learner, epoch) = (point.learner, point.epoch);
            self.curves.push(Curve { learner, epoch, variant: variant.to_owned(), seeds: Vec::new() });
        }
        &mut self.curves[place]
    }

    /// Returns whether the axis spans at least about a decade.
    pub fn is_logarithmic(&self) -> bool {
        self.is_over_samples() || self.span().is_some_and(|(low, high)| low > 0.0 && high >= 8.0 * low)
    }

    /// Returns whether n varies, so that there is a law to fit.
    pub fn is_over_samples(&self) -> bool {
        self.axis == SAMPLES
    }

    pub fn is_empty(&self) -> bool {
        self.curves.is_empty() && self.instants.is_empty()
    }

    /// Returns the smallest and the largest position on the axis that has a point.
    pub fn span(&self) -> Option<(f64, f64)> {
        let places = self.places();
        Some((*places.first()?, *places.last()?))
    }

    /// Returns sentences on what the fits show and what they do not.
    pub fn sentence(&self, kind: ErrorKind, window: (f64, f64)) -> String {
        if !self.is_over_samples() {
            return format!("No exponent: what varies here is {}, not n.", self.axis);
        }
        let fitted = |learner| {
            let curve = self.curves.iter().find(|curve| curve.learner == learner)?;
            Some((curve, curve.fitted(kind, window)?))
        };
        let kernels = [Learner::KernelStart, Learner::Infinite, Learner::KernelEnd, Learner::KernelConstant];
        let kernels: Vec<_> = kernels.into_iter().filter_map(fitted).collect();
        let range = format!("For n from {:.0} to {:.0}", window.0, window.1);
        let mut text = match (fitted(Learner::Network), kernels.as_slice()) {
            (None, []) => {
                return format!("{range} there are too few points for an exponent: three different n at least.");
            }
            (Some((_, network)), []) => {
                format!("{range} the network's error falls with exponent {}.", network.in_words())
            }
            (None, [.., _]) => {
                let each: Vec<String> =
                    kernels.iter().map(|(curve, fit)| format!("{} {}", curve.name(), fit.in_words())).collect();
                format!("{range} the exponents are: {}.", each.join(", "))
            }
            (Some((_, network)), kernels) => {
                let (best, fit) = kernels
                    .iter()
                    .max_by(|a, b| a.1.law.exponent.total_cmp(&b.1.law.exponent))
                    .map_or((String::new(), &network), |(curve, fit)| (curve.name(), fit));
                let verdict = match (network.interval, fit.interval) {
                    (Some(own), Some(other)) if own.low > other.high => "steeper than every kernel's; the steepest is",
                    (Some(own), Some(other)) if own.high < other.low => "less steep than that of",
                    (Some(_), Some(_)) => "not distinguishable (intervals overlap) from that of",
                    _ => "beside (one seed: no interval) that of",
                };
                format!(
                    "{range} the network's exponent is {}, {verdict} {best}, {}.",
                    network.in_words(),
                    fit.in_words()
                )
            }
        };
        let bends = |curve: &Curve| {
            let within = |at: &f64| *at >= window.0 && *at <= window.1;
            let slopes: Vec<f64> =
                curve.slopes(kind).into_iter().filter(|(at, _)| within(at)).map(|slope| slope.1).collect();
            Some((*slopes.first()?, *slopes.last()?))
                .filter(|(first, last)| slopes.len() > 1 && (last - first).abs() > 0.25)
        };
        let bent: Vec<String> = self
            .curves
            .iter()
            .filter(|curve| curve.learner.reports_bends())
            .filter_map(|curve| {
                let (first, last) = bends(curve)?;
                let way = if last > first { "steepens" } else { "flattens" };
                Some(format!("{} {way} from {first:.2} to {last:.2}", curve.name()))
            })
            .collect();
        if bent.is_empty() {
            text += " That holds in this window; outside it nothing was measured.";
        } else {
            text += &format!(" The window decides: within it the local slope of {}.", bent.join(", that of "));
        }
        text += &self.catching_up(kind).unwrap_or_default();
        text.replace('-', "−")
    }

    /// Compares the kernel of a network trained on n₀ samples with the network at the largest n that both have: the
    /// kernel counts as worse if the mean gap exceeds twice its standard error over seeds.
    fn catching_up(&self, kind: ErrorKind) -> Option<String> {
        let curve = |learner| self.curves.iter().find(|curve| curve.learner == learner);
        let (constant, network) = (curve(Learner::KernelConstant)?, curve(Learner::Network)?);
        let errors = |curve: &Curve, n: f64| -> Vec<(u64, f64)> {
            let of = |(seed, points): &(u64, Vec<(f64, Point)>)| {
                Some((*seed, kind.of(&points.iter().find(|(at, _)| *at == n)?.1)?))
            };
            curve.seeds.iter().filter_map(of).collect()
        };
        self.places().into_iter().rev().find_map(|n| {
            let own = errors(network, n);
            let other = |(seed, error): (u64, f64)| Some((error, own.iter().find(|(of, _)| *of == seed)?.1));
            let pairs: Vec<(f64, f64)> = errors(constant, n).into_iter().filter_map(other).collect();
            let count = pairs.len() as f64;
            if pairs.is_empty() {
                return None;
            }
            let mean = |of: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / count;
            let gap = mean(&|pair| pair.0 - pair.1);
            // The standard error of the mean over seeds of the paired differences, because both learners have the same
            // samples.
            let error = (mean(&|pair| (pair.0 - pair.1 - gap).powi(2)) / (count - 1.0)).sqrt();
            let verdict = match pairs.len() {
                1 => "which one seed cannot judge".to_owned(),
                _ if gap > 2.0 * error => "it has not caught up".to_owned(),
                seeds => format!("it has caught up, as far as {seeds} seeds can tell"),
            };
            Some(format!(
                " At n = {n:.0} the kernel of a network that saw n₀ samples errs {:.3}, the network {:.3}: {verdict}.",
                mean(&|pair| pair.0),
                mean(&|pair| pair.1),
            ))
        })
    }
}
