//! Defines the names of the files of a run folder, and how the files are removed.
//!
//! Guarantee: only files with the names below are removed.

use std::io::Write as _;
use std::path::Path;

use super::info::INFO;
use super::kernels::{self, KERNELS, PARTIAL};
use super::tables::{EVENTS, LEDGER, ROW_TABLES};
use crate::spec::Spec;
use crate::storage::figure_files;
use crate::storage::format::errors::FolderError;
use crate::storage::format::{atomic, disk};

pub(crate) const RUN: &str = "run.toml";
/// The folder in which a resumed run is written until it has come as far as the one that was cut off.
pub(crate) const RESUMED: &str = "resume.partial";
pub(crate) const MODEL: &str = "model.safetensors";
/// The weights with which a run began, where it began from those of a file.
pub(crate) const INITIAL: &str = "initial.safetensors";
/// The spec of a study, with its section `[study]`. It marks the folder of a study, in whose place no run is written.
pub const STUDY: &str = "study.toml";

/// Returns the names of all files of a run folder but the Grams and the figures, which the figures command writes.
pub(crate) fn files() -> impl DoubleEndedIterator<Item = &'static str> {
    let tables = ROW_TABLES.iter().map(|table| table.name);
    [RUN, INFO].into_iter().chain(tables).chain([LEDGER, EVENTS, MODEL, INITIAL])
}

/// Returns whether this is the folder of a run.
pub fn is_run(folder: &Path) -> bool {
    folder.join(RUN).is_file()
}

pub(crate) fn write_spec(folder: &Path, spec: &Spec) -> Result<(), FolderError> {
    atomic::replace_for_good(&folder.join(RUN), |writer| writer.write_all(spec.to_toml().as_bytes()))
}

/// Removes the run in this folder, and its figures, which would otherwise stand beside another run.
pub(crate) fn clear(out: &Path) -> Result<(), FolderError> {
    figure_files::file_names().try_for_each(|name| atomic::remove(&out.join(figure_files::FOLDER).join(name)))?;
    remove_run(&out.join(RESUMED), true)?;
    remove_run(out, false)
}

/// Removes the files of a run, and only these; with `folder` also the folder, if nothing else is in it. `run.toml` goes
/// last: until then the folder is recognised as a run's.
pub(crate) fn remove_run(path: &Path, folder: bool) -> Result<(), FolderError> {
    kernels::remove_parts(&path.join(PARTIAL))?;
    atomic::remove(&path.join(KERNELS))?;
    files().rev().try_for_each(|name| atomic::remove(&path.join(name)))?;
    atomic::sweep(path);
    if folder {
        // A file of another program keeps the folder.
        disk::remove_empty(path);
    }
    Ok(())
}
