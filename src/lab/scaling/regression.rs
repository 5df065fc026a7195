//! Solves a regression with a kernel: chooses the ridge on validation samples, and predicts the test samples.
//!
//! The kernel is measured in panels of rows, and only the training samples' own matrix is held in memory: of validation
//! and test samples only the predictions are kept. A panel that took long is stored on the shelf, so that a large kernel
//! can be continued.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::kernels::{KernelSource, Samples};
use super::observer::{Observer, Stop};
use crate::data::Images;
use crate::math::Gram;
use crate::math::decomposed::{EigenDecomposition, Rounding};
use crate::math::regression::Regression;
use crate::ntk::Reduction;
use crate::run::{Point, Reduced, finite};
use crate::spec::{Learner, OutputKernel, Ridge};
use crate::train::score;

/// The samples of an experiment, split into training, validation and test samples, with their targets.
pub(super) struct Split {
    pub train: Images,
    pub validation: Images,
    pub test: Images,
    /// Row-major [n, C].
    pub train_targets: Vec<f64>,
    pub validation_targets: Vec<f64>,
    pub test_targets: Vec<f64>,
    pub outputs: usize,
}

/// The outputs of a learner on all samples of a split, row-major [n, C].
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outputs {
    pub train: Vec<f64>,
    pub validation: Vec<f64>,
    pub test: Vec<f64>,
}

/// The setup of a regression.
pub(super) struct RegressionSetup {
    /// The outputs from which it starts; `None` if y alone is fitted.
    pub start: Option<Outputs>,
    pub ridge: Ridge,
}

/// A regression that is to be solved.
pub(super) struct Job<'a> {
    pub kernel: &'a KernelSource,
    pub split: &'a Split,
    pub output_kernel: OutputKernel,
    /// The name of its panels on the shelf.
    pub name: &'a str,
}

/// Samples whose outputs a regression predicts.
struct Set<'a> {
    samples: &'a Samples,
    /// The name of its panels on the shelf.
    name: &'static str,
    /// The outputs of the network before training, if the regression starts from them.
    start: Option<&'a [f64]>,
}

/// The largest number of rows of a full kernel: 300 MB.
const MOST_FULL: usize = 6144;
/// The number of samples of a panel.
const PANEL: usize = 256;
/// A panel that took less is computed again rather than stored.
const WORTH_KEEPING: Duration = Duration::from_millis(500);
/// The ridges that are tried, as powers of ten of the mean of the kernel's diagonal, in halves; and none.
const RIDGES: std::ops::RangeInclusive<i32> = -14..=2;

impl Split {
    pub fn new(train: Images, validation: Images, test: Images, outputs: usize) -> Self {
        let targets = |images: &Images| images.targets().matrix(outputs).into_iter().map(f64::from).collect();
        Self {
            train_targets: targets(&train),
            validation_targets: targets(&validation),
            test_targets: targets(&test),
            train,
            validation,
            test,
            outputs,
        }
    }

    /// Fills in the errors.
    pub fn score(&self, point: &mut Point, predicted: &Outputs) {
        point.mse = finite(share(&predicted.test, &self.test_targets));
        point.train_mse = finite(share(&predicted.train, &self.train_targets));
        point.validation_mse = finite(share(&predicted.validation, &self.validation_targets));
        let outputs: Vec<f32> = predicted.test.iter().map(|&value| value as f32).collect();
        let classes: Vec<usize> = (0..self.outputs).collect();
        let accuracy = score(&outputs, self.test.targets(), &classes, crate::spec::Loss::Mse).accuracy;
        point.error = finite(1.0 - accuracy);
    }
}

/// Returns Σ (f − y)² / Σ y².
pub(super) fn share(predicted: &[f64], targets: &[f64]) -> f64 {
    let missed: f64 = predicted.iter().zip(targets).map(|(f, y)| (f - y).powi(2)).sum();
    missed / targets.iter().map(|y| y * y).sum::<f64>()
}

