//! Reads the tables of a run folder back into rows and events (but for `ledger.csv`, which has no images).
//!
//! Guarantees: columns go by name, so a file with more or fewer of them is read; a line that is no line is left out and counted
//! in one sentence; an empty cell is a missing number, and where a row must have one it is NaN, which [`crate::run::History::series`]
//! leaves out.

use std::collections::HashMap;
use std::path::Path;

use csv::StringRecord;

use super::table_writer::{
    ACCURACY, CROSS, EVENTS, LAYERS, LOGITS, Lines, METRICS, OPTIMISER, PREDICTIONS, TENSORS, block_named, change_text,
    float, kind, logits_name, whole,
};
use crate::run::{
    Accuracy, Block, BlockMetrics, CrossMetrics, Event, LayerMetrics, LogitMetrics, Logits, Metric, OptimiserMetrics,
    Prediction, Predictor, Progress, Row, SnapshotCost, TaskStart, TensorMetrics,
};
use crate::spec::{Change, Spec};
use crate::storage::format::disk;

/// All rows, with their accuracies; with `parts` also what is told of layers, tensors, pairs of tasks and sets of logits. What is wrong
/// goes to `warnings`.
pub(crate) fn rows(folder: &Path, parts: bool, warnings: &mut Vec<String>) -> Vec<Row> {
    let mut accuracies = by_row(
        folder,
        ACCURACY,
        warnings,
        ["eval_task", "accuracy", "accuracy_masked", "loss", "accuracy_probe"],
        accuracy,
    );
    let (mut layers, mut tensors, mut cross, mut logits) = Default::default();
    if parts {
        let columns = ["block", "layer", "velocity", "alignment", "alignment_centred", "share"];
        layers = by_row(folder, LAYERS, warnings, columns, layer);
        tensors = by_row(folder, TENSORS, warnings, ["block", "tensor", "velocity", "share"], tensor);
        cross = by_row(folder, CROSS, warnings, ["block", "other", "frobenius", "coupling"], pair);
        logits = by_row(folder, LOGITS, warnings, ["block", "logits", "velocity", "lambda_max", "trace"], logit);
    }

    let columns = ["block", "velocity", "apart", "alignment", "alignment_centred", "lambda_max", "trace"];
    let mut optimiser = by_row(folder, OPTIMISER, warnings, columns, geometry);
    let columns = [
        "eval_task",
        "predictor",
        "accuracy",
        "accuracy_masked",
        "loss",
        "gap",
        "condition",
        "jitter",
        "probe_loss",
        "probe_gap",
    ];
    let mut predictions = by_row(folder, PREDICTIONS, warnings, columns, prediction);

    let lines = read(folder, METRICS, warnings, |lines| {
        let [step, epoch, task, block] = ["step", "epoch", "task", "block"].map(|name| lines.column(name));
        let columns = Metric::ALL.map(|metric| lines.column(metric.column()));
        Box::new(move |line| {
            let block = block_named(line.get(block?)?)?;
            let values = Values(columns.map(|column| float(line, column)));
            Some((whole(line, step)?, float(line, epoch)?, index(line, task)?, values.block(block), values))
        })
    });
    let mut rows: Vec<Row> = Vec::new();
    for (step, epoch, task, block, values) in lines {
        match rows.last_mut() {
            Some(row) if block.block != Block::All && row.step == step && row.task == task => row.blocks.push(block),
            _ => {
                let key = (step, task);
                rows.push(Row {
                    accuracy: accuracies.remove(&key).unwrap_or_default(),
                    predictions: predictions.remove(&key).unwrap_or_default(),
                    layers: layers.remove(&key).unwrap_or_default().into(),
                    tensors: tensors.remove(&key).unwrap_or_default().into(),
                    cross: cross.remove(&key).unwrap_or_default().into(),
                    logits: logits.remove(&key).unwrap_or_default().into(),
                    optimiser: optimiser.remove(&key).unwrap_or_default().into(),
                    ..values.row(step, epoch, task, block)
                });
            }
        }
    }
    rows
}

/// What belongs to a row, by its step and the task being trained.
type ByRow<T> = HashMap<(u64, usize), Vec<T>>;

/// Reads a table whose lines belong to rows. A table that is not there was not written yet when the run was.
fn by_row<T: 'static, const N: usize>(
    folder: &Path,
    name: &str,
    warnings: &mut Vec<String>,
    columns: [&str; N],
    parse: impl Fn(&StringRecord, [Option<usize>; N]) -> Option<T> + 'static,
) -> ByRow<T> {
    if name != ACCURACY && !folder.join(name).exists() {
        return ByRow::new();
    }
    let found = read(folder, name, warnings, |lines| {
        let ([step, task], columns) =
            (["step", "task"].map(|name| lines.column(name)), columns.map(|name| lines.column(name)));
        Box::new(move |line| Some(((whole(line, step)?, index(line, task)?), parse(line, columns)?)))
    });
    let mut all = ByRow::new();
    for (key, value) in found {
        all.entry(key).or_insert_with(Vec::new).push(value);
    }
    all
}

