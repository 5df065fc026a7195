//! Computes a run's contribution to a comparison once, when it has ended: its figures, and its curves around each switch.

use crate::analysis::outcome::{RUN_FIGURES, SWITCH_FIGURES, Switch};
use crate::run::{Block, Ending, History, Metric, RunState};

/// The epochs before the switch in the aligned curves, where the task before was as long.
pub const BEFORE: f64 = 3.0;

/// Points (time or position on the axis, value), in order.
pub type Points = Vec<(f64, f64)>;
/// A curve that is compared around a switch, on the probes of the task that ends there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    Velocity,
    /// λ_max over its value at the switch.
    LambdaMax,
    /// The scale over its value at the switch.
    Scale,
    /// The alignment with the labels, centred or debiased.
    Alignment,
}

impl Quantity {
    pub const ALL: [Self; 4] = [Self::Velocity, Self::LambdaMax, Self::Scale, Self::Alignment];

    fn metric(self) -> Metric {
        match self {
            Self::Velocity => Metric::Velocity,
            Self::LambdaMax => Metric::LambdaMax,
            Self::Scale => Metric::Scale,
            Self::Alignment => Metric::AlignmentCentred,
        }
    }

    fn is_relative(self) -> bool {
        matches!(self, Self::LambdaMax | Self::Scale)
    }

    /// Returns whether it is undefined right after a switch, because no lag straddles one.
    pub(crate) fn has_gap(self) -> bool {
        self == Self::Velocity
    }
}

/// The results of one run.
#[derive(Clone, Debug)]
pub struct Findings {
    pub(crate) switches: Vec<Reaction>,
    /// The figures of the run, by [`RUN_FIGURES`].
    run: [Option<f64>; RUN_FIGURES.len()],
}

/// The effect of one switch.
#[derive(Clone, Debug)]
pub(crate) struct Reaction {
    figures: [Option<f64>; SWITCH_FIGURES.len()],
    /// The epochs from the start of the task before to the switch, and from there to the end of the new task or of the
    /// run.
    pub(crate) before: f64,
    pub(crate) after: f64,
    /// The curves by [`Quantity::ALL`], over epochs since the switch.
    pub(crate) curves: [Points; 4],
}

impl Findings {
    /// Returns the findings of a finished run. A run that diverged is left to the table: it shows the effect of a learning rate,
    pub fn of(history: &History) -> Option<Self> {
        if !matches!(history.state(), RunState::Ended(Ending::Finished { .. })) {
            return None;
        }
        let last = history.rows().last()?.epoch;
        let reaction = |(&(start, switch, end), outcome): (&(f64, f64, f64), &Switch)| Reaction {
            figures: outcome.figures(),
            before: switch - start,
            after: end.min(last) - switch,
            curves: Quantity::ALL.map(|quantity| {
                around(history, outcome.tasks.0, quantity, switch, (start.max(switch - BEFORE), end))
                    .unwrap_or_default()
            }),
        };
        let switches = history.switches().iter().zip(&history.outcomes()).map(reaction).collect();
        Some(Self { switches, run: history.run_figures() })
    }

    /// Returns a figure by its name: one of this switch (from 0), or one of the whole run.
    pub(crate) fn figure(&self, name: &str, switch: usize) -> Option<f64> {
        let place = |names: &[&str]| names.iter().position(|known| *known == name);
        let found = match place(&SWITCH_FIGURES) {
            Some(column) => self.switches.get(switch)?.figures[column],
            None => self.run[place(&RUN_FIGURES)?],
        };
        found.filter(|value| value.is_finite())
    }
}

/// Returns the curve of one task's probes around a switch, which is then at 0; over its last value up to there where
/// relative.
fn around(history: &History, task: usize, quantity: Quantity, switch: f64, (from, to): (f64, f64)) -> Option<Points> {
    let series = history.series(Block::Task(task), history.usual(quantity.metric()));
    let unit = if quantity.is_relative() { series.iter().rev().find(|point| point.0 <= switch)?.1 } else { 1.0 };
    let within = series.into_iter().filter(|point| point.0 >= from - 1e-9 && point.0 <= to + 1e-9);
    Some(within.map(|(epoch, value)| (epoch - switch, value / unit)).collect())
}
