//! Evaluates learners on the same n samples, by rules that are the same for all: the scaling laboratory.
//!
//! Guarantees: every choice (early stopping, rate, ridge, round) is made on samples to which nothing is fitted, and never
//! on the test set; a kernel regression starts from zero and fits y alone, because with the network's own outputs as
//! offset the after-kernel would be the network; each point is reported as soon as it is computed, and known points are
//! not computed again. The caller can end it between two steps and between two blocks of a kernel, and finished blocks
//! are stored on a shelf.

mod circle;
mod kernels;
mod network;
mod observer;
mod regression;

use std::time::Instant;

use burn::tensor::Device;

use self::kernels::KernelSource;
use self::network::{Run, Trained};
pub use self::observer::{Observer, Progress, Shelf, Stop};
use self::regression::{RegressionSetup, Split};
use crate::data::{Images, Prepared, SampleRole, prepare};
use crate::math::learning_curve::Eigenproblem;
use crate::model::Network;
use crate::run::{InstantCurve, Point};
use crate::spec::{Learner, LearningExperiment, Ridge, Spec};
use crate::theory::{InfiniteNetwork, Rfm};

/// Executes one run of a study of learners, without the points in `known`; with the instant curves if `predict` is set.
///
/// # Errors
/// When it was cancelled, or cannot be executed; the latter error is one sentence.
pub fn run_experiment(
    spec: &Spec,
    definition: &LearningExperiment,
    known: &[Point],
    predict: bool,
    observer: &mut Observer<'_>,
) -> Result<(), Stop> {
    let mut experiment = Experiment::open(spec, definition, known)?;
    if predict {
        experiment.predict(observer)?;
    }
    for &learner in &definition.learners {
        experiment.evaluate(learner, observer)?;
        experiment.done += experiment.weight(learner);
        observer.report(Progress::Share(experiment.done / experiment.total))?;
    }
    Ok(())
}

/// The experiment of one run: the data that its learners share.
struct Experiment<'a> {
    spec: &'a Spec,
    definition: &'a LearningExperiment,
    known: &'a [Point],
    data: Prepared,
    split: Split,
    /// The network trained on these samples, once it is trained.
    trained: Option<Trained>,
    /// The work done so far, and the total.
    done: f64,
    total: f64,
}

impl<'a> Experiment<'a> {
    fn open(spec: &'a Spec, definition: &'a LearningExperiment, known: &'a [Point]) -> Result<Self, Stop> {
        let failed = |err: &dyn std::fmt::Display| Stop::Failed(err.to_string());
        let data = prepare(spec).map_err(|err| failed(&err))?;
        if let Some(problem) = spec.problems(&data.set.shape()).into_iter().next() {
            return Err(Stop::Failed(format!("{}: {}", problem.field, problem.message)));
        }
        let n = spec.data.samples;
        let aside = definition.protocol.validation_samples(n);
        if let Some(stock) = data.available_samples(spec)
            && stock < n + aside
        {
            let message = format!(
                "{n} samples and {aside} to choose by are more than the {stock} images beside the probes: take fewer \
                 samples, a smaller validation or another data set"
            );
            return Err(Stop::Failed(message));
        }
        let draw = |role, count| data.samples(spec, role, count).map_err(|err| failed(&err));
        let split = Split::new(
            draw(SampleRole::Training, n)?,
            draw(SampleRole::Validation, aside)?,
            data.stream.task(1).test(),
            data.set.outputs(),
        );
        let mut experiment = Self { spec, definition, known, data, split, trained: None, done: 0.0, total: 1.0 };
        experiment.total = definition.learners.iter().map(|&learner| experiment.weight(learner)).sum::<f64>().max(1.0);
        Ok(experiment)
    }

    /// Returns about what share of the work a learner takes.
    fn weight(&self, learner: Learner) -> f64 {
        match learner {
            Learner::Network => 3.0,
            Learner::Ensemble => 2.0 * self.definition.protocol.ensemble as f64,
            Learner::KernelEpochs => self.definition.protocol.epochs.len() as f64,
            Learner::KernelConstant => 2.0,
            _ => 1.0,
        }
    }

