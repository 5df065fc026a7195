//! The csv files of a run folder: which columns, how a row of the record becomes lines and lines become it again.
//!
//! Guarantees: numbers are written so that reading them gives the same bits; a missing or non-finite number is an empty cell;
//! no field holds a line break, so a file that was cut off loses its last line and nothing else. Nothing but the columns that
//! end in `_seconds` depends on the machine.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::writer::FolderError;
use crate::run::{
    Accuracy, Block, CrossMetrics, Ending, History, LayerMetrics, Ledger, LogitMetrics, Logits, Metric,
    OptimiserMetrics, Prediction, Row, TensorMetrics,
};
use crate::spec::Change;
use crate::storage::format::{atomic, disk};

pub(crate) const METRICS: &str = "metrics.csv";
pub(crate) const ACCURACY: &str = "accuracy.csv";
pub(crate) const LAYERS: &str = "layers.csv";
pub(crate) const TENSORS: &str = "tensors.csv";
pub(crate) const CROSS: &str = "cross.csv";
pub(crate) const LOGITS: &str = "logits.csv";
pub(crate) const EVENTS: &str = "events.csv";
/// Empty but for runs that measure the optimiser's kernel.
pub(crate) const OPTIMISER: &str = "optimiser.csv";
/// Empty but for runs that predict.
pub(crate) const PREDICTIONS: &str = "predictions.csv";

pub(crate) const ACCURACY_COLUMNS: [&str; 8] =
    ["step", "epoch", "task", "eval_task", "accuracy", "accuracy_masked", "loss", "accuracy_probe"];
pub(crate) const LAYERS_COLUMNS: [&str; 9] =
    ["step", "epoch", "task", "block", "layer", "velocity", "alignment", "alignment_centred", "share"];
pub(crate) const TENSORS_COLUMNS: [&str; 7] = ["step", "epoch", "task", "block", "tensor", "velocity", "share"];
pub(crate) const CROSS_COLUMNS: [&str; 7] = ["step", "epoch", "task", "block", "other", "frobenius", "coupling"];
pub(crate) const LOGITS_COLUMNS: [&str; 8] =
    ["step", "epoch", "task", "block", "logits", "velocity", "lambda_max", "trace"];
pub(crate) const OPTIMISER_COLUMNS: [&str; 10] =
    ["step", "epoch", "task", "block", "velocity", "apart", "alignment", "alignment_centred", "lambda_max", "trace"];
/// The first step of each task but the first, and others that were asked for.
pub(crate) const LEDGER: &str = "ledger.csv";

pub(crate) const LEDGER_COLUMNS: [&str; 9] =
    ["step", "epoch", "task", "probe", "label", "image", "image_label", "predicted", "measured"];
pub(crate) const PREDICTIONS_COLUMNS: [&str; 13] = [
    "step",
    "epoch",
    "task",
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
pub(crate) const EVENTS_COLUMNS: [&str; 4] = ["step", "epoch", "event", "detail"];

/// The columns of `metrics.csv`.
pub(crate) fn metrics_columns() -> Vec<&'static str> {
    ["step", "epoch", "task", "block"].into_iter().chain(Metric::ALL.map(Metric::column)).collect()
}

/// Writes every metric of a record that was measured on kernels from elsewhere, in the columns of `metrics.csv`. What was not
/// measured is an empty cell; so are times, which nothing took.
///
/// # Errors
/// When it cannot be written; what was there is then still there.
pub fn write_metrics(path: &Path, history: &History) -> Result<(), FolderError> {
    atomic::replace(path, |writer| metrics_of(history, writer))
}

/// The same as text.
///
/// # Errors
/// When it cannot be written.
pub fn metrics_of(history: &History, to: impl io::Write) -> io::Result<()> {
    let mut table = csv::Writer::from_writer(to);
    let columns = metrics_columns();
    table.write_record(&columns)?;
    for line in history.rows().iter().flat_map(metrics_lines) {
        let cells = line.iter().zip(&columns);
        table.write_record(cells.map(|(cell, name)| if name.ends_with("_seconds") { "" } else { cell.as_str() }))?;
    }
    table.flush()
}

/// The lines of one row in `metrics.csv`, one per block.
pub(crate) fn metrics_lines(row: &Row) -> impl Iterator<Item = Vec<String>> + '_ {
    row.blocks.iter().map(|block| {
        let name = block_name(block.block);
        let values = Metric::ALL.iter().map(|metric| match metric {
            Metric::LagSteps => block.lag_steps.map(|steps| steps.to_string()).unwrap_or_default(),
            _ => number(metric.of(row, block)),
        });
        [row.step.to_string(), number(Some(row.epoch)), row.task.to_string(), name].into_iter().chain(values).collect()
    })
}

/// The lines of one row in `accuracy.csv`, one per task.
pub(crate) fn accuracy_lines(row: &Row) -> impl Iterator<Item = Vec<String>> + '_ {
    row.accuracy.iter().map(|Accuracy { task, accuracy, masked, loss, probe }| {
        let values = [Some(*accuracy), Some(*masked), Some(*loss), *probe].map(number);
        head(row, *task).into_iter().chain(values).collect()
    })
}

