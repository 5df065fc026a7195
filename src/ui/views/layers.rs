//! Which layer moves: a curve for each layer of the network, on the probes of one task.

use std::sync::Arc;

use egui::Ui;

use super::choosers::choose_task;
use super::context::Scene;
use super::pane::Slot;
use crate::ui::kit::format;
use crate::ui::kit::widgets::{HEADER_WIDTH, choose, names_below, number_legend};
use crate::ui::plot::series_cache::{Key, OfLayer, Source};
use crate::ui::plot::{TimePlot, Trace, time_plot, window};

/// Names of more layers than this stand below the header.
const IN_HEADER: usize = 4;
/// Of more than this, a small place names the first, the last and the greatest at the cursor only.
const IN_LINES: usize = 8;

/// Kept between frames.
pub struct LayersState {
    shown: OfLayer,
    task: usize,
}

impl Default for LayersState {
    fn default() -> Self {
        Self { shown: OfLayer::default(), task: 1 }
    }
}

pub fn show(ui: &mut Ui, slot: &mut Slot, scene: &mut Scene<'_>, state: &mut LayersState) {
    let log = state.shown == OfLayer::Velocity;
    let mut card = slot.card(ui, if log { "1/epoch" } else { "" });
    let window = window(&card.body, scene);
    let header = &mut card.header;
    let kinds = [
        (OfLayer::Velocity, "velocity"),
        (OfLayer::Alignment, "alignment"),
        (OfLayer::AlignmentCentred, "alignment, centred"),
        (OfLayer::Share, "share of the trace"),
    ];
    choose(header, "What of each layer", &mut state.shown, &kinds);
    choose_task(header, scene, "Probes of the layers", &mut state.task);

    let names = names(scene, state.task);
    let count = names.len();
    let spikes = scene.curves.layer_spikes(scene.history, state.task).to_vec();
    let trace = |(place, name): (usize, &Arc<str>)| {
        let key = Key { source: Source::Layer(state.task, place, state.shown), log };
        let colour = scene.tokens.layer(place, count);
        let called = format!("{name}: {}, task {}", state.shown.word(), state.task);
        let ratio = spikes.get(place).copied().flatten().filter(|_| log);
        let name = ratio.map_or_else(|| name.to_string(), |spike| format!("{name} ×{}", format::times(spike.ratio)));
        Trace { width: 1.3, ..Trace::new(scene, name, key, window, colour).called(called) }
    };
    // As the header's legend reads them: last first.
    let mut traces: Vec<Trace> = names.iter().enumerate().map(trace).collect();
    traces.reverse();
    let ui = &mut card.body;
    if count <= IN_HEADER && ui.available_width() > HEADER_WIDTH {
        let left = &mut header.new_child(egui::UiBuilder::new().max_rect(header.available_rect_before_wrap()));
        number_legend(left, &traces, log);
    } else if count <= IN_LINES || slot.roomy() {
        names_below(ui, traces.iter().rev());
    } else {
        // The ends of the scale of colours, and who stands out.
        let now = |trace: &&Trace| trace.now.unwrap_or(f64::NEG_INFINITY);
        let most = traces.iter().max_by(|a, b| now(a).total_cmp(&now(b)));
        let mut named: Vec<&Trace> = traces.last().into_iter().chain(most).chain(traces.first()).collect();
        named.dedup_by(|a, b| a.name == b.name);
        names_below(ui, named.into_iter());
    }
    let limits = (state.shown == OfLayer::Share).then_some((0.0, 1.04));
    let height = ui.available_height();
    let plot = TimePlot { id: "layers", log, limits, least: if log { 1.0 } else { 0.05 }, ticks: true, height };
    time_plot(ui, scene, &plot, &traces, &[]);
}

/// The layers of the newest row, in the order of the forward pass.
fn names(scene: &Scene<'_>, task: usize) -> Vec<Arc<str>> {
    let row = scene.history.rows().last();
    let layers = row.into_iter().flat_map(|row| row.layers.iter().filter(|layer| layer.task == task));
    layers.map(|layer| Arc::clone(&layer.layer)).collect()
}
