//! Travelling in time: the cursor plays over the past, moments are marked, and two of them are A and B. Training goes on.
//!
//! `playback` moves the cursor, `marks` holds the moments, `controls` draws both on the timeline; here is what their commands
//! do to the window.

pub mod clock;
mod controls;
mod marks;
mod player;

pub(super) use crate::ui::playback::controls::{WIDTH, colour, controls, flags};
pub use crate::ui::playback::marks::{Mark, Marks, Moment, Which};
pub use crate::ui::playback::player::{PER_SECOND, Playback, SPEEDS};

use super::app::App;
use super::app::commands::UserCommand;
use super::views::View;
use crate::run::History;
use crate::ui::playback::clock::Clock;

/// Over which stretch playback goes round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Round {
    /// It ends at the newest snapshot.
    #[default]
    Off,
    /// What is in view.
    View,
    /// From A to B.
    Moments,
}

/// A wish that needs more words than a command.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wish {
    /// One of [`SPEEDS`].
    Speed(f64),
    /// Remove the mark at this step.
    Remove(u64),
}

/// What the window knows of travelling in time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Travel {
    pub marks: Marks,
    pub playback: Playback,
    round: Round,
}

impl Travel {
    /// Forgets the moments of a run that is left; how fast and whether round stays.
    pub fn reset(&mut self) {
        self.marks.clear();
        self.playback.stop();
    }

    /// Round what playback goes: from A to B only while there are both.
    pub fn round(&self) -> Round {
        match self.round {
            Round::Moments if self.marks.both().is_none() => Round::Off,
            round => round,
        }
    }

    /// The next choice: nothing, what is in view, from A to B where there are both.
    pub fn turn(&mut self) {
        self.round = match self.round() {
            Round::Off => Round::View,
            Round::View if self.marks.both().is_some() => Round::Moments,
            _ => Round::Off,
        };
    }

    /// The stretch that playback goes round, in epochs.
    pub fn stretch(&self, clock: &Clock, history: &History) -> Option<(f64, f64)> {
        match self.round() {
            Round::Off => None,
            Round::View => Some(clock.range(history)),
            Round::Moments => self.marks.both().map(|[a, b]| (a.epoch.min(b.epoch), a.epoch.max(b.epoch))),
        }
    }

    pub(super) fn execute(&mut self, wish: Wish) {
        match wish {
            Wish::Speed(speed) => self.playback.set_speed(speed),
            Wish::Remove(step) => self.marks.remove(step),
        }
    }
}

impl App {
    /// Moves the cursor on, while playing. The frame's own clock, so that tests can let time pass.
    pub(super) fn play_on(&mut self, ctx: &egui::Context) {
        if self.study.shown {
            return;
        }
        let history = self.session.as_ref().map_or(&self.nothing, |session| &session.history);
        let stretch = self.travel.stretch(&self.clock, history);
        self.travel.playback.tick(ctx.input(|input| input.time), &mut self.clock, history, stretch);
        if let Some(after) = self.travel.playback.next_frame() {
            ctx.request_repaint_after(after);
        }
    }

    /// Whether one of the commands below can be carried out now.
    pub(super) fn can_travel(&self, command: UserCommand) -> bool {
        let (history, marks) = (self.history(), &self.travel.marks);
        let cursor = || self.clock.cursor(history);
        match command {
            UserCommand::PreviousMark => marks.before(cursor()).is_some(),
            UserCommand::NextMark => marks.after(cursor()).is_some(),
            UserCommand::Play => history.snapshots().len() > 1,
            UserCommand::Mark | UserCommand::MomentA | UserCommand::MomentB => !history.snapshots().is_empty(),
            _ => true,
        }
    }

    /// Carries out a command of time travel.
    pub(super) fn go(&mut self, command: UserCommand) {
        let history = self.session.as_ref().map_or(&self.nothing, |session| &session.history);
        let (clock, travel) = (&mut self.clock, &mut self.travel);
        let cursor = clock.cursor(history);
        match command {
            UserCommand::Play if travel.playback.is_playing() => travel.playback.stop(),
            UserCommand::Play => {
                let stretch = travel.stretch(clock, history);
                travel.playback.start(clock, history, stretch);
            }
            UserCommand::Loop => travel.turn(),
            UserCommand::PreviousMark => travel.marks.before(cursor).into_iter().for_each(|epoch| clock.seek(epoch)),
            UserCommand::NextMark => travel.marks.after(cursor).into_iter().for_each(|epoch| clock.seek(epoch)),
            _ => {
                let Some(snapshot) = history.snapshot_at(cursor) else { return };
                match command {
                    UserCommand::Mark => {
                        // The cursor may stand on a mark whose own snapshot is gone.
                        let here = Mark { step: snapshot.row.step, epoch: snapshot.row.epoch };
                        travel.marks.toggle(travel.marks.at(cursor).unwrap_or(here));
                    }
                    UserCommand::MomentA => travel.marks.choose(Which::A, snapshot),
                    UserCommand::MomentB => travel.marks.choose(Which::B, snapshot),
                    _ => return,
                }
                if command != UserCommand::Mark && travel.marks.both().is_some() {
                    self.views.bring(View::Compare);
                }
            }
        }
    }
}
