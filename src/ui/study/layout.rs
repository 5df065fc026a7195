//! Lays the study page out: the panel at the left, and the results.

use egui::{CentralPanel, Frame, Margin, Panel, Ui};

use super::{StudyPage, panel, results_panel};
use crate::spec::Spec;
use crate::ui::app::action_queue::Actions;
use crate::ui::kit::theme::Tokens;

/// Draws the page below the bar; `flops` is the speed of the live run, if known, `foot` draws below the panel at the left.
pub fn show(
    ui: &mut Ui,
    page: &mut StudyPage,
    actions: &mut Actions,
    run: &Spec,
    flops: Option<f64>,
    foot: impl FnOnce(&mut Ui, &mut Actions),
) {
    let tokens = Tokens::of(ui);
    let frame = Frame::new().fill(tokens.card).inner_margin(Margin { left: 12, right: 8, top: 8, bottom: 8 });
    // For the back row only what was found, once there is something.
    let presents = page.cards.thick > 1.0 && page.results.any();
    if !presents {
        Panel::left("study").frame(frame).default_size(288.0).size_range(260.0..=420.0).show(ui, |ui| {
            foot(ui, actions);
            panel::show(ui, page, actions, run, flops);
        });
    }
    let ground = Frame::new().fill(tokens.ground).inner_margin(Margin::same(6));
    CentralPanel::default().frame(ground).show(ui, |ui| results_panel::show(ui, page, actions));
}
