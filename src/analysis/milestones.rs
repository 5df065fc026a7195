//! Whether something that a lesson waits for has come, by what was measured and by nothing else.
//!
//! Guarantees: spike and dip are those of [`crate::math::spike`], looked at once the stretch in which they are looked for is over,
//! so that the figure told afterwards is the one of the tables; what cannot come any more is said, with the reason.

use super::outcome::{RUN_FIGURES, SWITCH_FIGURES, Switch};
use crate::math::spike::{DIP_EPOCHS, SPIKE_EPOCHS};
use crate::run::{Ending, History, RunState};
use crate::spec::Awaited;

/// How it stands with something awaited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
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
    pub fn sight(&self, awaited: Awaited) -> Sight {
        let (Some(now), begun) = (self.rows().last().map(|row| row.epoch), self.tasks().len()) else {
            return self.open(awaited.is_nothing());
        };
        match awaited {
            Awaited::Nothing | Awaited::Start => Sight::Come,
            Awaited::Epoch(epoch) => self.open(now >= epoch - 1e-9),
            Awaited::Switch(place) => self.open(begun > place),
            Awaited::Spike(place) => {
                let Some(switch) = self.settled(place, now, SPIKE_EPOCHS) else { return self.open(false) };
                match switch.spike {
                    Some(spike) if spike.ratio >= LEAST_SPIKE && spike.fake.is_none_or(|fake| spike.height > fake) => {
                        Sight::Come
                    }
                    Some(spike) => {
                        Sight::Never(format!("The velocity rose to {:.1} times its background only", spike.ratio))
                    }
                    None => Sight::Never("There is no velocity to tell a spike by".to_owned()),
                }
            }
            Awaited::Dip(place) => {
                let Some(switch) = self.settled(place, now, DIP_EPOCHS) else { return self.open(false) };
                fallen(&switch).unwrap_or(Sight::Come)
            }
            Awaited::Recovery(place) => {
                let Some(switch) = self.outcome(place - 1) else { return self.open(false) };
                let back = switch.dip.is_some_and(|dip| dip.depth < LEAST_DIP && dip.recovery_epochs.is_some());
                match self.settled(place, now, DIP_EPOCHS).and_then(|switch| fallen(&switch)) {
                    Some(never) => never,
                    None => self.open(back),
                }
            }
            Awaited::AccuracyLost(share) => {
                let first = self.outcome(0).map(|switch| switch.accuracy);
                let lost = first.and_then(|(before, after)| Some(before? - after?));
                self.open(lost.is_some_and(|lost| lost >= share))
            }
            Awaited::Finished => self.open(matches!(self.state(), RunState::Ended(Ending::Finished { .. }))),
            Awaited::Cursor | Awaited::Residual | Awaited::Breach | Awaited::Points(_) | Awaited::StudyDone => {
                Sight::NotYet
            }
        }
    }

    /// Come, or still to come unless the run has ended.
    fn open(&self, come: bool) -> Sight {
        match self.state() {
            _ if come => Sight::Come,
            RunState::Ended(_) => Sight::Never("The run has ended before it came".to_owned()),
            _ => Sight::NotYet,
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
fn fallen(switch: &Switch) -> Option<Sight> {
    match switch.dip {
        Some(dip) if dip.depth < LEAST_DIP => None,
        Some(dip) => {
            Some(Sight::Never(format!("The smallest λ_max was {:.1} % of what it was before", 100.0 * dip.depth)))
        }
        None => Some(Sight::Never("There is no λ_max to tell a dip by".to_owned())),
    }
}
