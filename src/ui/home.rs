//! What the window knows of the folder that belongs to the user: where the log is, who autosaves runs, and what the program
//! has to say of the last time it ran.
//!
//! Guarantee: without one nothing is written and nothing is said, which is what tests have.

use std::path::PathBuf;

use super::actions::Action;
use super::app::App;
use super::toasts::Toast;
use crate::record::{Autosave, CutOff};

/// See the module.
#[derive(Debug, Default)]
pub struct Home {
    /// The folder of log, crash reports and autosaved runs.
    pub folder: Option<PathBuf>,
    /// Keeps the runs of the window.
    pub autosave: Option<Autosave>,
    /// The report of a crash of which the user has not been told.
    pub crash: Option<PathBuf>,
}

impl App {
    /// The same window, at home here; it says what is new.
    #[must_use]
    pub fn at_home(mut self, home: Home) -> Self {
        if let Some(report) = &home.crash {
            self.toasts.say(crash(report.clone()));
        }
        if let Some(run) = home.autosave.as_ref().and_then(Autosave::cut_off) {
            self.toasts.say(cut_off(run));
        }
        self.home = home;
        self
    }
}

fn crash(report: PathBuf) -> Toast {
    let toast = Toast::failed(format!("Kernelscope broke the last time: the report is in {}", report.display()));
    toast.with_button("Open report", Action::Reveal(report))
}

fn cut_off(run: &CutOff) -> Toast {
    let CutOff { folder, name, epoch } = run;
    Toast::offer(format!("The last run ({name}, epoch {epoch:.2}) was cut off; what it had is kept"))
        .with_folder(folder)
        .with_button("Open it", Action::Open(vec![folder.clone()]))
}
