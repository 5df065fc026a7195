//! Reads the tables of a run folder back into rows and events (but for `ledger.csv`, which has no images).
//!
//! Guarantees: columns go by name, so a file with more or fewer of them is read; an unreadable line is left out and
//! counted in one sentence; an empty cell is a missing number.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use csv::StringRecord;

use super::table_writer::{change_text, kind};
use super::tables::{EVENTS, EventLine, METRICS, RowLine, When};
use crate::run::{
    Accuracy, Block, BlockMetrics, CrossMetrics, Event, LayerMetrics, LogitMetrics, Metric, OptimiserMetrics,
    Prediction, Progress, Row, StepSharpness, TaskStart, TensorMetrics,
};
use crate::spec::{Change, Spec};
use crate::storage::format::disk;

/// Reads all rows, with their accuracies; with `parts` also the numbers of layers, tensors, pairs of tasks and sets of
/// logits. Problems go to `warnings`.
pub(crate) fn rows(folder: &Path, parts: bool, warnings: &mut Vec<String>) -> Vec<Row> {
    let mut accuracies = by_row::<Accuracy>(folder, warnings);
    let (mut layers, mut tensors, mut cross, mut logits) = Default::default();
    if parts {
        layers = by_row::<LayerMetrics>(folder, warnings);
        tensors = by_row::<TensorMetrics>(folder, warnings);
        cross = by_row::<CrossMetrics>(folder, warnings);
        logits = by_row::<LogitMetrics>(folder, warnings);
    }
    let mut optimiser = by_row::<OptimiserMetrics>(folder, warnings);
    let mut predictions = by_row::<Prediction>(folder, warnings);
    let mut sharpness = by_row::<StepSharpness>(folder, warnings);

    let lines = read(folder, METRICS, warnings, |lines| {
        let [step, epoch, task, block] = ["step", "epoch", "task", "block"].map(|name| lines.column(name));
        let columns = Metric::ALL.map(|metric| (metric, lines.column(metric.column())));
        Box::new(move |line| {
            let mut metrics = BlockMetrics::bare(Block::named(line.get(block?)?)?);
            let mut row = Row::bare(whole(line, step)?, float(line, epoch)?, index(line, task)?);
            for (metric, column) in columns {
                metric.put(&mut row, &mut metrics, float(line, column));
            }
            row.blocks.push(metrics);
            Some(row)
        })
    });
    let mut rows: Vec<Row> = Vec::new();
    for line in lines {
        match rows.last_mut() {
            // The values of a row are repeated in each of its lines; the first line sets them.
            Some(row) if line.blocks[0].block != Block::All && row.step == line.step && row.task == line.task => {
                row.blocks.extend(line.blocks);
            }
            _ => {
                let key = (line.step, line.task);
                rows.push(Row {
                    accuracy: accuracies.remove(&key).unwrap_or_default(),
                    predictions: predictions.remove(&key).unwrap_or_default(),
                    layers: layers.remove(&key).unwrap_or_default().into(),
                    tensors: tensors.remove(&key).unwrap_or_default().into(),
                    cross: cross.remove(&key).unwrap_or_default().into(),
                    logits: logits.remove(&key).unwrap_or_default().into(),
                    optimiser: optimiser.remove(&key).unwrap_or_default().into(),
                    sharpness: sharpness.remove(&key).unwrap_or_default().into(),
                    ..line
                });
            }
        }
    }
    rows
}

/// Lines of a table by the step of their row and the task being trained.
type ByRow<T> = HashMap<(u64, usize), Vec<T>>;

/// Reads a table whose lines belong to rows. A table may be missing, because older versions wrote fewer of them.
fn by_row<T: RowLine>(folder: &Path, warnings: &mut Vec<String>) -> ByRow<T> {
    let mut all = ByRow::new();
    if T::FILE == Accuracy::FILE || folder.join(T::FILE).exists() {
        for (When { step, task, .. }, line) in read(folder, T::FILE, warnings, |lines| {
            let header = lines.header.clone();
            Box::new(move |line| Some((line.deserialize(Some(&header)).ok()?, line.deserialize(Some(&header)).ok()?)))
        }) {
            all.entry((step, task)).or_insert_with(Vec::new).push(line);
        }
    }
    all
}

/// Reads all events with their steps, in order, and marks rows at the end of a task. Problems go to `warnings`.
pub(crate) fn events(folder: &Path, rows: &mut [Row], spec: &Spec, warnings: &mut Vec<String>) -> Vec<(u64, Event)> {
    let mut from = None;
    let mut changes = spec.changes.clone();
    let lines = read(folder, EVENTS, warnings, |lines| {
        let header = lines.header.clone();
        Box::new(move |line| line.deserialize(Some(&header)).ok())
    });
    let mut events = Vec::new();
    for EventLine { step, epoch, event, detail } in lines {
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
                // The change itself is in `run.toml`; the line gives its time.
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

/// Reads the lines of a csv file by the names of its columns. An incomplete line at the end is left out.
pub(crate) struct Lines {
    reader: csv::Reader<io::Take<File>>,
    pub(crate) header: StringRecord,
    /// Whether the end of the last line is missing.
    pub(crate) cut: bool,
    /// Whether reading the file failed.
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

    /// Returns the index of a column.
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|column| column == name)
    }

    /// Returns the next line; `Some(None)` for one that is not valid text.
    pub(crate) fn next(&mut self) -> Option<Option<StringRecord>> {
        let mut line = StringRecord::new();
        match self.reader.read_record(&mut line) {
            Ok(true) => {
                // The missing cells of a shorter line are empty.
                (line.len()..self.header.len()).for_each(|_| line.push_field(""));
                Some(Some(line))
            }
            Err(err) if !self.over => {
                // A failing disk would fail for ever.
                self.over = matches!(err.kind(), csv::ErrorKind::Io(_));
                Some(None)
            }
            _ => None,
        }
    }
}

/// Returns the finite number in this cell.
pub(crate) fn float(line: &StringRecord, column: Option<usize>) -> Option<f64> {
    line.get(column?)?.parse().ok().filter(|value: &f64| value.is_finite())
}

/// Returns the integer in this cell.
pub(crate) fn whole(line: &StringRecord, column: Option<usize>) -> Option<u64> {
    line.get(column?)?.parse().ok()
}

/// Returns the position of the end of the last complete line, and leaves the file at its start.
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
