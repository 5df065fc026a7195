//! Compares the runs of a study: the figures of a switch and of the whole run against the axis, and all curves aligned at that
//! switch; each series of runs has a curve with its band.
//!
//! Guarantees: the figure files and the views of the window use only this comparison; a run's contribution is computed once,
//! when it has ended. A mean over seeds comes with their number and, from five on, with its interval ([`Summary`]): never with
//! a range, which only grows with more seeds. No curve is drawn across a switch where it was not measured.

mod findings;
mod predictors;
mod remains;
mod table;

use std::sync::Arc;

use crate::math::bootstrap::Summary;
use crate::math::fit::{PowerLaw, power_law};
use crate::spec::StudyRun;

pub use findings::{BEFORE, Findings, Points, Quantity};
pub use predictors::{Foretold, PREDICTORS_IN_WORDS};
pub use remains::REMAINS_IN_WORDS;
pub use table::{SummaryRow, SummaryTable};

/// Points (time or position on the axis, the values of several seeds there), in order.
pub type Summaries = Vec<(f64, Summary)>;

/// The scale on which the values of an axis are placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spacing {
    Linear,
    /// For values that span at least about a decade.
    Log,
    /// For values with names and no size: the n-th lies at n.
    Names,
}

/// One value of the axis.
#[derive(Clone, Debug)]
pub struct Value {
    /// The value as written in the run file.
    key: String,
    /// The value as it is shown.
    pub text: String,
    /// The position on the axis; an infinite width has none.
    pub at: f64,
}

/// A series of runs along the axis.
#[derive(Clone, Debug)]
pub struct Series {
    /// The name of its variant; empty where there is only one series.
    pub name: String,
    /// Its finished runs, by value and seed.
    runs: Vec<Vec<(u64, Arc<Findings>)>>,
}

/// One figure against the axis, of one series.
#[derive(Clone, Debug, Default)]
pub struct FigureByAxis {
    /// The index of the value, the seed, and the figure, where it is defined.
    pub runs: Vec<(usize, u64, f64)>,
    /// The seeds for which it is defined, summarised by place of the value.
    pub summaries: Summaries,
    /// The means where the figure is defined for all runs: a mean over only those runs in which an event happened would suggest
    /// that it always happens.
    pub means: Points,
    /// The same at an infinite width, which has no position on the axis.
    pub beyond: Option<Summary>,
    /// The power law through all runs with equal weights, where the axis is logarithmic.
    pub law: Option<PowerLaw>,
}

/// One value's curves around a switch, each in unbroken pieces.
#[derive(Clone, Debug, Default)]
pub struct SwitchCurves {
    /// The curves of each run, by seed.
    pub runs: Vec<(u64, Vec<Points>)>,
    pub mean: Vec<Summaries>,
}

/// The runs of a study that have finished, by series and by the values of its axis.
#[derive(Clone, Debug)]
pub struct Comparison {
    pub axis: String,
    pub spacing: Spacing,
    pub values: Vec<Value>,
    pub series: Vec<Series>,
}

impl Comparison {
    /// Compares these runs, as far as `done` has their findings, by index.
    pub fn of(axis: &str, runs: &[StudyRun], done: impl Fn(usize) -> Option<Arc<Findings>>) -> Self {
        let mut values: Vec<Value> = Vec::new();
        for run in runs {
            if values.iter().all(|value| value.key != run.value) {
                let text = run.shown_value().to_owned();
                values.push(Value { key: run.value.clone(), text, at: values.len() as f64 });
            }
        }
        let number = |value: &Value| value.key.parse().ok().filter(|number: &f64| !number.is_nan());
        let numbers: Option<Vec<f64>> = values.iter().map(number).collect();
        let mut spacing = Spacing::Names;
        if let Some(numbers) = numbers.filter(|numbers| numbers.iter().any(|number| number.is_finite())) {
            values.iter_mut().zip(&numbers).for_each(|(value, number)| value.at = *number);
            let (least, most) = ends(numbers.into_iter().filter(|number| number.is_finite()));
            // Values may have been added later than their neighbours on the axis.
            values.sort_by(|a, b| a.at.total_cmp(&b.at));
            spacing = if least > 0.0 && most >= 8.0 * least { Spacing::Log } else { Spacing::Linear };
        }
        let mut comparison = Self { axis: axis.to_owned(), spacing, values, series: Vec::new() };
        for (place, run) in runs.iter().enumerate() {
            if comparison.series.iter().all(|series| series.name != run.variant) {
                let runs = vec![Vec::new(); comparison.values.len()];
                comparison.series.push(Series { name: run.variant.clone(), runs });
            }
            if let (Some(findings), Some((series, value))) = (done(place), comparison.place(run)) {
                comparison.series[series].runs[value].push((run.seed, findings));
            }
        }
        comparison
    }

    /// Returns the indices of a run's series and of its value.
    pub fn place(&self, run: &StudyRun) -> Option<(usize, usize)> {
        let series = self.series.iter().position(|series| series.name == run.variant)?;
        Some((series, self.values.iter().position(|value| value.key == run.value)?))
    }

    /// Returns whether there are several series.
    pub fn has_series(&self) -> bool {
        self.series.len() > 1
    }

    /// Returns the largest number of switches of a run.
    pub fn switches(&self) -> usize {
        self.findings().map(|findings| findings.switches.len()).max().unwrap_or(0)
    }

