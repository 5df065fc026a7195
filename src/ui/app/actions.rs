//! What a user wishes: the list of wishes of a frame.
//!
//! Functions that draw push [`Action`]s and change nothing; `App` carries them out in one place, between frames.

use std::path::PathBuf;

use super::commands::UserCommand;
use super::open_runs::RunWish;
use crate::spec::{NetworkSpec, Preset};
use crate::ui::export::Order;
use crate::ui::lessons::TourWish;
use crate::ui::playback;
use crate::ui::shell::toasts::Toast;
use crate::ui::study::Wish;
use crate::ui::views::View;
use crate::worker::Command;

/// A wish of the user; carried out between frames.
#[derive(Clone, Debug)]
pub enum Action {
    User(UserCommand),
    /// Start a run of what the settings say, with their seed.
    Start,
    /// Start a run of them with this learning rate.
    RestartAt(f64),
    /// Take the settings of a preset and start it.
    Load(&'static Preset),
    /// Start a run of this network, with all other settings as they are.
    Apply(Box<NetworkSpec>),
    /// Tell the run; it acts between two steps.
    Live(Command),
    /// Put the time cursor there.
    Seek(f64),
    /// Move the stretch in view, in epochs.
    Pan(f64),
    /// Zoom in time about an epoch.
    Zoom {
        about: f64,
        factor: f64,
    },
    /// Show this stretch.
    Show(f64, f64),
    /// Put this view on screen.
    Bring(View),
    /// Of playback and marks.
    Travel(playback::Wish),
    /// Choose a folder for the data.
    ChooseFolder,
    /// Let the settings be those of the run again.
    Revert,
    /// Hide the banner.
    Dismiss,
    /// On the study page.
    Study(Wish),
    /// Forget the run that is shown faintly.
    ForgetReference,
    /// Tell the user something that needs no answer.
    Tell(Toast),
    /// Show this folder in the system's file manager.
    Reveal(PathBuf),
    /// Save a view as a picture or as numbers.
    Export(Order),
    /// Give the animation up.
    CancelAnimation,
    /// Of a lesson.
    Tour(TourWish),
    /// Fork at the next switch, and not here.
    ForkAtSwitch(bool),
    /// Choose a future for the next fork by its name, or let go of it.
    ChooseFuture(String, bool),
    /// Let go of one of the futures of a fork, by its place.
    RemoveFuture(usize),
    /// Open these folders and archives.
    Open(Vec<PathBuf>),
    /// With a run of the list.
    Runs(RunWish),
}

/// The wishes of one frame, in order.
#[derive(Debug, Default)]
pub struct Actions(Vec<Action>);

impl Actions {
    pub fn push(&mut self, action: Action) {
        self.0.push(action);
    }

    pub fn user(&mut self, command: UserCommand) {
        self.0.push(Action::User(command));
    }

    /// Takes all of them.
    pub fn take(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.0)
    }
}
