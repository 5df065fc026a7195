//! Builds the parts common to all plots: axes of one width with our own ticks, and none of `egui_plot`'s own gestures.

use egui::{FontId, Sense, Ui};
use egui_plot::{AxisHints, GridInput, GridMark, HPlacement, Plot};

use super::{theme, theme::Tokens};
use crate::chart::format;

/// Width of every left axis, in points, so that stacked plots line up.
pub const AXIS: f32 = 40.0;
/// Height of a bottom axis with ticks, and without.
const TICKS: f32 = 15.0;
const GAP: f32 = 3.0;

/// Returns a plot of this height with nothing but its axes; its bounds must be set in every frame.
pub fn bare(ui: &Ui, id: &str, height: f32) -> Plot<'static> {
    Plot::new(id)
        .height(height)
        .show_background(false)
        .show_x(false)
        .show_y(false)
        .sense(Sense::click_and_drag())
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .allow_axis_zoom_drag(false)
        .allow_double_click_reset(false)
        .auto_bounds(false)
        .grid_color(Tokens::of(ui).grid)
        // Our spacers decide the number of grid lines; none is to be faded.
        .grid_spacing(1.0..=2.0)
}

/// Returns the left axis of a range, as stored (log10 on a logarithmic axis).
pub fn left(tokens: &Tokens, (low, high): (f64, f64), label: impl Fn(f64) -> String + 'static) -> AxisHints<'static> {
    AxisHints::new_y()
        .placement(HPlacement::Left)
        .min_thickness(AXIS)
        // A label at the very edge would overlap the plot above or the ticks below.
        .formatter(move |mark, _| {
            let inside = (0.035..=0.97).contains(&((mark.value - low) / (high - low)));
            if inside { label(mark.value) } else { String::new() }
        })
        .tick_label_color(tokens.weak)
        .tick_label_font(theme::ticks())
}

/// Returns the bottom axis; without labels if another plot is right below.
pub fn bottom(tokens: &Tokens, labels: bool, label: impl Fn(f64) -> String + 'static) -> AxisHints<'static> {
    AxisHints::new_x()
        .min_thickness(if labels { TICKS } else { GAP })
        .formatter(move |mark, _| if labels { label(mark.value) } else { String::new() })
        .tick_label_color(tokens.weak)
        .tick_label_font(theme::ticks())
}

/// Returns the number of ticks that fit a left axis of this height.
pub fn ticks_up(height: f32) -> usize {
    (height / 26.0).clamp(1.0, 6.0) as usize
}

/// Returns [`bare`] over a range of epochs, with labels in this font; without labels if another plot is right below.
pub fn over_time(ui: &Ui, id: &str, height: f32, (from, to): (f64, f64), labels: Option<FontId>) -> Plot<'static> {
    let across = ((ui.available_width() - AXIS) / 56.0).max(1.0) as usize;
    let axis = bottom(Tokens::of(ui), labels.is_some(), move |value| format::tick(value, to - from, false));
    let axis = axis.tick_label_font(labels.unwrap_or_else(theme::ticks));
    bare(ui, id, height).custom_x_axes(vec![axis]).x_grid_spacer(spacer(false, across))
}

/// Returns a spacer for `egui_plot` that shows exactly these ticks (it would fade or drop those with a small `step_size`).
pub fn spacer(log: bool, most: usize) -> impl Fn(GridInput) -> Vec<GridMark> {
    move |input: GridInput| {
        let (from, to) = input.bounds;
        let marks = format::marks(log, (from, to), most).into_iter();
        marks.map(|value| GridMark { value, step_size: to - from }).collect()
    }
}
