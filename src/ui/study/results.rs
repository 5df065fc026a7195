//! Holds the results of the finished runs of a study, and the pictures made from them last.

use std::sync::Arc;

use super::learning::{FitResults, Learning};
use crate::analysis::LearningCurves;
use crate::analysis::comparison::Comparison;
use crate::chart::panel::Panel;
use crate::chart::study::kinds::PanelKind;
use crate::chart::study::panels::{View, panel};

/// Holds the comparison and the pictures last computed from it.
#[derive(Default)]
pub struct Results {
    runs: Option<Arc<Comparison>>,
    /// Results of a study of learners.
    pub(super) learning: Learning,
    /// The panels chosen by the user; if none, those that all runs have.
    pub(super) chosen: Option<Shown>,
    /// Index of the series whose curves are aligned at a switch.
    pub(super) series: usize,
    drawn: Option<ShownPanels>,
}

/// Selects the panels that are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The effects of this switch, from 0.
    Switch(usize),
    /// The figures of the whole run.
    Run,
}

/// Holds pictures, and the selection that they show.
struct ShownPanels {
    of: (Shown, usize),
    pictures: Vec<(PanelKind, Panel)>,
}

impl Results {
    /// Stores the current results of the finished runs.
    pub fn take(&mut self, runs: Arc<Comparison>) {
        if matches!(self.chosen, Some(Shown::Switch(switch)) if switch >= runs.switches()) {
            self.chosen = None;
        }
        self.series = self.series.min(runs.series.len().saturating_sub(1));
        self.drawn = None;
        self.runs = Some(runs);
    }

    /// Stores the learners' current results.
    pub fn learn(&mut self, learnt: Arc<LearningCurves>) {
        self.learning.take(learnt);
    }

    /// Drops all results.
    pub fn forget(&mut self) {
        (self.runs, self.drawn, self.chosen) = (None, None, None);
        self.learning.forget();
    }

    /// Returns whether there is something to show.
    pub fn any(&self) -> bool {
        self.runs.as_ref().is_some_and(|runs| runs.finished() > 0) || self.learning.learnt().is_some()
    }

    /// Returns the learners' results.
    pub fn learnt(&self) -> Option<&Arc<LearningCurves>> {
        self.learning.learnt()
    }

    /// Returns the fits of the data drawn.
    pub fn fits(&self) -> Option<&FitResults> {
        self.learning.worked()
    }

    pub fn comparison(&self) -> Option<&Arc<Comparison>> {
        self.runs.as_ref()
    }

    pub(super) fn shown(&self, runs: &Comparison) -> Shown {
        self.chosen.unwrap_or(if runs.all_switch() { Shown::Switch(0) } else { Shown::Run })
    }

    /// Returns the panels that have something to show.
    pub(super) fn pictures(&mut self, runs: &Comparison) -> &[(PanelKind, Panel)] {
        let of = (self.shown(runs), self.series);
        if self.drawn.as_ref().is_none_or(|drawn| drawn.of != of) {
            let (kinds, switch) = match of.0 {
                Shown::Switch(switch) => (PanelKind::SWITCH.as_slice(), switch),
                Shown::Run => (PanelKind::RUN.as_slice(), 0),
            };
            let view = View { switch, series: of.1 };
            let picture = |kind: &PanelKind| (*kind, panel(*kind, runs, view));
            let mut pictures: Vec<_> = kinds.iter().map(picture).collect();
            // A switch always has the same panels, so that a figure that cannot be computed is visibly missing.
            if of.0 == Shown::Run {
                pictures.retain(|(_, picture)| !picture.is_empty());
            }
            self.drawn = Some(ShownPanels { of, pictures });
        }
        self.drawn.as_ref().map_or(&[], |drawn| &drawn.pictures)
    }
}