/// The lines of one row in `predictions.csv`, one per predictor and task.
pub(crate) fn prediction_lines(row: &Row) -> impl Iterator<Item = Vec<String>> + '_ {
    row.predictions.iter().map(|Prediction { by, on, gap, solved, on_probes }| {
        let scores = [Some(on.accuracy), Some(on.masked), Some(on.loss), Some(*gap)];
        let pairs = [*solved, *on_probes].map(|pair| [pair.map(|pair| pair.0), pair.map(|pair| pair.1)]);
        let values = scores.into_iter().chain(pairs.into_iter().flatten()).map(number);
        head(row, on.task).into_iter().chain([by.name().to_owned()]).chain(values).collect()
    })
}

/// The lines of a ledger: for each old image (by its place among the probes) what the whole batch does to the logit of its
/// own class, predicted and measured, and then the prediction of each image of the batch.
pub(crate) fn ledger_lines(ledger: &Ledger) -> impl Iterator<Item = Vec<String>> + '_ {
    ledger.old.iter().flat_map(move |old| {
        let head = [
            ledger.step.to_string(),
            number(Some(ledger.epoch)),
            ledger.task.to_string(),
            old.probe.to_string(),
            old.label.to_string(),
        ];
        let line = move |rest: [String; 4]| head.iter().cloned().chain(rest).collect::<Vec<String>>();
        let own = |values: &[f64]| number(values.get(old.label).copied());
        let whole = line([String::new(), String::new(), own(&old.predicted), own(&old.measured)]);
        let images = old.by_image.iter().zip(&ledger.new_labels).enumerate();
        let parts = images.map(move |(image, (&part, label))| {
            line([image.to_string(), label.to_string(), number(Some(part)), String::new()])
        });
        std::iter::once(whole).chain(parts)
    })
}

/// The lines of one row in `layers.csv`, one per task and layer.
pub(crate) fn layers_lines(row: &Row) -> impl Iterator<Item = Vec<String>> + '_ {
    row.layers.iter().map(|LayerMetrics { task, layer, velocity, alignment, alignment_centred, share }| {
        let values = [*velocity, Some(*alignment), *alignment_centred, Some(*share)].map(number);
        head(row, *task).into_iter().chain([layer.to_string()]).chain(values).collect()
    })
}

/// The lines of one row in `tensors.csv`, one per task and parameter tensor.
pub(crate) fn tensors_lines(row: &Row) -> impl Iterator<Item = Vec<String>> + '_ {
    row.tensors.iter().map(|TensorMetrics { task, tensor, velocity, share }| {
        let values = [*velocity, Some(*share)].map(number);
        head(row, *task).into_iter().chain([tensor.to_string()]).chain(values).collect()
    })
}

/// The lines of one row in `cross.csv`, one per pair of tasks.
pub(crate) fn cross_lines(row: &Row) -> impl Iterator<Item = Vec<String>> + '_ {
    row.cross.iter().map(|CrossMetrics { task, other, frobenius, coupling }| {
        let values = [Some(*frobenius), *coupling].map(number);
        head(row, *task).into_iter().chain([other.to_string()]).chain(values).collect()
    })
}

/// The lines of one row in `logits.csv`, one per task and set of logits.
pub(crate) fn logits_lines(row: &Row) -> impl Iterator<Item = Vec<String>> + '_ {
    row.logits.iter().map(|LogitMetrics { task, logits, velocity, lambda_max, trace }| {
        let values = [*velocity, *lambda_max, Some(*trace)].map(number);
        head(row, *task).into_iter().chain([logits_name(*logits).to_owned()]).chain(values).collect()
    })
}

/// The lines of one row in `optimiser.csv`, one per block.
pub(crate) fn optimiser_lines(row: &Row) -> impl Iterator<Item = Vec<String>> + '_ {
    row.optimiser.iter().map(|found| {
        let OptimiserMetrics { block, velocity, apart, alignment, alignment_centred, lambda_max, trace } = *found;
        let head = [row.step.to_string(), number(Some(row.epoch)), row.task.to_string(), block_name(block)];
        let values = [velocity, Some(apart), Some(alignment), alignment_centred, lambda_max, Some(trace)].map(number);
        head.into_iter().chain(values).collect()
    })
}

/// What stands in the column `block`.
fn block_name(block: Block) -> String {
    match block {
        Block::All => "all".to_owned(),
        Block::Task(task) => task.to_string(),
    }
}

/// The block of this name.
pub(crate) fn block_named(name: &str) -> Option<Block> {
    match name {
        "all" => Some(Block::All),
        number => Some(Block::Task(number.parse().ok().filter(|&number| number > 0)?)),
    }
}

/// What stands in `logits.csv` in the column `logits`.
pub(crate) fn logits_name(logits: Logits) -> &'static str {
    match logits {
        Logits::Old => "old",
        Logits::New => "new",
    }
}

