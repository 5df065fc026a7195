//! Describes charts as data: the curves of a run over time, its figures and those of a study and of a learning experiment, and
//! the panels of the study page.
//!
//! Guarantees: every figure can be described from any record, also an empty one; nothing is in it that is not in the record.
//! Spikes and dips are those of [`History`], not computed again here. No drawing library is known here: [`crate::paint`] paints
//! charts, in the window and into files.

pub mod curves;
mod distances;
pub mod format;
mod gram;
pub mod heat_maps;
pub mod learning;
pub mod palette;
pub mod panel;
pub mod plane;
pub mod series_cache;
pub mod series_id;
pub mod spectrum;
pub mod study;
pub mod time_chart;

pub use crate::storage::{Figure, FiguresFormat as Format};
pub use format::{change, times, without_zeros};

use self::panel::Chart;
use crate::run::History;
use crate::storage::StudyFolder;

/// Describes a figure of a run.
pub fn figure(history: &History, figure: Figure) -> Chart {
    match figure {
        Figure::Gram => Chart::Maps(gram::maps(history)),
        Figure::Distances => Chart::Maps(distances::maps(history)),
        Figure::Disk => Chart::Maps(plane::components(history)),
        Figure::Circle => Chart::Panels(plane::panels(history)),
        _ => Chart::Panels(curves::panels(history, figure)),
    }
}

/// Describes the figures of a study, by the names of their files.
pub fn figures_of_study(study: &StudyFolder) -> Vec<(String, Chart)> {
    study::figures(study).into_iter().chain(plane::of_study(study)).collect()
}
