//! Compares what could foretell how fast the next task is learnt, over the switches of long streams and over held-out seeds.
//!
//! Guarantees: a predictor is judged on a seed by a line that was fitted to the other seeds alone; beside each stand controls that
//! know nothing of the network: the number of the task, the same task in the other seeds, and any order at all.

use std::sync::Arc;

use super::{Comparison, Findings, SummaryRow, SummaryTable};
use crate::math::bootstrap::Summary;
use crate::math::rank_correlation::{Line, permuted_deviation, spearman};

/// The definition of the table in words.
pub const PREDICTORS_IN_WORDS: &str = "Foretold is the mean test accuracy while a task is trained, among its own classes, from the \
     kernel on its probes at the switch before. ρ: Spearman's correlation, over the switches of one seed, of that accuracy with \
     the prediction of a straight line fitted to all switches of the other seeds. R²: 1 − squared error of that prediction over \
     that of their mean. Beyond its number: ρ after a straight line in the number of the switch, fitted to the other seeds, is \
     taken from both. Beyond the task: ρ after the mean of the other seeds at the same switch is taken from both. Each is a mean \
     over the seeds held out one by one.";

/// The fewest switches of a run, and the fewest seeds, that are compared.
const LEAST_SWITCHES: usize = 8;
const LEAST_SEEDS: usize = 3;

/// What is foretold.
const OUTCOME: &str = "next_area";

/// What may foretell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Predictor {
    /// A figure of a switch, and whether its logarithm is taken.
    Figure(&'static str, bool),
    /// The number of the switch.
    Number,
    /// The mean of the outcome in the other seeds at this switch.
    OtherSeeds,
}

impl Predictor {
    const ALL: [(Self, &str); 9] = [
        (Self::Figure("next_rank", false), "effective rank"),
        (Self::Figure("next_condition", true), "log condition number"),
        (Self::Figure("next_top_share", false), "share of λ_max in the trace"),
        (Self::Figure("next_dormant", false), "dormant units"),
        (Self::Figure("next_dead", false), "dead units"),
        (Self::Figure("next_alignment", false), "alignment with its labels"),
        (Self::Figure("next_leave_one_out", false), "leave-one-out error"),
        (Self::Number, "control: its number"),
        (Self::OtherSeeds, "control: it in the other seeds"),
    ];
}

/// The statistics of a predictor: their names in the table of the study, and their heads.
const STATISTICS: [(&str, &str); 4] = [
    ("rho", "ρ"),
    ("r_squared", "R²"),
    ("rho_beyond_number", "ρ beyond its number"),
    ("rho_beyond_task", "ρ beyond the task"),
];

/// A switch of a seed: its number, the predictor, and the outcome.
#[derive(Clone, Copy)]
struct Point {
    number: usize,
    x: f64,
    y: f64,
}

/// How well one predictor foretells, of one value of the axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Foretold {
    /// The name of the predictor in words.
    pub predictor: &'static str,
    /// A row for each statistic that is defined; its figure is the statistic.
    pub rows: Vec<SummaryRow>,
    /// Twice the deviation, over all orders of the outcome, of the mean ρ.
    pub permuted: f64,
}

impl Comparison {
    /// Returns how well each predictor foretells the next task, for each value of the axis whose runs have many switches.
    pub fn foretold(&self) -> Vec<Foretold> {
        let mut found = Vec::new();
        for series in &self.series {
            for (value, runs) in self.values.iter().zip(&series.runs) {
                let mut runs: Vec<(u64, Arc<Findings>)> = runs.clone();
                runs.sort_by_key(|run| run.0);
                if runs.len() < LEAST_SEEDS || runs.iter().any(|run| run.1.switches.len() < LEAST_SWITCHES) {
                    continue;
                }
                let one = |&(predictor, words): &(Predictor, &'static str)| {
                    let (statistics, permuted) = judged(predictor, &runs)?;
                    let row = |((figure, _), values): (&(&str, &str), Vec<f64>)| {
                        let (variant, value) = (series.name.clone(), value.key.clone());
                        let summary = Summary::of(&values)?;
                        Some(SummaryRow { variant, value, figure: (*figure).to_owned(), summary, values })
                    };
                    let rows = STATISTICS.iter().zip(statistics).filter_map(row).collect();
                    Some(Foretold { predictor: words, rows, permuted })
                };
                found.extend(Predictor::ALL.iter().filter_map(one));
            }
        }
        found
    }

    /// Returns the table of the predictors; `None` where no runs have enough switches.
    pub fn foretold_table(&self) -> Option<SummaryTable> {
        let found = self.foretold();
        let first = found.first()?;
        let head = [self.axis.as_str(), "from", "seeds"].map(str::to_owned).into_iter();
        let head = head.chain(STATISTICS.map(|(_, head)| head.to_owned())).chain(["any order: ρ".to_owned()]).collect();
        let line = |of: &Foretold| -> Vec<String> {
            let cell = |(name, _): (&str, &str)| {
                let row = of.rows.iter().find(|row| row.figure == name);
                row.map_or_else(|| "–".to_owned(), SummaryRow::in_words)
            };
            let row = of.rows.first();
            let value = row.map_or_else(String::new, |row| match row.variant.as_str() {
                "" => row.value.clone(),
                variant => format!("{variant} · {}", row.value),
            });
            let seeds = row.map_or(0, |row| row.summary.seeds).to_string();
            let own = [value, of.predictor.to_owned(), seeds];
            own.into_iter().chain(STATISTICS.map(cell)).chain([format!("0 ± {:.2}", of.permuted)]).collect()
        };
        (!first.rows.is_empty()).then(|| SummaryTable { head, lines: found.iter().map(line).collect() })
    }
}

