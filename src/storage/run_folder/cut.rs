//! Cuts the files of a watched training to the last step that is whole, or to one before.
//!
//! Guarantees: a line `saved` of `events.csv` reaches the file after every other record of its step, so everything up to the last
//! of these lines is whole; the events are cut first, so that after a kill the same cut is made again.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;

use super::files;
use super::kernel_part::Part;
use super::kernels::{self, PARTIAL};
use super::probes::{PROBES, Probes};
use super::table_writer::kind;
use super::tables::{EVENTS, LEDGER, ROW_TABLES};
use crate::storage::format::errors::FolderError;
use crate::storage::format::{atomic, disk};

/// Reports what a cut has left.
pub(crate) struct Cut {
    /// The steps that remain, each with its mark and the task that began at it or was being trained.
    pub(crate) saved: Vec<(u64, u64, usize)>,
    /// Number and first step of each task that has begun.
    pub(crate) tasks: Vec<(usize, u64)>,
}

/// Cuts the files of a folder to the last step that is whole, and with `below` to the last one before that.
pub(crate) fn cut(out: &Path, below: Option<u64>) -> Result<Cut, FolderError> {
    let events = out.join(EVENTS);
    let Events { end, saved, tasks } = Events::read(&events, below).map_err(|err| FolderError::write(&events, err))?;
    let last = saved.last().map(|(step, ..)| *step);
    // First: from here on the other records of later steps mean nothing.
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
    Ok(Cut { saved, tasks })
}

/// Holds what `events.csv` records of the steps that were taken.
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
