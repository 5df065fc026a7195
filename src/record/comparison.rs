//! The runs of a study side by side: what a switch did against the axis, and all curves aligned at that switch.
//!
//! Guarantees: the figures on paper and the pictures in the window are made from this and from nothing else; what a run
//! contributes is computed once, when it has ended. A mean over seeds goes with the smallest and the largest of them: with a
//! handful of seeds nothing else can be said honestly. Nothing is drawn across a switch that was not measured there.

use std::sync::Arc;

use super::{Block, Ending, History, Metric, RunState, SWITCH_FIGURES};
use crate::spec::StudyRun;

/// Epochs before the switch that the aligned curves show, where the task before was as long.
pub const BEFORE: f64 = 3.0;

/// (time or place on the axis, value), in order.
pub type Points = Vec<(f64, f64)>;
/// The same with the smallest, the mean and the largest of several values.
pub type Spread = Vec<(f64, [f64; 3])>;

/// A curve that is compared around a switch, on the probes of the task that ends there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    Velocity,
    /// Over its value at the switch.
    LambdaMax,
    /// Over its value at the switch.
    Scale,
    /// With the labels, centred.
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

    /// Whether it is undefined right after a switch, because no lag straddles one.
    fn has_gap(self) -> bool {
        self == Self::Velocity
    }
}

/// What the switches of one run did.
#[derive(Clone, Debug)]
pub struct Reactions(Vec<Reaction>);

#[derive(Clone, Debug)]
struct Reaction {
    figures: [Option<f64>; SWITCH_FIGURES.len()],
    /// Epochs from the start of the task before to the switch, and from there to the end of the new task or of the run.
    before: f64,
    after: f64,
    /// By [`Quantity::ALL`], over epochs since the switch.
    curves: [Points; 4],
}

impl Reactions {
    /// Of a run that has finished. One that diverged shows what a rate does, not what a switch does; the table has it.
    pub fn of(history: &History) -> Option<Self> {
        if !matches!(history.state(), RunState::Ended(Ending::Finished { .. })) {
            return None;
        }
        let last = history.rows().last()?.epoch;
        let reaction = |(&(start, switch, end), outcome): (&(f64, f64, f64), &super::Switch)| Reaction {
            figures: outcome.figures(),
            before: switch - start,
            after: end.min(last) - switch,
            curves: Quantity::ALL.map(|quantity| {
                around(history, outcome.tasks.0, quantity, switch, (start.max(switch - BEFORE), end))
                    .unwrap_or_default()
            }),
        };
        Some(Self(history.switches().iter().zip(&history.outcomes()).map(reaction).collect()))
    }
}

/// The curve of one task's probes around a switch, which is then at 0; over its last value up to there where relative.
fn around(history: &History, task: usize, quantity: Quantity, switch: f64, (from, to): (f64, f64)) -> Option<Points> {
    let series = history.series(Block::Task(task), quantity.metric());
    let unit = if quantity.is_relative() { series.iter().rev().find(|point| point.0 <= switch)?.1 } else { 1.0 };
    let within = series.into_iter().filter(|point| point.0 >= from - 1e-9 && point.0 <= to + 1e-9);
    Some(within.map(|(epoch, value)| (epoch - switch, value / unit)).collect())
}

/// How the values of an axis lie on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spacing {
    Linear,
    /// Where they span a decade, nearly.
    Log,
    /// They have names and no size: the n-th lies at n.
    Names,
}

/// One value of the axis.
#[derive(Clone, Debug)]
pub struct Value {
    pub text: String,
    /// Where it lies on the axis.
    pub at: f64,
    /// Those of its runs that have finished.
    runs: Vec<(u64, Arc<Reactions>)>,
}

/// One figure of a switch against the axis.
#[derive(Clone, Debug, Default)]
pub struct Against {
    /// Place of the value, seed, and the figure, where it can be told.
    pub runs: Vec<(usize, u64, f64)>,
    /// Over the seeds for which it can be told, by where the value lies.
    pub spread: Spread,
    /// The means where it can be told of all runs: one over those runs alone in which something happened would say that it
    /// happens.
    pub means: Points,
}

/// One value's curves around a switch, each in unbroken pieces.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// By seed.
    pub runs: Vec<(u64, Vec<Points>)>,
    pub mean: Vec<Spread>,
}

/// The runs of a study that have finished, by the values of its axis.
#[derive(Clone, Debug)]
pub struct Comparison {
    pub axis: String,
    pub spacing: Spacing,
    pub values: Vec<Value>,
}

impl Comparison {
    /// Of these runs, as far as `done` knows them by their place.
    pub fn of(axis: &str, runs: &[StudyRun], done: impl Fn(usize) -> Option<Arc<Reactions>>) -> Self {
        let mut values: Vec<Value> = Vec::new();
        for (place, run) in runs.iter().enumerate() {
            // Runs of one value lie side by side.
            if values.last().is_none_or(|value| value.text != run.value) {
                values.push(Value { text: run.value.clone(), at: values.len() as f64, runs: Vec::new() });
            }
            if let (Some(reactions), Some(value)) = (done(place), values.last_mut()) {
                value.runs.push((run.seed, reactions));
            }
        }
        let number = |value: &Value| value.text.parse().ok().filter(|number: &f64| number.is_finite());
        let numbers: Option<Vec<f64>> = values.iter().map(number).collect();
        let mut spacing = Spacing::Names;
        if let Some(numbers) = numbers {
            values.iter_mut().zip(&numbers).for_each(|(value, number)| value.at = *number);
            let (least, most) = ends(&numbers);
            // More values may have joined later than those between which they lie.
            values.sort_by(|a, b| a.at.total_cmp(&b.at));
            spacing = if least > 0.0 && most >= 8.0 * least { Spacing::Log } else { Spacing::Linear };
        }
        Self { axis: axis.to_owned(), spacing, values }
    }

