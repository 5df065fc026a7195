//! The scaling laboratory: what each learner makes of the same n samples, by rules that are the same for all.
//!
//! Guarantees: whatever chooses (early stopping, rate, ridge, round) looks at samples that nothing is fitted to, and never at the
//! test; a kernel regression starts from zero and fits y alone, because with the network's own outputs as offset the after-kernel
//! would be the network; each point is told as soon as it is known, and what is known already is not computed again. Whoever asked
//! can end it between two steps and between two blocks of a kernel, and finished blocks are kept on a shelf.

mod circle;
mod kernels;
mod network;
mod regress;

use std::time::Instant;

use burn::tensor::Device;

use self::kernels::Of;
use self::network::{Run, Trained};
use self::regress::{Exam, Regressed};
use crate::data::{Images, Prepared, Role, prepare};
use crate::math::learning_curve::Eigenproblem;
use crate::model::Network;
use crate::run::{InstantCurve, Point};
use crate::spec::{Learner, Lesson, Ridge, Spec};
use crate::theory::{Infinite, NoKernels, Rfm};

/// What is told on the way.
#[derive(Clone, Debug)]
pub enum Told {
    /// So much of the work is done, from 0 to 1.
    Share(f64),
    Point(Box<Point>),
    /// What a kernel is predicted to do, before anything was fitted.
    Instant(InstantCurve),
}

/// Keeps blocks of kernels over an interruption.
pub trait Shelf {
    /// What was put there under this name.
    fn get(&self, name: &str) -> Option<Vec<f64>>;
    /// Keeps it; that it cannot be kept only costs time later.
    fn put(&mut self, name: &str, values: &[f64]);
}

/// Why it ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    Cancelled,
    Failed(String),
}

impl From<NoKernels> for Stop {
    fn from(why: NoKernels) -> Self {
        if why == NoKernels::Cancelled { Self::Cancelled } else { Self::Failed(why.to_string()) }
    }
}

/// Who asks: hears, can cancel, has a shelf.
pub struct Client<'a> {
    pub tell: &'a mut dyn FnMut(Told) -> bool,
    pub cancelled: &'a dyn Fn() -> bool,
    pub shelf: &'a mut dyn Shelf,
}

impl Client<'_> {
    fn tell(&mut self, told: Told) -> Result<(), Stop> {
        if (self.tell)(told) && !(self.cancelled)() { Ok(()) } else { Err(Stop::Cancelled) }
    }
}

/// Does one run of a study of learners, but for what is `known` already; the instant curves with it where `predict` says so.
///
/// # Errors
/// When it was cancelled, or a sentence when it cannot be done.
pub fn learn(
    spec: &Spec,
    lesson: &Lesson,
    known: &[Point],
    predict: bool,
    client: &mut Client<'_>,
) -> Result<(), Stop> {
    let mut school = School::open(spec, lesson, known)?;
    if predict {
        school.predict(client)?;
    }
    for &learner in &lesson.learners {
        school.teach(learner, client)?;
        school.done += school.weight(learner);
        client.tell(Told::Share(school.done / school.total))?;
    }
    Ok(())
}

/// Everything that the learners of one run share.
struct School<'a> {
    spec: &'a Spec,
    lesson: &'a Lesson,
    known: &'a [Point],
    data: Prepared,
    exam: Exam,
    /// The network on these samples, once it is trained.
    trained: Option<Trained>,
    /// What of the work is done, and all of it.
    done: f64,
    total: f64,
}