/// Returns the values of each statistic, a seed each, and twice the deviation of a mean ρ over orders; `None` where the figure is
/// not defined, or the same everywhere.
fn judged(predictor: Predictor, runs: &[(u64, Arc<Findings>)]) -> Option<([Vec<f64>; STATISTICS.len()], f64)> {
    let outcome = |run: usize, number: usize| runs[run].1.figure(OUTCOME, number);
    let mean_of_others = |run: usize, number: usize| {
        let others: Option<Vec<f64>> =
            (0..runs.len()).filter(|&other| other != run).map(|other| outcome(other, number)).collect();
        others.map(|others| others.iter().sum::<f64>() / others.len() as f64)
    };
    let x = |run: usize, number: usize| match predictor {
        Predictor::Figure(name, false) => runs[run].1.figure(name, number),
        Predictor::Figure(name, true) => runs[run].1.figure(name, number).map(f64::ln),
        Predictor::Number => Some((number + 1) as f64),
        Predictor::OtherSeeds => mean_of_others(run, number),
    };
    let of_run = |run: usize| -> Vec<Point> {
        let point = |number: usize| Some(Point { number: number + 1, x: x(run, number)?, y: outcome(run, number)? });
        (0..runs[run].1.switches.len()).filter_map(point).collect()
    };
    let points: Vec<Vec<Point>> = (0..runs.len()).map(of_run).collect();
    let mut found: [Vec<f64>; STATISTICS.len()] = Default::default();
    let mut variance = 0.0;
    for (held, own) in points.iter().enumerate() {
        let others: Vec<&Vec<Point>> = (0..points.len()).filter(|&run| run != held).map(|run| &points[run]).collect();
        let training: Vec<Point> = others.iter().flat_map(|run| run.iter().copied()).collect();
        let Some((rho, r_squared)) = on_held_out(own, &training) else { continue };
        found[0].push(rho);
        found[1].push(r_squared);
        variance += permuted_deviation(own.len()).powi(2);
        if predictor != Predictor::Number
            && let Some((x, y)) = trend(&training)
        {
            let without = |point: &Point| Point {
                x: point.x - x.at(point.number as f64),
                y: point.y - y.at(point.number as f64),
                ..*point
            };
            let rest: Vec<Point> = training.iter().map(without).collect();
            found[2].extend(on_held_out(&own.iter().map(without).collect::<Vec<_>>(), &rest).map(|found| found.0));
        }
        if matches!(predictor, Predictor::Figure(..)) {
            let without = |point: &Point| {
                let same: Option<Vec<Point>> =
                    others.iter().map(|run| run.iter().find(|other| other.number == point.number).copied()).collect();
                let same = same?;
                let mean = |of: &dyn Fn(&Point) -> f64| same.iter().map(of).sum::<f64>() / same.len() as f64;
                Some(Point { x: point.x - mean(&|other| other.x), y: point.y - mean(&|other| other.y), ..*point })
            };
            let (own, rest): (Vec<Point>, Vec<Point>) =
                (own.iter().filter_map(without).collect(), training.iter().filter_map(without).collect());
            found[3].extend(on_held_out(&own, &rest).map(|found| found.0));
        }
    }
    let seeds = found[0].len();
    (seeds > 0).then(|| (found, 2.0 * variance.sqrt() / seeds as f64))
}

/// Returns the lines of predictor and outcome in the number of the switch.
fn trend(points: &[Point]) -> Option<(Line, Line)> {
    let line = |of: &dyn Fn(&Point) -> f64| {
        Line::through(&points.iter().map(|point| (point.number as f64, of(point))).collect::<Vec<_>>())
    };
    line(&|point| point.x).zip(line(&|point| point.y))
}

/// Returns ρ and R² of the line through the training points on others.
fn on_held_out(own: &[Point], training: &[Point]) -> Option<(f64, f64)> {
    let line = Line::through(&training.iter().map(|point| (point.x, point.y)).collect::<Vec<_>>())?;
    let (said, real): (Vec<f64>, Vec<f64>) = own.iter().map(|point| (line.at(point.x), point.y)).unzip();
    let mean = training.iter().map(|point| point.y).sum::<f64>() / training.len() as f64;
    let squares = |of: &dyn Fn(usize) -> f64| (0..own.len()).map(|place| of(place).powi(2)).sum::<f64>();
    let (missed, all) = (squares(&|place| real[place] - said[place]), squares(&|place| real[place] - mean));
    Some((spearman(&said, &real)?, 1.0 - missed / all))
}
