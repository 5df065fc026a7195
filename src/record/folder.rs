//! Writes a run folder while the run goes on.
//!
//! Guarantees: the program may be killed at any moment, and what had happened until a second before is in the folder and can be
//! read. Tables only grow, everything else appears whole by renaming. A run that is resumed is written beside the old one
//! (in `resume.partial`) until it has come as far, so that a second kill cannot take what the first one left. Only files of
//! the names below are ever replaced or removed.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use thiserror::Error;

use super::budget::Budget;
use super::kernels::{self, KERNELS, KernelWriter, PARTIAL};
use super::tables::{
    self, ACCURACY, CROSS, EVENTS, LAYERS, LEDGER, LOGITS, METRICS, OPTIMISER, PREDICTIONS, TENSORS, Table, kind,
    number,
};
use super::weights::MODEL;
use super::{Ending, Event, Row, RunInfo, atomic, create, info};
use crate::spec::{Change, Spec};

pub(super) const RUN: &str = "run.toml";
/// Where a resumed run is written until it has come as far as the one that was cut off.
pub(super) const RESUMED: &str = "resume.partial";
/// All files of a run folder but the Grams; a figure's file is the figures command's.
pub(super) const FILES: [&str; 13] =
    [RUN, info::INFO, METRICS, ACCURACY, LAYERS, TENSORS, CROSS, LOGITS, OPTIMISER, PREDICTIONS, LEDGER, EVENTS, MODEL];
/// What a kill may lose.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// Why a run cannot be written; each prints as one sentence.
#[derive(Debug, Error)]
pub enum FolderError {
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{} is a file: choose a folder for the run", .0.display())]
    IsFile(PathBuf),
    #[error("{} is a folder: choose a name for the file", .0.display())]
    IsFolder(PathBuf),
    #[error("{} exists: choose another name or give --overwrite", .0.display())]
    Exists(PathBuf),
    #[error("{} is not empty and holds no unfinished run of this spec: choose another folder or give --overwrite", .0.display())]
    NotEmpty(PathBuf),
    #[error("{} already holds this run, finished: choose another folder or give --overwrite", .0.display())]
    Finished(PathBuf),
    #[error("{} is being written by another Kernelscope: wait for it or choose another folder", .0.display())]
    Busy(PathBuf),
}

impl FolderError {
    pub(super) fn write(path: &Path, source: io::Error) -> Self {
        Self::Write { path: path.to_owned(), source }
    }
}

/// A run folder that takes the events of one run. Nothing is written before the run has started.
pub struct RunFolder {
    out: PathBuf,
    spec: Spec,
    before: Before,
    files: Option<Files>,
    /// Changes that were fed in and have not happened yet.
    awaited: Vec<Change>,
    /// Step and epoch of the last snapshot.
    last: Option<(u64, f64)>,
    flushed: Instant,
    clock: Box<dyn FnMut() -> Instant + Send>,
    /// Bytes that the Grams may take; none where all are to stay.
    grams: Option<u64>,
    /// Held while the folder is written, where the system has locks on folders; released on drop.
    _lock: Option<File>,
}

/// What was in the folder before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// Nothing: not even the folder.
    Missing,
    Empty,
    /// A run that is to be replaced.
    Replace,
    /// The same run, cut off after so many snapshots; this one is written to [`RESUMED`] until it has come as far.
    CutOff(usize),
}

struct Files {
    rows: RowTables,
    ledger: Table,
    events: Table,
    kernels: KernelWriter,
}

/// The tables that every row goes into.
struct RowTables {
    metrics: Table,
    accuracy: Table,
    layers: Table,
    tensors: Table,
    cross: Table,
    logits: Table,
    optimiser: Table,
    predictions: Table,
}

impl RowTables {
    fn create(folder: &Path) -> Result<Self, FolderError> {
        Ok(Self {
            metrics: Table::create(folder.join(METRICS), &tables::metrics_columns())?,
            accuracy: Table::create(folder.join(ACCURACY), &tables::ACCURACY_COLUMNS)?,
            layers: Table::create(folder.join(LAYERS), &tables::LAYERS_COLUMNS)?,
            tensors: Table::create(folder.join(TENSORS), &tables::TENSORS_COLUMNS)?,
            cross: Table::create(folder.join(CROSS), &tables::CROSS_COLUMNS)?,
            logits: Table::create(folder.join(LOGITS), &tables::LOGITS_COLUMNS)?,
            optimiser: Table::create(folder.join(OPTIMISER), &tables::OPTIMISER_COLUMNS)?,
            predictions: Table::create(folder.join(PREDICTIONS), &tables::PREDICTIONS_COLUMNS)?,
        })
    }

    fn append(folder: &Path) -> Result<Self, FolderError> {
        let table = |name| Table::append(folder.join(name));
        Ok(Self {
            metrics: table(METRICS)?,
            accuracy: table(ACCURACY)?,
            layers: table(LAYERS)?,
            tensors: table(TENSORS)?,
            cross: table(CROSS)?,
            logits: table(LOGITS)?,
            optimiser: table(OPTIMISER)?,
            predictions: table(PREDICTIONS)?,
        })
    }

