//! Writes `metrics.csv`, a column for each [`Metric`], and the cells of live changes and endings in `events.csv`.

use std::io;
use std::path::Path;

use crate::run::{Ending, History, Metric, Row};
use crate::spec::{Change, Clamp, Effect};
use crate::storage::format::atomic;
use crate::storage::format::errors::FolderError;

/// Returns the columns of `metrics.csv`.
pub(crate) fn metrics_columns() -> Vec<&'static str> {
    ["step", "epoch", "task", "block"].into_iter().chain(Metric::ALL.map(Metric::column)).collect()
}

/// Writes every metric of a record of imported kernels, in the columns of `metrics.csv`. Missing numbers, times among
/// them, are empty cells.
///
/// # Errors
/// When it cannot be written; an earlier file is then unchanged.
pub fn write_metrics(path: &Path, history: &History) -> Result<(), FolderError> {
    atomic::replace(path, |writer| metrics_of(history, writer))
}

/// Writes the same table to a writer.
///
/// # Errors
/// When it cannot be written.
pub fn metrics_of(history: &History, to: impl io::Write) -> io::Result<()> {
    let mut table = csv::Writer::from_writer(to);
    table.write_record(metrics_columns())?;
    for line in history.rows().iter().flat_map(metrics_lines) {
        table.write_record(line)?;
    }
    table.flush()
}

/// Returns the lines of one row in `metrics.csv`, one per block.
pub(crate) fn metrics_lines(row: &Row) -> impl Iterator<Item = Vec<String>> + '_ {
    row.blocks.iter().map(|block| {
        let name = String::from(block.block);
        let values = Metric::ALL.iter().map(|metric| match metric.of(row, block) {
            // A count is written without a decimal point.
            Some(count) if metric.is_count() => count.to_string(),
            value => number(value),
        });
        [row.step.to_string(), number(Some(row.epoch)), row.task.to_string(), name].into_iter().chain(values).collect()
    })
}

/// The values of the column `event` of `events.csv`.
pub(crate) mod kind {
    /// A task begins; the detail is its number.
    pub const TASK: &str = "task";
    /// A live change; the detail is `key=value`.
    pub const CHANGE: &str = "change";
    pub const WARNING: &str = "warning";
    /// A step of a watched training was taken; the detail is its mark. It comes after every other record of the step.
    pub const SAVED: &str = "saved";
    /// The last line of a run that was not killed; the detail begins with the reason.
    pub const ENDED: &str = "ended";
}

/// Returns the cell of a live change.
pub(crate) fn change_text(change: &Change) -> String {
    match &change.effect {
        Effect::Rate(rate) => format!("training.rate={rate:?}"),
        Effect::Schedule(schedule) => format!("training.schedule={}", schedule.key()),
        Effect::Warmup(epochs) => format!("training.warmup={epochs:?}"),
        Effect::PerEpoch(count) => format!("kernel.per_epoch={count}"),
        Effect::Order(order) => format!("tasks.order={order:?}"),
        Effect::Switch => "switch".to_owned(),
        Effect::Replay(kept) => format!("training.replay={kept}"),
        Effect::Frozen(names) => format!("training.frozen={names:?}"),
        Effect::Masked(masked) => format!("training.masked={masked}"),
        Effect::Clamped(Clamp::Step) => "clamped".to_owned(),
        Effect::Clamped(Clamp::Path) => "clamped=path".to_owned(),
        Effect::Clamped(Clamp::Displacement) => "clamped=displacement".to_owned(),
    }
}

/// Returns the cell of an ending.
pub(crate) fn ending_text(ending: &Ending) -> String {
    match ending {
        Ending::Finished { .. } => "finished".to_owned(),
        Ending::Stopped { .. } => "stopped".to_owned(),
        Ending::Diverged { message, .. } => format!("diverged: {message}"),
        Ending::Failed { message, .. } => format!("failed: {message}"),
    }
}

/// Parses the cell of an ending.
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

/// Returns the shortest text that reads back as the same number; an empty text for a missing number.
pub(crate) fn number(value: Option<f64>) -> String {
    value.filter(|value| value.is_finite()).map(|value| format!("{value:?}")).unwrap_or_default()
}