    fn is_known(&self, learner: Learner, epoch: Option<f64>) -> bool {
        self.known.iter().any(|point| point.is_of(learner, epoch))
    }

    /// Evaluates one learner and reports its points, unless they are known already.
    fn evaluate(&mut self, learner: Learner, observer: &mut Observer<'_>) -> Result<(), Stop> {
        let began = Instant::now();
        let epochs = &self.definition.protocol.epochs;
        let missing = match learner {
            Learner::KernelEpochs => epochs.iter().any(|epoch| !self.is_known(learner, Some(*epoch))),
            _ => !self.is_known(learner, None),
        };
        if !missing {
            return Ok(());
        }
        let point = match learner {
            Learner::KernelEpochs => return self.kernels_of_epochs(observer),
            Learner::Network => {
                self.train(observer)?;
                self.trained.as_ref().map_or_else(
                    || Point::of(learner, 0),
                    |trained| {
                        let mut point = trained.point(learner);
                        self.split.score(&mut point, &trained.outputs);
                        point
                    },
                )
            }
            Learner::Ensemble => self.ensemble(observer)?,
            Learner::KernelStart => self.regression(
                learner,
                &KernelSource::Network(Box::new(self.initial())),
                RegressionSetup::from_zero(self.ridge()),
                observer,
            )?,
            Learner::Linearised => {
                let start = network::start(self.spec, &self.data, &self.split, observer)?;
                let setup = RegressionSetup { start: Some(start), ridge: Ridge::None };
                self.regression(learner, &KernelSource::Network(Box::new(self.initial())), setup, observer)?
            }
            Learner::KernelEnd => {
                let (network, about) = {
                    let trained = self.trained(observer)?;
                    (trained.network.clone(), trained.point(learner))
                };
                let setup = RegressionSetup::from_zero(self.ridge());
                let regressed = self.regression(learner, &KernelSource::Network(Box::new(network)), setup, observer)?;
                with_training(regressed, &about)
            }
            Learner::KernelConstant => {
                let trained = self.constant(observer)?;
                let setup = RegressionSetup::from_zero(self.ridge());
                let regressed = self.regression(
                    learner,
                    &KernelSource::Network(Box::new(trained.network.clone())),
                    setup,
                    observer,
                )?;
                with_training(regressed, &trained.point(learner))
            }
            Learner::Infinite => {
                self.regression(learner, &self.infinite()?, RegressionSetup::from_zero(self.ridge()), observer)?
            }
            Learner::FeatureMachine => self.feature_machine(observer)?,
        };
        let point = Point { point_seconds: began.elapsed().as_secs_f64(), ..point };
        observer.report(Progress::Point(Box::new(point)))
    }

    fn ridge(&self) -> Ridge {
        self.definition.protocol.ridge
    }

    /// Returns the network before it is trained.
    fn initial(&self) -> Network {
        let (network, image) = (&self.spec.network, self.data.set.train.shape);
        Network::new(network, self.spec.seed, image, self.data.set.outputs(), &Device::flex())
    }

    fn infinite(&self) -> Result<KernelSource, Stop> {
        let limit = InfiniteNetwork::of(&self.spec.network, self.data.set.train.shape, self.data.set.outputs());
        limit.map(KernelSource::Infinite).map_err(|err| Stop::Failed(err.to_string()))
    }

    /// Returns the network on these samples, trained once.
    fn trained(&mut self, observer: &mut Observer<'_>) -> Result<&Trained, Stop> {
        self.train(observer)?;
        self.trained.as_ref().ok_or_else(|| Stop::Failed("the network was not trained".to_owned()))
    }

    fn train(&mut self, observer: &mut Observer<'_>) -> Result<(), Stop> {
        if self.trained.is_none() {
            let protocol = &self.definition.protocol;
            let taken_at: &[f64] =
                if self.definition.learners.contains(&Learner::KernelEpochs) { &protocol.epochs } else { &[] };
            let run = Run { spec: self.spec, data: &self.data, split: &self.split, protocol, taken_at };
            let (from, most) = (self.done / self.total, self.weight(Learner::Network) / self.total);
            self.trained = Some(run.tuned((from, most), observer)?);
        }
        Ok(())
    }

