//! Goes on with the folder of a watched training, whose earlier steps need not be there any more to be measured again.
//!
//! Guarantees: a line `saved` of `events.csv` is written after all that is told of its step, so everything up to the last of
//! these lines is whole, and the files are cut to just that; a kill in the middle of the cut leaves a folder that is cut again.
//! A folder of another training, or of a run, is refused and stays as it is.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;
use std::sync::Arc;

use super::create::create;
use super::files::{self, RUN, lock};
use super::gram_reader::Grams;
use super::info::{INFO, StoredInfo};
use super::kernel_part::Part;
use super::kernels::{self, KERNELS, KernelWriter, PARTIAL};
use super::open_files::Files;
use super::probes::{PROBES, Probes};
use super::table_writer::kind;
use super::tables::{EVENTS, LEDGER, ROW_TABLES};
use super::writer::RunFolder;
use crate::run::{Block, BlockMetrics, Outputs, Row, RunInfo, Snapshot};
use crate::spec::Spec;
use crate::storage::format::errors::FolderError;
use crate::storage::format::{atomic, disk};

/// A folder for the record of a watched training, and what it holds of it already.
pub struct Continued {
    pub folder: RunFolder,
    pub kept: KeptSteps,
}

/// What a record of a watched training holds already.
#[derive(Clone, Debug, Default)]
pub struct KeptSteps {
    /// The steps that are there, each with its mark and the task that began at it or was being trained.
    pub saved: Vec<(u64, u64, usize)>,
    /// Number and first step of each task that has begun.
    pub tasks: Vec<(usize, u64)>,
    /// Their Grams.
    pub grams: Option<Grams>,
}

/// What a cut has left.
pub(crate) struct Cut {
    /// Grams.
    pub(crate) kept: usize,
    saved: Vec<(u64, u64, usize)>,
    tasks: Vec<(usize, u64)>,
}

/// Opens the folder `out` for the record of a watched training with these facts: a new one, or one that goes on.
///
/// # Errors
/// When something else is in the folder, unless it is a run and `overwrite` says to replace it, or it cannot be written.
pub fn continue_watched(out: &Path, run: &Arc<RunInfo>, overwrite: bool) -> Result<Continued, FolderError> {
    let fresh = |overwrite: bool| {
        let folder = create(out, &run.spec, overwrite)?.folder;
        Ok(Continued { folder, kept: KeptSteps::default() })
    };
    if overwrite || !out.join(RUN).is_file() {
        return fresh(overwrite);
    }
    let lock = lock(out)?;
    let stored = StoredInfo::read(&out.join(INFO)).unwrap_or_default();
    let same = Spec::read(&out.join(RUN)).is_ok_and(|spec| spec.same_run(&run.spec)) && stored.watched;
    if !same {
        return Err(FolderError::OtherTraining(out.to_owned()));
    }
    let probes = Probes::read(&out.join(PARTIAL).join(PROBES)).or_else(|_| Probes::read(&out.join(KERNELS)));
    match probes {
        Ok(probes) if probes.probes == run.probes && probes.values == *run.probe_values => {}
        Ok(_) => return Err(FolderError::OtherTraining(out.to_owned())),
        // It was killed before its first files were there.
        Err(_) => {
            drop(lock);
            return fresh(true);
        }
    }
    atomic::sweep(out);
    atomic::sweep(&out.join(PARTIAL));
    unpack(out, run)?;
    let Cut { kept, saved, tasks } = cut(out, None)?;
    let grams = kernels::open(out, |_| {}).and_then(|(_, source)| source.heads(|_| {}, |_| {}));
    let files = Files::go_on(out, run, kept)?;
    let folder = RunFolder::going_on(out.to_owned(), run.spec.clone(), Arc::clone(run), files, lock);
    Ok(Continued { folder, kept: KeptSteps { saved, tasks, grams } })
}

/// Takes an assembled archive apart again, so that more Grams can follow. It is there until all of them are.
fn unpack(out: &Path, run: &RunInfo) -> Result<(), FolderError> {
    let (partial, archive) = (out.join(PARTIAL), out.join(KERNELS));
    if !archive.exists() {
        return Ok(());
    }
    if kernels::count_of(&archive) > kernels::parts(&partial).len() || !partial.join(PROBES).exists() {
        let Some((_, source)) = kernels::open(out, |_| {}) else { return Ok(()) };
        let mut writer = KernelWriter::start(partial, run, super::kernel_budget::Budget::new(None))?;
        let mut failed = None;
        source.each(
            |part| {
                if failed.is_none() {
                    writer.push(Arc::new(snapshot(part)));
                    failed = writer.flush().err();
                }
            },
            |sentence| log::info!("{}: {sentence}", out.display()),
        );
        if let Some(err) = failed {
            return Err(err);
        }
    }
    atomic::remove(&archive)
}

