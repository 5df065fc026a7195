//! What a static kernel would have the network do: the network linearised at initialisation and at the last switch, trained
//! beside it; and what kernel regression with the same two kernels says of the end of the new task.
//!
//! The linearised networks take the network's own steps, so their gap to it is the kernel's motion and nothing else. The
//! regression is the formula of the theory, f_k = f_{k−1} + Θ(·, X_k) Θ(X_k, X_k)⁻¹ (y_k − f_{k−1}(X_k)) (Bennani et al. 2020;
//! Doan et al. 2021; Karakida & Akaho 2022): the mean squared error at t = ∞, whatever the network is trained on and however
//! long, from the first [`SETTLED_PER_CLASS`] training images of each class.

use burn::tensor::Tensor;

use super::bench::Bench;
use super::position::Current;
use super::{Live, Stop};
use crate::data::Prepared;
use crate::math::Gram;
use crate::math::regression::Regression;
use crate::ntk::{Reduction, Request, layerwise};
use crate::record::{Event, Predictor};
use crate::train::{Learner, Linearised, LinearisedState, Terms};

/// Training images of each class of the new task from which the regression predicts: the kernel of all would hold training up.
pub const SETTLED_PER_CLASS: usize = 100;
/// And of all classes together: Θ(X, X) is solved in one piece, without being asked whether to go on.
const SETTLED: usize = 1000;

/// The linearised networks of a run, and what the regressions have said at the last switch.
pub(super) struct Predictors {
    linearised: Vec<(Predictor, Linearised)>,
    settled: Vec<Settled>,
}

/// A prediction that stands until the next switch.
#[derive(Clone)]
struct Settled {
    by: Predictor,
    condition: f64,
    jitter: f64,
    /// Outputs on the test images of each task, row-major [n, C].
    tests: Vec<Vec<f32>>,
}

/// The predictors in plain numbers.
#[derive(Clone)]
pub(super) struct PredictorState {
    linearised: Vec<(Predictor, LinearisedState)>,
    settled: Vec<Settled>,
}

/// Outputs that are predicted for a snapshot.
pub(super) struct Predicted {
    pub by: Predictor,
    /// Condition number and jitter of a regression.
    pub solved: Option<(f64, f64)>,
    /// As those of the network itself.
    pub tests: Vec<Vec<f32>>,
    /// The same on the probes, of what is trained step by step.
    pub probes: Option<Vec<f32>>,
}

impl Predictors {
    /// At the very start of a run.
    pub fn new(learner: &Learner) -> Self {
        Self { linearised: vec![(Predictor::LinearisedStart, learner.linearised())], settled: Vec::new() }
    }

    /// Goes on from a state that was kept, of a learner of the same spec.
    pub fn restored(learner: &Learner, state: &PredictorState) -> Self {
        let restored = |(by, state): &(Predictor, LinearisedState)| {
            let mut linearised = learner.linearised();
            linearised.restore(state);
            (*by, linearised)
        };
        Self { linearised: state.linearised.iter().map(restored).collect(), settled: state.settled.clone() }
    }

    pub fn state(&self) -> PredictorState {
        let linearised = self.linearised.iter().map(|(by, linearised)| (*by, linearised.state()));
        PredictorState { linearised: linearised.collect(), settled: self.settled.clone() }
    }

    /// The step that the network takes.
    pub fn step(&mut self, images: &Tensor<2>, labels: &[usize], terms: &Terms) {
        for (_, linearised) in &mut self.linearised {
            linearised.step(images, labels, terms);
        }
    }

    /// What each says of the test images of each task, and of the probes; `None` when `cancelled` says so.
    pub fn outputs(
        &self,
        learner: &Learner,
        (tests, probes): (&[Tensor<2>], &Tensor<2>),
        cancelled: &dyn Fn() -> bool,
    ) -> Option<Vec<Predicted>> {
        let mut all = Vec::new();
        for (by, linearised) in &self.linearised {
            let outputs = |images| learner.outputs_of(linearised, images, cancelled);
            let on_tests = tests.iter().map(outputs).collect::<Option<_>>()?;
            all.push(Predicted { by: *by, solved: None, tests: on_tests, probes: Some(outputs(probes)?) });
        }
        all.extend(self.settled.iter().map(|settled| Predicted {
            by: settled.by,
            solved: Some((settled.condition, settled.jitter)),
            tests: settled.tests.clone(),
            probes: None,
        }));
        Some(all)
    }
}

