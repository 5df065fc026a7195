//! Whether something that a lesson waits for has come, by what was measured and by nothing else.
//!
//! Guarantees: spike and dip are those of [`crate::math::spike`], looked at once the stretch in which they are looked for is over,
//! so that the figure told afterwards is the one of the tables; what cannot come any more is said, with the reason.

use super::outcome::{RUN_FIGURES, SWITCH_FIGURES, Switch};
use crate::math::spike::{DIP_EPOCHS, SPIKE_EPOCHS};
use crate::run::{Ending, History, RunState};
use crate::spec::LessonCondition;

/// How it stands with something awaited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Milestone {
    NotYet,
    Come,
    /// It cannot come any more: why, as a sentence without its full stop.
    Never(String),
}

/// From this multiple of its background on a velocity is called a spike; without a shift it is less.
const LEAST_SPIKE: f64 = 3.0;
/// λ_max must fall below this part of itself to be called a dip.
const LEAST_DIP: f64 = 0.98;

impl History {
    /// How it stands with something that a run may do. What happens elsewhere has not been seen here.
    pub fn sight(&self, awaited: LessonCondition) -> Milestone {
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
                    None => Milestone::Never("There is no velocity to tell a spike by".to_owned()),
                }
            }
            LessonCondition::Dip(place) => {
                let Some(switch) = self.settled(place, now, DIP_EPOCHS) else { return self.open(false) };
                fallen(&switch).unwrap_or(Milestone::Come)
            }
            LessonCondition::Recovery(place) => {
                let Some(switch) = self.outcome(place - 1) else { return self.open(false) };
                let back = switch.dip.is_some_and(|dip| dip.depth < LEAST_DIP && dip.recovery_epochs.is_some());
                match self.settled(place, now, DIP_EPOCHS).and_then(|switch| fallen(&switch)) {
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

    /// Come, or still to come unless the run has ended.
    fn open(&self, come: bool) -> Milestone {
        match self.state() {
            _ if come => Milestone::Come,
            RunState::Ended(_) => Milestone::Never("The run has ended before it came".to_owned()),
            _ => Milestone::NotYet,
        }
    }

    /// What this switch did, from 1, once so many epochs after it (or all that there will be) have been seen.
    fn settled(&self, place: usize, now: f64, epochs: f64) -> Option<Switch> {
        let &(_, switch, end) = self.switches().get(place.checked_sub(1)?)?;
        let over = matches!(self.state(), RunState::Ended(_)) || end.is_finite();
        let seen = now >= switch + epochs - 1e-9 || over;
        seen.then(|| self.outcome(place - 1)).flatten()
    }

    /// A figure by its name in the tables of a study: of the first switch, or of the whole run.
    pub fn figure(&self, name: &str) -> Option<f64> {
        if let Some(place) = SWITCH_FIGURES.iter().position(|known| *known == name) {
            return self.outcome(0)?.figures()[place];
        }
        let place = RUN_FIGURES.iter().position(|known| *known == name)?;
        self.run_figures()[place]
    }
}

/// Why this is no dip, if it is none.
fn fallen(switch: &Switch) -> Option<Milestone> {
    match switch.dip {
        Some(dip) if dip.depth < LEAST_DIP => None,
        Some(dip) => {
            Some(Milestone::Never(format!("The smallest λ_max was {:.1} % of what it was before", 100.0 * dip.depth)))
        }
        None => Some(Milestone::Never("There is no λ_max to tell a dip by".to_owned())),
    }
}
