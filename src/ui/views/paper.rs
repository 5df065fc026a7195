//! Views as pictures are made of them: one alone, or the kernel with its curves as a frame of an animation.

use egui::Ui;

use super::context::Scene;
use super::grid::show;
use super::layout::{GAP, split_x, split_y};
use super::pane::Slot;
use super::{View, ViewState};
use crate::ui::kit::widgets::set_paper;

/// Draws one view, as large as the ui, for a picture of it.
pub fn on_paper(ui: &mut Ui, scene: &mut Scene<'_>, state: &mut ViewState, view: View) {
    let rect = ui.available_rect_before_wrap();
    set_paper(ui.ctx(), true);
    show(ui, &mut Slot::on_paper(rect, view), scene, state);
    set_paper(ui.ctx(), false);
}

/// Draws the frame of an animation: the kernel, and beside it the curves.
pub fn on_film(ui: &mut Ui, scene: &mut Scene<'_>, state: &mut ViewState) {
    let rect = ui.available_rect_before_wrap().shrink(GAP);
    let (left, right) = split_x(rect, (rect.height() - 52.0 + 36.0).min(rect.width() * 0.5));
    let third = ((right.height() - 2.0 * GAP) / 3.0).round();
    let (upper, below) = split_y(right, third);
    let (middle, lower) = split_y(below, third);
    set_paper(ui.ctx(), true);
    for (rect, view) in [(left, View::Gram), (upper, View::Velocity), (middle, View::Scale), (lower, View::Accuracy)] {
        show(ui, &mut Slot::on_paper(rect, view), scene, state);
    }
    set_paper(ui.ctx(), false);
}