    /// Returns whether every run had a switch, so that switches can be compared.
    pub fn all_switch(&self) -> bool {
        self.findings().all(|findings| !findings.switches.is_empty())
    }

    /// Returns the number of runs that are compared.
    pub fn finished(&self) -> usize {
        self.findings().count()
    }

    /// Describes how many seeds the values have: `10 seeds`, or `2 to 10 seeds`; empty where no run has finished.
    pub fn seeds_in_words(&self) -> String {
        let counts = self.series.iter().flat_map(|series| &series.runs).map(Vec::len).filter(|&count| count > 0);
        match (counts.clone().min(), counts.max()) {
            (Some(1), Some(1)) => "1 seed".to_owned(),
            (Some(least), Some(most)) if least == most => format!("{most} seeds"),
            (Some(least), Some(most)) => format!("{least} to {most} seeds"),
            _ => String::new(),
        }
    }

    /// Returns a figure against the axis, by series: one of a switch (from 0) by its name in
    /// [`crate::analysis::outcome::SWITCH_FIGURES`], or one of the whole run by its name in
    /// [`crate::analysis::outcome::RUN_FIGURES`].
    pub fn against(&self, figure: &str, switch: usize) -> Vec<FigureByAxis> {
        self.series.iter().map(|series| self.of_series(series, figure, switch)).collect()
    }

    fn of_series(&self, series: &Series, figure: &str, switch: usize) -> FigureByAxis {
        let mut against = FigureByAxis::default();
        for (place, (value, runs)) in self.values.iter().zip(&series.runs).enumerate() {
            let of = |(seed, findings): &(u64, Arc<Findings>)| Some((*seed, findings.figure(figure, switch)?));
            let values: Vec<(u64, f64)> = runs.iter().filter_map(of).collect();
            if let Some(summary) = Summary::of(&values.iter().map(|run| run.1).collect::<Vec<_>>()) {
                if value.at.is_infinite() {
                    against.beyond = Some(summary);
                } else {
                    if values.len() == runs.len() {
                        against.means.push((value.at, summary.mean));
                    }
                    against.summaries.push((value.at, summary));
                }
            }
            against.runs.extend(values.into_iter().map(|(seed, figure)| (place, seed, figure)));
        }
        if self.spacing == Spacing::Log {
            let points = against.runs.iter().map(|&(place, _, figure)| (self.values[place].at, figure));
            against.law = power_law(&points.filter(|point| point.0.is_finite()).collect::<Vec<_>>());
        }
        against
    }

    /// Returns the stretch around a switch, in epochs since it, that all runs with this switch have: at most [`BEFORE`]
    /// of the task before, and the new task as far as it was trained.
    pub fn stretch(&self, switch: usize) -> (f64, f64) {
        let reactions = || self.findings().filter_map(|findings| findings.switches.get(switch));
        let before = reactions().map(|reaction| reaction.before).fold(BEFORE, f64::min);
        let after = reactions().map(|reaction| reaction.after).fold(f64::INFINITY, f64::min);
        (-before, if after.is_finite() { after } else { 1.0 })
    }

    /// Returns the curves of each value of a series around a switch, over the [stretch](Self::stretch) that all runs
    /// have.
    pub fn around(&self, quantity: Quantity, switch: usize, series: usize) -> Vec<SwitchCurves> {
        let (from, to) = self.stretch(switch);
        let column = Quantity::ALL.iter().position(|known| *known == quantity).unwrap_or(0);
        let clipped = |(seed, findings): &(u64, Arc<Findings>)| {
            let curve = findings.switches.get(switch)?.curves[column].iter();
            let within = curve.filter(|point| point.0 >= from - 1e-9 && point.0 <= to + 1e-9);
            Some((*seed, within.copied().collect())).filter(|(_, points): &(u64, Points)| !points.is_empty())
        };
        let of = |runs: &Vec<(u64, Arc<Findings>)>| {
            let curves: Vec<(u64, Points)> = runs.iter().filter_map(clipped).collect();
            let mean = mean_of(&curves, quantity.has_gap());
            let cut = |(seed, points)| (seed, pieces(points, quantity.has_gap()));
            SwitchCurves { mean: pieces(mean, quantity.has_gap()), runs: curves.into_iter().map(cut).collect() }
        };
        self.series.get(series).map_or_else(Vec::new, |series| series.runs.iter().map(of).collect())
    }

    fn findings(&self) -> impl Iterator<Item = &Findings> {
        self.series.iter().flat_map(|series| series.runs.iter().flatten()).map(|(_, findings)| &**findings)
    }
}

/// Cuts a curve at the switch, where it has a gap there.
fn pieces<T>(mut points: Vec<(f64, T)>, gap: bool) -> Vec<Vec<(f64, T)>> {
    let at = if gap { points.partition_point(|point| point.0 <= 1e-9) } else { points.len() };
    let rest = points.split_off(at);
    [points, rest].into_iter().filter(|piece| !piece.is_empty()).collect()
}

/// Summarises several curves at the times of the first one, the others interpolated, within the range of all.
fn mean_of(curves: &[(u64, Points)], gap: bool) -> Summaries {
    let Some((_, first)) = curves.first() else { return Vec::new() };
    let at = |x: f64| -> Option<(f64, Summary)> {
        let values: Option<Vec<f64>> = curves.iter().map(|(_, curve)| interpolated(curve, x, gap)).collect();
        Some((x, Summary::of_point(&values?)?))
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

fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
}
