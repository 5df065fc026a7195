//! The list of lessons: a small window that anything else closes.

use egui::{Align2, Context, Key, RichText, Window, vec2};

use super::{TourWish, Tours};
use crate::spec::tours;
use crate::ui::app::actions::{Action, Actions};
use crate::ui::kit::{
    theme,
    theme::{GRID, SMALL, Tokens},
};

pub fn show(ctx: &Context, state: &mut Tours, actions: &mut Actions) {
    if !state.choosing {
        return;
    }
    if ctx.input(|input| input.key_pressed(Key::Escape)) {
        state.choosing = false;
        return;
    }
    let tokens = Tokens::in_theme(ctx.global_style().visuals.dark_mode);
    let window = Window::new("Lessons").open(&mut state.choosing).collapsible(false).resizable(false);
    let width = (ctx.content_rect().width() - 80.0).min(520.0);
    window.anchor(Align2::CENTER_CENTER, vec2(0.0, 0.0)).show(ctx, |ui| {
        ui.set_width(width);
        let text =
            "Each begins a run or a study of its own, waits for what really happens in it, and goes on with one key.";
        ui.label(RichText::new(text).size(SMALL).color(tokens.weak));
        for (place, tour) in tours().iter().enumerate() {
            ui.add_space(2.0 * GRID);
            let title = RichText::new(&tour.title).size(theme::TITLE);
            if ui.button(title).clicked() {
                actions.push(Action::Tour(TourWish::Begin(place)));
            }
            ui.label(&tour.about);
            let about = match (&tour.preset, &tour.study) {
                (Some(name), _) => format!("{} steps, preset {name}", tour.steps.len()),
                (None, name) => format!("{} steps, study {}", tour.steps.len(), name.as_deref().unwrap_or_default()),
            };
            ui.label(RichText::new(about).size(SMALL).color(tokens.weak));
        }
    });
}
