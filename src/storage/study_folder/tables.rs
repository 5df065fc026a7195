//! Writes the tables of a study: a row for each run that has ended, or for each point of a learning experiment; the figures of
//! each value of the axis, summarised over seeds; and the power laws of a learning experiment.
//!
//! Guarantees: a table replaces its predecessor as a whole; a cell is empty where a figure is undefined.
//!
//! These methods of [`StudyFolder`] stand apart from the folder itself, because they only read it.

use std::path::PathBuf;

use super::StudyFolder;
use super::{LAWS_TABLE, PREDICTORS_TABLE, SUMMARY_TABLE, TABLE};
use crate::analysis::{ErrorKind, RUN_FIGURES, SWITCH_FIGURES, Switch};
use crate::run::{Ending, History, RunState};
use crate::storage::claim::claim;
use crate::storage::format::atomic;
use crate::storage::format::errors::FolderError;

impl StudyFolder {
    /// Writes the table of the runs that have ended.
    pub fn write_table(&self) -> Result<PathBuf, FolderError> {
        self.write_lines(TABLE, self.table())
    }

    /// Writes the summary over seeds of a study of runs with switches and laws; one of learners has its laws instead.
    pub fn write_summary(&self) -> Result<(), FolderError> {
        if self.is_of_learners() {
            return Ok(());
        }
        self.write_lines(SUMMARY_TABLE, self.summary())?;
        let predictors = self.predictors();
        if predictors.len() > 1 { self.write_lines(PREDICTORS_TABLE, predictors).map(drop) } else { Ok(()) }
    }

    /// Writes the power laws of a study of learners; their confidence intervals take a while to compute.
    pub fn write_laws(&self) -> Result<(), FolderError> {
        if !self.is_of_learners() {
            return Ok(());
        }
        self.write_lines(LAWS_TABLE, self.laws()).map(drop)
    }

    /// Writes a table, with the claim of the study, so that leftovers of killed processes can be told from files of others.
    fn write_lines(&self, name: &str, lines: Vec<Vec<String>>) -> Result<PathBuf, FolderError> {
        let path = self.folder().join(name);
        let _claim = claim(self.folder())?;
        atomic::replace(&path, |writer| {
            let mut table = csv::Writer::from_writer(writer);
            lines.into_iter().try_for_each(|line| table.write_record(line))?;
            table.flush()
        })?;
        Ok(path)
    }

    /// Returns the header and a row for each run that has ended; the figures of the second switch have `_2` behind their
    /// names, and so on. Last comes the series, where there are several. A cell is empty where a figure is undefined.
    pub fn table(&self) -> Vec<Vec<String>> {
        if self.is_of_learners() {
            return self.points_table();
        }
        let axis = self.axis();
        let known: Vec<_> =
            self.runs().iter().enumerate().filter_map(|(place, run)| Some((run, self.ended(place)?))).collect();
        let outcomes: Vec<_> = known.iter().map(|(_, history)| history.outcomes()).collect();
        let switches = outcomes.iter().map(Vec::len).max().unwrap_or(0).max(1);
        let numbered = |switch: usize, name: &str| match switch {
            0 => name.to_owned(),
            _ => format!("{name}_{}", switch + 1),
        };
        let mut head: Vec<String> = ["run", axis, "seed", "ended"].map(str::to_owned).to_vec();
        for switch in 0..switches {
            head.extend(SWITCH_FIGURES.map(|name| numbered(switch, name)));
        }
        head.extend(RUN_FIGURES.map(str::to_owned));
        head.push("variant".to_owned());
        let mut lines = vec![head];
        for ((run, history), switched) in known.into_iter().zip(outcomes) {
            let mut line = vec![run.folder.clone(), run.value.clone(), run.seed.to_string(), word(history).to_owned()];
            for switch in 0..switches {
                let figures = switched.get(switch).map_or([None; SWITCH_FIGURES.len()], Switch::figures);
                line.extend(figures.map(cell));
            }
            line.extend(history.run_figures().map(cell));
            line.push(run.variant.clone());
            lines.push(line);
        }
        lines
    }

