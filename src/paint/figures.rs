//! Makes the files of figures: each is described from the record, painted without a window, and written whole.
//!
//! Guarantees: every figure can be made from any record, also an empty one, and on any thread; made twice it is the same to the
//! byte.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use egui::{Theme, Vec2};
use thiserror::Error;

use super::offscreen_renderer::OffscreenRenderer;
use super::theme::Tokens;
use super::{heat_maps, page, raster, svg};
use crate::chart::panel::Chart;
use crate::chart::study::lags::figure as study_lags;
use crate::chart::{Figure, Format, figure, figures_of_study};
use crate::run::History;
use crate::storage::{
    FolderError, StudyFolder,
    format::{atomic, disk},
};

/// The reasons why a figure could not be made; each prints as one sentence.
#[derive(Debug, Error)]
pub enum FigureError {
    #[error("cannot draw the figure {0}: {1}")]
    Draw(String, std::io::Error),
    #[error(transparent)]
    Write(#[from] FolderError),
}

/// Pixels of a PNG per point of a figure, of which 96 are an inch: sharp on a slide and in print.
const SCALE: f32 = 4.0;

/// Returns the bytes of the file of one figure.
pub fn render(history: &History, which: Figure, format: Format) -> Result<Vec<u8>, FigureError> {
    painted(which.name(), &figure(history, which), format)
}

/// Returns the bytes of the file of this chart.
pub(super) fn painted(name: &str, chart: &Chart, format: Format) -> Result<Vec<u8>, FigureError> {
    paint(&mut OffscreenRenderer::of_figures(SCALE), name, chart, format)
}

/// Lists the files that [`write_all`] writes.
pub fn files(history: &History, folder: &Path, format: Format) -> Vec<PathBuf> {
    figures_of(history).map(|figure| folder.join(figure.file_name(format))).collect()
}

/// Draws all figures of a run into a folder, which is created if needed; returns their paths.
pub fn write_all(history: &History, folder: &Path, format: Format) -> Result<Vec<PathBuf>, FigureError> {
    write(figures_of(history).map(|which| (which.name().to_owned(), figure(history, which))), folder, format)
}

/// Returns the figures that this record has.
fn figures_of(history: &History) -> impl Iterator<Item = Figure> {
    Figure::ALL.into_iter().filter(|figure| figure.is_of(history))
}

/// Draws the figures of a study into a folder, which is created if needed; returns their paths.
pub fn write_study(study: &StudyFolder, folder: &Path, format: Format) -> Result<Vec<PathBuf>, FigureError> {
    write(figures_of_study(study).into_iter(), folder, format)
}

/// Draws the ratio against the lag of a study's runs, with their table beside it, into a folder; none where no run has it.
pub fn write_study_lags(study: &StudyFolder, folder: &Path, format: Format) -> Result<Vec<PathBuf>, FigureError> {
    let lags = study.lag_ratios();
    if lags.is_empty() {
        return Ok(Vec::new());
    }
    let table = folder.join(format!("{STUDY_LAGS}.csv"));
    let mut paths = write(std::iter::once((STUDY_LAGS.to_owned(), study_lags(study, &lags))), folder, format)?;
    study.write_lags(&lags, &table)?;
    paths.push(table);
    Ok(paths)
}

/// The name of the files of the ratio against the lag.
const STUDY_LAGS: &str = "study-lags";

fn write(
    charts: impl Iterator<Item = (String, Chart)>,
    folder: &Path,
    format: Format,
) -> Result<Vec<PathBuf>, FigureError> {
    disk::make_folder(folder).map_err(|err| FolderError::write(folder, err))?;
    let mut renderer = OffscreenRenderer::of_figures(SCALE);
    let write = |(name, chart): (String, Chart)| {
        let path = folder.join(format!("{name}.{}", format.extension()));
        let bytes = paint(&mut renderer, &name, &chart, format)?;
        atomic::replace(&path, |writer| writer.write_all(&bytes))?;
        Ok(path)
    };
    charts.map(write).collect()
}

/// Paints a figure of this name.
fn paint(renderer: &mut OffscreenRenderer, name: &str, chart: &Chart, format: Format) -> Result<Vec<u8>, FigureError> {
    let (size, textures): (Vec2, _) = match chart {
        Chart::Panels(panels) => (page::size(panels.len()), Vec::new()),
        Chart::Maps(maps) => (heat_maps::size(maps), renderer.textures(heat_maps::images(maps))),
    };
    let drawing = renderer.draw(size, Theme::Light, |ui| match chart {
        Chart::Panels(panels) => page::paint(ui, name, panels),
        Chart::Maps(maps) => heat_maps::paint(ui, maps, &textures),
    });
    let (mut bytes, ground) = (Vec::new(), Tokens::in_theme(false).card);
    match format {
        Format::Svg => svg::svg(&drawing, name, ground, &mut bytes),
        Format::Png => raster::png(&drawing, ground, &mut bytes),
    }
    .map_err(|err| FigureError::Draw(name.to_owned(), err))?;
    Ok(bytes)
}
