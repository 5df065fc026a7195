//! Views as pictures are made of them: one alone, or the kernel with its curves as a frame of an animation.

use egui::{Rect, Ui};

use super::slot::Slot;
use super::slots::show;
use super::{View, ViewState};
use crate::ui::scene::Scene;
use crate::ui::theme::GRID;

/// Draws one view, as large as the ui, for a picture of it.
pub fn on_paper(ui: &mut Ui, scene: &mut Scene<'_>, state: &mut ViewState, view: View) {
    let rect = ui.available_rect_before_wrap();
    show(ui, &mut Slot::on_paper(rect, view), scene, state);
}

/// Draws the frame of an animation: the kernel, and beside it the curves.
pub fn on_film(ui: &mut Ui, scene: &mut Scene<'_>, state: &mut ViewState) {
    let gap = 1.5 * GRID;
    let rect = ui.available_rect_before_wrap().shrink(gap);
    let (left, right) = split_x(rect, (rect.height() - 52.0 + 36.0).min(rect.width() * 0.5), gap);
    let third = ((right.height() - 2.0 * gap) / 3.0).round();
    let (upper, below) = split_y(right, third, gap);
    let (middle, lower) = split_y(below, third, gap);
    for (rect, view) in [(left, View::Gram), (upper, View::Velocity), (middle, View::Scale), (lower, View::Accuracy)] {
        show(ui, &mut Slot::on_paper(rect, view), scene, state);
    }
}

fn split_x(rect: Rect, left: f32, gap: f32) -> (Rect, Rect) {
    let x = (rect.left() + left).round();
    (rect.with_max_x(x), rect.with_min_x(x + gap))
}

fn split_y(rect: Rect, top: f32, gap: f32) -> (Rect, Rect) {
    let y = (rect.top() + top).round();
    (rect.with_max_y(y), rect.with_min_y(y + gap))
}
