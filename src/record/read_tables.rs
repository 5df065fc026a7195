//! Reads `metrics.csv`, `accuracy.csv` and `events.csv` back into rows and events.
//!
//! Guarantees: columns go by name, so a file with more or fewer of them is read; a line that is no line is left out and counted
//! in one sentence; an empty cell is a missing number, and where a row must have one it is NaN, which [`super::History::series`]
//! leaves out.

use std::collections::HashMap;
use std::path::Path;

use csv::StringRecord;

use super::tables::{
    ACCURACY, EVENTS, Lines, METRICS, PREDICTIONS, PREDICTIONS_COLUMNS, change_text, float, kind, whole,
};
use super::{
    Accuracy, Block, BlockMetrics, Event, Metric, Prediction, Predictor, Progress, Row, SnapshotCost, TaskStart,
};
use crate::spec::{Change, Spec};

/// All rows, with their accuracies. What is wrong goes to `warnings`.
pub(super) fn rows(folder: &Path, warnings: &mut Vec<String>) -> Vec<Row> {
    let mut accuracies: HashMap<(u64, usize), Vec<Accuracy>> = HashMap::new();
    read(folder, ACCURACY, warnings, |lines| {
        let columns =
            ["step", "task", "eval_task", "accuracy", "accuracy_masked", "loss"].map(|name| lines.column(name));
        let [step, task, eval_task, accuracy, masked, loss] = columns;
        Box::new(move |line| {
            let key = (whole(line, step)?, index(line, task)?);
            let value = |column| float(line, column).unwrap_or(f64::NAN);
            let found = Accuracy {
                task: index(line, eval_task)?,
                accuracy: value(accuracy),
                masked: value(masked),
                loss: value(loss),
            };
            Some((key, found))
        })
    })
    .into_iter()
    .for_each(|(key, accuracy)| accuracies.entry(key).or_default().push(accuracy));

    let mut predictions: HashMap<(u64, usize), Vec<Prediction>> = HashMap::new();
    if folder.join(PREDICTIONS).exists() {
        let found = read(folder, PREDICTIONS, warnings, |lines| {
            let columns = PREDICTIONS_COLUMNS.map(|name| lines.column(name));
            Box::new(move |line| {
                let [step, _, task, eval_task, by, accuracy, masked, loss, gap, condition, jitter] = columns;
                let value = |column| float(line, column).unwrap_or(f64::NAN);
                let name = line.get(by?)?;
                let by = Predictor::ALL.into_iter().find(|predictor| predictor.name() == name)?;
                let on = Accuracy {
                    task: index(line, eval_task)?,
                    accuracy: value(accuracy),
                    masked: value(masked),
                    loss: value(loss),
                };
                let solved = float(line, condition).zip(float(line, jitter));
                Some(((whole(line, step)?, index(line, task)?), Prediction { by, on, gap: value(gap), solved }))
            })
        });
        found.into_iter().for_each(|(key, prediction)| predictions.entry(key).or_default().push(prediction));
    }

    let lines = read(folder, METRICS, warnings, |lines| {
        let [step, epoch, task, block] = ["step", "epoch", "task", "block"].map(|name| lines.column(name));
        let columns = Metric::ALL.map(|metric| lines.column(metric.column()));
        Box::new(move |line| {
            let block = match line.get(block?)? {
                "all" => Block::All,
                number => Block::Task(number.parse().ok().filter(|&number| number > 0)?),
            };
            let values = Values(columns.map(|column| float(line, column)));
            Some((whole(line, step)?, float(line, epoch)?, index(line, task)?, values.block(block), values))
        })
    });
    let mut rows: Vec<Row> = Vec::new();
    for (step, epoch, task, block, values) in lines {
        match rows.last_mut() {
            Some(row) if block.block != Block::All && row.step == step && row.task == task => row.blocks.push(block),
            _ => {
                let accuracy = accuracies.remove(&(step, task)).unwrap_or_default();
                let predictions = predictions.remove(&(step, task)).unwrap_or_default();
                rows.push(Row { predictions, ..values.row(step, epoch, task, block, accuracy) });
            }
        }
    }
    rows
}