impl Bench {
    /// Linearises the network at a switch, and predicts the end of the task that begins; `None` when cancelled, else what
    /// could not be predicted, in words.
    fn switch_predictors(&mut self, data: &Prepared, task: usize, cancelled: &dyn Fn() -> bool) -> Option<Vec<String>> {
        let Some(predictors) = &mut self.predictors else { return Some(Vec::new()) };
        predictors.linearised.truncate(1);
        predictors.linearised.push((Predictor::LinearisedSwitch, self.learner.linearised()));
        predictors.settled.clear();
        let classes = data.stream.task(task).classes().len().max(1);
        let each = SETTLED_PER_CLASS.min((SETTLED / classes).max(1));
        let lesson = data.stream.task(task).first_of_each_class(each);
        let (images, labels) = (self.learner.upload(&lesson.pixels, lesson.len()), lesson.labels);
        let now = |images: &Tensor<2>| -> Option<Vec<f64>> {
            Some(self.learner.outputs(images, cancelled)?.into_iter().map(f64::from).collect())
        };
        let start = now(&images)?;
        let tests: Vec<Vec<f64>> = self.tests.iter().map(now).collect::<Option<_>>()?;
        let classes = start.len() / labels.len().max(1);
        let mut targets = vec![0.0; start.len()];
        labels.iter().enumerate().for_each(|(row, label)| targets[row * classes + label] = 1.0);
        let mut problems = Vec::new();
        for (by, linearised) in &predictors.linearised {
            let by = match by {
                Predictor::LinearisedStart => Predictor::RegressionStart,
                _ => Predictor::RegressionSwitch,
            };
            let kernel = |rows: &Tensor<2>, columns: Option<&Tensor<2>>| {
                let request = Request::of(Reduction::Trace);
                layerwise::measure(linearised.base(), rows, columns, &request, cancelled).map(|kernel| kernel.values)
            };
            let square = Gram::symmetrised(labels.len(), kernel(&images, None)?).map_err(|err| err.to_string());
            let solved = square.and_then(|(gram, _)| {
                Regression::solve(&gram, &targets, Some(&start), 0.0).map_err(|err| err.to_string())
            });
            let solved = match solved {
                Ok(solved) => solved,
                Err(why) => {
                    problems.push(format!("There is no regression with {}: {why}", by.words()));
                    continue;
                }
            };
            let mut predicted = Vec::new();
            for (images_of_task, before) in self.tests.iter().zip(&tests) {
                let rectangle = kernel(images_of_task, Some(&images))?;
                match solved.predict(&rectangle, Some(before)) {
                    Ok(outputs) => predicted.push(outputs.into_iter().map(|value| value as f32).collect()),
                    Err(why) => problems.push(format!("There is no regression with {}: {why}", by.words())),
                }
            }
            if predicted.len() == self.tests.len() {
                let (condition, jitter) = (solved.condition, solved.jitter);
                predictors.settled.push(Settled { by, condition, jitter, tests: predicted });
            }
        }
        Some(problems)
    }
}

impl Live<'_> {
    /// A task begins: the network is linearised where it is.
    pub(super) fn predict(&mut self, current: &Current) -> Result<(), Stop> {
        if !self.spec.kernel.predict {
            return Ok(());
        }
        if current.place == 0 {
            self.bench.predictors = Some(Predictors::new(&self.bench.learner));
            return Ok(());
        }
        let cancelled = || self.control.cancelled();
        let problems = self.bench.switch_predictors(&self.data, current.number, &cancelled).ok_or(Stop::Cancelled)?;
        for message in problems {
            self.emit(Event::Warning { step: self.at.step, epoch: self.epoch(current), message })?;
        }
        Ok(())
    }
}