/// A number that must be there, or NaN.
fn must(line: &StringRecord, column: Option<usize>) -> f64 {
    float(line, column).unwrap_or(f64::NAN)
}

fn accuracy(line: &StringRecord, [task, accuracy, masked, loss, probe]: [Option<usize>; 5]) -> Option<Accuracy> {
    let [accuracy, masked, loss] = [accuracy, masked, loss].map(|column| must(line, column));
    Some(Accuracy { task: index(line, task)?, accuracy, masked, loss, probe: float(line, probe) })
}

fn prediction(line: &StringRecord, columns: [Option<usize>; 10]) -> Option<Prediction> {
    let [task, by, score @ .., gap, condition, jitter, probe_loss, probe_gap] = columns;
    let by = line.get(by?).and_then(|name| Predictor::ALL.into_iter().find(|predictor| predictor.name() == name))?;
    let [right, masked, loss] = score;
    let on = accuracy(line, [task, right, masked, loss, None])?;
    let solved = float(line, condition).zip(float(line, jitter));
    let on_probes = float(line, probe_loss).zip(float(line, probe_gap));
    Some(Prediction { by, on, gap: must(line, gap), solved, on_probes })
}

fn layer(
    line: &StringRecord,
    [task, layer, velocity, alignment, centred, share]: [Option<usize>; 6],
) -> Option<LayerMetrics> {
    Some(LayerMetrics {
        task: index(line, task)?,
        layer: line.get(layer?)?.into(),
        velocity: float(line, velocity),
        alignment: must(line, alignment),
        alignment_centred: float(line, centred),
        share: must(line, share),
    })
}

fn tensor(line: &StringRecord, [task, tensor, velocity, share]: [Option<usize>; 4]) -> Option<TensorMetrics> {
    let (task, tensor) = (index(line, task)?, line.get(tensor?)?.into());
    Some(TensorMetrics { task, tensor, velocity: float(line, velocity), share: must(line, share) })
}

fn pair(line: &StringRecord, [task, other, frobenius, coupling]: [Option<usize>; 4]) -> Option<CrossMetrics> {
    let (task, other) = (index(line, task)?, index(line, other)?);
    Some(CrossMetrics { task, other, frobenius: must(line, frobenius), coupling: float(line, coupling) })
}

fn logit(line: &StringRecord, [task, logits, velocity, lambda_max, trace]: [Option<usize>; 5]) -> Option<LogitMetrics> {
    let name = line.get(logits?)?;
    Some(LogitMetrics {
        task: index(line, task)?,
        logits: [Logits::Old, Logits::New].into_iter().find(|&logits| logits_name(logits) == name)?,
        velocity: float(line, velocity),
        lambda_max: float(line, lambda_max),
        trace: must(line, trace),
    })
}

fn geometry(
    line: &StringRecord,
    [block, velocity, apart, alignment, centred, lambda_max, trace]: [Option<usize>; 7],
) -> Option<OptimiserMetrics> {
    Some(OptimiserMetrics {
        block: block_named(line.get(block?)?)?,
        velocity: float(line, velocity),
        apart: must(line, apart),
        alignment: must(line, alignment),
        alignment_centred: float(line, centred),
        lambda_max: float(line, lambda_max),
        trace: must(line, trace),
    })
}

/// All events with their steps, in order; rows at the end of a task are marked. What is wrong goes to `warnings`.
pub(crate) fn events(folder: &Path, rows: &mut [Row], spec: &Spec, warnings: &mut Vec<String>) -> Vec<(u64, Event)> {
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
            warnings.push(format!("{name} cannot be read: {}", disk::words(&err)));
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
            asymmetry: self.get(Metric::Asymmetry),
            alignment: self.must(Metric::Alignment),
            alignment_centred: self.get(Metric::AlignmentCentred),
            alignment_full: self.get(Metric::AlignmentFull),
            sharpness: self.get(Metric::Sharpness),
            sharpness_loss: self.get(Metric::SharpnessLoss),
            infinite_error: self.get(Metric::InfiniteError),
        }
    }

    /// The row that begins with this block, without what other tables have. What stands once per row is in each of its lines.
    fn row(&self, step: u64, epoch: f64, task: usize, block: BlockMetrics) -> Row {
        let seconds = |metric| self.get(metric).unwrap_or(0.0);
        Row {
            blocks: vec![block],
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
            ..Row::bare(step, epoch, task)
        }
    }
}
