//! The velocity of the kernel on each task's probes, with the spike of each switch, and below it what may explain it.
//!
//! A spike of v may be nothing but larger steps; so the strip below shows, over the same lag, how far the weights moved,
//! or how far the kernel turned for that (the susceptibility).

use egui::{RichText, Ui};

use super::context::Scene;
use super::pane::Slot;
use crate::run::{Block, Metric, Row};
use crate::ui::kit::format;
use crate::ui::kit::theme;
use crate::ui::kit::widgets::{choose, number_legend, tick};
use crate::ui::plot::series_cache::{Key, Source, Window};
use crate::ui::plot::{Mark, Style, TimePlot, Trace, time_plot, window};

/// What the strip below shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Strip {
    #[default]
    Displacement,
    Susceptibility,
    Gradient,
    Hidden,
}

impl Strip {
    fn metric(self) -> Option<Metric> {
        match self {
            Self::Displacement => Some(Metric::StepNorm),
            Self::Susceptibility => Some(Metric::Susceptibility),
            Self::Gradient => Some(Metric::GradNorm),
            Self::Hidden => None,
        }
    }
}

/// Kept between frames.
#[derive(Clone)]
pub struct VelocityState {
    metric: Metric,
    strip: Strip,
    /// Also of all probes together.
    whole: bool,
}

impl Default for VelocityState {
    fn default() -> Self {
        Self { metric: Metric::Velocity, strip: Strip::default(), whole: false }
    }
}

/// `tensor`: its velocity is shown beside the whole's.
pub fn show(ui: &mut Ui, slot: &mut Slot, scene: &mut Scene<'_>, state: &mut VelocityState, tensor: Option<&str>) {
    let epoch = scene.time_unit().trim_end_matches('s');
    let unit = format!("{}/{epoch}", if state.metric == Metric::VelocityAngle { "rad" } else { "1" });
    let mut card = slot.card(ui, &unit);
    let window = window(&card.body, scene);
    let mut traces = task_traces(scene, state.metric, true, window, state.whole);
    // Of tensors only the centred one is measured.
    let beside = tensor.filter(|_| state.metric == Metric::Velocity);
    let beside = beside.map_or_else(Vec::new, |tensor| tensor_traces(scene, tensor, window));
    let tensor = tensor.filter(|_| !beside.is_empty());
    traces.extend(beside);
    let marks = spikes(scene, state.metric);

    let header = &mut card.header;
    let strips = [
        (Strip::Displacement, "below: ‖Δw‖"),
        (Strip::Susceptibility, "below: S/‖Δw‖²"),
        (Strip::Gradient, "below: ‖∇L‖"),
        (Strip::Hidden, "below: nothing"),
    ];
    if slot.roomy() {
        choose(header, "Strip below the velocity", &mut state.strip, &strips);
    }
    let metrics = [
        (Metric::Velocity, "centred"),
        (Metric::VelocityUncentred, "uncentred"),
        (Metric::VelocityAngle, "as an angle"),
    ];
    choose(header, "Kind of velocity", &mut state.metric, &metrics);
    if slot.roomy() {
        tick(header, &mut state.whole, "all", "Also the velocity on all probes together");
    }
    if let Some(tensor) = tensor {
        let text = RichText::new(format!("dashed: {tensor}")).size(theme::SMALL).color(scene.tokens.accent);
        header.label(text).on_hover_text("Of this tensor's part of the kernel alone");
    }
    let left = &mut header.new_child(egui::UiBuilder::new().max_rect(header.available_rect_before_wrap()));
    number_legend(left, &traces, true);

    let ui = &mut card.body;
    let room = ui.available_height();
    let strip = state.strip.metric().filter(|_| slot.roomy() && room > 110.0);
    let below = if strip.is_some() { (room * 0.3).clamp(44.0, 120.0) } else { 0.0 };
    ui.spacing_mut().item_spacing.y = 3.0;
    let main = TimePlot {
        id: "velocity",
        log: true,
        limits: None,
        least: 1.0,
        ticks: strip.is_none(),
        height: room - below - if strip.is_some() { 3.0 } else { 0.0 },
    };
    time_plot(ui, scene, &main, &traces, &marks);
    if let Some(metric) = strip {
        let traces = strip_traces(scene, metric, window);
        let plot = TimePlot { id: "velocity strip", log: true, limits: None, least: 0.7, ticks: true, height: below };
        time_plot(ui, scene, &plot, &traces, &[]);
    }
}

/// One curve per task's block, other runs behind them.
pub fn task_traces(scene: &mut Scene<'_>, metric: Metric, log: bool, window: Window, whole: bool) -> Vec<Trace> {
    let key = |block| Key { source: Source::Metric(block, metric), log };
    let mut traces = Trace::of_others(scene, key, window);
    if whole {
        let colour = scene.tokens.text;
        traces.push(Trace::new(scene, "all", key(Block::All), window, colour));
    }
    // Later tasks first, so that the first task, whom the story is about, lies on top.
    let tasks = scene.tasks();
    for &task in tasks.iter().rev() {
        let colour = scene.tokens.task(task);
        let mut trace = Trace::new(scene, task.to_string(), key(Block::Task(task)), window, colour);
        trace.width = if task == 1 { 1.8 } else { 1.2 };
        traces.push(trace);
    }
    traces
}

/// The velocity of a tensor's part on each task's probes.
fn tensor_traces(scene: &mut Scene<'_>, tensor: &str, window: Window) -> Vec<Trace> {
    let mut traces = Vec::new();
    for task in scene.tasks() {
        let of_task =
            |row: &Row| row.tensors.iter().filter(|told| told.task == task).position(|told| *told.tensor == *tensor);
        let Some(place) = scene.history.rows().last().and_then(of_task) else { continue };
        let key = Key { source: Source::TensorVelocity(task, place), log: true };
        let colour = scene.tokens.task(task);
        let trace = Trace::new(scene, "", key, window, colour).called(format!("{tensor}: velocity, task {task}"));
        traces.push(Trace { style: Style::Dashed, width: 1.2, ..trace });
    }
    traces
}

/// Quantities of the whole network have one curve, those of a block one per task.
fn strip_traces(scene: &mut Scene<'_>, metric: Metric, window: Window) -> Vec<Trace> {
    if metric == Metric::Susceptibility {
        return task_traces(scene, metric, true, window, false);
    }
    let key = Key { source: Source::Metric(Block::All, metric), log: true };
    let colour = scene.tokens.text.gamma_multiply(0.8);
    let mut trace = Trace::new(scene, "", key, window, colour);
    trace.width = 1.2;
    vec![trace]
}

/// The spike of the first task's block at each switch, as a multiple of its background.
fn spikes(scene: &mut Scene<'_>, metric: Metric) -> Vec<Mark> {
    let colour = scene.tokens.task(1);
    let found = scene.curves.spikes(scene.history, Block::Task(1), metric);
    let marks = found.iter().flatten().filter(|spike| spike.height > 0.0).map(|spike| Mark {
        epoch: spike.epoch,
        y: spike.height.log10(),
        text: format!("×{}", format::times(spike.ratio)),
        colour,
        below: false,
    });
    marks.collect()
}