    fn push(&mut self, row: &Row) -> Result<(), FolderError> {
        tables::metrics_lines(row).try_for_each(|line| self.metrics.push(line))?;
        tables::accuracy_lines(row).try_for_each(|line| self.accuracy.push(line))?;
        tables::layers_lines(row).try_for_each(|line| self.layers.push(line))?;
        tables::tensors_lines(row).try_for_each(|line| self.tensors.push(line))?;
        tables::cross_lines(row).try_for_each(|line| self.cross.push(line))?;
        tables::logits_lines(row).try_for_each(|line| self.logits.push(line))?;
        tables::optimiser_lines(row).try_for_each(|line| self.optimiser.push(line))?;
        tables::prediction_lines(row).try_for_each(|line| self.predictions.push(line))
    }

    fn flush(&mut self) -> Result<(), FolderError> {
        let Self { metrics, accuracy, layers, tensors, cross, logits, optimiser, predictions } = self;
        [metrics, accuracy, layers, tensors, cross, logits, optimiser, predictions]
            .into_iter()
            .try_for_each(Table::flush)
    }
}

impl Files {
    fn start(folder: &Path, spec: &Spec, run: &RunInfo, grams: Option<u64>) -> Result<Self, FolderError> {
        fs::create_dir_all(folder).map_err(|err| FolderError::write(folder, err))?;
        write_spec(folder, spec)?;
        info::Facts::of(run).write(&folder.join(info::INFO))?;
        Ok(Self {
            rows: RowTables::create(folder)?,
            ledger: Table::create(folder.join(LEDGER), &tables::LEDGER_COLUMNS)?,
            events: Table::create(folder.join(EVENTS), &tables::EVENTS_COLUMNS)?,
            kernels: KernelWriter::start(folder.join(PARTIAL), run, Budget::new(grams))?,
        })
    }

    fn note(&mut self, step: u64, epoch: Option<f64>, event: &str, detail: &str) -> Result<(), FolderError> {
        self.events.push([step.to_string(), number(epoch), event.to_owned(), tables::one_line(detail)])
    }

    fn flush(&mut self) -> Result<(), FolderError> {
        // Grams before rows: a row without its Gram would be a hole in a picture, a Gram without its row is only left out.
        self.kernels.flush()?;
        self.rows.flush()?;
        self.ledger.flush()?;
        self.events.flush()
    }
}

impl RunFolder {
    /// The caller has made `out` and seen that nothing in it will be lost that should not be.
    pub(super) fn new(out: PathBuf, spec: Spec, before: Before, lock: Option<File>) -> Self {
        Self {
            out,
            awaited: spec.changes.clone(),
            spec,
            before,
            files: None,
            last: None,
            flushed: Instant::now(),
            clock: Box::new(Instant::now),
            grams: None,
            _lock: lock,
        }
    }

    /// The same with Grams that take no more than so many bytes: what stays of them says `budget`.
    #[must_use]
    pub fn with_gram_bytes(mut self, most: u64) -> Self {
        self.grams = Some(most);
        self
    }

    /// The same with another clock, for tests of what a kill loses.
    #[must_use]
    pub fn with_clock(mut self, mut clock: impl FnMut() -> Instant + Send + 'static) -> Self {
        self.flushed = clock();
        self.clock = Box::new(clock);
        self
    }

    /// The spec with all live changes so far: this is what has to be run.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Takes the next event. After an error the folder holds what was flushed, and the run should end.
    pub fn take(&mut self, event: &Event) -> Result<(), FolderError> {
        if let Event::Started(run) = event {
            return self.start(run);
        }
        let folder = self.folder();
        // A run that fails before it starts leaves everything as it was.
        let Some(files) = &mut self.files else { return Ok(()) };
        match event {
            Event::Task(start) => {
                files.note(start.step, Some(start.epoch), kind::TASK, &start.task.to_string())?;
                return self.flush();
            }
            Event::Snapshot(snapshot) => {
                let row = &snapshot.row;
                self.last = Some((row.step, row.epoch));
                files.rows.push(row)?;
                files.kernels.push(Arc::clone(snapshot));
            }
            Event::Partner(partner) => files.kernels.partner(Arc::clone(partner)),
            Event::Limit(kernel) => files.kernels.limit(kernel)?,
            Event::Changed { step, epoch, change } => {
                files.note(*step, Some(*epoch), kind::CHANGE, &tables::change_text(change))?;
                self.change(change)?;
            }
            Event::Ledger(ledger) => {
                tables::ledger_lines(ledger).try_for_each(|line| files.ledger.push(line))?;
            }
            Event::Warning { step, epoch, message } => files.note(*step, Some(*epoch), kind::WARNING, message)?,
            Event::Weights(weights) => super::weights::write(&folder.join(MODEL), weights)?,
            Event::Ended(ending) => return self.end(ending),
            Event::Started(_)
            | Event::Progress(_)
            | Event::Moved(_)
            | Event::Forked(_)
            | Event::Paused { .. }
            | Event::Resumed { .. } => {}
        }
        self.tick()
    }

