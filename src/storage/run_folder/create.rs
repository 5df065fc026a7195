//! Opens a folder for a new run, or for one that was cut off.
//!
//! Guarantees: a refusal is one sentence, and comes before anything is written; no existing file is lost unless the
//! caller allows it, and even then only files with names of this program are removed.

use std::fs;
use std::path::Path;

use super::completeness::{snapshots, whole_ending};
use super::files::{RESUMED, RUN, STUDY, files};
use super::kernels::{KERNELS, PARTIAL};
use super::resume;
use super::writer::{PreviousContent, RunFolder};
use crate::run::Ending;
use crate::spec::Spec;
use crate::storage::claim;
use crate::storage::format::errors::FolderError;
use crate::storage::format::{atomic, disk};

/// A folder ready to take a run.
pub struct Opened {
    pub folder: RunFolder,
    /// The number of snapshots of the run that was cut off here and now starts over; `None` for a new run.
    pub resumed: Option<usize>,
    /// The unfinished work of a killed process that was completed, one sentence each.
    pub repairs: Vec<String>,
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
    disk::make_folder(out).map_err(|err| FolderError::write(out, err))?;
    let claim = claim::claim(out)?;
    let (mut spec, mut mended) = (spec.clone(), Vec::new());
    // Looked at under the claim: another process may have made the folder and done the run since it was found missing.
    let before = if atomic::is_bare(out) {
        if missing { PreviousContent::Missing } else { PreviousContent::Empty }
    } else if overwrite {
        check_replaceable(out)?;
        PreviousContent::Replace
    } else {
        let saved = || same_run(out, &spec).ok_or_else(|| FolderError::NotEmpty(out.to_owned()));
        saved()?;
        // Only once it is known to be the same run: a refusal leaves everything as it was.
        mended = resume::finish(out)?;
        // Read again, because a resumed run may have replaced the one that was cut off.
        let found = saved()?;
        spec.changes = found.changes;
        spec.network.weights_hash = found.network.weights_hash;
        // Where the file is another one by now, only a run file may say that the copy is meant.
        if spec.network.weights.as_ref().is_some_and(|weights| !weights.exists()) {
            spec.network.weights_copy = found.network.weights_copy;
        }
        if matches!(whole_ending(out), Some(Ending::Finished { .. })) {
            return Err(FolderError::Finished(out.to_owned()));
        }
        PreviousContent::CutOff(snapshots(out))
    };
    let resumed = if let PreviousContent::CutOff(snapshots) = before { Some(snapshots) } else { None };
    // Checked now, and not after a quarter of an hour of training.
    atomic::check_folder(out).map_err(|err| FolderError::write(out, err))?;
    Ok(Opened { folder: RunFolder::new(out.to_owned(), spec, before, claim), resumed, repairs: mended })
}

/// Checks that a run may replace the contents of this folder: they must be a run whose files are all regular. A run may
/// be written beside files of other programs, but not in place of them.
fn check_replaceable(out: &Path) -> Result<(), FolderError> {
    if out.join(STUDY).exists() {
        return Err(FolderError::Study(out.to_owned()));
    }
    let is_run = Spec::read(&out.join(RUN)).is_ok();
    for name in files().chain([KERNELS]) {
        let path = out.join(name);
        let is_ours = |found: fs::Metadata| is_run && found.is_file();
        if fs::symlink_metadata(&path).is_ok_and(|found| !is_ours(found)) {
            return Err(FolderError::NoRun(path));
        }
    }
    let folders = [PARTIAL, RESUMED].map(|name| out.join(name));
    match folders.into_iter().find(|path| fs::symlink_metadata(path).is_ok_and(|found| !(is_run && found.is_dir()))) {
        Some(path) => Err(FolderError::NoRun(path)),
        None => Ok(()),
    }
}

/// Returns whether this run is in the folder and has ended, as planned or because it diverged: repeating it would give
/// the same. An error where the folder holds something else.
pub fn is_done(out: &Path, spec: &Spec) -> Result<bool, FolderError> {
    if atomic::is_bare(out) {
        return Ok(false);
    }
    same_run(out, spec).ok_or_else(|| FolderError::NotEmpty(out.to_owned()))?;
    Ok(matches!(whole_ending(out), Some(Ending::Finished { .. } | Ending::Diverged { .. })))
}

/// Returns the run in this folder, with its live changes, if it is one of this spec.
fn same_run(out: &Path, spec: &Spec) -> Option<Spec> {
    let saved = Spec::read(&out.join(RUN)).ok()?;
    let planned = Spec { changes: spec.changes.clone(), ..saved.clone() };
    let known = spec.changes.iter().all(|change| saved.changes.contains(change));
    (planned.same_run(spec) && known).then_some(saved)
}
