//! What can be done now: buttons, keys, the menu and the palette ask here, so that they cannot disagree.

use super::App;
use super::commands::{Group, UserCommand};
use super::session::Session;
use crate::ui::shell::top_bar::has_next;

impl App {
    /// Whether a command can be carried out now: buttons, keys and the menu ask here.
    pub fn can(&self, command: UserCommand) -> bool {
        let session = self.session.as_ref();
        let live = session.is_some_and(Session::is_live);
        let startable = self.checked.problems.is_empty();
        if !matches!(command.group(), Group::Window | Group::File) && self.study.shown {
            return false;
        }
        match command {
            UserCommand::ExportAnimation => {
                !self.study.shown && self.exports.film().is_none() && self.history().snapshots().len() > 1
            }
            UserCommand::Reopen => self.runs.closed(session).next().is_some(),
            UserCommand::PauseResume => live || startable,
            UserCommand::Step => session.is_some_and(Session::is_paused),
            UserCommand::SwitchTask => live && session.is_some_and(has_next),
            UserCommand::Wider | UserCommand::Narrower | UserCommand::Higher | UserCommand::Lower => {
                self.views.enlarged().is_none() && self.views.on_screen().len() > 1
            }
            UserCommand::Restart | UserCommand::NewSeed => startable,
            UserCommand::Undo => self.undo.has_undo(&self.draft),
            UserCommand::Redo => self.undo.has_redo(&self.draft),
            UserCommand::Stop => live && !session.is_some_and(Session::is_stopping),
            UserCommand::Log => self.home.folder.is_some(),
            UserCommand::Play
            | UserCommand::Mark
            | UserCommand::PreviousMark
            | UserCommand::NextMark
            | UserCommand::MomentA
            | UserCommand::MomentB => self.can_travel(command),
            UserCommand::TourNext => self.tours.can_go_on(),
            UserCommand::TourBack => self.tours.can_go_back(),
            _ => true,
        }
    }

    /// Whether a command that is its own opposite is on.
    pub(crate) fn is_on(&self, command: UserCommand) -> bool {
        match command {
            UserCommand::LightExports => self.exports.light,
            UserCommand::Presentation => self.looks.presents(),
            UserCommand::Runs => self.runs.open,
            UserCommand::Help => self.help,
            UserCommand::Enlarge => self.views.enlarged().is_some(),
            UserCommand::Follow => self.clock.is_following(),
            UserCommand::Page => self.study.shown,
            _ => false,
        }
    }

    /// Why a command cannot be carried out now; none where it can.
    pub(crate) fn refusal(&self, command: UserCommand) -> Option<&'static str> {
        if self.can(command) {
            return None;
        }
        Some(match command {
            _ if self.study.shown && command.group() != Group::Window => "this is of the page of the run",
            UserCommand::Reopen => "nothing else was open",
            UserCommand::Step => "only while the run is paused",
            UserCommand::SwitchTask => "no task is to come",
            UserCommand::PauseResume | UserCommand::Restart | UserCommand::NewSeed => "the settings cannot start",
            UserCommand::Stop => "no run goes on",
            UserCommand::Undo => "nothing was changed",
            UserCommand::Redo => "nothing was taken back",
            _ => "there is nothing to do it with",
        })
    }
}
