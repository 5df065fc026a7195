//! Reads and writes the folder of a study: `study.toml`, a run folder for each run, and the tables of `study_tables`.
//!
//! Several processes may fill one: each run has a claim of its own, and the study's is held only while its spec or its list of
//! tasks changes.
//!
//! Guarantees: a finished run is not repeated; a row is read only from its run's folder, so a study that was killed and resumed
//! has the same table as one that was not; no folder of another study is touched.

pub(crate) mod lags;
pub(crate) mod log;
pub(crate) mod merge;
pub(crate) mod pack;
pub(crate) mod status;
pub(crate) mod tables;
pub(crate) mod tasks;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::claim::{claim, is_claimed};
use super::experiment_folder;
use super::format::errors::FolderError;
use super::format::{atomic, disk};
use super::run_folder::completeness::ending;
use super::run_folder::create::is_done;
use super::run_folder::files::STUDY;
use super::run_folder::reader::{LoadError, load_rows, read_spec};
use super::run_folder::resume;
use crate::analysis::LearningCurves;
use crate::analysis::comparison::{Comparison, Findings};
use crate::run::{Event, History, InstantCurve, Point};
use crate::spec::{Spec, StudyRun};
use crate::storage::figure_files;

/// The file of the table.
pub const TABLE: &str = "study.csv";
/// The folder of the runs.
pub const RUNS: &str = "runs";

