//! Predicts with static kernels: linearisations of the network at initialisation, at the last switch and at intervals,
//! and its outputs moved by the infinite-width kernel, all trained beside it; and kernel regressions with these kernels,
//! which predict the end of the new task.
//!
//! All take the network's own steps, so their gap to it is the kernel's motion (or its distance from the limit) and
//! nothing else. The regression is the formula of the theory, f_k = f_{k−1} + Θ(·, X_k) Θ(X_k, X_k)⁻¹ (y_k −
//! f_{k−1}(X_k)) (Bennani et al. 2020; Doan et al. 2021; Karakida & Akaho 2022): the mean squared error at t = ∞,
//! whatever the network is trained on and however long, from the first [`SETTLED_PER_CLASS`] training images of each
//! class. Θ is the full kernel of all images and logits, as that of the linearised networks, up to [`EXACT_ROWS`] rows; beyond,
//! the trace kernel, the same for each logit (Θ ⊗ I), with which n and not n·C equations are solved. At a switch old and new
//! logits have different kernels, so the two differ: by up to a tenth in the accuracies of the default run.

use burn::tensor::Tensor;

use super::piecewise::{Piecewise, PiecewiseState};
use super::position::CurrentTask;
use crate::data::{Batch, Prepared, Targets};
use crate::math::Gram;
use crate::math::decomposed::{EigenDecomposition, Rounding};
use crate::math::regression::{Regression, RegressionError};
use crate::model::Network;
use crate::ntk::{Reduction, Request, layerwise};
use crate::run::{Predictor, RegressionKernel, Solved};
use crate::spec::Spec;
use crate::train::{
    ImageIndex, InfiniteWidthModel, InfiniteWidthModelError, InfiniteWidthModelState, Linearised, LinearisedState,
    NetworkTrainer, StepOptions,
};

/// The number of training images of each class of the new task in the regression: the kernel of all would delay training.
pub const SETTLED_PER_CLASS: usize = 100;
/// The largest number of all classes together: Θ(X, X) is solved in one piece, which cannot be cancelled.
const SETTLED: usize = 1000;

/// The largest number of rows, images · logits, of a full kernel in the regression: 200 MB, of which four are held at a time,
/// and a few seconds that cannot be cancelled.
pub const EXACT_ROWS: usize = 5000;
/// The number of test images whose rows of the full kernel are held at a time.
const EXACT_GROUP: usize = 200;

/// The predictors of a run: the models trained beside its network, and the results of the regressions at the last switch.
pub(super) struct Predictors {
    linearised: Vec<(Predictor, Linearised)>,
    piecewise: Option<Piecewise>,
    /// The model with the infinite-width kernel, where there is one.
    field: Option<InfiniteWidthModel>,
    settled: Vec<FixedPrediction>,
}

/// A prediction that is fixed until the next switch.
#[derive(Clone)]
struct FixedPrediction {
    by: Predictor,
    solved: Solved,
    /// The outputs on the test images of each task, row-major [n, C].
    tests: Vec<Vec<f32>>,
}

/// The state of the predictors in plain numbers.
#[derive(Clone)]
pub(super) struct PredictorState {
    linearised: Vec<(Predictor, LinearisedState)>,
    piecewise: Option<PiecewiseState>,
    field: Option<InfiniteWidthModelState>,
    settled: Vec<FixedPrediction>,
}

/// The predicted outputs for a snapshot.
pub(super) struct Predicted {
    pub by: Predictor,
    /// How a regression was solved.
    pub solved: Option<Solved>,
    /// The outputs on the test images, as those of the network itself.
    pub tests: Vec<Vec<f32>>,
    /// The outputs on the probes, for models that are trained step by step.
    pub probes: Option<Vec<f32>>,
}

