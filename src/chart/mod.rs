//! Figures for a paper or a slide, drawn from the same record and with the same definitions as the window.
//!
//! Guarantees: every figure can be drawn from any record, also an empty one; no system font is needed; nothing is drawn that is
//! not in the record. Spikes and dips are those of [`History`], not computed again here.

mod backend;
mod curves;
mod distances;
mod drawing;
mod gram;
mod learning;
mod number_format;
pub mod palette;
mod plane;
mod scale;
mod study;

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::run::{Block, History, Metric};
use crate::storage::{
    FolderError, StudyFolder,
    format::{atomic, disk},
};

/// The folder of a run's figures.
pub const FOLDER: &str = "figures";

/// What kind of file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Svg,
    Png,
}

impl Format {
    /// The end of a file's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Png => "png",
        }
    }
}

/// One figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Velocity of each task's kernel, with the ratio of each spike to its background.
    Velocity,
    /// λ_max with the depth of each dip, and the scale of the kernel.
    LambdaMax,
    /// Alignment with the labels.
    Alignment,
    /// Accuracy and loss of each task.
    Accuracy,
    /// The largest eigenvalues over time.
    Eigenvalues,
    /// The Gram before and after each switch.
    Gram,
    /// The distance of the kernel from itself at every other time.
    Distances,
    /// How far the weights moved, and how far the kernel turned for it.
    Susceptibility,
    /// Of points of a circle: the kernel over the angle, before and after training.
    Circle,
    /// Of points of a disk: the first eigenvectors of the kernel, before and after training.
    Disk,
}

impl Figure {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Velocity,
        Self::LambdaMax,
        Self::Alignment,
        Self::Accuracy,
        Self::Eigenvalues,
        Self::Gram,
        Self::Distances,
        Self::Susceptibility,
        Self::Circle,
        Self::Disk,
    ];

    /// The name of its file, without the extension.
    pub fn name(self) -> &'static str {
        match self {
            Self::Velocity => "velocity",
            Self::LambdaMax => "lambda-max",
            Self::Alignment => "alignment",
            Self::Accuracy => "accuracy",
            Self::Eigenvalues => "eigenvalues",
            Self::Gram => "gram",
            Self::Distances => "distances",
            Self::Susceptibility => "susceptibility",
            Self::Circle => "circle",
            Self::Disk => "disk",
        }
    }

    /// Whether this record has what the figure shows; of points of the plane only runs on them have, and kernels from elsewhere
    /// only what can be told of kernels alone.
    pub fn is_of(self, history: &History) -> bool {
        let told = |metric| !history.series(Block::All, metric).is_empty();
        let is_elsewhere = history.info().is_some_and(|info| info.is_elsewhere());
        match self {
            Self::Accuracy | Self::Susceptibility if is_elsewhere => false,
            Self::Velocity if is_elsewhere => told(Metric::Velocity),
            Self::Alignment if is_elsewhere => told(Metric::Alignment),
            Self::LambdaMax | Self::Distances if is_elsewhere => history.rows().len() > 1,
            Self::Circle => history.info().is_some_and(|info| crate::run::circle(info).is_some()),
            Self::Disk => history.info().is_some_and(|info| crate::run::grid(info).is_some()),
            _ => true,
        }
    }
}

/// Why a figure could not be made; each prints as one sentence.
#[derive(Debug, Error)]
pub enum FigureError {
    #[error("cannot draw the figure {0}: {1}")]
    Draw(String, String),
    #[error(transparent)]
    Write(#[from] FolderError),
}

/// One figure as the bytes of its file.
pub fn render(history: &History, figure: Figure, format: Format) -> Result<Vec<u8>, FigureError> {
    let failed = |message: String| FigureError::Draw(figure.name().to_owned(), message);
    let size = match figure {
        Figure::Gram => gram::size(history),
        Figure::Distances => distances::size(),
        Figure::Disk => plane::size(),
        _ => curves::size(curves::panels(history, figure).len()),
    };
    match format {
        Format::Svg => backend::svg(size, |root| draw(root, history, figure)).map(String::into_bytes),
        Format::Png => backend::png(size, |root| draw(root, history, figure)),
    }
    .map_err(failed)
}

/// The files that [`write_all`] writes.
pub fn files(history: &History, folder: &Path, format: Format) -> Vec<PathBuf> {
    let figures = Figure::ALL.into_iter().filter(|figure| figure.is_of(history));
    figures.map(|figure| folder.join(file_name(figure, format))).collect()
}

/// Draws all figures that this run has into a folder, which is made if need be; returns their paths.
pub fn write_all(history: &History, folder: &Path, format: Format) -> Result<Vec<PathBuf>, FigureError> {
    disk::make_folder(folder).map_err(|err| FolderError::write(folder, err))?;
    let write = |figure: Figure| {
        let path = folder.join(file_name(figure, format));
        let bytes = render(history, figure, format)?;
        atomic::replace(&path, |writer| io::Write::write_all(writer, &bytes))?;
        Ok(path)
    };
    Figure::ALL.into_iter().filter(|figure| figure.is_of(history)).map(write).collect()
}

/// Draws the figures of a study into a folder, which is made if need be; returns their paths.
pub fn write_study(study: &StudyFolder, folder: &Path, format: Format) -> Result<Vec<PathBuf>, FigureError> {
    disk::make_folder(folder).map_err(|err| FolderError::write(folder, err))?;
    let write = |(name, panels, across): (String, Vec<curves::Panel>, curves::Across)| {
        let path = folder.join(format!("{name}.{}", format.extension()));
        let size = curves::size(panels.len());
        let bytes = match format {
            Format::Svg => backend::svg(size, |root| drawing::draw(root, &panels, &across)).map(String::into_bytes),
            Format::Png => backend::png(size, |root| drawing::draw(root, &panels, &across)),
        };
        let bytes = bytes.map_err(|message| FigureError::Draw(name.clone(), message))?;
        atomic::replace(&path, |writer| io::Write::write_all(writer, &bytes))?;
        Ok(path)
    };
    study::figures(study).into_iter().chain(plane::of_study(study)).map(write).collect()
}

fn draw<B: backend::Backend>(root: &backend::Area<B>, history: &History, figure: Figure) -> backend::Drawn<B> {
    match figure {
        Figure::Gram => gram::draw(root, history),
        Figure::Distances => distances::draw(root, history),
        Figure::Disk => plane::draw(root, history),
        Figure::Circle => drawing::draw(root, &curves::panels(history, figure), &plane::across()),
        Figure::Eigenvalues if history.rows().len() == 1 => {
            drawing::draw(root, &curves::panels(history, figure), &curves::Across::ranks(history))
        }
        _ => drawing::draw(root, &curves::panels(history, figure), &curves::Across::of(history)),
    }
}

fn file_name(figure: Figure, format: Format) -> String {
    format!("{}.{}", figure.name(), format.extension())
}

/// The names of all files that [`write_all`] may write.
pub(crate) fn file_names() -> impl Iterator<Item = String> {
    Figure::ALL.into_iter().flat_map(|figure| [Format::Svg, Format::Png].map(|format| file_name(figure, format)))
}
