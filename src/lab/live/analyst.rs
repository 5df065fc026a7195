//! What becomes of a measured kernel: eigenvalues, velocities, distances, alignments and scores, on a thread beside training.
//!
//! Only plain numbers go in and come out. Kernels arrive in the order in which they were measured and each is remembered for
//! the velocities to come, so what is computed does not depend on how far the two threads are apart.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::predict::Predicted;
use crate::data::Targets;
use crate::lab::Stage;
use crate::lab::apart::tensor_grams;
use crate::lab::lag::Lag;
use crate::lab::meter::Meter;
use crate::ntk::Measured;
use crate::run::{Accuracy, Outputs, Partner, Prediction, Row, Snapshot, finite};
use crate::spec::Loss;
use crate::train::{FeatureKernels, score};

/// The thread that turns kernels into snapshots.
pub(super) type Analyst = Stage<Work, Answer>;

/// What the trainer hands over.
pub(super) enum Work {
    /// A kernel was measured at the end of this lag; `asked` where a snapshot is due.
    Kernel { measured: Box<Measured>, lag: Lag, asked: Option<Box<Asked>> },
    /// The task has ended.
    Switch,
    /// What is remembered is wanted, too.
    Fork,
}

/// What the trainer gets back, in the order of what it handed over.
pub(super) enum Answer {
    /// With the kernel where its lag begins, if no snapshot tells of that.
    Snapshot(Box<Snapshot>, Option<Arc<Partner>>),
    Meter(Box<Meter>),
}

/// What a snapshot is made of, beside the kernel.
pub(super) struct Asked {
    /// The row as far as the trainer knows it: `blocks` and `accuracy` are empty.
    pub row: Row,
    pub answers: Answers,
}

/// What the network said for a snapshot.
pub(super) struct Answers {
    /// Outputs on the probes, [n, C].
    pub probes: Vec<f32>,
    /// Outputs on the test images of each task.
    pub tests: Vec<Vec<f32>>,
    /// What the linear probe of each task learns from and is tested on; none where it is not wanted.
    pub features: Option<Vec<FeatureKernels>>,
    /// ‖Δw‖ over the lag.
    pub moved: Option<f64>,
    /// What static kernels say of the test images.
    pub predicted: Vec<Predicted>,
}

/// What the outputs on a task's test images are held against.
pub(super) struct Exam {
    pub task: usize,
    pub classes: Vec<usize>,
    pub labels: Vec<usize>,
    /// What the one output is to be, of a regression; else empty.
    pub values: Vec<f32>,
    /// Of the images that the linear probe learns from: their classes, or on which side of 0 their numbers are.
    pub lesson: Vec<usize>,
}

/// Starts the thread.
pub(super) fn start(meter: Meter, exams: Vec<Exam>, loss: Loss) -> io::Result<Analyst> {
    let mut desk = Desk { meter, exams, loss };
    Stage::start("analyst", move |work| desk.take(work))
}

struct Desk {
    meter: Meter,
    exams: Vec<Exam>,
    loss: Loss,
}

impl Desk {
    fn take(&mut self, work: Work) -> Result<Option<Answer>, String> {
        match work {
            Work::Switch => {
                self.meter.switch();
                Ok(None)
            }
            Work::Fork => Ok(Some(Answer::Meter(Box::new(self.meter.clone())))),
            Work::Kernel { measured, lag, asked } => {
                let told = self.analyse(*measured, lag, asked)?;
                Ok(told.map(|(snapshot, partner)| Answer::Snapshot(Box::new(snapshot), partner.map(Arc::new))))
            }
        }
    }

    fn analyse(
        &mut self,
        measured: Measured,
        lag: Lag,
        asked: Option<Box<Asked>>,
    ) -> Result<Option<(Snapshot, Option<Partner>)>, String> {
        let began = Instant::now();
        let tensors = asked.as_ref().map(|_| tensor_grams(&measured, self.meter.probes())).unwrap_or_default();
        let reading = self.meter.read(measured).map_err(|err| err.to_string())?;
        let reading_seconds = began.elapsed().as_secs_f64();
        let told = asked.map(|asked| {
            let Asked { mut row, answers: Answers { probes, tests, features, moved, mut predicted } } = *asked;
            let began = Instant::now();
            let spectra = self.meter.spectra(&reading)?;
            row.cost.eigen_seconds = Some(began.elapsed().as_secs_f64());

            let began = Instant::now();
            row.accuracy = self.exams.iter().zip(&tests).map(|(exam, outputs)| self.mark(exam, outputs)).collect();
            row.predictions = predicted.iter().flat_map(|predicted| self.compare(predicted, &tests, &probes)).collect();
            for ((accuracy, exam), kernels) in row.accuracy.iter_mut().zip(&self.exams).zip(features.iter().flatten()) {
                // What the network is asked: which class, or of one output on which side of 0.
                let asked = Targets::of(&exam.labels, &exam.values).classes();
                accuracy.probe = kernels.accuracy(&exam.lesson, &asked);
            }
            self.meter.fill(&mut row, &reading, &spectra, &probes, moved, lag);
            row.cost.metrics_seconds = Some(reading_seconds + began.elapsed().as_secs_f64());

            let partner = self.meter.partner(lag).map(|gram| Partner {
                step: row.step.saturating_sub(lag.steps),
                epoch: row.epoch - lag.steps as f64 / lag.epoch_steps as f64,
                gram: Arc::clone(gram.values()),
            });
            let (eigenvalues, block_eigenvalues) = spectra.into_parts();
            let said = predicted.iter_mut().filter_map(|one| Some((one.by, std::mem::take(&mut one.probes)?.into())));
            let outputs = Some(Arc::new(Outputs { network: probes.into(), predicted: said.collect() }));
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
        self.meter.hold(lag, reading, told.is_some());
        told.transpose()
    }

    fn compare(&self, predicted: &Predicted, tests: &[Vec<f32>], probes: &[f32]) -> Vec<Prediction> {
        let rows = self.meter.tasks();
        let classes = probes.len() / self.meter.labels().len().max(1);
        let one = |(place, exam): (usize, &Exam)| {
            let (real, outputs) = (&tests[place], &predicted.tests[place]);
            let on_probes = predicted.probes.as_ref().map(|said| {
                let own = rows[place].start * classes..rows[place].end * classes;
                let targets = self.meter.targets(rows[place].clone());
                let loss = score(&said[own.clone()], targets, &exam.classes, self.loss).loss;
                (loss, gap(&probes[own.clone()], &said[own]))
            });
            let on = self.mark(exam, outputs);
            Prediction { by: predicted.by, on, gap: finite(gap(real, outputs)), solved: predicted.solved, on_probes }
        };
        self.exams.iter().enumerate().map(one).collect()
    }

    fn mark(&self, exam: &Exam, outputs: &[f32]) -> Accuracy {
        let score = score(outputs, Targets::of(&exam.labels, &exam.values), &exam.classes, self.loss);
        let [accuracy, masked, loss] = [score.accuracy, score.masked, score.loss].map(finite);
        Accuracy { task: exam.task, accuracy, masked, loss, probe: None }
    }
}

/// Root mean square of the difference.
fn gap(a: &[f32], b: &[f32]) -> f64 {
    let square = |(a, b): (&f32, &f32)| (f64::from(*a) - f64::from(*b)).powi(2);
    (a.iter().zip(b).map(square).sum::<f64>() / a.len().max(1) as f64).sqrt()
}