    /// Returns the network trained on a fixed number of samples.
    fn constant(&self, observer: &mut Observer<'_>) -> Result<Trained, Stop> {
        let mut spec = self.spec.clone();
        spec.data.samples = self.definition.protocol.constant;
        let definition = self.definition.clone();
        let fixed = Experiment::open(&spec, &definition, &[])?;
        let run = Run {
            spec: &spec,
            data: &fixed.data,
            split: &fixed.split,
            protocol: &self.definition.protocol,
            taken_at: &[],
        };
        let (from, most) = (self.done / self.total, 0.5 * self.weight(Learner::KernelConstant) / self.total);
        run.tuned((from, most), observer)
    }

    fn regression(
        &self,
        learner: Learner,
        kernel: &KernelSource,
        setup: RegressionSetup,
        observer: &mut Observer<'_>,
    ) -> Result<Point, Stop> {
        let job = regression::Job {
            kernel,
            split: &self.split,
            output_kernel: self.definition.protocol.kernel,
            name: learner.key(),
        };
        job.solve(learner, &setup, observer)
    }

    fn kernels_of_epochs(&mut self, observer: &mut Observer<'_>) -> Result<(), Stop> {
        let taken = self.trained(observer)?.epochs.clone();
        let (rate, epochs) =
            self.trained.as_ref().map(|trained| (trained.rate, trained.all_epochs)).unwrap_or_default();
        for at in taken {
            if self.is_known(Learner::KernelEpochs, Some(at.epoch)) {
                continue;
            }
            let began = Instant::now();
            let name = format!("{}-{}", Learner::KernelEpochs.key(), at.epoch);
            let kernel = KernelSource::Network(Box::new(at.network));
            let job = regression::Job {
                kernel: &kernel,
                split: &self.split,
                output_kernel: self.definition.protocol.kernel,
                name: &name,
            };
            let found = job.solve(Learner::KernelEpochs, &RegressionSetup::from_zero(self.ridge()), observer)?;
            // Per unit of rate, where the rate is the same in all steps.
            let effective = self.spec.training.has_constant_rate().then(|| self.spec.effective_rate(rate));
            let point = Point {
                epoch: Some(at.epoch),
                rate: Some(rate),
                epochs: Some(epochs),
                drift: Some(at.drift),
                velocity: at.velocity,
                velocity_rate: at.velocity.zip(effective).map(|(velocity, rate)| velocity / rate),
                point_seconds: began.elapsed().as_secs_f64(),
                ..found
            };
            observer.report(Progress::Point(Box::new(point)))?;
        }
        Ok(())
    }

    /// Returns the mean output of networks that differ in their initial weights; the first is the network itself.
    fn ensemble(&mut self, observer: &mut Observer<'_>) -> Result<Point, Stop> {
        let members = self.definition.protocol.ensemble;
        let first = self.trained(observer)?;
        let (rate, budget) = (first.rate, first.budget);
        let (mut sums, mut about) = (first.outputs.clone(), first.point(Learner::Ensemble));
        let run = Run {
            spec: self.spec,
            data: &self.data,
            split: &self.split,
            protocol: &self.definition.protocol,
            taken_at: &[],
        };
        let (from, most) = (self.done / self.total, self.weight(Learner::Ensemble) / self.total);
        for member in 1..members {
            let place = (from + most * member as f64 / members as f64, most / members as f64);
            let seed = self.spec.seed.wrapping_add(1_000_003 * member as u64);
            let trained = run.once(rate, budget, seed, place, observer)?;
            let trained = trained
                .ok_or_else(|| Stop::Failed("a network of the ensemble diverged: take a smaller rate".to_owned()))?;
            sums.add(&trained.outputs);
        }
        sums.scale(1.0 / members as f64);
        (about.drift, about.stopped, about.interpolates) = (None, None, None);
        self.split.score(&mut about, &sums);
        Ok(about)
    }

