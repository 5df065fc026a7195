//! Analyses a measured kernel on a thread beside training: eigenvalues, velocities, distances, alignments and scores.
//!
//! Its inputs and outputs are plain numbers. Kernels arrive in the order in which they were measured, and the analysis
//! stores those that later velocities need, so the results do not depend on how far the two threads are apart.

use std::sync::Arc;
use std::time::Instant;

use super::fork::TrainerState;
use super::predictors::Predicted;
use super::subject::SnapshotOutputs;
use crate::analysis::Moved;
use crate::data::{Prepared, Targets};
use crate::lab::Halt;
use crate::lab::kernel_parts::tensor_grams;
use crate::lab::lag::Lag;
use crate::lab::metrics::Meter;
use crate::ntk::{FullKernel, MeasuredKernels};
use crate::run::{Accuracy, Block, Event, Outputs, Partner, Prediction, Row, Snapshot, finite};
use crate::spec::{Loss, Spec, TrainingSpec};
use crate::train::score;

/// A piece of work for the analysis thread.
pub(super) enum Work {
    /// A kernel measured after this step, at the end of this lag; `request` where a snapshot is due.
    Kernel { step: u64, measured: Box<MeasuredKernels>, lag: Lag, request: Option<Box<SnapshotRequest>> },
    /// The kernel after a step near a switch, for its sharpness.
    Sharpness(Box<SharpnessRequest>),
    /// The task has ended.
    Switch,
    /// A fork: the state of the trainer, which the state of the analysis completes.
    Fork(Box<TrainerState>),
}

/// A request for a snapshot, with its parts other than the kernel.
pub(super) struct SnapshotRequest {
    /// The row with the trainer's numbers: `blocks` and `accuracy` are empty.
    pub row: Row,
    /// Σ ‖Δw‖ over the steps of the lag.
    pub path: Option<f64>,
    pub outputs: SnapshotOutputs,
}

/// A request for the sharpness after a step.
pub(super) struct SharpnessRequest {
    pub step: u64,
    pub epoch: f64,
    /// The rate that reaches the optimiser in the next step.
    pub rate: f64,
    pub full: FullKernel,
    /// The outputs on all probes.
    pub outputs: Vec<f32>,
}

/// The test of a task: the labels or values against which the outputs on its test images are scored.
pub(super) struct TaskTest {
    pub task: usize,
    pub classes: Vec<usize>,
    pub labels: Vec<usize>,
    /// The target of the one output, in regression; else empty.
    pub values: Vec<f32>,
    /// The classes of the images that the linear probe learns from; in regression the sign of each target.
    pub probe_classes: Vec<usize>,
}

/// The analyzer of a run, which stores the kernels that later metrics need.
pub(super) struct Analyzer {
    pub meter: Meter,
    pub tests: Vec<TaskTest>,
    pub loss: Loss,
    pub stability: Stability,
}

impl Analyzer {
    /// Turns a piece of work into events.
    pub fn analyse(&mut self, work: Work) -> Result<Vec<Event>, Halt> {
        match work {
            Work::Sharpness(request) => {
                let SharpnessRequest { step, epoch, rate, full, outputs } = *request;
                self.meter.sharpen((step, epoch), &full, &outputs, finite(rate));
                Ok(Vec::new())
            }
            Work::Switch => {
                self.meter.switch();
                Ok(Vec::new())
            }
            Work::Fork(state) => Ok(vec![Event::Forked(Arc::new(state.complete(self.meter.clone())))]),
            Work::Kernel { step, measured, lag, request } => {
                let events = self.kernel(*measured, lag, request).map_err(|message| Halt::Failed { step, message })?;
                let Some((snapshot, partner)) = events else { return Ok(Vec::new()) };
                let warning = self.stability.warning(&snapshot.row);
                // The kernel where the lag begins goes along, if no snapshot holds it.
                let partner = partner.map(|partner| Event::Partner(Arc::new(partner)));
                let snapshot = Event::Snapshot(Arc::new(snapshot));
                Ok(partner.into_iter().chain([snapshot]).chain(warning).collect())
            }
        }
    }