    /// Returns the header and a row for each figure of each value: the number of seeds that have it, their mean and its interval
    /// or, of a handful of seeds, the single values, in the order of the seeds.
    fn summary(&self) -> Vec<Vec<String>> {
        let head = ["variant", self.axis(), "figure", "seeds", "mean", "low", "high", "values"];
        let mut lines = vec![head.map(str::to_owned).to_vec()];
        for row in self.comparison().summaries() {
            let ends = row.summary.interval;
            let values = match ends {
                Some(_) => String::new(),
                None => row.values.iter().map(f64::to_string).collect::<Vec<_>>().join(" "),
            };
            let numbers = [Some(row.summary.mean), ends.map(|ends| ends.0), ends.map(|ends| ends.1)];
            let mut line = vec![row.variant, row.value, row.figure, row.summary.seeds.to_string()];
            line.extend(numbers.map(cell));
            line.push(values);
            lines.push(line);
        }
        lines
    }

    /// Returns the header and a row for each statistic of each predictor of the next task, with its value in each seed, in their
    /// order.
    fn predictors(&self) -> Vec<Vec<String>> {
        let head =
            ["variant", self.axis(), "predictor", "statistic", "seeds", "mean", "low", "high", "permuted", "values"];
        let mut lines = vec![head.map(str::to_owned).to_vec()];
        for of in self.comparison().foretold() {
            for row in of.rows {
                let ends = row.summary.interval;
                let mut line = vec![row.variant, row.value, of.predictor.to_owned(), row.figure];
                line.push(row.summary.seeds.to_string());
                let numbers =
                    [Some(row.summary.mean), ends.map(|ends| ends.0), ends.map(|ends| ends.1), Some(of.permuted)];
                line.extend(numbers.map(cell));
                line.push(row.values.iter().map(f64::to_string).collect::<Vec<_>>().join(" "));
                lines.push(line);
            }
        }
        lines
    }

    /// Returns the header and a row for each learner of each run, with the run and its point.
    fn points_table(&self) -> Vec<Vec<String>> {
        let mut lines = Vec::new();
        for (number, run) in self.runs().iter().enumerate() {
            let mut writer = csv::Writer::from_writer(Vec::new());
            // Serialising a value in memory fails only by a programming error, which the table then shows as a gap.
            let written = self.points(number).iter().try_for_each(|point| writer.serialize(point));
            let bytes = written.ok().and_then(|()| writer.into_inner().ok()).unwrap_or_default();
            for (place, line) in csv::ReaderBuilder::new()
                .has_headers(false)
                .from_reader(bytes.as_slice())
                .records()
                .flatten()
                .enumerate()
            {
                if place == 0 && !lines.is_empty() {
                    continue;
                }
                let own = if place == 0 {
                    ["run", "variant", self.axis(), "seed"].map(str::to_owned)
                } else {
                    [run.folder.clone(), run.variant.clone(), run.value.clone(), run.seed.to_string()]
                };
                lines.push(own.into_iter().chain(line.iter().map(str::to_owned)).collect());
            }
        }
        if lines.is_empty() {
            lines.push(["run", "variant", self.axis(), "seed"].map(str::to_owned).to_vec());
        }
        lines
    }

    /// Returns the header and a row for the power law of each learner over all n, for either error.
    fn laws(&self) -> Vec<Vec<String>> {
        let head = [
            "learner",
            "epoch",
            "variant",
            "figure",
            "window_low",
            "window_high",
            "exponent",
            "exponent_low",
            "exponent_high",
            "floor",
            "prefactor",
        ];
        let mut lines = vec![head.map(str::to_owned).to_vec()];
        let learnt = self.learning_curves();
        let Some(window) = learnt.span().filter(|_| learnt.is_over_samples()) else { return lines };
        for curve in &learnt.curves {
            for kind in ErrorKind::ALL {
                let Some(found) = curve.fitted(kind, window) else { continue };
                let mut line = vec![
                    curve.learner.key().to_owned(),
                    cell(curve.epoch),
                    curve.variant.clone(),
                    kind.key().to_owned(),
                ];
                let numbers = [
                    Some(window.0),
                    Some(window.1),
                    Some(found.law.exponent),
                    found.interval.map(|interval| interval.low),
                    found.interval.map(|interval| interval.high),
                    Some(found.law.floor),
                    Some(found.law.prefactor),
                ];
                line.extend(numbers.map(cell));
                lines.push(line);
            }
        }
        lines
    }
}

fn word(history: &History) -> &'static str {
    match history.state() {
        RunState::Ended(Ending::Diverged { .. }) => "diverged",
        _ => "finished",
    }
}

/// Returns the shortest digits that read back as the same number.
pub(super) fn cell(figure: Option<f64>) -> String {
    figure.filter(|value| value.is_finite()).map(|value| value.to_string()).unwrap_or_default()
}
