//! Reads the ratio of the first spike against the lag from the kernels of a study's runs, and writes them as a table.
//!
//! These methods of [`StudyFolder`] stand apart from the other tables, because they read every kernel of every run.

use std::path::Path;

use super::StudyFolder;
use super::tables::cell;
use crate::analysis::{LagRatio, SwitchKernels};
use crate::run::Probe;
use crate::storage::format::atomic;
use crate::storage::format::errors::FolderError;
use crate::storage::run_folder::reader::load;

/// The ratios of the runs that have them, by the index of the run.
pub type StudyLags = Vec<(usize, Vec<LagRatio>)>;

impl StudyFolder {
    /// Returns the ratios at the first switch of each run that has ended, on the probes of the task that ends there, shortest lag
    /// first. The kernels of one run at a time are in memory.
    pub fn lag_ratios(&self) -> StudyLags {
        let of = |place: usize| {
            self.ended(place)?;
            let history = load(&self.run_folder(place)).ok()?.history;
            let (task, probes) = (history.tasks().first()?.task, &history.info()?.probes);
            let of_task = |probe: &&Probe| probe.task == task;
            let first = probes.iter().position(|probe| of_task(&probe))?;
            let rows = first..first + probes.iter().filter(of_task).count();
            Some((place, SwitchKernels::of(&history, 0)?.ratios(&rows)))
        };
        (0..self.runs().len()).filter_map(of).filter(|(_, ratios)| !ratios.is_empty()).collect()
    }

    /// Writes them as a table: a row for each run and lag. A cell is empty where a figure is undefined.
    pub fn write_lags(&self, lags: &StudyLags, path: &Path) -> Result<(), FolderError> {
        atomic::replace(path, |writer| {
            let mut table = csv::Writer::from_writer(writer);
            table.write_record(["run", "variant", self.axis(), "seed"].into_iter().chain(LagRatio::COLUMNS))?;
            for (place, ratios) in lags {
                let run = &self.runs()[*place];
                for lag in ratios {
                    let line = [run.folder.clone(), run.variant.clone(), run.value.clone(), run.seed.to_string()];
                    let line = line.into_iter().chain(lag.cells(|count| count.to_string(), cell));
                    table.write_record(line)?;
                }
            }
            table.flush()
        })
    }
}