/// The reasons why a study cannot be opened or written; each prints as one sentence.
#[derive(Debug, Error)]
pub enum StudyError {
    #[error("{} is not empty and holds no study: choose another folder", .0.display())]
    NotEmpty(PathBuf),
    #[error("{} holds another study{what}: choose another folder", folder.display())]
    Other { folder: PathBuf, what: String },
    #[error("{} holds another run than this study says: choose another folder for the study", .0.display())]
    OtherRun(PathBuf),
    #[error("{} has no list of tasks: `kernelscope study --plan DIR` with the settings of the study writes it", .0.display())]
    NoTasks(PathBuf),
    #[error("{} has no task {number}: its tasks are 1 to {count}", file.display())]
    NoTask { file: PathBuf, number: usize, count: usize },
    #[error("{} is no pack of tasks that --pack of `kernelscope study` wrote: {why}", file.display())]
    NoPack { file: PathBuf, why: String },
    #[error(transparent)]
    Read(#[from] LoadError),
    #[error(transparent)]
    Folder(#[from] FolderError),
}

/// The results so far of one run of a learning experiment.
#[derive(Clone, Debug, Default)]
struct ExperimentResults {
    points: Arc<[Point]>,
    instants: Arc<[InstantCurve]>,
    complete: bool,
}

/// The file of the figures of each value of the axis, summarised over seeds.
pub const SUMMARY_TABLE: &str = "summary.csv";

/// The file of what foretells the next task, in a study of long streams.
pub const PREDICTORS_TABLE: &str = "predictors.csv";

/// The file of the page on a study.
pub const STUDY_PAGE: &str = "study.html";

/// The file of the power laws of a learning experiment.
pub const LAWS_TABLE: &str = "laws.csv";

/// The folder of a study.
#[derive(Debug)]
pub struct StudyFolder {
    out: PathBuf,
    spec: Spec,
    runs: Vec<StudyRun>,
    /// The record of each run that has ended.
    ended: Vec<Option<Arc<History>>>,
    /// In a learning experiment, the results of each run, ended or not.
    results: Vec<ExperimentResults>,
    /// The unfinished work of a killed process that was completed, one sentence each.
    repairs: Vec<String>,
}

impl StudyFolder {
    /// Opens the folder for this study: an empty one, or that of the same study, to whose values and seeds these are
    /// added. Reads the finished runs. A refusal comes before anything is written.
    pub fn create(out: &Path, spec: &Spec) -> Result<Self, StudyError> {
        Self::open_to_fill(out, spec, false)
    }

    /// Opens the folder like [`StudyFolder::create`], and writes its list of tasks.
    pub fn plan(out: &Path, spec: &Spec) -> Result<Self, StudyError> {
        Self::open_to_fill(out, spec, true)
    }

    fn open_to_fill(out: &Path, spec: &Spec, with_tasks: bool) -> Result<Self, StudyError> {
        let place = out.join(STUDY);
        let wanted = with_written_axis(spec);
        let mut study = Self::unread(out, merged_study(out, &wanted)?)?;
        let runs = out.join(RUNS);
        let is_written = |study: &Self| disk::text(&place).is_ok_and(|text| text == study.spec.to_toml());
        let lacks_tasks = (with_tasks || study.is_planned()) && !study.lists_all_tasks();
        if !is_written(&study) || lacks_tasks {
            disk::make_folder(out).map_err(|err| FolderError::write(out, err))?;
            let _claim = claim(out)?;
            // Another process may have extended it meanwhile. Whatever is there is a part of it, or nothing is written.
            study = Self::with(out, merged_study(out, &wanted)?)?;
            if !is_written(&study) {
                atomic::replace_for_good(&place, |writer| writer.write_all(study.spec.to_toml().as_bytes()))?;
            }
            if with_tasks || study.is_planned() {
                study.write_tasks()?;
            }
        }
        disk::make_folder(&runs).map_err(|err| FolderError::write(&runs, err))?;
        study.tidy()?;
        Ok(study)
    }

    /// Completes what killed processes left unfinished in the runs that no process writes, reads those that have ended, and
    /// writes the tables.
    pub fn tidy(&mut self) -> Result<(), StudyError> {
        self.repairs = repair_runs(&self.out, &self.runs);
        for place in 0..self.runs.len() {
            self.read_ended(place)?;
        }
        // Figures may be drawn by another process at this moment; all else is written with the claim of the study.
        atomic::sweep_abandoned(&self.out.join(figure_files::FOLDER));
        let claim = claim(&self.out)?;
        atomic::sweep(&self.out);
        drop(claim);
        self.write_table()?;
        self.write_summary()?;
        self.write_laws()?;
        Ok(())
    }

    /// Returns the study that [`StudyFolder::create`] would open, without writing anything; in an empty folder no run has
    /// ended.
    pub fn peek(out: &Path, spec: &Spec) -> Result<Self, StudyError> {
        Self::with(out, merged_study(out, &with_written_axis(spec))?)
    }

    /// Reads the study of this folder without its runs.
    pub fn spec_in(out: &Path) -> Result<Spec, LoadError> {
        Ok(with_written_axis(&read_spec(&out.join(STUDY))?))
    }

    /// Opens a study for reading.
    pub fn open(out: &Path) -> Result<Self, StudyError> {
        Self::with(out, Self::spec_in(out)?)
    }

    /// Opens a study without reading what has ended: for a process that fills a part of it.
    pub fn open_unread(out: &Path) -> Result<Self, StudyError> {
        Self::unread(out, Self::spec_in(out)?)
    }

    fn with(out: &Path, spec: Spec) -> Result<Self, StudyError> {
        let mut study = Self::unread(out, spec)?;
        for place in 0..study.runs.len() {
            study.read_ended(place)?;
        }
        Ok(study)
    }

    fn unread(out: &Path, spec: Spec) -> Result<Self, StudyError> {
        let named = |source| LoadError::Spec { path: out.join(STUDY), source };
        let runs = spec.runs().map_err(named)?;
        Ok(Self {
            out: out.to_owned(),
            spec,
            ended: vec![None; runs.len()],
            results: vec![ExperimentResults::default(); runs.len()],
            runs,
            repairs: Vec::new(),
        })
    }

    /// Returns the spec of the study.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Returns the key that varies, or the common part of the variants' keys.
    pub fn axis(&self) -> &str {
        self.spec.study.as_ref().map_or("", |study| study.axis.as_str())
    }

    /// Returns the runs, series by series and value by value.
    pub fn runs(&self) -> &[StudyRun] {
        &self.runs
    }

    /// Returns the folder of a run.
    pub fn run_folder(&self, place: usize) -> PathBuf {
        self.out.join(RUNS).join(&self.runs[place].folder)
    }

    /// Returns the study's folder.
    pub fn folder(&self) -> &Path {
        &self.out
    }

    /// Returns the work that a kill had left unfinished and that opening completed, one sentence each.
    pub fn repairs(&self) -> &[String] {
        &self.repairs
    }

    /// Returns the record of a run that has ended: rows, tasks and losses, no Gram.
    pub fn ended(&self, place: usize) -> Option<&Arc<History>> {
        self.ended[place].as_ref()
    }

    /// Returns whether a run has ended.
    pub fn is_ended(&self, place: usize) -> bool {
        self.ended[place].is_some() || self.results[place].complete
    }

    /// Returns the results of a run's learners so far.
    pub fn points(&self, place: usize) -> &[Point] {
        &self.results[place].points
    }

    /// Returns whether a run has computed all instant curves of its learners.
    pub fn has_predictions(&self, place: usize) -> bool {
        let run = &self.runs[place];
        run.experiment.as_ref().is_some_and(|experiment| {
            experiment_folder::has_predictions(&self.results[place].instants, experiment, &run.spec)
        })
    }

    /// Returns whether the study compares learners.
    pub fn is_of_learners(&self) -> bool {
        self.runs.iter().any(|run| run.experiment.is_some())
    }

    /// Returns the learning curves of all learners so far.
    pub fn learning_curves(&self) -> LearningCurves {
        let known = |place: usize| (Arc::clone(&self.results[place].points), Arc::clone(&self.results[place].instants));
        LearningCurves::of(self.axis(), &self.runs, known)
    }

    /// Compares the runs that have ended.
    pub fn comparison(&self) -> Comparison {
        Comparison::of(self.axis(), &self.runs, |place| Findings::of(self.ended(place)?).map(Arc::new))
    }

    /// Checks whether a run has ended, and reads it if so.
    pub fn read_ended(&mut self, place: usize) -> Result<(), StudyError> {
        let folder = self.run_folder(place);
        if let Some(experiment) = &self.runs[place].experiment {
            let exists = experiment_folder::is_of(&folder, &self.runs[place].spec).map_err(|err| match err {
                FolderError::NotEmpty(folder) => StudyError::OtherRun(folder),
                other => other.into(),
            })?;
            if exists {
                let points = experiment_folder::points(&folder);
                let complete = experiment_folder::is_complete(&points, experiment);
                let instants = experiment_folder::predictions(&folder).into();
                self.results[place] = ExperimentResults { points: points.into(), instants, complete };
            }
            return Ok(());
        }
        let done = is_done(&folder, &self.runs[place].spec).map_err(|err| match err {
            FolderError::NotEmpty(folder) => StudyError::OtherRun(folder),
            other => other.into(),
        })?;
        if done {
            let history = match load_rows(&folder) {
                Ok(loaded) => loaded.history,
                // The run diverged before anything was measured: the table has a row without figures.
                Err(LoadError::Empty(_)) => {
                    let mut history = History::default();
                    ending(&folder).into_iter().for_each(|ending| history.push(Event::Ended(ending)));
                    history
                }
                Err(err) => return Err(err.into()),
            };
            self.ended[place] = Some(Arc::new(history));
        }
        Ok(())
    }
}

/// Completes the work that a kill left unfinished in the runs of a study; a run that another process writes is skipped.
fn repair_runs(out: &Path, runs: &[StudyRun]) -> Vec<String> {
    let mend = |run: &StudyRun| {
        let folder = out.join(RUNS).join(&run.folder);
        if is_claimed(&folder) {
            return Ok(Vec::new());
        }
        match &run.experiment {
            Some(experiment) => experiment_folder::tidy(&folder, experiment).map(|()| Vec::new()),
            None => resume::repair(&folder),
        }
    };
    let told = |done: Result<Vec<String>, FolderError>| match done {
        // Another process was faster.
        Err(FolderError::Busy { .. } | FolderError::Claimed { .. }) => Vec::new(),
        done => done.unwrap_or_else(|err| vec![err.to_string()]),
    };
    runs.iter().flat_map(|run| told(mend(run))).collect()
}

/// Returns the study with its number of samples written out as an axis.
fn with_written_axis(spec: &Spec) -> Spec {
    let study = spec.study.as_ref().map(crate::spec::StudySpec::with_axis_values);
    Spec { study, ..spec.clone() }
}

/// Returns the study that a folder would hold if this one were opened there; an error if the folder holds anything else.
fn merged_study(out: &Path, spec: &Spec) -> Result<Spec, StudyError> {
    if out.exists() && !out.is_dir() {
        return Err(FolderError::IsFile(out.to_owned()).into());
    }
    let place = out.join(STUDY);
    if place.exists() {
        extended(read_spec(&place)?, spec).map_err(|what| StudyError::Other { folder: out.to_owned(), what })
    } else if atomic::is_bare(out) {
        Ok(spec.clone())
    } else {
        Err(StudyError::NotEmpty(out.to_owned()))
    }
}

/// Returns the existing study extended by the values, variants and seeds of the new one, if they differ in nothing else;
/// otherwise the subject of the existing one, as part of a sentence.
fn extended(there: Spec, new: &Spec) -> Result<Spec, String> {
    let question = |spec: &Spec| {
        let study = spec.study.as_ref();
        // Runs are named differently in a study with series and in one without.
        let kind = study.map(|study| (study.axis.clone(), study.values.is_empty(), study.variants.is_empty()));
        let rules = study.map(|study| (study.learners.is_empty(), study.protocol.clone()));
        ((kind, rules), Spec { study: None, seed: 0, ..spec.clone() })
    };
    let (kind, old) = question(&there);
    let (new_kind, new_spec) = question(new);
    if kind != new_kind || !old.same_run(&new_spec) {
        return Err(kind.0.map(|(axis, ..)| format!(", of {axis}")).unwrap_or_default());
    }
    let mut study = there.study.unwrap_or_default();
    let added = new.study.clone().unwrap_or_default();
    for variant in added.variants {
        match study.variants.iter_mut().find(|known| known.name == variant.name) {
            Some(known) if known.set != variant.set || known.values.is_empty() != variant.values.is_empty() => {
                return Err(format!(", in which {} sets something else", known.name));
            }
            Some(known) => variant.values.into_iter().for_each(|value| join(&mut known.values, value)),
            None => study.variants.push(variant),
        }
    }
    added.values.into_iter().for_each(|value| join(&mut study.values, value));
    added.seeds.into_iter().for_each(|seed| join(&mut study.seeds, seed));
    added.learners.into_iter().for_each(|learner| join(&mut study.learners, learner));
    Ok(Spec { study: Some(study), ..new.clone() })
}

fn join<T: PartialEq>(known: &mut Vec<T>, new: T) {
    if !known.contains(&new) {
        known.push(new);
    }
}
