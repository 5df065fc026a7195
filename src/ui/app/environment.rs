//! Opens the user's data folder for the window: the log, autosaved runs, and messages about the last session.
//!
//! Guarantee: without a folder, as in tests, nothing is written and no message appears.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::display;
use crate::diagnostics::{VERSION, crash_report, log_file};
use crate::storage::{Autosave, CutOff, state_folder};
use crate::ui::overlays::RecentPath;
use crate::ui::shell::toast::{Toast, ToastButton};

/// Log, crash report and autosaved runs of the user.
#[derive(Debug, Default)]
pub struct Environment {
    /// The folder of log, crash reports and autosaved runs.
    pub folder: Option<PathBuf>,
    /// Saves the runs of the window.
    pub autosave: Option<Autosave>,
    /// The report of a crash that the user has not seen yet.
    pub crash: Option<PathBuf>,
    /// Whether another window of this user is open, which saves the window state.
    pub is_another: bool,
}

impl Environment {
    /// Opens the user's log, crash reports and autosaved runs; returns none of them where no folder is available.
    pub fn of_user() -> Self {
        let Some(folder) = state_folder() else {
            log_file::to_stderr();
            return Self::default();
        };
        Self::begin(&folder).unwrap_or_else(|err| {
            log_file::to_stderr();
            log::warn!("no log, no crash report and no autosaved run: {} cannot be written: {err}", folder.display());
            Self::default()
        })
    }

    fn begin(folder: &Path) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let crash = crash_report::unseen_report(folder);
        let (journal, log) = log_file::LogFile::open(folder)?;
        let journal = Arc::new(journal);
        journal.install();
        let (is_another, system) = (journal.is_another(), crash_report::system());
        log::info!("Kernelscope {VERSION}, process {}, on {system}", std::process::id());
        let autosave = Autosave::open(folder.join("autosave"));
        let autosaved = Box::new(autosave.current_folder());
        let is_the_displays = display::broke_it;
        crash_report::install_panic_hook(crash_report::ReportContext {
            folder: folder.to_owned(),
            log,
            journal,
            system,
            autosaved,
            is_the_displays,
        });
        Ok(Self { folder: Some(folder.to_owned()), autosave: Some(autosave), crash, is_another })
    }
}

impl Environment {
    /// Returns messages about the last session: a crash, and a run that was interrupted.
    pub fn messages(&self) -> impl Iterator<Item = Toast> {
        let run = self.autosave.as_ref().and_then(Autosave::cut_off);
        self.crash.clone().map(broke).into_iter().chain(run.map(cut_off))
    }

    /// Returns the runs that earlier windows autosaved, the oldest first.
    pub fn autosaved(&self) -> impl Iterator<Item = RecentPath> {
        let kept = self.autosave.iter().flat_map(Autosave::earlier).rev();
        kept.map(|(name, path)| RecentPath { name: name.clone(), path: path.clone(), autosaved: true })
    }
}

fn broke(report: PathBuf) -> Toast {
    let toast = Toast::failed(format!("Kernelscope broke the last time: the report is in {}", report.display()));
    toast.with_button("Open report", ToastButton::Reveal(report))
}

fn cut_off(run: &CutOff) -> Toast {
    let CutOff { folder, name, epoch } = run;
    Toast::offer(format!("The last run ({name}, epoch {epoch:.2}) was cut off; its results so far are kept"))
        .with_folder(folder)
        .with_button("Open it", ToastButton::Open(folder.clone()))
}
