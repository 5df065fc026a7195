//! The optimiser's kernel J P J′ beside Θ.

use egui::{RichText, Ui, UiBuilder};

use super::BlockChoice;
use super::choosers::choose_block;
use super::context::Scene;
use super::pane::Slot;
use crate::run::{Block, Metric};
use crate::ui::kit::theme;
use crate::ui::kit::widgets::{HEADER_WIDTH, choose, names_below, number_legend};
use crate::ui::plot::series_cache::{Key, OfOptimiser, Source};
use crate::ui::plot::{Style, TimePlot, Trace, time_plot, window};

/// Kept between frames.
#[derive(Default)]
pub struct OptimiserState {
    shown: OfOptimiser,
    block: BlockChoice,
}

pub fn show(ui: &mut Ui, slot: &mut Slot, scene: &mut Scene<'_>, state: &mut OptimiserState) {
    let log = matches!(state.shown, OfOptimiser::Velocity | OfOptimiser::LambdaMax | OfOptimiser::Trace);
    let mut card = slot.card(ui, if state.shown == OfOptimiser::Velocity { "1/epoch" } else { "" });
    if !scene.info().is_some_and(|info| info.spec.kernel.optimiser) {
        return absent(&mut card.body, scene);
    }
    let window = window(&card.body, scene);
    let header = &mut card.header;
    let kinds = [
        (OfOptimiser::Velocity, "velocity"),
        (OfOptimiser::Apart, "S from Θ"),
        (OfOptimiser::LambdaMax, "λ_max"),
        (OfOptimiser::Trace, "trace"),
        (OfOptimiser::Alignment, "alignment"),
        (OfOptimiser::AlignmentCentred, "alignment, centred"),
    ];
    choose(header, "What of the optimiser's kernel", &mut state.shown, &kinds);
    let BlockChoice(block) = &mut state.block;
    choose_block(header, scene, "Probes of the optimiser's kernel", block);
    let block = *block;

    let own = match block {
        Block::All => scene.tokens.text,
        Block::Task(task) => scene.tokens.task(task),
    };
    let key = Key { source: Source::Optimiser(block, state.shown), log };
    let mut traces = vec![Trace { width: 1.8, ..Trace::new(scene, "J P J′", key, window, own) }];
    let same = match state.shown {
        OfOptimiser::Velocity => Some(Metric::Velocity),
        OfOptimiser::LambdaMax => Some(Metric::LambdaMax),
        OfOptimiser::Trace => Some(Metric::Trace),
        OfOptimiser::Alignment => Some(Metric::Alignment),
        OfOptimiser::AlignmentCentred => Some(Metric::AlignmentCentred),
        OfOptimiser::Apart => None,
    };
    if let Some(metric) = same {
        let key = Key { source: Source::Metric(block, metric), log };
        let theta = Trace::new(scene, "Θ", key, window, scene.tokens.weak);
        traces.insert(0, Trace { style: Style::Dashed, width: 1.3, ..theta });
    }
    let ui = &mut card.body;
    if ui.available_width() > HEADER_WIDTH {
        let left = &mut header.new_child(UiBuilder::new().max_rect(header.available_rect_before_wrap()));
        number_legend(left, &traces, log);
    } else {
        names_below(ui, traces.iter().rev());
    }
    let limits = (state.shown == OfOptimiser::Apart).then_some((0.0, 1.04));
    let height = ui.available_height();
    let plot = TimePlot { id: "optimiser", log, limits, least: if log { 1.0 } else { 0.05 }, ticks: true, height };
    time_plot(ui, scene, &plot, &traces, &[]);
}

fn absent(ui: &mut Ui, scene: &Scene<'_>) {
    ui.add_space(theme::GRID);
    let text = "This run does not measure its optimiser's kernel: switch “Optimiser's” on in the kernel's settings. With SGD it \
                is the kernel itself but for a factor, so take Adam.";
    ui.label(RichText::new(text).color(scene.tokens.weak));
}
