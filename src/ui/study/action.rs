//! Lists the commands of the study page as data.

/// Changes the study page or the study that it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StudyAction {
    /// Show this page, or the run.
    Show(bool),
    /// Show the other of the two pages.
    Toggle,
    /// Run the remaining runs of the study.
    Start,
    /// End the runs in progress; finished ones stay.
    Cancel,
    /// Draw the figures into the study's folder.
    DrawFigures,
    /// Choose the study's folder.
    ChooseFolder,
    /// Take the settings of this run of the study to the run page.
    OpenRun(usize),
    /// Show the log of this run of the study.
    ShowLog(usize),
}