/// A Gram that was read as what the writer takes. Its tables are written already.
fn snapshot(part: Part) -> Snapshot {
    let step = u64::try_from(part.step).unwrap_or(0);
    let mut row = Row::bare(step, part.epoch, usize::try_from(part.task).unwrap_or(0));
    let lag_steps = part.lag.and_then(|lag| u64::try_from(lag).ok()).filter(|lag| *lag > 0);
    row.blocks = vec![BlockMetrics { lag_steps, ..BlockMetrics::bare(Block::All) }];
    Snapshot {
        row,
        gram: part.gram.into(),
        tensors: Arc::default(),
        eigenvalues: part.eigenvalues,
        block_eigenvalues: vec![part.block_eigenvalues],
        outputs: Outputs::from_arrays(&part.outputs).map(Arc::new),
    }
}

/// Cuts the files of a folder to the last step that is whole, and with `below` to the last one before that.
pub(crate) fn cut(out: &Path, below: Option<u64>) -> Result<Cut, FolderError> {
    let events = out.join(EVENTS);
    let Events { end, saved, tasks } = Events::read(&events, below).map_err(|err| FolderError::write(&events, err))?;
    let last = saved.last().map(|(step, ..)| *step);
    // First: from here on the rest of what is told of later steps means nothing.
    truncate(&events, end)?;
    for name in ROW_TABLES.iter().map(|table| table.name).chain([LEDGER]) {
        let path = out.join(name);
        let end = end_of_rows(&path, last).map_err(|err| FolderError::write(&path, err))?;
        truncate(&path, end)?;
    }
    atomic::remove(&out.join(files::MODEL))?;
    let partial = out.join(PARTIAL);
    let mut parts = kernels::parts(&partial);
    let n = Probes::read(&partial.join(PROBES)).map_or(0, |probes| probes.probes.len());
    while let Some(path) = parts.last() {
        let is_kept = Part::read(path, n, false)
            .is_ok_and(|part| last.is_some_and(|last| i128::from(part.step) <= i128::from(last)));
        if is_kept {
            break;
        }
        atomic::remove(path)?;
        parts.pop();
    }
    Ok(Cut { kept: parts.len(), saved, tasks })
}

/// What `events.csv` says of the steps that were taken.
struct Events {
    /// Bytes up to the end of the last line that counts.
    end: u64,
    saved: Vec<(u64, u64, usize)>,
    tasks: Vec<(usize, u64)>,
}

impl Events {
    fn read(path: &Path, below: Option<u64>) -> io::Result<Self> {
        let (mut end, mut saved, mut tasks, mut begun) = (0, Vec::new(), Vec::new(), Vec::new());
        for_each_line(path, |number, line, after| {
            let mut cells = line.splitn(4, ',');
            let (step, _, event, detail) = (cells.next(), cells.next(), cells.next(), cells.next());
            let step = step.and_then(|step| step.parse::<u64>().ok());
            match (event, step, detail) {
                _ if number == 0 => end = after,
                (Some(kind::TASK), Some(step), Some(task)) => begun.extend(task.parse().ok().map(|task| (task, step))),
                (Some(kind::SAVED), Some(step), _) if below.is_some_and(|below| step >= below) => return false,
                (Some(kind::SAVED), Some(step), Some(mark)) => {
                    let Ok(mark) = mark.parse() else { return true };
                    tasks.clone_from(&begun);
                    saved.push((step, mark, begun.last().map_or(1, |(task, _)| *task)));
                    end = after;
                }
                _ => {}
            }
            true
        })?;
        Ok(Self { end, saved, tasks })
    }
}

/// Bytes up to the end of the last line of a table that is of a step up to this one.
fn end_of_rows(path: &Path, last: Option<u64>) -> io::Result<u64> {
    let mut end = 0;
    for_each_line(path, |number, line, after| {
        let step = line.split(',').next().and_then(|step| step.parse::<u64>().ok());
        let is_kept = number == 0 || step.is_some_and(|step| last.is_some_and(|last| step <= last));
        if is_kept {
            end = after;
        }
        is_kept
    })?;
    Ok(end)
}

/// Calls `take` with the number of each whole line, its text, and the place where it ends, until that says no.
fn for_each_line(path: &Path, mut take: impl FnMut(usize, &str, u64) -> bool) -> io::Result<()> {
    let mut file = BufReader::new(disk::open(path)?);
    let (mut line, mut after, mut number) = (String::new(), 0, 0);
    loop {
        line.clear();
        let bytes = file.read_line(&mut line)?;
        if !line.ends_with('\n') {
            return Ok(());
        }
        after += bytes as u64;
        if !take(number, line.trim_end(), after) {
            return Ok(());
        }
        number += 1;
    }
}

fn truncate(path: &Path, end: u64) -> Result<(), FolderError> {
    let cut = || {
        let file: File = OpenOptions::new().write(true).open(path)?;
        if file.metadata()?.len() > end {
            disk::step(path)?;
            file.set_len(end)?;
        }
        Ok(())
    };
    cut().map_err(|err: io::Error| FolderError::write(path, err))
}