impl<'a> School<'a> {
    fn open(spec: &'a Spec, lesson: &'a Lesson, known: &'a [Point]) -> Result<Self, Stop> {
        let failed = |err: &dyn std::fmt::Display| Stop::Failed(err.to_string());
        let data = prepare(spec).map_err(|err| failed(&err))?;
        if let Some(problem) = spec.problems(&data.set.shape()).into_iter().next() {
            return Err(Stop::Failed(format!("{}: {}", problem.field, problem.message)));
        }
        let n = spec.data.samples;
        let aside = lesson.protocol.validation_samples(n);
        if let Some(stock) = data.stock(spec)
            && stock < n + aside
        {
            let message = format!(
                "{n} samples and {aside} to choose by are more than the {stock} images beside the probes: take fewer samples, a smaller validation or another data set"
            );
            return Err(Stop::Failed(message));
        }
        let draw = |role, count| data.samples(spec, role, count).map_err(|err| failed(&err));
        let exam = Exam::new(
            draw(Role::Training, n)?,
            draw(Role::Validation, aside)?,
            data.stream.task(1).test(),
            data.set.outputs(),
        );
        let mut school = Self { spec, lesson, known, data, exam, trained: None, done: 0.0, total: 1.0 };
        school.total = lesson.learners.iter().map(|&learner| school.weight(learner)).sum::<f64>().max(1.0);
        Ok(school)
    }

    /// About how much of the work a learner is.
    fn weight(&self, learner: Learner) -> f64 {
        match learner {
            Learner::Network => 3.0,
            Learner::Ensemble => 2.0 * self.lesson.protocol.ensemble as f64,
            Learner::KernelEpochs => self.lesson.protocol.epochs.len() as f64,
            Learner::KernelConstant => 2.0,
            _ => 1.0,
        }
    }

    fn is_known(&self, learner: Learner, epoch: Option<f64>) -> bool {
        self.known.iter().any(|point| point.is_of(learner, epoch))
    }

    fn teach(&mut self, learner: Learner, client: &mut Client<'_>) -> Result<(), Stop> {
        let began = Instant::now();
        let epochs = &self.lesson.protocol.epochs;
        let missing = match learner {
            Learner::KernelEpochs => epochs.iter().any(|epoch| !self.is_known(learner, Some(*epoch))),
            _ => !self.is_known(learner, None),
        };
        if !missing {
            return Ok(());
        }
        let point = match learner {
            Learner::KernelEpochs => return self.kernels_of_epochs(client),
            Learner::Network => {
                self.train(client)?;
                self.trained.as_ref().map_or_else(
                    || Point::of(learner, 0),
                    |trained| {
                        let mut point = trained.point(learner);
                        self.exam.score(&mut point, &trained.outputs);
                        point
                    },
                )
            }
            Learner::Ensemble => self.ensemble(client)?,
            Learner::KernelStart => self.regression(
                learner,
                &Of::Network(Box::new(self.initial())),
                Regressed::from_zero(self.ridge()),
                client,
            )?,
            Learner::Linearised => {
                let start = network::start(self.spec, &self.data, &self.exam, client)?;
                let asked = Regressed { start: Some(start), ridge: Ridge::None };
                self.regression(learner, &Of::Network(Box::new(self.initial())), asked, client)?
            }
            Learner::KernelEnd => {
                let (network, about) = {
                    let trained = self.trained(client)?;
                    (trained.network.clone(), trained.point(learner))
                };
                let asked = Regressed::from_zero(self.ridge());
                let regressed = self.regression(learner, &Of::Network(Box::new(network)), asked, client)?;
                with_training(regressed, &about)
            }
            Learner::KernelConstant => {
                let trained = self.constant(client)?;
                let asked = Regressed::from_zero(self.ridge());
                let regressed =
                    self.regression(learner, &Of::Network(Box::new(trained.network.clone())), asked, client)?;
                with_training(regressed, &trained.point(learner))
            }
            Learner::Infinite => {
                self.regression(learner, &self.infinite()?, Regressed::from_zero(self.ridge()), client)?
            }
            Learner::FeatureMachine => self.feature_machine(client)?,
        };
        let point = Point { point_seconds: began.elapsed().as_secs_f64(), ..point };
        client.tell(Told::Point(Box::new(point)))
    }

    fn ridge(&self) -> Ridge {
        self.lesson.protocol.ridge
    }

    /// The network before it is trained.
    fn initial(&self) -> Network {
        let (network, image) = (&self.spec.network, self.data.set.train.shape);
        Network::new(network, self.spec.seed, image, self.data.set.outputs(), &Device::flex())
    }

    fn infinite(&self) -> Result<Of, Stop> {
        let limit = Infinite::of(&self.spec.network, self.data.set.train.shape, self.data.set.outputs());
        limit.map(Of::Infinite).map_err(|err| Stop::Failed(err.to_string()))
    }

