//! Declares the messages from views to the window: one enum, [`Action`], with one part per feature.
//!
//! Drawing functions push actions and change nothing; `update` carries them out in one place, between frames. An action contains
//! everything that it needs: this module does not depend on the state that it changes.

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

/// Declares the parts of [`Action`], each with the type of its actions.
macro_rules! action {
    ($($part:ident($of:ty)),* $(,)?) => {
        /// A message from the views to the window. Views push these while they draw; the window applies them before the
        /// next frame.
        #[derive(Clone, Debug)]
        pub enum Action {
            $($part($of),)*
        }

        $(impl From<$of> for Action {
            fn from(action: $of) -> Self {
                Self::$part(action)
            }
        })*
    };
}

action!(
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

/// Starts, changes and ends the run.
#[derive(Clone, Debug)]
pub enum RunAction {
    /// Start a run of the settings, with their seed; where a training is watched, watch it from its first step.
    Start,
    /// Start a run of the settings, in place of the training that is watched.
    StartOwn,
    /// Start a run of the settings with this learning rate.
    RestartAt(f64),
    /// Start a run of the settings with another seed.
    NewSeed,
    /// Take the settings of a preset and start it.
    Load(&'static Preset),
    /// Start a run of this network, with all other settings as they are.
    Apply(Box<NetworkSpec>),
    /// Pause or resume the run; start one where none is live.
    PauseOrResume,
    /// Train a paused run on one mini-batch.
    Step,
    /// End the task that is being trained.
    SwitchTask,
    /// End the run.
    Stop,
    /// Snapshot the state of the run, and train the chosen futures from it.
    Fork,
    /// Fork at the next task switch instead of now.
    ForkAtSwitch(bool),
    /// Add a future to the next fork by its name, or remove it.
    ChooseFuture(String, bool),
    /// Stop and remove one of the futures of a fork, by its index.
    RemoveFuture(usize),
    /// Send this command to the run, which applies it between two steps.
    Send(Command),
    /// Remove the reference run, which is drawn faintly.
    ForgetReference,
}

/// Changes the layout of the views.
#[derive(Clone, Copy, Debug)]
pub enum ViewAction {
    /// Put the view of this title on screen. Views are identified by title, as in presets, lessons and layouts, so that the
    /// sender need not know all of them.
    Bring(&'static str),
    /// Enlarge the active view to the whole window, or put it back.
    Enlarge,
    /// Make the active view larger or smaller in this direction.
    Resize(LinearDir, bool),
    /// Restore the default views, places and sizes.
    ResetLayout,
}

/// Changes the settings as a whole.
#[derive(Clone, Copy, Debug)]
pub enum SettingsAction {
    Undo,
    Redo,
    /// Reset the settings to those of the run.
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
    /// Show the card with the lines that make a training one that can be watched, or hide it.
    ToggleWatchCard,
    /// Wait no longer for the folder of a training.
    StopAwaiting,
    /// Hide the banner.
    DismissBanner,
    /// Open the command palette, or close it.
    TogglePalette,
    /// Open the help page, or close it.
    ToggleHelp,
    /// Switch to the next theme.
    NextTheme,
    /// Begin the presentation, or end it.
    TogglePresentation,
    /// Paint nothing but black, or the window again.
    ToggleBlank,
    /// Change the scale of the user interface by this many tenths.
    ScaleBy(f32),
    /// Reset the scale of the user interface to 100 %.
    ResetScale,
}