impl Predictors {
    /// Creates the predictors at the start of a run; returns also the reason why there is no infinite-width prediction,
    /// if there is none. `None` when cancelled.
    pub fn new(
        learner: &NetworkTrainer,
        (spec, data): (&Spec, &Prepared),
        cancelled: &dyn Fn() -> bool,
    ) -> Option<(Self, Option<InfiniteWidthModelError>)> {
        let (mut field, why) = match InfiniteWidthModel::new(spec, data) {
            Ok(field) => (Some(field), None),
            Err(why) => (None, Some(why)),
        };
        if let Some(field) = &mut field {
            let (_, pixels) = ImageIndex::of(data);
            let images = learner.upload(&pixels, pixels.len() / data.set.train.dim());
            field.start(learner.outputs(&images, cancelled)?.into_iter().map(f64::from).collect());
        }
        let predictors = Self {
            linearised: vec![(Predictor::LinearisedStart, learner.linearised())],
            piecewise: spec.kernel.piecewise.map(|every| Piecewise::new(learner, data, every)),
            field,
            settled: Vec::new(),
        };
        Some((predictors, why))
    }

    /// Continues from a stored state, of a learner of the same spec.
    pub fn restored(learner: &NetworkTrainer, state: &PredictorState, (spec, data): (&Spec, &Prepared)) -> Self {
        let restored = |(by, state): &(Predictor, LinearisedState)| {
            let mut linearised = learner.linearised();
            linearised.restore(state);
            (*by, linearised)
        };
        let piecewise = state.piecewise.as_ref().zip(spec.kernel.piecewise);
        let field = state.field.as_ref().and_then(|state| {
            let mut field = InfiniteWidthModel::new(spec, data).ok()?;
            field.restore(state);
            Some(field)
        });
        Self {
            linearised: state.linearised.iter().map(restored).collect(),
            piecewise: piecewise.map(|(state, every)| Piecewise::restored(learner, data, every, state)),
            field,
            settled: state.settled.clone(),
        }
    }

    pub fn state(&self) -> PredictorState {
        let linearised = self.linearised.iter().map(|(by, linearised)| (*by, linearised.state()));
        PredictorState {
            linearised: linearised.collect(),
            piecewise: self.piecewise.as_ref().map(Piecewise::state),
            field: self.field.as_ref().map(InfiniteWidthModel::state),
            settled: self.settled.clone(),
        }
    }

    /// Prepares these tasks. Where the infinite-width kernel cannot be computed, its model is dropped, and the reason is
    /// returned.
    pub fn prepare(&mut self, tasks: &[usize], cancelled: &dyn Fn() -> bool) -> Result<(), InfiniteWidthModelError> {
        let ready = self.field.as_mut().map_or(Ok(()), |field| field.prepare(tasks, cancelled));
        self.field.take_if(|_| ready.is_err());
        ready
    }

    /// Takes the step that the network takes.
    pub fn step(&mut self, learner: &NetworkTrainer, batch: &Batch, terms: &StepOptions) {
        let images = learner.upload(&batch.pixels, batch.labels.len());
        for (_, linearised) in &mut self.linearised {
            linearised.step(&images, batch.targets(), None, terms);
        }
        if let Some(piecewise) = &mut self.piecewise {
            piecewise.step(&images, batch, terms);
        }
        // With frozen layers the kernel is another one.
        self.field.take_if(|_| !terms.frozen.is_empty());
        if let Some(field) = &mut self.field {
            field.step(batch, terms);
        }
    }

