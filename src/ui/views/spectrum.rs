//! Draws the eigenvalues at the cursor on logarithmic axes, with the spectrum at the last switch behind them.
//!
//! Eigenvalues at or below 0, which have no logarithm, are counted in words, so that none is hidden.

use egui::{Color32, Sense, Ui};
use egui_plot::{Line, LineStyle, PlotPoint, PlotPoints};

use super::context::{ViewContext, choose_block};
use super::pane::Pane;
use super::view::{Needs, ViewClass};
use crate::paint::{axes, axes::AXIS};
use crate::run::{Block, Snapshot};
use crate::ui::kit::data_table::DataTable;
use crate::ui::kit::format;
use crate::ui::kit::theme;
use crate::ui::plot::series_cache::eigenvalues;

/// This view shows the eigenvalues at the cursor.
#[derive(Default)]
pub struct SpectrumView;

impl ViewClass for SpectrumView {
    const TITLE: &str = "Eigenspectrum";
    const HELP: &str = "The eigenvalues of K at the cursor, largest first, both axes logarithmic; the faint curve is \
                 the spectrum at the last switch. The effective rank is exp of the entropy of λ/Σλ (Roy & Vetterli \
                 2007; for this kernel Baratin et al. 2021). Eigenvalues that rounding leaves at or below 0 have no \
                 place on this axis and are counted instead.";
    const NEEDS: Needs = Needs::Kernels;

    fn show(&mut self, ui: &mut Ui, pane: &mut Pane<'_>, context: &mut ViewContext<'_>) {
        let mut card = pane.card(ui, "λ by index");
        let block = &mut pane.selection.block;
        choose_block(&mut card.header, context, "Probes of the spectrum", block);
        let ui = &mut card.body;
        let Some(snapshot) = context.snapshot.clone() else { return };
        let Some(values) = eigenvalues(&snapshot, *block).filter(|values| !values.is_empty()) else { return };
        let now = points(values);
        let before = context.at_switch().filter(|before| before.row.step < snapshot.row.step);
        let earlier = before.as_deref().and_then(|before| eigenvalues(before, *block)).unwrap_or_default();
        if let Some(table) = &mut context.table {
            write(table, values, earlier);
        }
        let before = points(earlier);
        let low = now.iter().chain(&before).map(|point| point.y).fold(f64::INFINITY, f64::min);
        let high = now.iter().chain(&before).map(|point| point.y).fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = if low.is_finite() { format::settle((low, high), 1.0) } else { (0.0, 1.0) };
        let colour = match *block {
            Block::All => context.tokens.text,
            Block::Task(task) => context.tokens.task(task),
        };
        let room = ui.available_size();
        // In a narrow pane the numbers below need a second line.
        let height = (room.y - if room.x < NARROW { 42.0 } else { 30.0 }).max(20.0);
        plot(ui, context, height, (values.len() as f64).log10().max(0.3), (low, high), &now, &before, colour);
        numbers(ui, context, &snapshot, *block, values);
    }
}

/// Returns (log10 of the index from 1, log10 λ), largest first, without eigenvalues at or below 0.
pub(super) fn points(ascending: &[f64]) -> Vec<PlotPoint> {
    let largest_first = ascending.iter().rev().enumerate();
    let positive = largest_first.filter(|(_, value)| **value > 0.0);
    positive.map(|(place, value)| PlotPoint::new(((place + 1) as f64).log10(), value.log10())).collect()
}

