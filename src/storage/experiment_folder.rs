//! Reads and writes the folder of one run of a learning experiment: `run.toml`, `points.csv` with a row for each finished
//! learner, the predictions for kernels (`prediction.csv`, `spectrum.csv`) and, while it continues, a shelf of kernel blocks.
//!
//! Guarantees: a point is on disk before the next one is begun; an interrupted run continues from its points and its
//! shelf, and only in the folder of the same run. Of a prediction the spectrum is written first, so that a prediction
//! whose curve exists is complete.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::claim::{Claim, claim};
use super::format::errors::FolderError;
use super::format::{atomic, disk};
use super::run_folder::files::RUN;
use super::run_folder::reader::read_spec;
use crate::run::{InstantCurve, Point};
use crate::spec::{Learner, LearningExperiment, Spec};

pub(crate) const POINTS: &str = "points.csv";
const PREDICTION: &str = "prediction.csv";
const SPECTRUM: &str = "spectrum.csv";
const SHELF: &str = "shelf";

/// The folder of a run of a learning experiment while it is being filled.
#[derive(Debug)]
pub struct ExperimentFolder {
    out: PathBuf,
    points: Vec<Point>,
    predictions: Vec<InstantCurve>,
    /// Held while the folder is written; released on drop.
    claim: Arc<Claim>,
}

/// The folder of finished blocks of kernels, each a file under its name.
#[derive(Debug)]
pub struct ShelfFolder {
    folder: PathBuf,
    claim: Arc<Claim>,
}

#[derive(Serialize, Deserialize)]
struct Predicted {
    learner: Learner,
    samples: f64,
    mse: f64,
}

#[derive(Serialize, Deserialize)]
struct Mode {
    learner: Learner,
    eigenvalue: f64,
    cumulative_power: f64,
}

impl ExperimentFolder {
    /// Opens the folder of this run, or creates it.
    ///
    /// # Errors
    /// When the folder holds something else, or cannot be written.
    pub fn create(out: &Path, spec: &Spec) -> Result<Self, FolderError> {
        if out.exists() && !out.is_dir() {
            return Err(FolderError::IsFile(out.to_owned()));
        }
        is_of(out, spec)?;
        disk::make_folder(out).map_err(|err| FolderError::write(out, err))?;
        let claim = Arc::new(claim(out)?);
        // Again under the claim: another process may have written it since.
        let same = is_of(out, spec)?;
        atomic::sweep(out);
        if !same {
            atomic::replace(&out.join(RUN), |writer| writer.write_all(spec.to_toml().as_bytes()))?;
        }
        let shelf = out.join(SHELF);
        disk::make_folder(&shelf).map_err(|err| FolderError::write(&shelf, err))?;
        atomic::sweep(&shelf);
        Ok(Self { out: out.to_owned(), points: points(out), predictions: predictions(out), claim })
    }

    /// Returns the points that the folder holds.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    pub fn predictions(&self) -> &[InstantCurve] {
        &self.predictions
    }

    pub fn shelf(&self) -> ShelfFolder {
        ShelfFolder { folder: self.out.join(SHELF), claim: Arc::clone(&self.claim) }
    }

    /// Appends a point.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn take(&mut self, point: Point) -> Result<(), FolderError> {
        self.claim.check()?;
        self.points.push(point);
        rows(&self.out.join(POINTS), &self.points)
    }

    /// Writes the predicted learning curve of a kernel.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn predict(&mut self, prediction: InstantCurve) -> Result<(), FolderError> {
        self.claim.check()?;
        self.predictions.retain(|known| known.learner != prediction.learner);
        self.predictions.push(prediction);
        let of = |prediction: &InstantCurve| {
            let learner = prediction.learner;
            let mode =
                move |&(eigenvalue, cumulative_power): &(f64, f64)| Mode { learner, eigenvalue, cumulative_power };
            prediction.spectrum.iter().map(mode).collect::<Vec<_>>()
        };
        rows(&self.out.join(SPECTRUM), &self.predictions.iter().flat_map(of).collect::<Vec<_>>())?;
        let of = |prediction: &InstantCurve| {
            let learner = prediction.learner;
            let curve = prediction.curve.iter().map(move |&(samples, mse)| Predicted { learner, samples, mse });
            curve.collect::<Vec<_>>()
        };
        rows(&self.out.join(PREDICTION), &self.predictions.iter().flat_map(of).collect::<Vec<_>>())
    }

    /// Removes the shelf, because no more blocks will come.
    pub fn close(self) {
        remove_shelf(&self.out);
    }
}