    /// Computes the outputs of each predictor on the test images of each task, and on the probes; `None` when cancelled.
    pub fn outputs(
        &self,
        learner: &NetworkTrainer,
        (tests, probes): (&[Tensor<2>], &Tensor<2>),
        cancelled: &dyn Fn() -> bool,
    ) -> Option<Vec<Predicted>> {
        let mut all = Vec::new();
        let predicted = |by, tests, probes| Predicted { by, solved: None, tests, probes: Some(probes) };
        for (by, linearised) in &self.linearised {
            let outputs = |images| learner.outputs_of(linearised, images, cancelled);
            all.push(predicted(*by, tests.iter().map(outputs).collect::<Option<_>>()?, outputs(probes)?));
        }
        if let Some(field) = &self.field {
            all.push(predicted(
                Predictor::Infinite,
                (0..tests.len()).map(|at| field.test(at)).collect(),
                field.probes(),
            ));
        }
        if let Some(piecewise) = &self.piecewise {
            let outputs = |(place, images)| piecewise.outputs(learner, images, Some(place), cancelled);
            let on_tests = tests.iter().enumerate().map(outputs).collect::<Option<_>>()?;
            all.push(predicted(Predictor::Piecewise, on_tests, piecewise.outputs(learner, probes, None, cancelled)?));
        }
        all.extend(self.settled.iter().map(|settled| Predicted {
            by: settled.by,
            solved: Some(settled.solved),
            tests: settled.tests.clone(),
            probes: None,
        }));
        Some(all)
    }
    /// Linearises the network at a switch, and predicts the outputs on these test images at the end of the task that
    /// begins; returns `None` when cancelled, else a message for each prediction that failed.
    pub fn begin_task(
        &mut self,
        (learner, tests): (&NetworkTrainer, &[Tensor<2>]),
        data: &Prepared,
        task: usize,
        cancelled: &dyn Fn() -> bool,
    ) -> Option<Vec<String>> {
        self.linearised.truncate(1);
        self.linearised.push((Predictor::LinearisedSwitch, learner.linearised()));
        self.settled.clear();
        let classes = data.stream.task(task).classes().len().max(1);
        let each = SETTLED_PER_CLASS.min((SETTLED / classes).max(1));
        let batch = data.stream.task(task).first_of_each_class(each);
        let (images, labels) = (learner.upload(&batch.pixels, batch.len()), batch.labels.clone());
        let now = |images: &Tensor<2>| -> Option<Vec<f64>> {
            Some(learner.outputs(images, cancelled)?.into_iter().map(f64::from).collect())
        };
        let start = now(&images)?;
        let before: Vec<Vec<f64>> = tests.iter().map(now).collect::<Option<_>>()?;
        let classes = start.len() / labels.len().max(1);
        let targets = Targets::of(&labels, &batch.values).matrix(classes);
        let targets: Vec<f64> = targets.into_iter().map(f64::from).collect();
        let system = System { images: &images, targets: &targets, start: &start, tests, before: &before };
        let mut problems = Vec::new();
        for (by, linearised) in &self.linearised {
            let by = match by {
                Predictor::LinearisedStart => Predictor::RegressionStart,
                _ => Predictor::RegressionSwitch,
            };
            let network = linearised.base();
            let fits = classes > 1 && start.len() <= EXACT_ROWS;
            let exact = if fits { Some(system.exact(network, cancelled)?) } else { None };
            if let Some(Err(why)) = &exact {
                problems.push(format!("The regression with {} has the trace kernel: {why}", by.words()));
            }
            let (kernel, outcome) = match exact {
                Some(Ok(found)) => (RegressionKernel::Full, Ok(found)),
                // The trace kernel of one output is the full one.
                _ if classes == 1 => (RegressionKernel::Full, system.of_trace(network, cancelled)?),
                _ => (RegressionKernel::Trace, system.of_trace(network, cancelled)?),
            };
            self.settled.extend(fixed((by, kernel), outcome, &mut problems));
        }
        match self.field.as_ref().map(|field| field.kernels_of(&batch.pixels, cancelled)) {
            None => {}
            Some(Ok((square, across))) => {
                let outcome = system.solved(square, &across, Rounding::Double);
                // Its full kernel is Θ̊ ⊗ I.
                self.settled.extend(fixed(
                    (Predictor::RegressionInfinite, RegressionKernel::Full),
                    outcome,
                    &mut problems,
                ));
            }
            Some(Err(InfiniteWidthModelError::Cancelled)) => return None,
            Some(Err(why)) => {
                problems.push(format!("There is no regression with {}: {why}", Predictor::RegressionInfinite.words()));
            }
        }
        Some(problems)
    }
    /// Begins the next piece of the piecewise linearisation where one is due before the next step of this task; `None`
    /// when cancelled.
    pub fn renew_piece(
        &mut self,
        learner: &NetworkTrainer,
        task: &CurrentTask,
        cancelled: &dyn Fn() -> bool,
    ) -> Option<()> {
        let Some(piecewise) = &mut self.piecewise else { return Some(()) };
        let steps = ((piecewise.every * task.epoch_steps as f64).round() as u64).max(1);
        // A task begins with a new piece; the first task of a run has one from the start.
        let first = task.done == 0 && task.place == 0;
        if first || !task.done.is_multiple_of(steps) {
            return Some(());
        }
        piecewise.renew(learner, cancelled)
    }
}