#[expect(clippy::too_many_arguments, reason = "a plot has two ranges, two curves and a place")]
fn plot(
    ui: &mut Ui,
    context: &ViewContext<'_>,
    height: f32,
    right: f64,
    (low, high): (f64, f64),
    now: &[PlotPoint],
    before: &[PlotPoint],
    colour: Color32,
) {
    let tokens = context.tokens;
    let span = high - low;
    let index = axes::bottom(tokens, true, |value| format!("{:.0}", 10f64.powf(value)));
    let axis = axes::left(tokens, (low, high), move |value| format::tick(value, span, true));
    let behind = ui.painter().add(egui::Shape::Noop);
    let shown = axes::bare(ui, "spectrum", height)
        .sense(Sense::hover())
        .custom_x_axes(vec![index])
        .custom_y_axes(vec![axis])
        .x_grid_spacer(index_spacer)
        .y_grid_spacer(axes::spacer(true, axes::ticks_up(height)))
        .show(ui, |plot_ui| {
            plot_ui.set_plot_bounds_x(-0.06..=right + 0.06);
            plot_ui.set_plot_bounds_y(low..=high);
            let style = LineStyle::Dashed { length: 4.0 };
            let reference = Line::new("at the last switch", PlotPoints::Borrowed(before))
                .color(tokens.faint)
                .width(1.2 * context.thick)
                .style(style);
            plot_ui.line(reference.allow_hover(false));
            plot_ui.line(
                Line::new("now", PlotPoints::Borrowed(now)).color(colour).width(1.5 * context.thick).allow_hover(false),
            );
        });
    let frame = *shown.transform.frame();
    ui.painter().set(behind, egui::Shape::rect_filled(frame, 2.0, tokens.well));
    let painter = ui.painter().with_clip_rect(frame);
    for point in now.iter().take(24) {
        painter.circle_filled(shown.transform.position_from_point(point), 2.0, colour);
    }
}

/// Returns the marks 1, 2, 5, 10, 20 … on an axis of log10 of the index.
pub(super) fn index_spacer(input: egui_plot::GridInput) -> Vec<egui_plot::GridMark> {
    let (from, to) = input.bounds;
    let marks = (0..=4).flat_map(|decade| [1.0f64, 2.0, 5.0].map(|digit| f64::from(decade) + digit.log10()));
    let inside = marks.filter(|mark| (from..=to).contains(mark));
    inside.map(|value| egui_plot::GridMark { value, step_size: to - from }).collect()
}

/// Below this width the numbers do not fit in one line.
const NARROW: f32 = 360.0;

/// Writes λ_max, λ_min, effective rank, condition number, and the count of eigenvalues at or below 0.
fn numbers(ui: &mut Ui, context: &ViewContext<'_>, snapshot: &Snapshot, block: Block, ascending: &[f64]) {
    let (low, high) = (ascending[0], ascending[ascending.len() - 1]);
    let rank =
        snapshot.row.blocks.iter().find(|metrics| metrics.block == block).and_then(|metrics| metrics.effective_rank);
    let below = ascending.iter().filter(|value| **value <= 0.0).count();
    let condition = if low > 0.0 { format::number(high / low) } else { "–".to_owned() };
    let tokens = context.tokens;
    ui.spacing_mut().item_spacing = egui::vec2(4.0, 0.0);
    let narrow = ui.available_width() < NARROW;
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().interact_size.y = 13.0;
        ui.add_space(if narrow { 0.0 } else { AXIS });
        let entries = [
            ("λ_max", format::number(high), "The largest eigenvalue"),
            ("λ_min", format::number(low), "The smallest eigenvalue, as computed"),
            ("rank", rank.map_or("–".to_owned(), format::number), "Effective rank: exp of the entropy of λ/Σλ"),
            ("κ", condition, "Condition number λ_max/λ_min"),
        ];
        for (name, value, hover) in entries {
            ui.label(egui::RichText::new(name).size(theme::SMALL).color(tokens.weak)).on_hover_text(hover);
            ui.label(egui::RichText::new(value).monospace().size(10.5)).on_hover_text(hover);
            ui.add_space(4.0);
        }
        if below > 0 {
            let text = format!("{below} at or below 0");
            let hover = "Rounding, or a kernel that is not positive definite; they cannot be drawn on this axis";
            ui.label(egui::RichText::new(text).size(theme::SMALL).color(tokens.warning)).on_hover_text(hover);
        }
    });
}

/// Writes two spectra, stored in ascending order, largest first.
fn write(table: &mut DataTable, now: &[f64], before: &[f64]) {
    table.head(["index", "eigenvalue", "at the last switch"]);
    let mut before = before.iter().rev();
    for (place, &value) in now.iter().rev().enumerate() {
        table.row([(place + 1).into(), value.into(), before.next().copied().into()]);
    }
}
