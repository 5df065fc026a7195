//! What can be done on the study page, as data.

/// Changes the study page or the study that it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StudyAction {
    /// Show this page, or the run.
    Show(bool),
    /// Show the other of the two pages.
    Toggle,
    /// Do what is left of the study.
    Start,
    /// End the runs in progress; what is done stays.
    Cancel,
    /// Draw the figures into the study's folder.
    DrawFigures,
    /// Choose the study's folder.
    ChooseFolder,
    /// Take the settings of this run of the study to the run page.
    OpenRun(usize),
}
