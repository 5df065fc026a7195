//! Time travel: the cursor plays over the past, moments are marked, and two of them are A and B. Training goes on.
//!
//! `clock` is the cursor and the stretch in view, `player` moves the cursor, `marks` holds the moments, `controls` draws them on the
//! timeline; here is what they are together, and what their actions do.

pub mod action;
pub mod clock;
pub(crate) mod controls;
mod marks;
mod player;

use std::time::Duration;

pub use crate::ui::playback::marks::{Mark, Marks, Moment, Which, colour};
pub use crate::ui::playback::player::{PER_SECOND, Playback, SPEEDS};

use crate::run::History;
use crate::ui::playback::action::PlaybackAction;
use crate::ui::playback::clock::{Clock, newest};

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

/// Marks, the two moments, and playback.
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

    /// Returns round what playback goes: from A to B only while there are both.
    pub fn round(&self) -> Round {
        match self.round {
            Round::Moments if self.marks.both().is_none() => Round::Off,
            round => round,
        }
    }

    /// Takes the next choice: nothing, what is in view, from A to B where there are both.
    pub fn turn(&mut self) {
        self.round = match self.round() {
            Round::Off => Round::View,
            Round::View if self.marks.both().is_some() => Round::Moments,
            _ => Round::Off,
        };
    }

    /// Returns the stretch that playback goes round, in epochs.
    pub fn stretch(&self, clock: &Clock, history: &History) -> Option<(f64, f64)> {
        match self.round() {
            Round::Off => None,
            Round::View => Some(clock.range(history)),
            Round::Moments => self.marks.both().map(|[a, b]| (a.epoch.min(b.epoch), a.epoch.max(b.epoch))),
        }
    }
}

/// The time that all views share, and what moves it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SharedTime {
    pub clock: Clock,
    pub travel: Travel,
}

impl SharedTime {
    /// Follows another run, without the moments of the one before.
    pub fn reset(&mut self) {
        self.clock.follow();
        self.travel.reset();
    }

    /// Moves the cursor on, while playing, and returns after how long the next frame is needed. `now` is the frame's own clock, so
    /// that tests can let time pass.
    pub fn tick(&mut self, now: f64, history: &History) -> Option<Duration> {
        let stretch = self.travel.stretch(&self.clock, history);
        self.travel.playback.tick(now, &mut self.clock, history, stretch);
        self.travel.playback.next_frame()
    }

    /// Carries an action out. Returns whether it has completed the two moments, which are then to be seen.
    pub fn execute(&mut self, action: PlaybackAction, history: &History) -> bool {
        let Self { clock, travel } = self;
        let cursor = clock.cursor(history);
        match action {
            PlaybackAction::Seek(epoch) => clock.seek(epoch.min(newest(history))),
            PlaybackAction::Step { forward } => {
                travel.playback.stop();
                clock.step(history, forward);
            }
            PlaybackAction::Follow => {
                travel.playback.stop();
                clock.follow();
            }
            PlaybackAction::Pan(by) => clock.pan(history, by),
            PlaybackAction::Zoom { about, factor } => clock.zoom(history, about, factor),
            PlaybackAction::ZoomAtCursor(factor) => {
                let (from, to) = clock.range(history);
                let about = if (from..=to).contains(&cursor) { cursor } else { (from + to) / 2.0 };
                clock.zoom(history, about, factor);
            }
            PlaybackAction::Show(from, to) => clock.show(from.max(0.0), to),
            PlaybackAction::Play if travel.playback.is_playing() => travel.playback.stop(),
            PlaybackAction::Play => {
                let stretch = travel.stretch(clock, history);
                travel.playback.start(clock, history, stretch);
            }
            PlaybackAction::Loop => travel.turn(),
            PlaybackAction::SetSpeed(speed) => travel.playback.set_speed(speed),
            PlaybackAction::RemoveMark(step) => travel.marks.remove(step),
            PlaybackAction::PreviousMark => travel.marks.before(cursor).into_iter().for_each(|epoch| clock.seek(epoch)),
            PlaybackAction::NextMark => travel.marks.after(cursor).into_iter().for_each(|epoch| clock.seek(epoch)),
            PlaybackAction::Mark => {
                if let Some(snapshot) = history.snapshot_at(cursor) {
                    // The cursor may stand on a mark whose own snapshot is gone.
                    let here = Mark { step: snapshot.row.step, epoch: snapshot.row.epoch };
                    travel.marks.toggle(travel.marks.at(cursor).unwrap_or(here));
                }
            }
            PlaybackAction::Choose(which) => {
                if let Some(snapshot) = history.snapshot_at(cursor) {
                    travel.marks.choose(which, snapshot);
                    return travel.marks.both().is_some();
                }
            }
        }
        false
    }
}
