//! Implements time travel: playback moves the cursor over the past, and moments are marked, two of them as A and B.
//! Training continues.
//!
//! `clock` contains the cursor and the visible range, `player` moves the cursor, `marks` stores the moments, `controls` draws
//! them on the timeline; this module combines them and carries out their actions.

pub mod action;
pub mod clock;
pub(crate) mod controls;
mod marks;
mod player;

use std::time::Duration;

pub use crate::ui::playback::marks::{Mark, Marks, Moment, Which, colour};
pub use crate::ui::playback::player::{PER_SECOND, Player, SPEEDS};

use crate::run::History;
use crate::ui::playback::action::PlaybackAction;
use crate::ui::playback::clock::{Clock, newest};

/// The range that playback repeats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoopRange {
    /// Playback ends at the newest snapshot.
    #[default]
    Off,
    /// The visible range.
    View,
    /// The range from A to B.
    Moments,
}

/// The marks, the two moments, and playback.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Playback {
    pub marks: Marks,
    pub playback: Player,
    round: LoopRange,
}

impl Playback {
    /// Clears the moments of the previous run; speed and repetition stay.
    pub fn reset(&mut self) {
        self.marks.clear();
        self.playback.stop();
    }

    /// Returns the range that playback repeats; from A to B only while both are set.
    pub fn round(&self) -> LoopRange {
        match self.round {
            LoopRange::Moments if self.marks.both().is_none() => LoopRange::Off,
            round => round,
        }
    }

    /// Switches to the next choice: none, the visible range, from A to B if both are set.
    pub fn turn(&mut self) {
        self.round = match self.round() {
            LoopRange::Off => LoopRange::View,
            LoopRange::View if self.marks.both().is_some() => LoopRange::Moments,
            _ => LoopRange::Off,
        };
    }

    /// Returns the repeated range in epochs.
    pub fn stretch(&self, clock: &Clock, history: &History) -> Option<(f64, f64)> {
        match self.round() {
            LoopRange::Off => None,
            LoopRange::View => Some(clock.range(history)),
            LoopRange::Moments => self.marks.both().map(|[a, b]| (a.epoch.min(b.epoch), a.epoch.max(b.epoch))),
        }
    }
}

/// The time that all views share, with playback and marks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SharedTime {
    pub clock: Clock,
    pub travel: Playback,
}

impl SharedTime {
    /// Resets to follow another run, without the moments of the previous one.
    pub fn reset(&mut self) {
        self.clock.follow();
        self.travel.reset();
    }

    /// Forgets the marks and moments at this step and later ones, which the record no longer has.
    pub fn take_back(&mut self, step: u64) {
        self.travel.marks.take_back(step);
    }

    /// Advances the cursor while playing, and returns the time until the next frame is needed. `now` is the time of the frame, so
    /// that tests can simulate time.
    pub fn tick(&mut self, now: f64, history: &History) -> Option<Duration> {
        let stretch = self.travel.stretch(&self.clock, history);
        self.travel.playback.tick(now, &mut self.clock, history, stretch);
        self.travel.playback.next_frame()
    }

    /// Carries out an action. Returns whether it has completed the pair A and B, which is then to be shown.
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
                    // The cursor may be on a mark whose own snapshot has been thinned away.
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
