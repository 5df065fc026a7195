//! The list of tasks of a study: a line for each run, by whose number a batch system asks for it.
//!
//! Guarantee: a number once given stays that of its run. Runs that join the study get numbers behind all others, whatever
//! their place among its values and seeds.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;

use super::{StudyError, StudyFolder};
use crate::storage::format::errors::FolderError;
use crate::storage::format::{atomic, disk};

/// The file of the tasks: number and run folder in each line, separated by a tab.
pub const TASKS: &str = "tasks.txt";

impl StudyFolder {
    /// Returns the file of the tasks.
    pub fn tasks_file(&self) -> PathBuf {
        self.folder().join(TASKS)
    }

    /// Returns whether the study has a list of tasks.
    pub fn is_planned(&self) -> bool {
        self.tasks_file().exists()
    }

    /// Returns the run folders of all tasks, in the order of their numbers.
    fn listed(&self) -> Vec<String> {
        let text = disk::text(&self.tasks_file()).unwrap_or_default();
        let folder = |line: &str| line.split_once('\t').map(|(_, folder)| folder.trim().to_owned());
        text.lines().filter_map(folder).collect()
    }

    /// Returns whether each run has a line.
    pub(super) fn lists_all_tasks(&self) -> bool {
        let listed: BTreeSet<String> = self.listed().into_iter().collect();
        self.runs().iter().all(|run| listed.contains(&run.folder))
    }

    /// Writes the list: lines that are there stay, runs without one follow.
    pub(super) fn write_tasks(&self) -> Result<(), FolderError> {
        let mut folders = self.listed();
        let known: BTreeSet<String> = folders.iter().cloned().collect();
        folders.extend(self.runs().iter().map(|run| run.folder.clone()).filter(|folder| !known.contains(folder)));
        atomic::replace_for_good(&self.tasks_file(), |writer| {
            (1..).zip(&folders).try_for_each(|(number, folder)| writeln!(writer, "{number}\t{folder}"))
        })
    }

    /// Returns the number of tasks.
    pub fn task_count(&self) -> usize {
        self.listed().len()
    }

    /// Returns the runs of these tasks, by their indices.
    ///
    /// # Errors
    /// When there is no list, or a number is not in it.
    pub fn runs_of_tasks(&self, numbers: &[usize]) -> Result<Vec<usize>, StudyError> {
        let listed = self.listed();
        let place = |&number: &usize| {
            let folder = number.checked_sub(1).and_then(|at| listed.get(at));
            let run = folder.and_then(|folder| self.runs().iter().position(|run| run.folder == *folder));
            run.ok_or_else(|| StudyError::NoTask { file: self.tasks_file(), number, count: listed.len() })
        };
        if listed.is_empty() {
            return Err(StudyError::NoTasks(self.folder().to_owned()));
        }
        numbers.iter().map(place).collect()
    }

    /// Returns the number of each run's task, where there is a list.
    pub fn task_numbers(&self) -> Vec<Option<usize>> {
        let listed = self.listed();
        let number = |folder: &str| Some(listed.iter().position(|known| known == folder)? + 1);
        self.runs().iter().map(|run| number(&run.folder)).collect()
    }
}
