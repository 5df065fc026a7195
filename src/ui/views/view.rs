//! Defines a view: the facts that menus, help and layouts read, its state, how it draws itself, and its reaction to a new run.
//!
//! A new view is a file with a type that implements [`ViewClass`], and a line in the list in `views/mod.rs`.

use egui::Ui;

use super::context::{Selection, ViewContext};
use super::pane::Pane;
use crate::run::{History, Origin};

/// Names the data that a record must hold for a view to have something to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// Kernels alone, which other programs measure, too.
    Kernels,
    /// Outputs, layers or the network, which are known of a watched training, too.
    Network,
    /// Settings of the training, batches or images, which only a run of Kernelscope reports.
    Run,
}

impl Needs {
    /// Returns why a view with these needs has nothing to show of a record of this origin.
    pub(super) fn refusal(self, origin: &Origin) -> Option<&'static str> {
        match (self, origin) {
            (Self::Kernels, _) | (_, Origin::Trained { .. }) | (Self::Network, Origin::Watched) => None,
            (Self::Network | Self::Run, Origin::Imported) => {
                Some("These kernels were imported: only a run of Kernelscope has what this view shows.")
            }
            (Self::Run, Origin::Watched) => {
                Some("Another program trains this network: only a run of Kernelscope has what this view shows.")
            }
        }
    }
}

/// Describes a view as a type; a value of the type is the view's state between frames: the user's choices, results and
/// textures.
///
/// Guarantees: a view exports the numbers that it draws; if [`ViewContext::table`] is present, `show` writes them into it.
pub(super) trait ViewClass: Default {
    /// The name in menus, layouts and presets. Files store it, so it never changes.
    const TITLE: &str;
    /// Explains the quantity shown, its formula, and its source.
    const HELP: &str;
    const NEEDS: Needs;
    /// The width below which title and choosers do not fit in one line.
    const ONE_LINE: f32 = 190.0;
    /// True if the view shows several matrices, so that it is placed in the largest pane.
    const LARGE: bool = false;

    /// Draws the view into its pane.
    fn show(&mut self, ui: &mut Ui, pane: &mut Pane<'_>, context: &mut ViewContext<'_>);

    /// Drops the state of the previous run and keeps the user's choices.
    fn reset(&mut self) {}

    /// Restores the initial choices that a lesson relies on.
    fn show_usual(&mut self) {}

    /// The names of the ways in which it can show its quantity, from which a lesson chooses.
    const MODES: &[&str] = &[];

    /// Shows its quantity in the way of this index of [`Self::MODES`].
    fn set_mode(&mut self, _place: usize) {}

    /// Drops textures, which belong to one egui context, before another one draws the view.
    fn forget_textures(&mut self) {}

    /// Saves the parts of the run that remain visible after another run replaces it.
    fn leave(&mut self, _history: &History, _selection: &Selection) {}

    /// Copies the user's choices to a copy of the view that draws an animation on another thread.
    fn choices(&self) -> Self {
        Self::default()
    }
}