/// When a line is, which task was trained, and of which task it is.
fn head(row: &Row, of: usize) -> [String; 4] {
    [row.step.to_string(), number(Some(row.epoch)), row.task.to_string(), of.to_string()]
}

/// What stands in `events.csv` in the column `event`.
pub(crate) mod kind {
    /// A task begins; the detail is its number.
    pub const TASK: &str = "task";
    /// A live change; the detail is `key=value`.
    pub const CHANGE: &str = "change";
    pub const WARNING: &str = "warning";
    /// The last line of a run that was not killed; the detail begins with why.
    pub const ENDED: &str = "ended";
}

/// A live change in one cell.
pub(crate) fn change_text(change: &Change) -> String {
    let Change { step: _, task: _, place: _, rate, per_epoch, order, switch, replay, frozen, masked, clamped } = change;
    let mut parts = Vec::new();
    parts.extend(rate.map(|rate| format!("training.rate={rate:?}")));
    parts.extend(per_epoch.map(|count| format!("kernel.per_epoch={count}")));
    parts.extend(order.as_ref().map(|order| format!("tasks.order={order:?}")));
    parts.extend(switch.then(|| "switch".to_owned()));
    parts.extend(replay.map(|kept| format!("training.replay={kept}")));
    parts.extend(frozen.as_ref().map(|frozen| format!("training.frozen={frozen:?}")));
    parts.extend(masked.map(|masked| format!("training.masked={masked}")));
    parts.extend(clamped.then(|| "clamped".to_owned()));
    parts.join("; ")
}

/// An ending in one cell.
pub(crate) fn ending_text(ending: &Ending) -> String {
    match ending {
        Ending::Finished { .. } => "finished".to_owned(),
        Ending::Stopped { .. } => "stopped".to_owned(),
        Ending::Diverged { message, .. } => format!("diverged: {message}"),
        Ending::Failed { message, .. } => format!("failed: {message}"),
    }
}

/// The ending that was written as this cell.
pub(crate) fn ending_of(step: u64, text: &str) -> Option<Ending> {
    let (why, message) = text.split_once(": ").unwrap_or((text, ""));
    let message = message.to_owned();
    match why {
        "finished" => Some(Ending::Finished { step }),
        "stopped" => Some(Ending::Stopped { step }),
        "diverged" => Some(Ending::Diverged { step, message }),
        "failed" => Some(Ending::Failed { step, message }),
        _ => None,
    }
}

/// The shortest text that reads back as the same number; nothing for what is no number.
pub(crate) fn number(value: Option<f64>) -> String {
    value.filter(|value| value.is_finite()).map(|value| format!("{value:?}")).unwrap_or_default()
}

/// A text for people as one line.
pub(crate) fn one_line(text: &str) -> String {
    text.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Reads the lines of a csv file by the names of its columns. A line that was cut off at the end is not seen.
pub(crate) struct Lines {
    reader: csv::Reader<io::Take<File>>,
    header: csv::StringRecord,
    /// Whether the end of the last line is missing.
    pub(crate) cut: bool,
    /// Whether the file itself could not be read any further.
    over: bool,
}

impl Lines {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut file = disk::open(path)?;
        let length = file.metadata()?.len();
        let whole = end_of_last_line(&mut file, length)?;
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file.take(whole));
        let header = reader.headers()?.clone();
        Ok(Self { reader, header, cut: whole < length, over: false })
    }

    /// The place of a column.
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|column| column == name)
    }

    /// The next line; `Some(None)` for one that is no text.
    pub(crate) fn next(&mut self) -> Option<Option<csv::StringRecord>> {
        let mut line = csv::StringRecord::new();
        match self.reader.read_record(&mut line) {
            Ok(true) => Some(Some(line)),
            Err(err) if !self.over => {
                // A failing disk would fail for ever.
                self.over = matches!(err.kind(), csv::ErrorKind::Io(_));
                Some(None)
            }
            _ => None,
        }
    }
}

/// A finite number in this cell.
pub(crate) fn float(line: &csv::StringRecord, column: Option<usize>) -> Option<f64> {
    line.get(column?)?.parse().ok().filter(|value: &f64| value.is_finite())
}

/// A whole number in this cell.
pub(crate) fn whole(line: &csv::StringRecord, column: Option<usize>) -> Option<u64> {
    line.get(column?)?.parse().ok()
}

/// Where the last complete line ends, looking back from the end of the file; leaves the file at its start.
fn end_of_last_line(file: &mut File, length: u64) -> io::Result<u64> {
    let mut end = length;
    let mut chunk = [0; 4096];
    let mut found = 0;
    while end > 0 && found == 0 {
        let size = end.min(chunk.len() as u64) as usize;
        end -= size as u64;
        file.seek(SeekFrom::Start(end))?;
        file.read_exact(&mut chunk[..size])?;
        found = chunk[..size].iter().rposition(|&byte| byte == b'\n').map_or(0, |place| end + place as u64 + 1);
    }
    file.rewind()?;
    Ok(found)
}
