//! Decides which commands are available; buttons, keys, the menu and the palette all use it, so that they cannot disagree.

use super::commands::{Group, UserCommand, When};
use super::current_run::CurrentRun;
use super::environment::Environment;
use super::session::Session;
use super::settings_draft::SettingsDraft;
use crate::ui::export::Exports;
use crate::ui::kit::appearance::Appearance;
use crate::ui::lessons::Lessons;
use crate::ui::overlays::Overlays;
use crate::ui::playback::SharedTime;
use crate::ui::study::StudyPage;
use crate::ui::views::Grid;

/// The read-only state that decides which commands can be carried out.
#[derive(Clone, Copy)]
pub struct Situation<'a> {
    pub settings: &'a SettingsDraft,
    pub run: &'a CurrentRun,
    pub time: &'a SharedTime,
    pub views: &'a Grid,
    pub overlays: &'a Overlays,
    pub study: &'a StudyPage,
    pub lessons: &'a Lessons,
    pub exports: &'a Exports,
    pub appearance: Appearance,
    pub environment: &'a Environment,
    /// Whether the help page is open, and the card about watching.
    pub help: bool,
    pub watch_card: bool,
}

impl Situation<'_> {
    /// Returns whether a command can be carried out now.
    pub fn can(&self, command: UserCommand) -> bool {
        let on_its_page = matches!(command.group(), Group::Window | Group::File) || !self.study.shown;
        on_its_page && self.holds(command.when())
    }

    fn holds(&self, when: When) -> bool {
        let session = self.run.session.as_ref();
        let is_live = session.is_some_and(Session::is_live);
        let is_watched = self.is_watched();
        let is_startable = self.settings.checked.problems.is_empty();
        let (history, marks) = (self.run.history(), &self.time.travel.marks);
        let cursor = || self.time.clock.cursor(history);
        match when {
            When::Always => true,
            When::SomethingWasClosed => self.overlays.closed(session).next().is_some(),
            When::AnimationIsPossible => {
                !self.study.shown && self.exports.film().is_none() && history.snapshots().len() > 1
            }
            When::Startable => is_startable || is_watched,
            When::OwnStartable => is_startable && !is_watched,
            When::LiveOrStartable => is_live || is_startable || is_watched,
            When::NotWatched => !is_watched,
            When::Paused => !is_watched && session.is_some_and(Session::is_paused),
            When::TaskToCome => !is_watched && is_live && session.is_some_and(Session::has_task_to_come),
            When::Stoppable => is_live && !session.is_some_and(Session::is_stopping),
            When::AnySnapshot => !history.snapshots().is_empty(),
            When::AnySnapshotAtTheDesk => !history.snapshots().is_empty() && !self.appearance.presents(),
            When::Presenting => self.appearance.presents(),
            When::SeveralSnapshots => history.snapshots().len() > 1,
            When::MarkBefore => marks.before(cursor()).is_some(),
            When::MarkAfter => marks.after(cursor()).is_some(),
            When::SeveralViews => self.views.enlarged().is_none() && self.views.on_screen().len() > 1,
            When::SettingsChanged => self.settings.has_undo(),
            When::SettingsTakenBack => self.settings.has_redo(),
            When::LogExists => self.environment.folder.is_some(),
            When::LessonCanGoOn => self.lessons.can_go_on(),
            When::LessonCanGoBack => self.lessons.can_go_back(),
        }
    }

    /// Returns whether another program trains what is shown.
    fn is_watched(&self) -> bool {
        self.run.session.as_ref().is_some_and(|session| session.watched.is_some())
    }

    /// Returns whether a toggle command is on.
    pub fn is_on(&self, command: UserCommand) -> bool {
        match command {
            UserCommand::LightExports => self.exports.light,
            UserCommand::Presentation => self.appearance.presents(),
            UserCommand::Runs => self.overlays.open,
            UserCommand::WatchTraining => self.watch_card,
            UserCommand::Help => self.help,
            UserCommand::Enlarge => self.views.enlarged().is_some(),
            UserCommand::Follow => self.time.clock.is_following(),
            UserCommand::Page => self.study.shown,
            _ => false,
        }
    }

    /// Returns why a command cannot be carried out now, or `None` where it can.
    pub fn refusal(&self, command: UserCommand) -> Option<&'static str> {
        if self.can(command) {
            return None;
        }
        Some(match command.when() {
            _ if self.study.shown && command.group() != Group::Window => "this is of the page of the run",
            When::Paused | When::TaskToCome | When::OwnStartable | When::NotWatched if self.is_watched() => {
                "another program trains this run"
            }
            When::SomethingWasClosed => "nothing else was open",
            When::Paused => "only while the run is paused",
            When::TaskToCome => "no task is to come",
            When::Startable | When::OwnStartable | When::LiveOrStartable => "the settings cannot start",
            When::Stoppable => "no run goes on",
            When::SettingsChanged => "nothing was changed",
            When::SettingsTakenBack => "nothing was taken back",
            When::Presenting => "only in the presentation",
            _ => "nothing is selected that it applies to",
        })
    }
}
