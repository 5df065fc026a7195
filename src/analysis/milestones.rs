//! Decides from the measurements alone whether an event that a lesson waits for has happened.
//!
//! Guarantees: spike and dip are those of [`crate::math::spike`], evaluated only after their window has passed, so that the
//! figure shown is the one in the tables; an event that can no longer happen is reported with the reason.
//!
//! [`History`] is declared in `run`, which must not depend on this analysis; its methods here are split by subject with
//! `outcome`.

use super::outcome::{RUN_FIGURES, SWITCH_FIGURES, Switch};
use crate::math::spike::{DIP_EPOCHS, Dip, SPIKE_EPOCHS};
use crate::run::{Ending, History, RunState};
use crate::spec::LessonCondition;

/// The state of an awaited event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Milestone {
    NotYet,
    Come,
    /// It can no longer happen; the reason is a sentence without its full stop.
    Never(String),
}

/// A velocity of at least this multiple of its background is called a spike; without a task shift it stays below.
const LEAST_SPIKE: f64 = 3.0;
/// λ_max must fall below this fraction of itself for a dip.
const LEAST_DIP: f64 = 0.98;

impl History {
    /// Returns the state of an event of the run; events of other kinds stay open here.
    pub fn milestone(&self, awaited: LessonCondition) -> Milestone {
        let (Some(now), begun) = (self.rows().last().map(|row| row.epoch), self.tasks().len()) else {
            return self.open(awaited.is_nothing());
        };
        match awaited {
            LessonCondition::Nothing | LessonCondition::Start => Milestone::Come,
            LessonCondition::Epoch(epoch) => self.open(now >= epoch - 1e-9),
            LessonCondition::Switch(place) => self.open(begun > place),
            LessonCondition::Spike(place) => {
                let Some(switch) = self.settled(place, now, SPIKE_EPOCHS) else { return self.open(false) };
                match switch.spike {
                    Some(spike) if spike.ratio >= LEAST_SPIKE && spike.fake.is_none_or(|fake| spike.height > fake) => {
                        Milestone::Come
                    }
                    Some(spike) => {
                        Milestone::Never(format!("The velocity rose to {:.1} times its background only", spike.ratio))
                    }
                    None => Milestone::Never("There is no velocity in which a spike could be seen".to_owned()),
                }
            }
            LessonCondition::Dip(place) => {
                let Some(switch) = self.settled(place, now, DIP_EPOCHS) else { return self.open(false) };
                missing_dip(&switch).unwrap_or(Milestone::Come)
            }
            LessonCondition::Recovery(place) => {
                let Some(switch) = self.outcome(place - 1) else { return self.open(false) };
                let back = switch.dip.is_some_and(|dip| is_dip(&dip) && dip.recovery_epochs.is_some());
                match self.settled(place, now, DIP_EPOCHS).and_then(|switch| missing_dip(&switch)) {
                    Some(never) => never,
                    None => self.open(back),
                }
            }
            LessonCondition::AccuracyLost(share) => {
                let first = self.outcome(0).map(|switch| switch.accuracy);
                let lost = first.and_then(|(before, after)| Some(before? - after?));
                self.open(lost.is_some_and(|lost| lost >= share))
            }
            LessonCondition::Finished => self.open(matches!(self.state(), RunState::Ended(Ending::Finished { .. }))),
            LessonCondition::Cursor
            | LessonCondition::Residual
            | LessonCondition::Breach
            | LessonCondition::Points(_)
            | LessonCondition::StudyDone => Milestone::NotYet,
        }
    }

    /// Returns that the event has happened if `come` is set; else that it is open, or impossible once the run has ended.
    fn open(&self, come: bool) -> Milestone {
        match self.state() {
            _ if come => Milestone::Come,
            RunState::Ended(_) => Milestone::Never("The run has ended before it came".to_owned()),
            _ => Milestone::NotYet,
        }
    }

    /// Returns the effect of a switch (from 1), once this many epochs after it have passed, or the run or task has ended.
    fn settled(&self, place: usize, now: f64, epochs: f64) -> Option<Switch> {
        let &(_, switch, end) = self.switches().get(place.checked_sub(1)?)?;
        let over = matches!(self.state(), RunState::Ended(_)) || end.is_finite();
        let seen = now >= switch + epochs - 1e-9 || over;
        seen.then(|| self.outcome(place - 1)).flatten()
    }

    /// Returns a figure by its name in the tables of a study: of the first switch, or of the whole run.
    pub fn figure(&self, name: &str) -> Option<f64> {
        if let Some(place) = SWITCH_FIGURES.iter().position(|known| *known == name) {
            return self.outcome(0)?.figures()[place];
        }
        let place = RUN_FIGURES.iter().position(|known| *known == name)?;
        self.run_figures()[place]
    }
}

/// Returns whether λ_max fell far enough, and further than at fake switches.
fn is_dip(dip: &Dip) -> bool {
    dip.depth < LEAST_DIP && dip.fake.is_none_or(|fake| dip.depth < fake)
}

/// Returns the reason why λ_max has no dip at this switch, if it has none.
fn missing_dip(switch: &Switch) -> Option<Milestone> {
    match switch.dip {
        Some(dip) if is_dip(&dip) => None,
        Some(dip) => {
            Some(Milestone::Never(format!("The smallest λ_max was {:.1} % of what it was before", 100.0 * dip.depth)))
        }
        None => Some(Milestone::Never("There is no λ_max in which a dip could be seen".to_owned())),
    }
}
