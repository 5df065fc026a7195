//! Writes down what becomes of each run of a study, a line each time: who began it, and how that went. A run that fails before
//! it has a folder has its reason here.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use super::StudyFolder;
use crate::storage::claim::this_process;
use crate::storage::format::disk;
use crate::storage::format::errors::FolderError;

/// The folder of the logs, one a run; batch systems write theirs into it too.
pub const LOGS: &str = "log";

/// The log of one run.
#[derive(Clone, Debug)]
pub struct RunLog(PathBuf);

/// What a line of a log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogEntry {
    Began,
    Ended,
    Stopped,
    Failed(String),
}

impl LogEntry {
    fn text(&self) -> String {
        match self {
            Self::Began => "began".to_owned(),
            Self::Ended => "ended".to_owned(),
            Self::Stopped => "stopped".to_owned(),
            Self::Failed(why) => format!("{FAILED}{}", disk::one_line(why)),
        }
    }
}

const FAILED: &str = "failed: ";

impl StudyFolder {
    /// Makes the folder of the logs, also for those of a batch system, which would not make it.
    pub fn make_logs(&self) -> Result<(), FolderError> {
        let folder = self.folder().join(LOGS);
        disk::make_folder(&folder).map_err(|err| FolderError::write(&folder, err))
    }
}

impl RunLog {
    /// Returns the log of a run of this study.
    pub fn of(study: &StudyFolder, place: usize) -> Self {
        Self(study.folder().join(LOGS).join(format!("{}.log", study.runs()[place].folder)))
    }

    /// Returns its file.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Adds a line. A log that cannot be written costs no run: the program's own log says so.
    pub fn note(&self, entry: &LogEntry) {
        let time = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
        let line = format!("{time} {}: {}\n", this_process(), entry.text());
        let write = || {
            self.0.parent().map_or(Ok(()), disk::make_folder)?;
            disk::append(&mut OpenOptions::new().create(true).append(true).open(&self.0)?, &self.0, line.as_bytes())
        };
        if let Err(err) = write() {
            log::warn!("cannot write {}: {}", self.0.display(), disk::words(&err));
        }
    }

    /// Returns why the run failed, if the last line says so.
    pub fn failure(&self) -> Option<String> {
        let text = disk::text(&self.0).ok()?;
        let (_, what) = text.lines().next_back()?.split_once(": ")?;
        what.strip_prefix(FAILED).map(str::to_owned)
    }
}
