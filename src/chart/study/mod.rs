//! Describes the figures of a study: the effect of each run's first switch against the axis; the figures of whole runs with their
//! power laws; and the curves of all runs, aligned at that switch. A figure for which no run has data is not made.
//!
//! The panels are those of the study page in the window.

pub mod kinds;
pub mod lags;
pub mod panels;

use self::kinds::PanelKind;
use self::panels::{View, keys, panel};
use super::learning;
use super::panel::{Chart, Panel};
use crate::analysis::LAWS;
use crate::analysis::comparison::{Comparison, Spacing};
use crate::storage::StudyFolder;

/// The panels of a switch against the axis, and those of the curves aligned at it.
const AGAINST: [PanelKind; 5] =
    [PanelKind::Spike, PanelKind::Ratio, PanelKind::Dip, PanelKind::Recovery, PanelKind::Accuracy];
const ALIGNED: [PanelKind; 4] = [PanelKind::Velocity, PanelKind::LambdaMax, PanelKind::Scale, PanelKind::Alignment];

/// Most named values whose names stand below the axis alone.
const MOST_NAMES: usize = 5;

/// Returns all figures of a study, by the names of their files.
pub(super) fn figures(study: &StudyFolder) -> Vec<(String, Chart)> {
    if study.is_of_learners() {
        return learning::figure(&study.learning_curves()).into_iter().collect();
    }
    let runs = study.comparison();
    let mut figures = Vec::new();
    if runs.switches() > 0 {
        let panels = AGAINST.into_iter().map(|kind| described(kind, &runs, 0));
        figures.push(("study".to_owned(), Chart::Panels(panels.collect())));
    }
    let laws = LAWS.iter().map(|law| described(PanelKind::Law(law), &runs, 0));
    let laws: Vec<Panel> = laws.filter(|panel| !panel.dots.is_empty()).collect();
    if !laws.is_empty() {
        figures.push(("study-run".to_owned(), Chart::Panels(laws)));
    }
    if runs.switches() > 0 {
        figures.extend((0..runs.series.len()).filter_map(|series| aligned(&runs, series)));
    }
    figures
}

/// Returns one panel with a legend.
fn described(kind: PanelKind, runs: &Comparison, series: usize) -> Panel {
    let mut panel = panel(kind, runs, View { switch: 0, series });
    let names = match (ALIGNED.contains(&kind), runs.has_series()) {
        // The curves are those of one series, whose name stands below them.
        (true, true) => keys(runs, true).split_off(runs.series.len()),
        (true, false) => keys(runs, true),
        (false, true) => keys(runs, false),
        // More names than fit below the axis.
        (false, false) if runs.spacing == Spacing::Names && runs.values.len() > MOST_NAMES => keys(runs, false),
        // A dot has the colour of its value, which stands below it.
        (false, false) => Vec::new(),
    };
    panel.legend.splice(0..0, names);
    panel
}

/// Returns the curves of one series; `None` where there are none.
fn aligned(runs: &Comparison, series: usize) -> Option<(String, Chart)> {
    let mut panels = ALIGNED.map(|kind| described(kind, runs, series));
    let of = if runs.has_series() { format!("{}; ", runs.series[series].name) } else { String::new() };
    let seeds = runs.seeds_in_words();
    for panel in &mut panels {
        panel.x.name = format!("epochs since the first switch; {of}colours: {} ({seeds})", runs.axis);
    }
    let number = if runs.has_series() { format!("-{}", series + 1) } else { String::new() };
    let is_drawn = panels.iter().any(|panel| !panel.is_empty());
    is_drawn.then(|| (format!("study-curves{number}"), Chart::Panels(panels.into())))
}