    fn feature_machine(&self, observer: &mut Observer<'_>) -> Result<Point, Stop> {
        const RIDGES: [f64; 4] = [0.0, 1e-4, 1e-2, 1e-1];
        let split = &self.split;
        let ridges: &[f64] = if self.ridge().is_chosen() { &RIDGES } else { &RIDGES[..1] };
        let wide = |images: &Images| -> Vec<f64> { images.pixels.iter().map(|&value| f64::from(value)).collect() };
        let (train, validation, test) = (wide(&split.train), wide(&split.validation), wide(&split.test));
        let validate = (validation.as_slice(), split.validation_targets.as_slice());
        let dimension = split.train.dim();
        let rounds = self.definition.protocol.rounds;
        let fitted = Rfm::fit(&train, dimension, &split.train_targets, ridges, validate, rounds, observer.cancelled);
        let machine = fitted.map_err(|err| Stop::Failed(err.to_string()))?.ok_or(Stop::Cancelled)?;
        let mut point = Point::of(Learner::FeatureMachine, split.train.len());
        let predict = |inputs: &[f64]| machine.predict(inputs);
        let outputs =
            regression::Outputs { train: predict(&train), validation: predict(&validation), test: predict(&test) };
        split.score(&mut point, &outputs);
        (point.ridge, point.round) = (Some(machine.ridge), Some(machine.round));
        Ok(point)
    }

    /// Reports the instant learning curves of kernels that do not depend on the targets.
    fn predict(&mut self, observer: &mut Observer<'_>) -> Result<(), Stop> {
        let wanted = self.definition.protocol.pool;
        let most = self.data.available_samples(self.spec).map_or(wanted, |stock| wanted.min(stock));
        let draw =
            |count| self.data.samples(self.spec, SampleRole::Pool, count).map_err(|err| Stop::Failed(err.to_string()));
        let pool = if most > 0 { Some(draw(most)?) } else { None };
        for learner in self.definition.predicted_learners(self.spec) {
            if learner.is_infinite() && self.spec.data.source.is_power_law() {
                let problem = circle::problem(self.spec, self.data.set.train.shape, self.data.set.outputs())?;
                observer.report(Progress::Instant(instant(learner, &problem, circle::MOST)))?;
                continue;
            }
            let Some(pool) = &pool else { continue };
            let kernel =
                if learner.is_infinite() { self.infinite()? } else { KernelSource::Network(Box::new(self.initial())) };
            let gram = kernel.trace_gram(pool, observer.cancelled)?.0;
            let outputs = self.data.set.outputs();
            let targets: Vec<f64> = pool.targets().matrix(outputs).into_iter().map(f64::from).collect();
            let problem = Eigenproblem::of_gram(&gram, &targets, outputs).map_err(Stop::Failed)?;
            // Measured on M points the curve is reliable for n up to nine tenths of them.
            observer.report(Progress::Instant(instant(learner, &problem, 0.9 * pool.len() as f64)))?;
        }
        Ok(())
    }
}

/// Adds to a regression with the kernel of a trained network how that network was trained.
fn with_training(point: Point, about: &Point) -> Point {
    Point {
        rate: about.rate,
        stopped: about.stopped,
        epochs: about.epochs,
        interpolates: about.interpolates,
        drift: about.drift,
        ..point
    }
}

/// Returns the curve of a kernel without a ridge from n = 8 to this many, as a share of the target's power.
fn instant(learner: Learner, problem: &Eigenproblem, most: f64) -> InstantCurve {
    let total = problem.total();
    let samples: Vec<f64> =
        (0..).map(|step| 8.0 * 2f64.powf(f64::from(step) / 4.0)).take_while(|n| *n <= most).collect();
    let curve = problem.curve(&samples, 0.0, 0.0).into_iter().map(|(n, error)| (n, error / total)).collect();
    let spectrum = problem.eigenvalues().iter().copied().zip(problem.cumulative_power()).collect();
    InstantCurve { learner, curve, spectrum }
}