    /// The most switches that any of the runs had.
    pub fn switches(&self) -> usize {
        self.reactions().map(|(_, reactions)| reactions.0.len()).max().unwrap_or(0)
    }

    /// How many runs are compared.
    pub fn finished(&self) -> usize {
        self.values.iter().map(|value| value.runs.len()).sum()
    }

    /// A figure of a switch (from 0), by its name in [`SWITCH_FIGURES`], against the axis.
    pub fn against(&self, figure: &str, switch: usize) -> Against {
        let mut against = Against::default();
        let Some(column) = SWITCH_FIGURES.iter().position(|name| *name == figure) else { return against };
        for (place, value) in self.values.iter().enumerate() {
            let of =
                |(seed, reactions): &(u64, Arc<Reactions>)| Some((*seed, reactions.0.get(switch)?.figures[column]?));
            let told: Vec<(u64, f64)> = value.runs.iter().filter_map(of).collect();
            let found: Vec<f64> = told.iter().map(|run| run.1).collect();
            if let Some(around) = ends_and_mean(&found) {
                if found.len() == value.runs.len() {
                    against.means.push((value.at, around[1]));
                }
                against.spread.push((value.at, around));
            }
            against.runs.extend(told.into_iter().map(|(seed, figure)| (place, seed, figure)));
        }
        against
    }

    /// The stretch around a switch that all runs have, in epochs since it: at most [`BEFORE`] of the task before, and the new
    /// task or what there is of it.
    pub fn stretch(&self, switch: usize) -> (f64, f64) {
        let reactions = || self.reactions().filter_map(|(_, reactions)| reactions.0.get(switch));
        let before = reactions().map(|reaction| reaction.before).fold(BEFORE, f64::min);
        let after = reactions().map(|reaction| reaction.after).fold(f64::INFINITY, f64::min);
        (-before, if after.is_finite() { after } else { 1.0 })
    }

    /// The curves of each value around a switch, over the stretch that all runs have.
    pub fn around(&self, quantity: Quantity, switch: usize) -> Vec<Around> {
        let (from, to) = self.stretch(switch);
        let column = Quantity::ALL.iter().position(|known| *known == quantity).unwrap_or(0);
        let clipped = |(seed, reactions): &(u64, Arc<Reactions>)| {
            let curve = reactions.0.get(switch)?.curves[column].iter();
            let within = curve.filter(|point| point.0 >= from - 1e-9 && point.0 <= to + 1e-9);
            Some((*seed, within.copied().collect())).filter(|(_, points): &(u64, Points)| !points.is_empty())
        };
        let of = |value: &Value| {
            let curves: Vec<(u64, Points)> = value.runs.iter().filter_map(clipped).collect();
            let mean = mean_of(&curves, quantity.has_gap());
            let cut = |(seed, points)| (seed, pieces(points, quantity.has_gap()));
            Around { mean: pieces(mean, quantity.has_gap()), runs: curves.into_iter().map(cut).collect() }
        };
        self.values.iter().map(of).collect()
    }

    fn reactions(&self) -> impl Iterator<Item = &(u64, Arc<Reactions>)> {
        self.values.iter().flat_map(|value| &value.runs)
    }
}

/// A curve cut at the switch, where it has a gap there.
fn pieces<T>(mut points: Vec<(f64, T)>, gap: bool) -> Vec<Vec<(f64, T)>> {
    let at = if gap { points.partition_point(|point| point.0 <= 1e-9) } else { points.len() };
    let rest = points.split_off(at);
    [points, rest].into_iter().filter(|piece| !piece.is_empty()).collect()
}

/// Mean and ends of several curves at the times of the first one, the others interpolated; where all of them reach.
fn mean_of(curves: &[(u64, Points)], gap: bool) -> Spread {
    let Some((_, first)) = curves.first() else { return Vec::new() };
    let at = |x: f64| -> Option<(f64, [f64; 3])> {
        let values: Option<Vec<f64>> = curves.iter().map(|(_, curve)| interpolated(curve, x, gap)).collect();
        Some((x, ends_and_mean(&values?)?))
    };
    first.iter().filter_map(|point| at(point.0)).collect()
}

fn interpolated(curve: &[(f64, f64)], x: f64, gap: bool) -> Option<f64> {
    let after = curve.partition_point(|point| point.0 < x - 1e-9);
    let &(right, value) = curve.get(after)?;
    if (right - x).abs() <= 1e-9 {
        return Some(value);
    }
    let &(left, before) = curve.get(after.checked_sub(1)?)?;
    let straddles = gap && left <= 1e-9 && right > 1e-9;
    (!straddles).then(|| before + (value - before) * (x - left) / (right - left))
}

/// Smallest, mean and largest; `None` of nothing.
fn ends_and_mean(values: &[f64]) -> Option<[f64; 3]> {
    let (low, high) = ends(values);
    (!values.is_empty()).then(|| [low, values.iter().sum::<f64>() / values.len() as f64, high])
}

fn ends(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)))
}
