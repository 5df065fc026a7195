//! Draws figures for a paper or a slide from the same record and with the same definitions as the window.
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

pub use crate::storage::{Figure, FiguresFormat as Format};
pub use number_format::{change, times, without_zeros};

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::run::History;
use crate::storage::{
    FolderError, StudyFolder,
    format::{atomic, disk},
};

/// The reasons why a figure could not be made; each prints as one sentence.
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
    figures.map(|figure| folder.join(figure.file_name(format))).collect()
}

/// Draws all figures of a run into a folder, which is created if needed; returns their paths.
pub fn write_all(history: &History, folder: &Path, format: Format) -> Result<Vec<PathBuf>, FigureError> {
    disk::make_folder(folder).map_err(|err| FolderError::write(folder, err))?;
    let write = |figure: Figure| {
        let path = folder.join(figure.file_name(format));
        let bytes = render(history, figure, format)?;
        atomic::replace(&path, |writer| io::Write::write_all(writer, &bytes))?;
        Ok(path)
    };
    Figure::ALL.into_iter().filter(|figure| figure.is_of(history)).map(write).collect()
}

/// Draws the figures of a study into a folder, which is created if needed; returns their paths.
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
