//! Completes the work that a kill left unfinished in a run folder, and replaces a run that was cut off by the resumed one.
//!
//! Guarantees: a resumed run replaces the old one as a whole. A mark ([`TAKES_OVER`]) is written before the first of its files
//! is moved; a process that finds the mark moves the rest and removes the mark last. Without the mark nothing was moved.

use std::path::Path;

use super::completeness;
use super::files::{RESUMED, files, is_run, remove_run};
use super::kernels;
use super::kernels::{KERNELS, PARTIAL};
use crate::storage::claim::{Claim, claim};
use crate::storage::figure_files;
use crate::storage::format::errors::FolderError;
use crate::storage::format::{atomic, disk};

/// The mark in the folder of the resumed run.
const TAKES_OVER: &str = "takes-over";

/// Moves the files of the complete resumed run over those of the old one.
pub(crate) fn take_over(out: &Path) -> Result<(), FolderError> {
    let staged = out.join(RESUMED);
    disk::sync_folder(&staged);
    atomic::replace_for_good(&staged.join(TAKES_OVER), |_| Ok(()))?;
    move_all(out)
}

fn move_all(out: &Path) -> Result<(), FolderError> {
    let (staged, failed) = (out.join(RESUMED), |path: &Path, err| FolderError::write(path, err));
    let (from, to) = (staged.join(PARTIAL), out.join(PARTIAL));
    // As long as this file is there, none was moved.
    if from.exists() {
        kernels::remove_parts(&to)?;
        disk::rename(&from, &to).map_err(|err| failed(&to, err))?;
    }
    atomic::remove(&out.join(KERNELS))?;
    for name in files() {
        let (from, to) = (staged.join(name), out.join(name));
        if from.exists() {
            disk::rename(&from, &to).map_err(|err| failed(&to, err))?;
        }
    }
    disk::sync_folder(out);
    atomic::remove(&staged.join(TAKES_OVER))?;
    remove_run(&staged, true)
}

/// Completes the work that a kill left unfinished in this claimed folder, and removes leftovers. Returns one sentence for
/// each thing done; none where the folder is no run's.
pub(crate) fn finish(out: &Path) -> Result<Vec<String>, FolderError> {
    let mut repairs = Vec::new();
    if !is_run(out) {
        return Ok(repairs);
    }
    let place = out.display();
    if out.join(RESUMED).join(TAKES_OVER).exists() {
        move_all(out)?;
        repairs.push(format!(
            "{place}: a resumed run was being put in its place when the program was killed; now it is there"
        ));
    }
    if completeness::ending(out).is_some() {
        repairs.extend(put_together(out)?);
        // Leftovers of an attempt to repeat a run that has ended.
        remove_run(&out.join(RESUMED), true)?;
    }
    for folder in [out.to_owned(), out.join(PARTIAL), out.join(figure_files::FOLDER)] {
        atomic::sweep(&folder);
    }
    Ok(repairs)
}

/// Repairs a folder like [`finish`], after claiming it.
///
/// # Errors
/// When another process writes it, or it cannot be written.
pub(crate) fn repair(run: &Path) -> Result<Vec<String>, FolderError> {
    if !is_run(run) {
        return Ok(Vec::new());
    }
    let _claim = claim(run)?;
    finish(run)
}

/// A consistent run folder that no other process writes while this value exists.
#[derive(Debug)]
pub struct RepairedFolder {
    /// The repairs that were made, one sentence each.
    pub repairs: Vec<String>,
    _claim: Option<Claim>,
}

/// Repairs a run that is not being written, as its own end or the next attempt would: completes unfinished work,
/// assembles its Grams for NumPy, and removes leftovers.
///
/// # Errors
/// When another process writes the folder, or it cannot be written.
pub fn tidy(run: &Path) -> Result<RepairedFolder, FolderError> {
    if !is_run(run) {
        return Ok(RepairedFolder { repairs: Vec::new(), _claim: None });
    }
    let claim = claim(run)?;
    let mut repairs = finish(run)?;
    remove_run(&run.join(RESUMED), true)?;
    repairs.extend(put_together(run)?);
    Ok(RepairedFolder { repairs, _claim: Some(claim) })
}

/// Assembles the Grams of a run that no process writes; small files that cannot all be read stay as they are.
fn put_together(run: &Path) -> Result<Option<String>, FolderError> {
    let partial = run.join(PARTIAL);
    if !partial.exists() {
        return Ok(None);
    }
    let (parts, place) = (kernels::parts(&partial).len(), run.display());
    if !kernels::can_be_read(&partial) {
        let sentence = format!("{place}: not all files in {PARTIAL} can be read, so they are not put together");
        return Ok((parts > 0).then_some(sentence));
    }
    let before = kernels::count_of(&run.join(KERNELS));
    let count = kernels::assemble(run)?;
    if count < parts {
        let sentence = format!("{place}: not all files in {PARTIAL} can be read, so they are kept beside {KERNELS}");
        return Ok(Some(sentence));
    }
    kernels::remove_parts(&partial)?;
    let sentence =
        format!("{place}: the run was cut off before its kernels were put together; {KERNELS} now has all {count}");
    Ok((count > 0 && before < count).then_some(sentence))
}
