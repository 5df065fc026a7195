//! Opens a folder for a new run, or for one that was cut off.
//!
//! Guarantees: a refusal is one sentence, and comes before anything is written; nothing that is there is lost unless the caller says so,
//! and even then only files of our own names go.

use std::fs::{self, File, TryLockError};
use std::path::Path;

use super::folder::{Before, FolderError, RESUMED, RUN, RunFolder, remove_run};
use super::tables::{EVENTS, Lines, METRICS, ending_of, kind};
use super::{Ending, atomic, figures, kernels};
use crate::spec::{Change, Spec};

/// A folder ready to take a run.
pub struct Opened {
    pub folder: RunFolder,
    /// How many snapshots the run had that was cut off here and now starts over; `None` for a new run.
    pub resumed: Option<usize>,
}

/// Opens the folder `out` for a run of this spec; [`RunFolder::spec`] is then the one to run.
///
/// An existing folder with something in it is refused, unless it holds an unfinished run of the same spec: because a run
/// repeats bit for bit, this one starts over, with the live changes that were saved. `overwrite` replaces whatever run is there.
/// Nothing but the folder itself is made or removed before the run has started.
pub fn create(out: &Path, spec: &Spec, overwrite: bool) -> Result<Opened, FolderError> {
    if out.exists() && !out.is_dir() {
        return Err(FolderError::IsFile(out.to_owned()));
    }
    let missing = !out.exists();
    fs::create_dir_all(out).map_err(|err| FolderError::write(out, err))?;
    let lock = lock(out)?;
    let mut entries = fs::read_dir(out).map_err(|err| FolderError::write(out, err))?;
    let mut spec = spec.clone();
    let before = if missing {
        Before::Missing
    } else if entries.next().is_none() {
        Before::Empty
    } else if overwrite {
        Before::Replace
    } else {
        spec.changes = changes_of_same_run(out, &spec).ok_or_else(|| FolderError::NotEmpty(out.to_owned()))?;
        if matches!(ending(out), Some(Ending::Finished { .. })) {
            return Err(FolderError::Finished(out.to_owned()));
        }
        Before::CutOff(snapshots(out))
    };
    let resumed = if let Before::CutOff(snapshots) = before { Some(snapshots) } else { None };
    // Now, and not after a quarter of an hour of training.
    tempfile::tempfile_in(out).map_err(|err| FolderError::write(out, err))?;
    Ok(Opened { folder: RunFolder::new(out.to_owned(), spec, before, lock), resumed })
}

/// Whether this run is in the folder and has come to its end, as planned or because it diverged: a second time would be the same.
/// An error where something else is there.
pub fn is_done(out: &Path, spec: &Spec) -> Result<bool, FolderError> {
    let empty = fs::read_dir(out).map_or(true, |mut entries| entries.next().is_none());
    if empty {
        return Ok(false);
    }
    changes_of_same_run(out, spec).ok_or_else(|| FolderError::NotEmpty(out.to_owned()))?;
    Ok(matches!(ending(out), Some(Ending::Finished { .. } | Ending::Diverged { .. })))
}

/// Puts the Grams of a run that was killed together, as its end would have done; not while it still runs.
pub fn tidy(run: &Path) -> Result<(), FolderError> {
    let _lock = lock(run)?;
    kernels::assemble(run)
}

/// Keeps two programs from writing the same folder, where the system can lock a folder. The lock goes with the program.
pub(super) fn lock(out: &Path) -> Result<Option<File>, FolderError> {
    let Ok(folder) = File::open(out) else { return Ok(None) };
    match folder.try_lock() {
        Ok(()) => Ok(Some(folder)),
        Err(TryLockError::WouldBlock) => Err(FolderError::Busy(out.to_owned())),
        // A file system without locks is no reason not to run.
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

/// Removes the run that is there, and figures drawn of it, which would otherwise stand beside another run.
pub(super) fn clear(out: &Path) -> Result<(), FolderError> {
    remove_run(&out.join(RESUMED), true)?;
    remove_run(out, false)?;
    figures::file_names().try_for_each(|name| atomic::remove(&out.join(figures::FOLDER).join(name)))
}

/// The live changes of the run in this folder, if it is one of this spec.
fn changes_of_same_run(out: &Path, spec: &Spec) -> Option<Vec<Change>> {
    let saved = Spec::read(&out.join(RUN)).ok()?;
    let planned = Spec { changes: spec.changes.clone(), ..saved.clone() };
    let known = spec.changes.iter().all(|change| saved.changes.contains(change));
    (planned.same_run(spec) && known).then_some(saved.changes)
}

/// How the run in this folder ended; `None` when it was cut off.
pub(super) fn ending(out: &Path) -> Option<Ending> {
    let mut lines = Lines::open(&out.join(EVENTS)).ok()?;
    let columns = ["step", "event", "detail"].map(|name| lines.column(name));
    let mut last = None;
    while let Some(line) = lines.next() {
        last = line;
    }
    let line = last?;
    let [step, event, detail] = columns.map(|column| line.get(column?));
    (event? == kind::ENDED).then(|| ending_of(step?.parse().ok()?, detail?))?
}

/// How many snapshots the run in this folder has.
fn snapshots(out: &Path) -> usize {
    let Ok(mut lines) = Lines::open(&out.join(METRICS)) else { return 0 };
    let block = lines.column("block");
    let mut count = 0;
    while let Some(line) = lines.next() {
        count += usize::from(line.is_some_and(|line| block.and_then(|block| line.get(block)) == Some("all")));
    }
    count
}
