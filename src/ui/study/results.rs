//! What the finished runs of a study show together, and the pictures that were last made of it.

use std::sync::Arc;

use super::learning::{Learning, Worked};
use super::panels::PanelKind;
use super::picture::{Picture, View};
use crate::analysis::LearningCurves;
use crate::analysis::comparison::Comparison;
use crate::ui::kit::theme::Tokens;

/// The comparison and what was last worked out from it.
#[derive(Default)]
pub struct Results {
    runs: Option<Arc<Comparison>>,
    /// Of a study of learners.
    pub(super) learning: Learning,
    /// What the user has chosen to see; until then, what all runs have.
    pub(super) chosen: Option<Shown>,
    /// Whose curves are aligned at a switch: the place of a series.
    pub(super) series: usize,
    drawn: Option<Drawn>,
}

/// Which panels are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// What this switch did, from 0.
    Switch(usize),
    /// What the whole run did.
    Run,
}

/// Pictures, and what they are of.
struct Drawn {
    of: (Shown, usize, bool),
    pictures: Vec<(PanelKind, Picture)>,
}

impl Results {
    /// Takes what the finished runs show by now.
    pub fn take(&mut self, runs: Arc<Comparison>) {
        if matches!(self.chosen, Some(Shown::Switch(switch)) if switch >= runs.switches()) {
            self.chosen = None;
        }
        self.series = self.series.min(runs.series.len().saturating_sub(1));
        self.drawn = None;
        self.runs = Some(runs);
    }

    /// Takes what the learners show by now.
    pub fn learn(&mut self, learnt: Arc<LearningCurves>) {
        self.learning.take(learnt);
    }

    /// There is nothing to show any more.
    pub fn forget(&mut self) {
        (self.runs, self.drawn, self.chosen) = (None, None, None);
        self.learning.forget();
    }

    /// Whether there is something to see.
    pub fn any(&self) -> bool {
        self.runs.as_ref().is_some_and(|runs| runs.finished() > 0) || self.learning.learnt().is_some()
    }

    /// What the learners show.
    pub fn learnt(&self) -> Option<&Arc<LearningCurves>> {
        self.learning.learnt()
    }

    /// What the fits say of what is drawn.
    pub fn fits(&self) -> Option<&Worked> {
        self.learning.worked()
    }

    pub fn comparison(&self) -> Option<&Arc<Comparison>> {
        self.runs.as_ref()
    }

    pub(super) fn shown(&self, runs: &Comparison) -> Shown {
        self.chosen.unwrap_or(if runs.all_switch() { Shown::Switch(0) } else { Shown::Run })
    }

    /// The panels that have something to show.
    pub(super) fn pictures(&mut self, runs: &Comparison, tokens: &Tokens) -> &[(PanelKind, Picture)] {
        let of = (self.shown(runs), self.series, tokens.dark);
        if self.drawn.as_ref().is_none_or(|drawn| drawn.of != of) {
            let (kinds, switch) = match of.0 {
                Shown::Switch(switch) => (PanelKind::SWITCH.as_slice(), switch),
                Shown::Run => (PanelKind::RUN.as_slice(), 0),
            };
            let view = View { switch, series: of.1 };
            let picture = |kind: &PanelKind| (*kind, Picture::of(*kind, runs, view, tokens));
            let mut pictures: Vec<_> = kinds.iter().map(picture).collect();
            // Of a switch there is always the same, so that a figure which cannot be told is seen to be missing.
            if of.0 == Shown::Run {
                pictures.retain(|(_, picture)| !picture.is_empty());
            }
            self.drawn = Some(Drawn { of, pictures });
        }
        self.drawn.as_ref().map_or(&[], |drawn| &drawn.pictures)
    }
}