    /// Flushes when a second has passed. For times without events.
    pub fn tick(&mut self) -> Result<(), FolderError> {
        let now = (self.clock)();
        let full = self.files.as_ref().is_some_and(|files| files.kernels.is_full());
        if full || now.duration_since(self.flushed) >= FLUSH_EVERY {
            self.flushed = now;
            self.flush()?;
        }
        Ok(())
    }

    fn start(&mut self, run: &RunInfo) -> Result<(), FolderError> {
        match self.before {
            Before::Missing | Before::Empty => {}
            Before::Replace => create::clear(&self.out)?,
            // What an earlier attempt to resume had before it was cut off too.
            Before::CutOff(_) => remove_run(&self.out.join(RESUMED), true)?,
        }
        atomic::sweep(&self.out);
        self.files = Some(Files::start(&self.folder(), &self.spec, run, self.grams)?);
        Ok(())
    }

    fn folder(&self) -> PathBuf {
        if matches!(self.before, Before::CutOff(_)) { self.out.join(RESUMED) } else { self.out.clone() }
    }

    /// Remembers a live change in `run.toml`, unless it is one that was fed in and happened again.
    fn change(&mut self, change: &Change) -> Result<(), FolderError> {
        // The same one twice is two changes.
        if let Some(place) = self.awaited.iter().position(|awaited| awaited == change) {
            self.awaited.remove(place);
            return Ok(());
        }
        let changes = &mut self.spec.changes;
        // After all that have happened: of two before the same step, the first one told came first.
        let later = |other: &Change| other.place.is_none() && other.step > change.step;
        let place = changes.iter().position(later).unwrap_or(changes.len());
        changes.insert(place, change.clone());
        write_spec(&self.folder(), &self.spec)
    }

    fn flush(&mut self) -> Result<(), FolderError> {
        let Some(files) = &mut self.files else { return Ok(()) };
        files.flush()?;
        match self.before {
            Before::CutOff(old) if files.kernels.written() >= old => self.promote(),
            _ => Ok(()),
        }
    }

    fn end(&mut self, ending: &Ending) -> Result<(), FolderError> {
        let epoch = self.last.filter(|&(step, _)| step == ending.step()).map(|(_, epoch)| epoch);
        let Some(files) = &mut self.files else { return Ok(()) };
        files.note(ending.step(), epoch, kind::ENDED, &tables::ending_text(ending))?;
        self.flush()?;
        if let Before::CutOff(_) = self.before {
            if !matches!(ending, Ending::Finished { .. }) {
                // It did not come as far as what is there, which therefore stays.
                self.files = None;
                return remove_run(&self.out.join(RESUMED), true);
            }
            // Fewer snapshots than before, and yet all there are: with a budget for kernels a run does not repeat.
            kernels::remove_parts(&self.out.join(PARTIAL))?;
            self.promote()?;
        }
        self.files = None;
        kernels::assemble(&self.out)
    }

    /// The resumed run has come as far as the old one: its files take the place of the old ones.
    ///
    /// A run repeats bit for bit, so the new files begin with what the old ones held, and a kill half-way through this leaves
    /// a mixture that can be read as either.
    fn promote(&mut self) -> Result<(), FolderError> {
        let staged = self.out.join(RESUMED);
        kernels::move_parts(&staged.join(PARTIAL), &self.out.join(PARTIAL))?;
        atomic::remove(&self.out.join(KERNELS))?;
        for name in FILES {
            let (from, to) = (staged.join(name), self.out.join(name));
            if from.exists() {
                fs::rename(&from, &to).map_err(|err| FolderError::write(&to, err))?;
            }
        }
        self.before = Before::Empty;
        if let Some(files) = &mut self.files {
            files.rows = RowTables::append(&self.out)?;
            files.ledger = Table::append(self.out.join(LEDGER))?;
            files.events = Table::append(self.out.join(EVENTS))?;
            files.kernels.moved_to(self.out.join(PARTIAL));
        }
        remove_run(&staged, true)
    }
}

impl Drop for RunFolder {
    /// Leaves as little unwritten as can be when the caller gives up without an ending, and no folder of a run that never was.
    fn drop(&mut self) {
        match &mut self.files {
            Some(files) => drop(files.flush()),
            // Only an empty folder can be removed this way.
            None if self.before == Before::Missing => drop(fs::remove_dir(&self.out)),
            None => {}
        }
    }
}

fn write_spec(folder: &Path, spec: &Spec) -> Result<(), FolderError> {
    atomic::replace(&folder.join(RUN), |writer| writer.write_all(spec.to_toml().as_bytes()))
}

/// Removes the files of a run, and only these; with `folder` also the folder, if nothing else is in it.
pub(super) fn remove_run(path: &Path, folder: bool) -> Result<(), FolderError> {
    kernels::remove_parts(&path.join(PARTIAL))?;
    atomic::remove(&path.join(KERNELS))?;
    FILES.iter().try_for_each(|name| atomic::remove(&path.join(name)))?;
    atomic::sweep(path);
    if folder {
        // Somebody else's file in it is a reason to leave it.
        let _ = fs::remove_dir(path);
    }
    Ok(())
}