    /// The network on these samples, trained once.
    fn trained(&mut self, client: &mut Client<'_>) -> Result<&Trained, Stop> {
        self.train(client)?;
        self.trained.as_ref().ok_or_else(|| Stop::Failed("the network was not trained".to_owned()))
    }

    fn train(&mut self, client: &mut Client<'_>) -> Result<(), Stop> {
        if self.trained.is_none() {
            let protocol = &self.lesson.protocol;
            let taken_at: &[f64] =
                if self.lesson.learners.contains(&Learner::KernelEpochs) { &protocol.epochs } else { &[] };
            let run = Run { spec: self.spec, data: &self.data, exam: &self.exam, protocol, taken_at };
            let (from, most) = (self.done / self.total, self.weight(Learner::Network) / self.total);
            self.trained = Some(run.tuned((from, most), client)?);
        }
        Ok(())
    }

    /// The network on a fixed number of samples.
    fn constant(&self, client: &mut Client<'_>) -> Result<Trained, Stop> {
        let mut spec = self.spec.clone();
        spec.data.samples = self.lesson.protocol.constant;
        let lesson = self.lesson.clone();
        let fixed = School::open(&spec, &lesson, &[])?;
        let run =
            Run { spec: &spec, data: &fixed.data, exam: &fixed.exam, protocol: &self.lesson.protocol, taken_at: &[] };
        let (from, most) = (self.done / self.total, 0.5 * self.weight(Learner::KernelConstant) / self.total);
        run.tuned((from, most), client)
    }

    fn regression(
        &self,
        learner: Learner,
        kernel: &Of,
        asked: Regressed,
        client: &mut Client<'_>,
    ) -> Result<Point, Stop> {
        let job =
            regress::Job { kernel, exam: &self.exam, output_kernel: self.lesson.protocol.kernel, name: learner.key() };
        job.solve(learner, &asked, client)
    }

    fn kernels_of_epochs(&mut self, client: &mut Client<'_>) -> Result<(), Stop> {
        let taken = self.trained(client)?.epochs.clone();
        let (rate, epochs) =
            self.trained.as_ref().map(|trained| (trained.rate, trained.all_epochs)).unwrap_or_default();
        for at in taken {
            if self.is_known(Learner::KernelEpochs, Some(at.epoch)) {
                continue;
            }
            let began = Instant::now();
            let name = format!("{}-{}", Learner::KernelEpochs.key(), at.epoch);
            let kernel = Of::Network(Box::new(at.network));
            let job = regress::Job {
                kernel: &kernel,
                exam: &self.exam,
                output_kernel: self.lesson.protocol.kernel,
                name: &name,
            };
            let found = job.solve(Learner::KernelEpochs, &Regressed::from_zero(self.ridge()), client)?;
            let effective = self.spec.effective_rate(rate);
            let point = Point {
                epoch: Some(at.epoch),
                rate: Some(rate),
                epochs: Some(epochs),
                drift: Some(at.drift),
                velocity: at.velocity,
                velocity_rate: at.velocity.map(|velocity| velocity / effective),
                point_seconds: began.elapsed().as_secs_f64(),
                ..found
            };
            client.tell(Told::Point(Box::new(point)))?;
        }
        Ok(())
    }

    /// The mean output of networks that differ in their initial weights; the first is the network itself.
    fn ensemble(&mut self, client: &mut Client<'_>) -> Result<Point, Stop> {
        let members = self.lesson.protocol.ensemble;
        let first = self.trained(client)?;
        let (rate, budget) = (first.rate, first.budget);
        let (mut sums, mut about) = (first.outputs.clone(), first.point(Learner::Ensemble));
        let run =
            Run { spec: self.spec, data: &self.data, exam: &self.exam, protocol: &self.lesson.protocol, taken_at: &[] };
        let (from, most) = (self.done / self.total, self.weight(Learner::Ensemble) / self.total);
        for member in 1..members {
            let place = (from + most * member as f64 / members as f64, most / members as f64);
            let seed = self.spec.seed.wrapping_add(1_000_003 * member as u64);
            let trained = run.once(rate, budget, seed, place, client)?;
            let trained = trained
                .ok_or_else(|| Stop::Failed("a network of the ensemble diverged: take a smaller rate".to_owned()))?;
            sums.add(&trained.outputs);
        }
        sums.scale(1.0 / members as f64);
        (about.drift, about.stopped, about.interpolates) = (None, None, None);
        self.exam.score(&mut about, &sums);
        Ok(about)
    }

