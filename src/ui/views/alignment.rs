//! How well the kernel of each task's probes fits their labels.

use egui::Ui;

use super::context::Scene;
use super::pane::Slot;
use crate::run::Metric;
use crate::ui::kit::widgets::{choose, number_legend};
use crate::ui::plot::series_cache::{Key, Source};
use crate::ui::plot::{TimePlot, Trace, time_plot, window};

/// Kept between frames.
pub struct AlignmentState {
    metric: Metric,
}

impl Default for AlignmentState {
    fn default() -> Self {
        Self { metric: Metric::Alignment }
    }
}

pub fn show(ui: &mut Ui, slot: &mut Slot, scene: &mut Scene<'_>, state: &mut AlignmentState) {
    let mut card = slot.card(ui, "");
    let window = window(&card.body, scene);
    let key = |block| Key { source: Source::Metric(block, state.metric), log: false };
    let traces = Trace::of_tasks(scene, key, window);
    let header = &mut card.header;
    let kinds =
        [(Metric::Alignment, "plain"), (Metric::AlignmentCentred, "centred"), (Metric::AlignmentFull, "full kernel")];
    choose(header, "Kind of alignment", &mut state.metric, &kinds);
    let left = &mut header.new_child(egui::UiBuilder::new().max_rect(header.available_rect_before_wrap()));
    number_legend(left, &traces, false);

    let ui = &mut card.body;
    let plot =
        TimePlot { id: "alignment", log: false, limits: None, least: 0.05, ticks: true, height: ui.available_height() };
    time_plot(ui, scene, &plot, &traces, &[]);
}
