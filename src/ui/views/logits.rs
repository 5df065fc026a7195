//! The kernels of the old and of the new classes' logits, apart.

use egui::Ui;

use super::choosers::choose_task;
use super::context::Scene;
use super::pane::Slot;
use crate::run::Logits;
use crate::ui::kit::widgets::{HEADER_WIDTH, choose, names_below, number_legend};
use crate::ui::plot::series_cache::{Key, OfLogits, Source};
use crate::ui::plot::{TimePlot, Trace, time_plot, window};

/// Kept between frames.
pub struct LogitsState {
    shown: OfLogits,
    task: usize,
}

impl Default for LogitsState {
    fn default() -> Self {
        Self { shown: OfLogits::default(), task: 1 }
    }
}

pub fn show(ui: &mut Ui, slot: &mut Slot, scene: &mut Scene<'_>, state: &mut LogitsState) {
    let log = state.shown == OfLogits::Velocity;
    let mut card = slot.card(ui, if log { "1/epoch" } else { "" });
    let window = window(&card.body, scene);
    let header = &mut card.header;
    let kinds = [(OfLogits::Velocity, "velocity"), (OfLogits::LambdaMax, "λ_max"), (OfLogits::Trace, "trace")];
    choose(header, "What of each set of logits", &mut state.shown, &kinds);
    choose_task(header, scene, "Probes of the logits", &mut state.task);

    // The colours of the first two tasks that are trained.
    let order = scene.info().map(|info| info.spec.tasks.sequence()).unwrap_or_default();
    let (old, new) = (order.first().copied().unwrap_or(1), order.get(1).copied().unwrap_or(2));
    let (old, new) = (scene.tokens.task(old), scene.tokens.task(new));
    let traces = [(Logits::New, "new", new), (Logits::Old, "old", old)].map(|(logits, name, colour)| {
        let key = Key { source: Source::Logits(state.task, logits, state.shown), log };
        Trace::new(scene, name, key, window, colour)
    });
    let ui = &mut card.body;
    if ui.available_width() > HEADER_WIDTH {
        let left = &mut header.new_child(egui::UiBuilder::new().max_rect(header.available_rect_before_wrap()));
        number_legend(left, &traces, log);
    } else {
        names_below(ui, traces.iter().rev());
    }
    let height = ui.available_height();
    let plot = TimePlot { id: "logits", log, limits: None, least: if log { 1.0 } else { 1e-6 }, ticks: true, height };
    time_plot(ui, scene, &plot, &traces, &[]);
}