impl Outputs {
    pub fn add(&mut self, other: &Self) {
        let pairs =
            [(&mut self.train, &other.train), (&mut self.validation, &other.validation), (&mut self.test, &other.test)];
        pairs.into_iter().for_each(|(own, other)| own.iter_mut().zip(other).for_each(|(own, other)| *own += other));
    }

    pub fn scale(&mut self, by: f64) {
        let all = self.train.iter_mut().chain(&mut self.validation).chain(&mut self.test);
        all.for_each(|value| *value *= by);
    }
}

impl RegressionSetup {
    pub fn from_zero(ridge: Ridge) -> Self {
        Self { start: None, ridge }
    }
}

impl Job<'_> {
    pub fn solve(&self, learner: Learner, setup: &RegressionSetup, observer: &mut Observer<'_>) -> Result<Point, Stop> {
        let split = self.split;
        let (n, outputs) = (split.train.len(), split.outputs);
        let fits = n * outputs <= MOST_FULL && matches!(self.kernel, KernelSource::Network(_));
        let (reduced, reduction) = match self.output_kernel {
            _ if outputs == 1 => (Reduced::OneOutput, Reduction::Trace),
            OutputKernel::Auto if fits => (Reduced::Full, Reduction::Full),
            _ => (Reduced::Trace, Reduction::Trace),
        };
        // In a full kernel each sample and output is a row, and y a column.
        let each = if reduced == Reduced::Full { outputs } else { 1 };
        let train = Samples::of(&split.train, self.kernel);
        let gram = self.gram(&train, (reduction, each), observer)?;
        let failed =
            |err: crate::math::regression::RegressionError| Stop::Failed(format!("{}: {err}", learner.words()));
        let start = |of: fn(&Outputs) -> &Vec<f64>| setup.start.as_ref().map(|start| of(start).as_slice());

        let unit = gram.trace() / gram.len() as f64;
        let targets = &split.train_targets;
        let ridges: Vec<f64> = match setup.ridge {
            Ridge::None => vec![0.0],
            Ridge::Validated => {
                std::iter::once(0.0).chain(RIDGES.map(|half| unit * 10f64.powf(f64::from(half) / 2.0))).collect()
            }
        };
        if (observer.cancelled)() {
            return Err(Stop::Cancelled);
        }
        // Decomposed once for all ridges.
        // Kernels of networks, too: they have significant eigenvalues well below the worst-case rounding of products in
        // f32, so only a smallest eigenvalue below 0 shows the size of the rounding.
        let decomposed = EigenDecomposition::of(&gram, Rounding::Double).map_err(Stop::Failed)?;
        let mut fits = Vec::new();
        for &ridge in &ridges {
            if (observer.cancelled)() {
                return Err(Stop::Cancelled);
            }
            let fit = Regression::of(&decomposed, &gram, targets, start(|s| &s.train), ridge);
            fits.push(fit.map_err(failed)?);
        }
        drop(decomposed);
        let validation = Samples::of(&split.validation, self.kernel);
        let set = Set { samples: &validation, name: "validation", start: start(|s| &s.validation) };
        let mut tried = self.predictions(&set, &train, reduction, &fits, learner, observer)?;
        let missed = |predicted: &Vec<f64>| share(predicted, &split.validation_targets);
        let best = tried.iter().map(missed).enumerate().min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |best| best.0);
        let ridge = ridges[best];
        let solved = fits.swap_remove(best);
        let own = solved.predict(gram.values(), start(|s| &s.train)).map_err(failed)?;
        drop(gram);
        let test = Samples::of(&split.test, self.kernel);
        let set = Set { samples: &test, name: "test", start: start(|s| &s.test) };
        let found = self.predictions(&set, &train, reduction, std::slice::from_ref(&solved), learner, observer)?;
        let test = found.into_iter().next().unwrap_or_default();
        let outputs = Outputs { train: own, validation: tried.swap_remove(best), test };
        let mut point = Point::of(learner, n);
        split.score(&mut point, &outputs);
        Ok(Point {
            kernel: Some(reduced),
            ridge: Some(ridge / unit),
            jitter: Some(solved.jitter / unit),
            condition: Some(solved.condition),
            ..point
        })
    }

    /// Predicts the outputs of some regressions on a set of samples, whose kernel with the training samples is measured
    /// once for all of them.
    fn predictions(
        &self,
        set: &Set<'_>,
        train: &Samples,
        reduction: Reduction,
        fits: &[Regression],
        learner: Learner,
        observer: &mut Observer<'_>,
    ) -> Result<Vec<Vec<f64>>, Stop> {
        let mut all = vec![Vec::new(); fits.len()];
        for rows in panels(set.samples.len()) {
            let rectangle = self.rectangle(set.samples, train, rows.clone(), reduction, set.name, observer)?;
            let outputs = self.split.outputs;
            let before = set.start.map(|start| &start[rows.start * outputs..rows.end * outputs]);
            for (all, fit) in all.iter_mut().zip(fits) {
                let predicted = fit.predict(&rectangle, before);
                all.extend(predicted.map_err(|err| Stop::Failed(format!("{}: {err}", learner.words())))?);
            }
        }
        Ok(all)
    }

    /// Returns the kernel of the training samples; `each` is the number of rows of a sample.
    fn gram(
        &self,
        train: &Samples,
        (reduction, each): (Reduction, usize),
        observer: &mut Observer<'_>,
    ) -> Result<Gram, Stop> {
        let size = train.len() * each;
        let mut values = vec![0.0; size * size];
        for rows in panels(train.len()) {
            let own = train.part(rows.clone());
            let diagonal = self.panel(&format!("own-{}", rows.start), observer, &|cancelled| {
                self.kernel.between(&own, None, reduction, cancelled)
            })?;
            let (block, _) =
                Gram::symmetrised(own.len() * each, diagonal).map_err(|err| Stop::Failed(err.to_string()))?;
            let (first, high) = (rows.start * each, rows.len() * each);
            for (row, line) in block.values().chunks_exact(high).enumerate() {
                values[(first + row) * size + first..][..high].copy_from_slice(line);
            }
            if rows.start > 0 {
                let before = train.part(0..rows.start);
                let across = self.panel(&format!("below-{}", rows.start), observer, &|cancelled| {
                    self.kernel.between(&own, Some(&before), reduction, cancelled)
                })?;
                for (row, line) in across.chunks_exact(first).enumerate() {
                    values[(first + row) * size..][..first].copy_from_slice(line);
                    for (column, value) in line.iter().enumerate() {
                        values[column * size + first + row] = *value;
                    }
                }
            }
        }
        let (gram, _) = Gram::symmetrised(size, values).map_err(|err| Stop::Failed(err.to_string()))?;
        Ok(gram)
    }

    /// Returns the kernel of some samples with all training samples.
    fn rectangle(
        &self,
        samples: &Samples,
        train: &Samples,
        rows: Range<usize>,
        reduction: Reduction,
        set: &str,
        observer: &mut Observer<'_>,
    ) -> Result<Vec<f64>, Stop> {
        let name = format!("{set}-{}", rows.start);
        let part = samples.part(rows);
        self.panel(&name, observer, &|cancelled| self.kernel.between(&part, Some(train), reduction, cancelled))
    }

    /// Returns a panel from the shelf, or computes it.
    fn panel(&self, name: &str, observer: &mut Observer<'_>, compute: Compute<'_>) -> Result<Vec<f64>, Stop> {
        let name = format!("{}-{name}", self.name);
        if let Some(kept) = observer.shelf.get(&name) {
            return Ok(kept);
        }
        if (observer.cancelled)() {
            return Err(Stop::Cancelled);
        }
        let began = Instant::now();
        let values = compute(observer.cancelled)?;
        if began.elapsed() > WORTH_KEEPING {
            observer.shelf.put(&name, &values);
        }
        Ok(values)
    }
}

/// Computes a panel, and checks at intervals whether it is cancelled.
type Compute<'a> = &'a dyn Fn(&dyn Fn() -> bool) -> Result<Vec<f64>, Stop>;

fn panels(count: usize) -> impl Iterator<Item = Range<usize>> {
    (0..count).step_by(PANEL).map(move |first| first..(first + PANEL).min(count))
}