/// Returns the prediction of a regression; where there is none, says so.
fn fixed(
    (by, kernel): (Predictor, RegressionKernel),
    outcome: Result<Settled, RegressionError>,
    problems: &mut Vec<String>,
) -> Option<FixedPrediction> {
    match outcome {
        Ok(Settled { condition, jitter, tests }) => {
            Some(FixedPrediction { by, solved: Solved { kernel, condition, jitter }, tests })
        }
        Err(why) => {
            problems.push(format!("There is no regression with {}: {why}", by.words()));
            None
        }
    }
}

/// The images that a regression learns from and those on which it predicts, with the network's outputs on both.
struct System<'a> {
    images: &'a Tensor<2>,
    /// y and f on these images, row-major [n, C].
    targets: &'a [f64],
    start: &'a [f64],
    tests: &'a [Tensor<2>],
    before: &'a [Vec<f64>],
}

/// A solved regression, and its outputs on the test images of each task.
struct Settled {
    condition: f64,
    jitter: f64,
    tests: Vec<Vec<f32>>,
}

impl System<'_> {
    /// Solves with the full kernel of a network; `None` when cancelled.
    fn exact(&self, network: &Network, cancelled: &dyn Fn() -> bool) -> Option<Result<Settled, RegressionError>> {
        let measure = |rows: &Tensor<2>, columns: Option<&Tensor<2>>| {
            let request = Request::of(Reduction::Full);
            layerwise::measure(network, rows, columns, &request, cancelled).map(|kernel| kernel.values)
        };
        let square = gram(self.start.len(), measure(self.images, None)?);
        let solved = square
            .and_then(|gram| Regression::without_eigenvectors(&gram, Rounding::Single, self.targets, Some(self.start)));
        let solved = match solved {
            Ok(solved) => solved,
            Err(why) => return Some(Err(why)),
        };
        let mut all = Vec::new();
        for (test, before) in self.tests.iter().zip(self.before) {
            let [count, _] = test.dims();
            let width = before.len() / count.max(1);
            let mut outputs = Vec::with_capacity(before.len());
            for first in (0..count).step_by(EXACT_GROUP) {
                let rows = EXACT_GROUP.min(count - first);
                let across = measure(&test.clone().narrow(0, first, rows), Some(self.images))?;
                match solved.predict(&across, Some(&before[first * width..(first + rows) * width])) {
                    Ok(found) => outputs.extend(found.into_iter().map(|value| value as f32)),
                    Err(why) => return Some(Err(why)),
                }
            }
            all.push(outputs);
        }
        Some(Ok(Settled { condition: solved.condition, jitter: solved.jitter, tests: all }))
    }

    /// Solves with the trace kernel of a network; `None` when cancelled.
    fn of_trace(&self, network: &Network, cancelled: &dyn Fn() -> bool) -> Option<Result<Settled, RegressionError>> {
        let measure = |rows: &Tensor<2>, columns: Option<&Tensor<2>>| {
            let request = Request::of(Reduction::Trace);
            layerwise::measure(network, rows, columns, &request, cancelled).map(|kernel| kernel.values)
        };
        let across = self.tests.iter().map(|test| measure(test, Some(self.images))).collect::<Option<Vec<_>>>()?;
        Some(self.solved(measure(self.images, None)?, &across, Rounding::Single))
    }

    /// Solves with a kernel that is the same for each logit, and its rectangles with the test images of each task.
    fn solved(&self, square: Vec<f64>, across: &[Vec<f64>], rounding: Rounding) -> Result<Settled, RegressionError> {
        let [images, _] = self.images.dims();
        let gram = gram(images, square)?;
        let decomposed = EigenDecomposition::of(&gram, rounding).map_err(RegressionError::Solver)?;
        let solved = Regression::of(&decomposed, &gram, self.targets, Some(self.start), 0.0)?;
        let predict = |(rectangle, before): (&Vec<f64>, &Vec<f64>)| {
            let outputs = solved.predict(rectangle, Some(before))?;
            Ok(outputs.into_iter().map(|value| value as f32).collect())
        };
        let tests = across.iter().zip(self.before).map(predict).collect::<Result<_, RegressionError>>()?;
        Ok(Settled { condition: solved.condition, jitter: solved.jitter, tests })
    }
}

fn gram(n: usize, values: Vec<f64>) -> Result<Gram, RegressionError> {
    Gram::symmetrised(n, values).map(|(gram, _)| gram).map_err(|err| RegressionError::Solver(err.to_string()))
}