impl ShelfFolder {
    /// Returns the values stored under this name, if they are complete.
    pub fn get(&self, name: &str) -> Option<Vec<f64>> {
        let bytes = fs::read(self.place(name)).ok()?;
        let (values, rest) = bytes.as_chunks::<8>();
        rest.is_empty().then(|| values.iter().map(|eight| f64::from_le_bytes(*eight)).collect())
    }

    /// Stores values under a name; a failure to write costs only the time to compute them again.
    pub fn put(&mut self, name: &str, values: &[f64]) {
        let fill = |writer: &mut std::io::BufWriter<fs::File>| {
            values.iter().try_for_each(|value| writer.write_all(&value.to_le_bytes()))
        };
        let written = self.claim.check().and_then(|()| atomic::replace(&self.place(name), fill));
        if let Err(err) = written {
            log::warn!("a block of a kernel is not kept: {err}");
        }
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.f64"))
    }
}

/// Returns whether the folder holds this run; an error where it holds something else.
pub(crate) fn is_of(out: &Path, spec: &Spec) -> Result<bool, FolderError> {
    if atomic::is_bare(out) {
        return Ok(false);
    }
    match read_spec(&out.join(RUN)) {
        Ok(saved) if saved.same_run(spec) => Ok(true),
        _ => Err(FolderError::NotEmpty(out.to_owned())),
    }
}

/// Removes what a killed process left in the folder of this run.
///
/// # Errors
/// When another process writes the folder.
pub(crate) fn tidy(out: &Path, experiment: &LearningExperiment) -> Result<(), FolderError> {
    if !out.is_dir() {
        return Ok(());
    }
    let _claim = claim(out)?;
    atomic::sweep(out);
    atomic::sweep(&out.join(SHELF));
    if is_complete(&points(out), experiment) {
        remove_shelf(out);
    }
    Ok(())
}

fn remove_shelf(out: &Path) {
    let shelf = out.join(SHELF);
    // What is left of the shelf is no longer needed.
    if shelf.is_dir() && disk::step(&shelf).is_ok() {
        let _ = fs::remove_dir_all(shelf);
    }
}

/// Returns whether the folder holds every prediction for the kernels of this run.
pub(crate) fn has_predictions(found: &[InstantCurve], experiment: &LearningExperiment, spec: &Spec) -> bool {
    experiment.predicted_learners(spec).iter().all(|learner| found.iter().any(|instant| instant.learner == *learner))
}

/// Returns whether every learner has its point.
pub(crate) fn is_complete(points: &[Point], experiment: &LearningExperiment) -> bool {
    let has_point = |learner, epoch| points.iter().any(|point| point.is_of(learner, epoch));
    experiment.learners.iter().all(|&learner| match learner {
        Learner::KernelEpochs => experiment.protocol.epochs.iter().all(|epoch| has_point(learner, Some(*epoch))),
        _ => has_point(learner, None),
    })
}

/// Returns the readable points of a folder.
pub(crate) fn points(out: &Path) -> Vec<Point> {
    read(&out.join(POINTS))
}

pub(crate) fn predictions(out: &Path) -> Vec<InstantCurve> {
    let mut found: Vec<InstantCurve> = Vec::new();
    for Predicted { learner, samples, mse } in read(&out.join(PREDICTION)) {
        match found.iter_mut().find(|known| known.learner == learner) {
            Some(known) => known.curve.push((samples, mse)),
            None => found.push(InstantCurve { learner, curve: vec![(samples, mse)], spectrum: Vec::new() }),
        }
    }
    for Mode { learner, eigenvalue, cumulative_power } in read(&out.join(SPECTRUM)) {
        if let Some(known) = found.iter_mut().find(|known| known.learner == learner) {
            known.spectrum.push((eigenvalue, cumulative_power));
        }
    }
    found
}

fn rows<T: Serialize>(path: &Path, rows: &[T]) -> Result<(), FolderError> {
    atomic::replace(path, |writer| {
        let mut table = csv::Writer::from_writer(writer);
        rows.iter().try_for_each(|row| table.serialize(row))?;
        table.flush()
    })
}

fn read<T: DeserializeOwned>(path: &Path) -> Vec<T> {
    let Ok(file) = disk::open(path) else { return Vec::new() };
    csv::Reader::from_reader(file).into_deserialize().map_while(Result::ok).collect()
}
