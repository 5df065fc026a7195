//! What the user wants, as data: one [`Action`] for all of the window, with a part for each feature.
//!
//! Functions that draw push actions and change nothing; `update` carries them out in one place, between frames. What an action
//! needs is in the action: nothing here knows of the state that it changes.

use std::path::PathBuf;

use egui_tiles::LinearDir;

use crate::spec::{NetworkSpec, Preset};
use crate::ui::export::action::ExportAction;
use crate::ui::lessons::action::LessonAction;
use crate::ui::overlays::action::OverlayAction;
use crate::ui::playback::action::PlaybackAction;
use crate::ui::shell::toast::Toast;
use crate::ui::study::action::StudyAction;
use crate::worker::Command;

/// A message from the views to the window. Views push these while they draw; the window applies them before the next frame.
#[derive(Clone, Debug)]
pub enum Action {
    Run(RunAction),
    Playback(PlaybackAction),
    View(ViewAction),
    Settings(SettingsAction),
    Overlay(OverlayAction),
    Study(StudyAction),
    Lesson(LessonAction),
    Export(ExportAction),
    Shell(ShellAction),
}

/// Starts, changes and ends the run.
#[derive(Clone, Debug)]
pub enum RunAction {
    /// Start a run of what the settings say, with their seed.
    Start,
    /// Start a run of them with this learning rate.
    RestartAt(f64),
    /// Start a run of them with another seed.
    NewSeed,
    /// Take the settings of a preset and start it.
    Load(&'static Preset),
    /// Start a run of this network, with all other settings as they are.
    Apply(Box<NetworkSpec>),
    /// Pause the run, let it go on, or start one where none goes on.
    PauseOrResume,
    /// Train a paused run on one mini-batch.
    Step,
    /// End the task that is being trained.
    SwitchTask,
    /// End the run.
    Stop,
    /// Keep the state of the run, and let the futures that are chosen go on from it.
    Fork,
    /// Fork at the next switch, and not here.
    ForkAtSwitch(bool),
    /// Choose a future for the next fork by its name, or let go of it.
    ChooseFuture(String, bool),
    /// Let go of one of the futures of a fork, by its place.
    RemoveFuture(usize),
    /// Send the run this command; it acts between two steps.
    Send(Command),
    /// Forget the run that is shown faintly.
    ForgetReference,
}

/// Changes where the views stand.
#[derive(Clone, Copy, Debug)]
pub enum ViewAction {
    /// Put the view of this title on screen. A view is named by its title, as in presets, lessons and layouts: whoever asks for one
    /// need not know all of them.
    Bring(&'static str),
    /// Give the window to the view that is meant, or put it back.
    Enlarge,
    /// Give the view that is meant more room in this direction, or less.
    Resize(LinearDir, bool),
    /// Put the usual views back into places of the usual size.
    ResetLayout,
}

/// Changes the settings as a whole.
#[derive(Clone, Copy, Debug)]
pub enum SettingsAction {
    Undo,
    Redo,
    /// Let the settings be those of the run again.
    Revert,
    /// Choose the folder of the data set.
    ChooseFolder,
}

/// Concerns the window itself.
#[derive(Clone, Debug)]
pub enum ShellAction {
    /// Show a message that needs no answer.
    Say(Toast),
    /// Show this file or folder in the system's file manager.
    Reveal(PathBuf),
    /// Show the folder with the log.
    RevealLog,
    /// Hide the banner.
    DismissBanner,
    /// Open the command palette, or close it.
    TogglePalette,
    /// Open the help page, or close it.
    ToggleHelp,
    /// Take the next theme.
    NextTheme,
    /// Begin the presentation, or end it.
    TogglePresentation,
    /// Draw everything so many tenths larger.
    ScaleBy(f32),
    /// Draw everything at 100 %.
    ResetScale,
}

macro_rules! part_of_action {
    ($($part:ident($of:ty)),* $(,)?) => {$(
        impl From<$of> for Action {
            fn from(action: $of) -> Self {
                Self::$part(action)
            }
        }
    )*};
}

part_of_action!(
    Run(RunAction),
    Playback(PlaybackAction),
    View(ViewAction),
    Settings(SettingsAction),
    Overlay(OverlayAction),
    Study(StudyAction),
    Lesson(LessonAction),
    Export(ExportAction),
    Shell(ShellAction),
);