    fn kernel(
        &mut self,
        measured: MeasuredKernels,
        lag: Lag,
        request: Option<Box<SnapshotRequest>>,
    ) -> Result<Option<(Snapshot, Option<Partner>)>, String> {
        let began = Instant::now();
        let tensors = request.as_ref().map(|_| tensor_grams(&measured, self.meter.probes())).unwrap_or_default();
        let reading = self.meter.read(measured).map_err(|err| err.to_string())?;
        let reading_seconds = began.elapsed().as_secs_f64();
        let snapshot = request.map(|request| {
            let SnapshotRequest { mut row, path, outputs } = *request;
            let SnapshotOutputs { probes, tests, features, responses, moved, mut predicted } = outputs;
            let moved = Moved { net: moved, path };
            let began = Instant::now();
            let spectra = self.meter.spectra(&reading)?;
            row.cost.eigen_seconds = Some(began.elapsed().as_secs_f64());

            let began = Instant::now();
            row.accuracy = self.tests.iter().zip(&tests).map(|(test, outputs)| self.mark(test, outputs)).collect();
            row.predictions = predicted.iter().flat_map(|predicted| self.compare(predicted, &tests, &probes)).collect();
            for ((accuracy, test), kernels) in row.accuracy.iter_mut().zip(&self.tests).zip(&features) {
                // The classes of the test images; in regression the sign of each target.
                let test_classes = Targets::of(&test.labels, &test.values).classes();
                accuracy.probe =
                    kernels.as_ref().and_then(|kernels| kernels.accuracy(&test.probe_classes, &test_classes));
            }
            self.meter.fill(&mut row, &reading, &spectra, &probes, moved, lag);
            if let Some(layers) = responses {
                self.meter.count_dormant(&mut row, &layers);
            }
            row.cost.metrics_seconds = Some(reading_seconds + began.elapsed().as_secs_f64());

            let begins = self.meter.partner(lag).zip(lag.steps).zip(lag.epochs());
            let partner = begins.map(|((gram, steps), epochs)| Partner {
                step: row.step.saturating_sub(steps),
                epoch: row.epoch - epochs,
                gram: Arc::clone(gram.values()),
            });
            let (eigenvalues, block_eigenvalues) = spectra.into_parts();
            let predictions =
                predicted.iter_mut().filter_map(|one| Some((one.by, std::mem::take(&mut one.probes)?.into())));
            let outputs = Some(Arc::new(Outputs { network: probes.into(), predicted: predictions.collect() }));
            let snapshot = Snapshot {
                row,
                gram: Arc::clone(reading.whole().values()),
                tensors,
                eigenvalues,
                block_eigenvalues,
                outputs,
            };
            Ok::<_, String>((snapshot, partner))
        });
        self.meter.store(lag, reading, snapshot.is_some());
        snapshot.transpose()
    }

    fn compare(&self, predicted: &Predicted, tests: &[Vec<f32>], probes: &[f32]) -> Vec<Prediction> {
        let rows = self.meter.tasks();
        let classes = probes.len() / self.meter.labels().len().max(1);
        let one = |(place, test): (usize, &TaskTest)| {
            let (real, outputs) = (&tests[place], &predicted.tests[place]);
            let on_probes = predicted.probes.as_ref().map(|predicted| {
                let own = rows[place].start * classes..rows[place].end * classes;
                let targets = self.meter.targets(rows[place].clone());
                let loss = score(&predicted[own.clone()], targets, &test.classes, self.loss).loss;
                (loss, gap(&probes[own.clone()], &predicted[own]))
            });
            let on = self.mark(test, outputs);
            Prediction { by: predicted.by, on, gap: finite(gap(real, outputs)), solved: predicted.solved, on_probes }
        };
        self.tests.iter().enumerate().map(one).collect()
    }

    fn mark(&self, test: &TaskTest, outputs: &[f32]) -> Accuracy {
        let score = score(outputs, Targets::of(&test.labels, &test.values), &test.classes, self.loss);
        let [accuracy, masked, loss] = [score.accuracy, score.masked, score.loss].map(finite);
        Accuracy { task: test.task, accuracy, masked, loss, probe: None }
    }
}

/// Returns the root mean square of the difference.
fn gap(a: &[f32], b: &[f32]) -> f64 {
    let square = |(a, b): (&f32, &f32)| (f64::from(*a) - f64::from(*b)).powi(2);
    (a.iter().zip(b).map(square).sum::<f64>() / a.len().max(1) as f64).sqrt()
}

/// The largest stable learning rate of a run, estimated from the first kernel.
pub(super) struct Stability {
    training: TrainingSpec,
    /// α² of the laziness.
    gain: f64,
    /// The number of entries of the outputs on the probes of each task.
    entries: Vec<usize>,
}

impl Stability {
    pub fn of(spec: &Spec, data: &Prepared) -> Self {
        let gain = spec.network.laziness().map_or(1.0, |alpha| alpha * alpha);
        let entries = data.probes.blocks.iter().map(|rows| rows.len() * data.set.outputs()).collect();
        // The rate of the first step, where the rate follows a schedule.
        let task = spec.tasks.sequence().first().copied().unwrap_or(1);
        let epoch_steps = data.stream.task(task).info().steps_per_epoch;
        let curve = spec.training.rate_curve(epoch_steps, spec.tasks.steps_at(0, epoch_steps).max(1));
        let training = TrainingSpec { rate: spec.training.rate * curve.at(0), ..spec.training.clone() };
        Self { training, gain, entries }
    }

    /// Warns at the start of a run if its rate is above the largest stable one, 2 (1 + μ) over the curvature of the loss,
    /// which the first kernel gives. An optimiser that does not follow the gradient has no such rate.
    fn warning(&self, row: &Row) -> Option<Event> {
        let training = &self.training;
        if row.step > 0 || !training.optimiser.follows_gradient() {
            return None;
        }
        let block = row.blocks.iter().find(|block| block.block == Block::Task(row.task))?;
        let entries = self.entries[row.task - 1] as f64;
        let squared =
            || Some(row.rate? * self.gain * block.lambda_max? / entries).filter(|_| training.loss.is_squared());
        let sharpness = block.sharpness_loss.or_else(squared)?;
        let most = 2.0 * (1.0 + training.momentum);
        let message = format!(
            "The rate {} is about {:.1} times the largest stable one, 2 (1 + momentum)/curvature of the loss on the probes: \
             the fastest mode grows at first; a rate below {:.2e} is stable",
            training.rate,
            sharpness / most,
            training.rate * most / sharpness
        );
        (sharpness > most).then_some(Event::Warning { step: row.step, epoch: row.epoch, message })
    }
}
