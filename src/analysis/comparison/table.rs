//! Summarises the runs of a study as a table: each figure of each value of the axis, with the number of seeds, the mean and its
//! interval or, of a handful of seeds, the single values.

use super::{Comparison, Series};
use crate::analysis::outcome::{RUN_FIGURES, SWITCH_FIGURES};
use crate::analysis::power_laws::LAWS;
use crate::math::bootstrap::Summary;

/// One figure of one value of the axis.
#[derive(Clone, Debug, PartialEq)]
pub struct SummaryRow {
    /// The name of the series; empty where there is only one.
    pub variant: String,
    /// The value of the axis, as written in the run file.
    pub value: String,
    /// The name of the figure, a column of the table of runs.
    pub figure: String,
    pub summary: Summary,
    /// The figure of each seed that has it, in the order of the seeds.
    pub values: Vec<f64>,
}

/// The figures that one looks for first, a line for each value of the axis.
#[derive(Clone, Debug, PartialEq)]
pub struct SummaryTable {
    pub head: Vec<String>,
    pub lines: Vec<Vec<String>>,
}

/// The figures of a switch that one looks for first.
const FIRST_OF_SWITCH: [&str; 7] =
    ["spike", "ratio", "fake_ratio", "dip", "accuracy_before", "accuracy_after", "accuracy_after_masked"];

impl Comparison {
    /// Returns all figures of all values, series by series; the figures of the second switch have `_2` behind their names, and
    /// so on. A figure that no seed has is left out.
    pub fn summaries(&self) -> Vec<SummaryRow> {
        let switches = (0..self.switches()).flat_map(|switch| SWITCH_FIGURES.map(|name| (name, switch)));
        let figures: Vec<(&str, usize)> = switches.chain(RUN_FIGURES.map(|name| (name, 0))).collect();
        let mut rows = Vec::new();
        for series in &self.series {
            for place in 0..self.values.len() {
                rows.extend(figures.iter().filter_map(|&(name, switch)| self.row(series, place, name, switch)));
            }
        }
        rows.extend(self.remains().into_iter().flatten());
        rows
    }

    /// Returns the table of the figures that one looks for first: those of the first switch, or of whole runs without one.
    pub fn at_a_glance(&self) -> SummaryTable {
        let all: Vec<&str> = match self.switches() {
            0 => LAWS.iter().map(|law| law.figure).chain(["average_accuracy"]).collect(),
            _ => FIRST_OF_SWITCH.to_vec(),
        };
        let rows = |name: &str| -> Vec<Option<SummaryRow>> {
            let of = |series| (0..self.values.len()).map(move |place| self.row(series, place, name, 0));
            self.series.iter().flat_map(of).collect()
        };
        let columns: Vec<(&str, Vec<Option<SummaryRow>>)> = all.into_iter().map(|name| (name, rows(name))).collect();
        let columns: Vec<_> = columns.into_iter().filter(|(_, rows)| rows.iter().any(Option::is_some)).collect();
        let own = [self.axis.clone(), "seeds".to_owned()];
        let head = own.into_iter().chain(columns.iter().map(|(name, _)| (*name).to_owned())).collect();
        let mut lines = Vec::new();
        for (number, series) in self.series.iter().enumerate() {
            for (place, value) in self.values.iter().enumerate() {
                let seeds = series.runs[place].len();
                if seeds == 0 {
                    continue;
                }
                let name = if series.name.is_empty() { String::new() } else { format!("{} · ", series.name) };
                let own = [format!("{name}{}", value.text), seeds.to_string()];
                let cell = |(_, rows): &(&str, Vec<Option<SummaryRow>>)| {
                    rows[number * self.values.len() + place]
                        .as_ref()
                        .map_or_else(|| "–".to_owned(), SummaryRow::in_words)
                };
                lines.push(own.into_iter().chain(columns.iter().map(cell)).collect());
            }
        }
        SummaryTable { head, lines }
    }

    fn row(&self, series: &Series, place: usize, name: &str, switch: usize) -> Option<SummaryRow> {
        let mut found: Vec<(u64, f64)> = (series.runs[place].iter())
            .filter_map(|(seed, findings)| Some((*seed, findings.figure(name, switch)?)))
            .collect();
        found.sort_unstable_by_key(|run| run.0);
        let values: Vec<f64> = found.into_iter().map(|run| run.1).collect();
        let figure = match switch {
            0 => name.to_owned(),
            _ => format!("{name}_{}", switch + 1),
        };
        let value = self.values[place].key.clone();
        Some(SummaryRow { variant: series.name.clone(), value, figure, summary: Summary::of(&values)?, values })
    }
}

impl SummaryRow {
    /// Describes it: the mean and its interval, as in `17.2 [14.9, 20.3]`, or the values of a handful of seeds. It says for how
    /// many seeds the figure is defined where that is not clear from the interval.
    pub(super) fn in_words(&self) -> String {
        match self.summary.interval {
            Some((low, high)) => {
                // Two digits of the interval, so that one around 1 is not 1.00 to 1.00.
                let of_width =
                    decimals_of(high - low).filter(|_| high > low).map_or(0, |decimals| decimals.saturating_sub(1));
                let decimals = decimals_of(self.summary.mean).map(|decimals| decimals.max(of_width.min(decimals + 2)));
                let show = |value: f64| shown(value, decimals);
                format!("{} [{}, {}]", show(self.summary.mean), show(low), show(high))
            }
            None => self.values.iter().map(|&value| shown(value, decimals_of(value))).collect::<Vec<_>>().join(", "),
        }
    }
}

impl SummaryTable {
    /// Returns the table as text with aligned columns.
    pub fn in_columns(&self) -> Vec<String> {
        let all = || std::iter::once(&self.head).chain(&self.lines);
        let width = |column: usize| all().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let padded = |line: &Vec<String>| -> String {
            let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        all().map(padded).collect()
    }
}

/// Returns the decimals with which a number of this size has three digits; `None` where it is written with a power of ten.
fn decimals_of(value: f64) -> Option<usize> {
    match value.abs() {
        0.0 => Some(0),
        size if !(1e-3..1e5).contains(&size) => None,
        size => Some((2.0 - size.log10().floor()).max(0.0) as usize),
    }
}

fn shown(value: f64, decimals: Option<usize>) -> String {
    let text = match decimals {
        Some(decimals) => format!("{value:.decimals$}"),
        None => format!("{value:.2e}"),
    };
    text.replace('-', "−")
}
