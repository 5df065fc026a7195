//! What a view is: the facts that menus, help and layouts read, its state, how it draws itself, and what happens to it when the
//! run changes.
//!
//! A new view is a file with a type that implements [`ViewClass`], and a line in the list in `views/mod.rs`.

use egui::Ui;

use super::context::{Selection, ViewContext};
use super::pane::Pane;
use crate::run::History;

/// What a record must hold for a view to have something to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// Kernels alone, as other programs measure them, too.
    Kernels,
    /// Settings, weights, outputs or images, which only a run of Kernelscope reports.
    Run,
}

/// A view as a type; a value of it is the view's state between frames: what the user chose, what was computed, and textures.
///
/// Guarantees: the numbers that a view exports are those that it draws: while [`ViewContext::table`] is there, `show` writes them
/// into it.
pub(super) trait ViewClass: Default {
    /// The name in menus, layouts and presets. Files keep it, so it stays as it is.
    const TITLE: &str;
    /// What is shown, by which formula, and where that comes from.
    const HELP: &str;
    const NEEDS: Needs;
    /// The width below which title and choosers do not fit in one line.
    const ONE_LINE: f32 = 190.0;
    /// Whether it shows several matrices, so that it is brought into the largest pane.
    const LARGE: bool = false;

    /// Draws the view into its pane.
    fn show(&mut self, ui: &mut Ui, pane: &mut Pane<'_>, context: &mut ViewContext<'_>);

    /// Forgets what belonged to the run before, and keeps what the user chose.
    fn reset(&mut self) {}

    /// Goes back to what the view shows at first, where a lesson relies on it.
    fn show_usual(&mut self) {}

    /// Lets go of textures, which belong to one egui context, before another one draws the view.
    fn forget_textures(&mut self) {}

    /// Keeps what is to stay visible of a run that another one is about to replace.
    fn leave(&mut self, _history: &History, _selection: &Selection) {}

    /// What the user chose, for a copy of the view that draws an animation on another thread.
    fn choices(&self) -> Self {
        Self::default()
    }
}