    fn feature_machine(&self, client: &mut Client<'_>) -> Result<Point, Stop> {
        const RIDGES: [f64; 4] = [0.0, 1e-4, 1e-2, 1e-1];
        let exam = &self.exam;
        let ridges: &[f64] = if self.ridge().is_chosen() { &RIDGES } else { &RIDGES[..1] };
        let wide = |images: &Images| -> Vec<f64> { images.pixels.iter().map(|&value| f64::from(value)).collect() };
        let (train, validation, test) = (wide(&exam.train), wide(&exam.validation), wide(&exam.test));
        let validate = (validation.as_slice(), exam.validation_targets.as_slice());
        let dimension = exam.train.dim();
        let rounds = self.lesson.protocol.rounds;
        let fitted = Rfm::fit(&train, dimension, &exam.train_targets, ridges, validate, rounds, client.cancelled);
        let machine = fitted.map_err(|err| Stop::Failed(err.to_string()))?.ok_or(Stop::Cancelled)?;
        let mut point = Point::of(Learner::FeatureMachine, exam.train.len());
        let said = |inputs: &[f64]| machine.predict(inputs);
        let outputs = regress::Outputs { train: said(&train), validation: said(&validation), test: said(&test) };
        exam.score(&mut point, &outputs);
        (point.ridge, point.round) = (Some(machine.ridge), Some(machine.round));
        Ok(point)
    }

    /// The instant learning curves of kernels that are known before any target.
    fn predict(&mut self, client: &mut Client<'_>) -> Result<(), Stop> {
        let wanted = self.lesson.protocol.pool;
        let most = self.data.stock(self.spec).map_or(wanted, |stock| wanted.min(stock));
        let draw = |count| self.data.samples(self.spec, Role::Pool, count).map_err(|err| Stop::Failed(err.to_string()));
        let pool = if most > 0 { Some(draw(most)?) } else { None };
        for learner in self.lesson.foreseen(self.spec) {
            if learner.is_infinite() && self.spec.data.source.is_power_law() {
                let problem = circle::problem(self.spec, self.data.set.train.shape, self.data.set.outputs())?;
                client.tell(Told::Instant(instant(learner, &problem, circle::MOST)))?;
                continue;
            }
            let Some(pool) = &pool else { continue };
            let kernel = if learner.is_infinite() { self.infinite()? } else { Of::Network(Box::new(self.initial())) };
            let gram = kernel.trace_gram(pool, client.cancelled)?.0;
            let outputs = self.data.set.outputs();
            let targets: Vec<f64> = pool.targets().matrix(outputs).into_iter().map(f64::from).collect();
            let problem = Eigenproblem::of_gram(&gram, &targets, outputs).map_err(Stop::Failed)?;
            // Measured on M points it is good for n up to nine tenths of them.
            client.tell(Told::Instant(instant(learner, &problem, 0.9 * pool.len() as f64)))?;
        }
        Ok(())
    }
}

/// A regression with the kernel of a network that was trained, and how.
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

/// The curve of a kernel without a ridge from n = 8 to so many, as a share of the target's power.
fn instant(learner: Learner, problem: &Eigenproblem, most: f64) -> InstantCurve {
    let total = problem.total();
    let samples: Vec<f64> =
        (0..).map(|step| 8.0 * 2f64.powf(f64::from(step) / 4.0)).take_while(|n| *n <= most).collect();
    let curve = problem.curve(&samples, 0.0, 0.0).into_iter().map(|(n, error)| (n, error / total)).collect();
    let spectrum = problem.eigenvalues().iter().copied().zip(problem.cumulative_power()).collect();
    InstantCurve { learner, curve, spectrum }
}
