//! Tells how each run of a study stands, from its folder alone: for those who look on while other processes fill it.

use std::fs;

use super::StudyFolder;
use super::log::RunLog;
use crate::run::Ending;
use crate::storage::claim::{Holder, holder_of};
use crate::storage::experiment_folder;
use crate::storage::run_folder::completeness::{ending, snapshots, whole_ending};
use crate::storage::run_folder::tables::METRICS;

/// How a run of a study stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunStatus {
    /// It has ended, as planned or because it diverged.
    Done { diverged: bool },
    /// A process that may be alive writes it.
    Running(Holder),
    /// It failed, for this reason.
    Failed(String),
    /// It was stopped in order, or cut off, after so many snapshots.
    Unfinished { snapshots: usize, stopped: bool },
    /// Nothing has been done.
    Waiting,
}

impl RunStatus {
    /// Describes it as part of a sentence.
    pub fn in_words(&self) -> String {
        match self {
            Self::Done { diverged: false } => "done".to_owned(),
            Self::Done { diverged: true } => "done: it diverged".to_owned(),
            Self::Running(holder) => format!("run by {}", holder.in_words()),
            Self::Failed(why) => format!("failed: {why}"),
            Self::Unfinished { snapshots, stopped } => {
                format!("{} after {snapshots} snapshots", if *stopped { "stopped" } else { "cut off" })
            }
            Self::Waiting => "not begun".to_owned(),
        }
    }
}

impl StudyFolder {
    /// Returns whether a run is done by now, whoever did it.
    pub fn is_done_by_now(&self, place: usize) -> bool {
        matches!(self.status(place), RunStatus::Done { .. })
    }

    /// Returns how a run stands now.
    pub fn status(&self, place: usize) -> RunStatus {
        let (folder, run) = (self.run_folder(place), &self.runs()[place]);
        let done = match &run.experiment {
            Some(asked) => experiment_folder::is_complete(&experiment_folder::points(&folder), asked)
                .then_some(RunStatus::Done { diverged: false }),
            None => match whole_ending(&folder) {
                Some(Ending::Finished { .. }) => Some(RunStatus::Done { diverged: false }),
                Some(Ending::Diverged { .. }) => Some(RunStatus::Done { diverged: true }),
                Some(Ending::Stopped { .. } | Ending::Failed { .. }) | None => None,
            },
        };
        if let Some(done) = done {
            return done;
        }
        if let Some(holder) = holder_of(&folder) {
            return RunStatus::Running(holder);
        }
        if let Some(why) = RunLog::of(self, place).failure() {
            return RunStatus::Failed(why);
        }
        let begun = match &run.experiment {
            Some(_) => experiment_folder::points(&folder).len(),
            None => snapshots(&folder),
        };
        match ending(&folder) {
            Some(Ending::Failed { message, .. }) => RunStatus::Failed(message),
            Some(Ending::Stopped { .. }) => RunStatus::Unfinished { snapshots: begun, stopped: true },
            _ if begun > 0 || fs::exists(folder.join(METRICS)).unwrap_or(false) => {
                RunStatus::Unfinished { snapshots: begun, stopped: false }
            }
            _ => RunStatus::Waiting,
        }
    }
}