/// All events with their steps, in order; rows at the end of a task are marked. What is wrong goes to `warnings`.
pub(super) fn events(folder: &Path, rows: &mut [Row], spec: &Spec, warnings: &mut Vec<String>) -> Vec<(u64, Event)> {
    let mut from = None;
    let mut changes = spec.changes.clone();
    let lines = read(folder, EVENTS, warnings, |lines| {
        let [step, epoch, event, detail] = ["step", "epoch", "event", "detail"].map(|name| lines.column(name));
        Box::new(move |line| {
            let (step, event, detail) =
                (whole(line, step)?, line.get(event?)?.to_owned(), line.get(detail?)?.to_owned());
            Some((step, float(line, epoch), event, detail))
        })
    });
    let mut events = Vec::new();
    for (step, epoch, event, detail) in lines {
        let epoch = epoch.unwrap_or(0.0);
        match event.as_str() {
            kind::TASK => {
                let Some(task) = detail.parse().ok().filter(|&task: &usize| task > 0) else { continue };
                events.push((step, Event::Task(TaskStart { task, from, step, epoch })));
                if let Some(row) = rows.iter_mut().find(|row| row.step == step && Some(row.task) == from) {
                    row.at_switch = true;
                }
                from = Some(task);
            }
            kind::CHANGE => {
                // What changed is in `run.toml`, in full; the line says when.
                let same =
                    |change: &Change| (change.step == step || change.place.is_some()) && change_text(change) == detail;
                if let Some(place) = changes.iter().position(same) {
                    events.push((step, Event::Changed { step, epoch, change: changes.remove(place) }));
                }
            }
            kind::WARNING => events.push((step, Event::Warning { step, epoch, message: detail })),
            _ => {}
        }
    }
    if let Some(last) = rows.last() {
        let losses = rows.iter().filter_map(|row| Some((row.epoch, row.train_loss?))).collect();
        let progress =
            Progress { step: last.step, epoch: last.epoch, losses, planned_steps: last.step, ..Progress::default() };
        events.push((last.step, Event::Progress(progress)));
    }
    events
}

/// Reads every line of a table with the parser that `parser` makes from its columns.
fn read<T>(
    folder: &Path,
    name: &str,
    warnings: &mut Vec<String>,
    parser: impl FnOnce(&Lines) -> Box<dyn Fn(&StringRecord) -> Option<T>>,
) -> Vec<T> {
    let mut lines = match Lines::open(&folder.join(name)) {
        Ok(lines) => lines,
        Err(err) => {
            warnings.push(format!("{name} cannot be read: {err}"));
            return Vec::new();
        }
    };
    let parse = parser(&lines);
    let (mut found, mut bad, mut first, mut place) = (Vec::new(), 0, 0, 1);
    while let Some(line) = lines.next() {
        place += 1;
        match line.as_ref().and_then(&parse) {
            Some(value) => found.push(value),
            None => {
                bad += 1;
                first = if bad == 1 { place } else { first };
            }
        }
    }
    if bad > 0 {
        warnings.push(format!("{name}: {bad} lines cannot be read and are left out, the first is line {first}"));
    }
    if lines.cut {
        warnings.push(format!("{name}: the last line is cut off and left out"));
    }
    found
}

fn index(line: &StringRecord, column: Option<usize>) -> Option<usize> {
    usize::try_from(whole(line, column)?).ok()
}

/// The cells of one line, in the order of [`Metric::ALL`].
struct Values([Option<f64>; Metric::ALL.len()]);

impl Values {
    fn get(&self, metric: Metric) -> Option<f64> {
        Metric::ALL.iter().zip(self.0).find(|&(&known, _)| known == metric)?.1
    }

    fn must(&self, metric: Metric) -> f64 {
        self.get(metric).unwrap_or(f64::NAN)
    }

    fn block(&self, block: Block) -> BlockMetrics {
        BlockMetrics {
            block,
            loss: self.must(Metric::Loss),
            lag_steps: self.get(Metric::LagSteps).map(|steps| steps as u64),
            velocity: self.get(Metric::Velocity),
            velocity_uncentred: self.get(Metric::VelocityUncentred),
            velocity_angle: self.get(Metric::VelocityAngle),
            step_norm: self.get(Metric::StepNorm),
            susceptibility: self.get(Metric::Susceptibility),
            distance: self.must(Metric::Distance),
            distance_switch: self.get(Metric::DistanceSwitch),
            scale: self.must(Metric::Scale),
            rotation: self.must(Metric::Rotation),
            drift: self.must(Metric::Drift),
            lambda_max: self.must(Metric::LambdaMax),
            lambda_min: self.must(Metric::LambdaMin),
            trace: self.must(Metric::Trace),
            frobenius: self.must(Metric::Frobenius),
            effective_rank: self.must(Metric::EffectiveRank),
            asymmetry: self.must(Metric::Asymmetry),
            alignment: self.must(Metric::Alignment),
            alignment_centred: self.get(Metric::AlignmentCentred),
            alignment_full: self.get(Metric::AlignmentFull),
        }
    }

    /// The row that begins with this block. What stands once per row is in each of its lines.
    fn row(&self, step: u64, epoch: f64, task: usize, block: BlockMetrics, accuracy: Vec<Accuracy>) -> Row {
        let seconds = |metric| self.get(metric).unwrap_or(0.0);
        Row {
            step,
            epoch,
            task,
            at_switch: false,
            blocks: vec![block],
            accuracy,
            predictions: Vec::new(),
            train_loss: self.get(Metric::TrainLoss),
            rate: self.must(Metric::Rate),
            grad_norm: self.get(Metric::GradNorm),
            cost: SnapshotCost {
                kernel_seconds: seconds(Metric::KernelSeconds),
                eigen_seconds: seconds(Metric::EigenSeconds),
                metrics_seconds: seconds(Metric::MetricsSeconds),
                evaluation_seconds: seconds(Metric::EvaluationSeconds),
                // Absent in folders from before the analysis went beside training: nothing waited for it.
                waiting_seconds: seconds(Metric::WaitingSeconds),
            },
        }
    }
}
