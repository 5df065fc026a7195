//! Draws the eigenvalues at the cursor on logarithmic axes, with the spectrum at the last switch behind them.
//!
//! Eigenvalues at or below 0, which have no logarithm, are counted in words, so that none is hidden.

use egui::Ui;

use super::context::{ViewContext, choose_block};
use super::pane::Pane;
use super::view::{Needs, ViewClass};
use crate::chart::palette::Colour;
use crate::chart::panel::{Dashes, Line};
use crate::chart::series_id::eigenvalues;
use crate::chart::spectrum::{by_index, points};
use crate::paint::axes::AXIS;
use crate::paint::panel::{Look, paint_high};
use crate::run::{Block, Snapshot};
use crate::ui::kit::data_table::DataTable;
use crate::ui::kit::format;
use crate::ui::kit::theme;
use crate::ui::plot::readout;

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
        let before = context.at_switch().filter(|before| before.row.step < snapshot.row.step);
        let earlier = before.as_deref().and_then(|before| eigenvalues(before, *block)).unwrap_or_default();
        if let Some(table) = &mut context.table {
            write(table, values, earlier);
        }
        let colour = match *block {
            Block::All => Colour::Text,
            Block::Task(task) => Colour::Task(task),
        };
        let now = points(values);
        let lines = vec![
            Line::new(points(earlier), Colour::Faint, 1.2, Dashes::Broken).named("at the last switch"),
            Line::new(now.clone(), colour, 1.5, Dashes::None).named("at the cursor"),
        ];
        let room = ui.available_size();
        // In a narrow pane the numbers below need a second line.
        let height = (room.y - if room.x < NARROW { 42.0 } else { 30.0 }).max(20.0);
        let look = Look::of_view(context.thick, true);
        let panel = by_index(lines, values.len());
        let painted = paint_high(ui, "spectrum", &panel, &look, height);
        readout::of_panel(ui, &painted, &panel, nth);
        let painter = ui.painter().with_clip_rect(painted.transform.frame);
        for &(index, value) in now.iter().take(24) {
            let at = painted.transform.position((index, value));
            painter.circle_filled(at, 2.0, context.tokens.ink(colour));
        }
        numbers(ui, context, &snapshot, *block, values);
    }
}

/// Names an eigenvalue by its place on the logarithmic axis of a spectrum.
pub fn nth(place: f64) -> String {
    format!("eigenvalue {:.0}", 10f64.powf(place))
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
