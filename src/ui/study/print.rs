//! Draws a card of the page on paper: its picture in the colours of the paper, and its numbers run by run.
//!
//! The method of [`StudyPage`] here is the only one that draws on paper.

use egui::{RichText, Ui, vec2};

use super::results_panel::{legend, names};
use super::{StudyPage, chart};
use crate::chart::panel::Panel;
use crate::ui::kit::data_table::{Cell, DataTable};
use crate::ui::kit::widgets::{Card, card_titled};
use crate::ui::kit::{
    theme,
    theme::{GRID, Tokens},
};

/// Height of the legend line.
const LINE: f32 = 20.0;

impl StudyPage {
    /// Draws the card with this title alone, at the size of the ui; returns its numbers, if the card exists.
    pub fn on_paper(&mut self, ui: &mut Ui, title: &str) -> Option<DataTable> {
        let tokens = Tokens::of(ui);
        let rect = ui.available_rect_before_wrap();
        let runs = self.results.comparison().cloned();
        let (picture, unit, card) = if self.results.learnt().is_some() {
            let (picture, unit) = self.results.learning.picture(title)?;
            (picture, unit, rect)
        } else {
            let runs = runs?;
            let shown = self.results.shown(&runs);
            // On the page one legend of the values is above all cards; here it is above this one.
            let (line, card) = rect.split_top_bottom_at_y(rect.top() + LINE);
            ui.painter().rect_filled(rect, 0.0, tokens.card);
            legend(ui, shown, &runs, line.shrink2(vec2(2.0 * GRID, 0.0)));
            let found = self.results.pictures(&runs).iter().find(|(kind, _)| kind.title() == title)?;
            (&found.1, found.0.unit(), card)
        };
        let Card { mut header, mut body } = card_titled(ui, card, title, unit, "", |ui| {
            ui.label(RichText::new(title).size(theme::TITLE).color(tokens.text));
        });
        names(&mut header, picture);
        chart::show(&mut body, title, picture, 1.0);
        Some(sheet(picture))
    }
}

/// Returns the points of each run, against the axis's values or, for curves, the epochs since the switch.
fn sheet(picture: &Panel) -> DataTable {
    let mut sheet = DataTable::default();
    sheet.head(["run", if picture.x.ticks.is_some() { "axis" } else { "epochs since the switch" }, "value"]);
    for target in &picture.targets {
        for point in &target.points {
            let tick = picture.x.ticks.iter().flatten().find(|tick| (tick.0 - point.0).abs() < 1e-9);
            let at = tick.map_or_else(|| Cell::from(point.0), |tick| Cell::from(tick.1.as_str()));
            let value = if picture.y.log { 10f64.powf(point.1) } else { point.1 };
            sheet.row([target.name.as_str().into(), at, value.into()]);
        }
    }
    sheet
}
