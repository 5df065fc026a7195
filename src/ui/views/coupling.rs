//! How much the kernel couples the tasks: the block of the Gram between the probes of two of them.

use egui::Ui;

use super::context::Scene;
use super::pane::Slot;
use crate::ui::kit::widgets::{choose, number_legend, segments};
use crate::ui::plot::series_cache::{Key, OfPair, Source};
use crate::ui::plot::{TimePlot, Trace, time_plot, window};

/// Kept between frames.
#[derive(Default)]
pub struct CouplingState {
    shown: OfPair,
    /// All pairs, not only those with the first task.
    all: bool,
}

pub fn show(ui: &mut Ui, slot: &mut Slot, scene: &mut Scene<'_>, state: &mut CouplingState) {
    let mut card = slot.card(ui, "");
    let window = window(&card.body, scene);
    let header = &mut card.header;
    let kinds = [(OfPair::Coupling, "coupling"), (OfPair::Frobenius, "‖K_ij‖")];
    choose(header, "What of each pair", &mut state.shown, &kinds);
    let tasks = scene.tasks();
    if tasks.len() > 2 {
        let which = [(false, "With 1", "The first task with each other"), (true, "All", "All pairs of tasks")];
        segments(header, &mut state.all, &which);
    }
    let of = |task: usize| tasks.iter().filter(move |other| **other > task).map(move |&other| (task, other));
    let pairs: Vec<(usize, usize)> =
        tasks.iter().filter(|task| state.all || **task == 1).flat_map(|&task| of(task)).collect();
    let trace = |&(task, other): &(usize, usize)| {
        let key = Key { source: Source::Pair(task, other, state.shown), log: false };
        let (one, two) = (scene.tokens.task(task), scene.tokens.task(other));
        // With the first task the other one's colour says which; among others it is one between the two.
        let colour = if task == 1 { two } else { one.lerp_to_gamma(two, 0.5) };
        Trace::new(scene, format!("{task}·{other}"), key, window, colour)
    };
    let traces: Vec<Trace> = pairs.iter().rev().map(trace).collect();
    let left = &mut header.new_child(egui::UiBuilder::new().max_rect(header.available_rect_before_wrap()));
    number_legend(left, &traces, false);
    let ui = &mut card.body;
    let height = ui.available_height();
    let least = if state.shown == OfPair::Coupling { 0.05 } else { 1e-6 };
    let plot = TimePlot { id: "coupling", log: false, limits: None, least, ticks: true, height };
    time_plot(ui, scene, &plot, &traces, &[]);
}
