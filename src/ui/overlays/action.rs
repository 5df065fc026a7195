//! Declares the actions on runs that are opened.

use std::path::PathBuf;

/// Opens, shows and closes runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OverlayAction {
    /// Open the dialog for the folder of a run or of a study.
    AskForFolder,
    /// Open the dialog for an archive of kernels.
    AskForArchive,
    /// Open these folders and archives.
    Open(Vec<PathBuf>),
    /// Watch the training that writes into this folder.
    Watch(PathBuf),
    /// Reopen the run that was closed last.
    Reopen,
    /// Cancel what is being opened.
    StopOpening,
    /// Show the list of runs, or hide it.
    ToggleList,
    /// Show this run in all views.
    Show(u64),
    /// Put the view of two runs on screen.
    ShowBeside,
    /// Compare the main run with this one in the view of two runs, or with none.
    CompareWith(Option<u64>),
    /// Close this run.
    Close(u64),
    /// Close all runs.
    CloseAll,
}
