//! Defines the errors of reading a file or writing a folder, each one sentence.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::disk;

/// The reasons why a run cannot be written; each prints as one sentence.
#[derive(Debug, Error)]
pub enum FolderError {
    #[error("cannot write {}: {why}", path.display())]
    Write { path: PathBuf, why: String },
    #[error("{} is a file: choose a folder for the run", .0.display())]
    IsFile(PathBuf),
    #[error("{} is a folder: choose a name for the file", .0.display())]
    IsFolder(PathBuf),
    #[error("{} exists: choose another name or give --overwrite", .0.display())]
    Exists(PathBuf),
    #[error("{} is no archive of kernels and no table of metrics that Kernelscope wrote: choose another name", .0.display())]
    NotOurs(PathBuf),
    #[error("{} holds a study: choose another folder for the run", .0.display())]
    Study(PathBuf),
    #[error("{} has the name of a run's file and is none: choose another folder", .0.display())]
    NoRun(PathBuf),
    #[error("{} is not empty and holds no unfinished run of this spec: choose another folder or give --overwrite", .0.display())]
    NotEmpty(PathBuf),
    #[error(
        "{} holds something else than the record of this training (its network or its probes differ): choose another folder or \
         give --overwrite",
        .0.display()
    )]
    OtherTraining(PathBuf),
    #[error("{} already holds this run, finished: choose another folder or give --overwrite", .0.display())]
    Finished(PathBuf),
    #[error(
        "{} is being written by another Kernelscope, {holder} ({}): wait for it or choose another folder",
        folder.display(),
        claim.display()
    )]
    Busy { folder: PathBuf, claim: PathBuf, holder: String },
    #[error(
        "{} is claimed by {holder}, of which this machine cannot know whether it still runs: it is free once {} has not been \
         renewed for ten minutes, or when you delete that file because the process is gone",
        folder.display(),
        claim.display()
    )]
    Claimed { folder: PathBuf, claim: PathBuf, holder: String },
    #[error("{}, without which nothing is written in this folder, cannot be made or kept: {why}", claim.display())]
    NoClaim { claim: PathBuf, why: String },
    #[error(
        "{} is gone or another process's by now: this one has stopped writing, and the same command goes on when the folder is free",
        .0.display()
    )]
    Lost(PathBuf),
}

impl FolderError {
    pub(crate) fn write(path: &Path, source: io::Error) -> Self {
        Self::Write { path: path.to_owned(), why: disk::words(&source) }
    }
}

/// Returns an error of unexpected data: a sentence, or a part of one that has named the file.
pub(crate) fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}
