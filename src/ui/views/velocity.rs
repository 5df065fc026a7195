//! Shows the velocity of the kernel on each task's probes, with the spike of each switch, and below it a possible explanation.
//!
//! Larger steps alone can cause a spike of v, so the strip below shows over the same lag how far the weights moved, or the
//! kernel's rotation per distance (the susceptibility).

use egui::{RichText, Ui};

use super::context::ViewContext;
use super::pane::Pane;
use super::view::{Needs, ViewClass};
use crate::run::{Block, Metric, Row};
use crate::ui::kit::format;
use crate::ui::kit::theme;
use crate::ui::kit::widgets::{choose, tick};
use crate::ui::plot::legend::number_legend;
use crate::ui::plot::series_cache::{Key, SeriesId, Window};
use crate::ui::plot::{Mark, Style, TimePlot, Trace, time_plot, window};

/// Selects the content of the strip below.
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

/// This view shows how fast the kernel turns, and in a strip below what may explain it.
#[derive(Clone)]
pub struct VelocityView {
    metric: Metric,
    strip: Strip,
    /// True to show the velocity over all probes together, too.
    whole: bool,
}

impl Default for VelocityView {
    fn default() -> Self {
        Self { metric: Metric::Velocity, strip: Strip::default(), whole: false }
    }
}

impl ViewClass for VelocityView {
    const TITLE: &str = "Kernel velocity";
    const HELP: &str = "How fast the kernel turns, on each task's own probes:\n\
                 v(t) = (1 − CKA(K_{t−Δ}, K_t)) / Δ\n\
                 per epoch; the lag Δ is a share of an epoch of the task being trained, a quarter if nothing else is \
                 set. Coloured grounds are the tasks, lines their switches; ×n is the largest velocity within an epoch \
                 after the switch over the median of the last third of the task before. A lag never straddles a \
                 switch, so the curve has a gap there.\n\
                 That background is the noise of SGD, so n depends on lag, batch and rate (full batches leave the \
                 height of the default run's spike as it is and make n 124), and can be compared only between tasks of \
                 equal size. The strip below shows ‖Δw‖, how far the weights went over the same lag: S grows with its \
                 square while the steps are small, so a spike with a smaller S/‖Δw‖² is no more than the longer way.\n\
                 Reactivation (2507.16039); uncentred, of the full NC × NC kernel: Fort et al. 2020 (2010.15110).";
    const NEEDS: Needs = Needs::Kernels;

    fn show(&mut self, ui: &mut Ui, pane: &mut Pane<'_>, context: &mut ViewContext<'_>) {
        let tensor = pane.selection.tensor.clone();
        let tensor = tensor.as_deref();
        let epoch = context.time_unit().trim_end_matches('s');
        let unit = format!("{}/{epoch}", if self.metric == Metric::VelocityAngle { "rad" } else { "1" });
        let mut card = pane.card(ui, &unit);
        let window = window(&card.body, context);
        let mut traces = task_traces(context, self.metric, true, window, self.whole);
        // Tensors have the centred velocity only.
        let beside = tensor.filter(|_| self.metric == Metric::Velocity);
        let beside = beside.map_or_else(Vec::new, |tensor| tensor_traces(context, tensor, window));
        let tensor = tensor.filter(|_| !beside.is_empty());
        traces.extend(beside);
        let marks = spikes(context, self.metric);

        let header = &mut card.header;
        let strips = [
            (Strip::Displacement, "below: ‖Δw‖"),
            (Strip::Susceptibility, "below: S/‖Δw‖²"),
            (Strip::Gradient, "below: ‖∇L‖"),
            (Strip::Hidden, "below: nothing"),
        ];
        if pane.roomy() {
            choose(header, "Strip below the velocity", &mut self.strip, &strips);
        }
        let metrics = [
            (Metric::Velocity, "centred"),
            (Metric::VelocityUncentred, "uncentred"),
            (Metric::VelocityAngle, "as an angle"),
        ];
        choose(header, "Kind of velocity", &mut self.metric, &metrics);
        if pane.roomy() {
            tick(header, &mut self.whole, "all", "Also the velocity on all probes together");
        }
        if let Some(tensor) = tensor {
            let text = RichText::new(format!("dashed: {tensor}")).size(theme::SMALL).color(context.tokens.accent);
            header.label(text).on_hover_text("Of this tensor's part of the kernel alone");
        }
        let left = &mut header.new_child(egui::UiBuilder::new().max_rect(header.available_rect_before_wrap()));
        number_legend(left, &traces, true);

        let ui = &mut card.body;
        let room = ui.available_height();
        let strip = self.strip.metric().filter(|_| pane.roomy() && room > 110.0);
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
        time_plot(ui, context, &main, &traces, &marks);
        if let Some(metric) = strip {
            let traces = strip_traces(context, metric, window);
            let plot =
                TimePlot { id: "velocity strip", log: true, limits: None, least: 0.7, ticks: true, height: below };
            time_plot(ui, context, &plot, &traces, &[]);
        }
    }

    fn show_usual(&mut self) {
        *self = Self::default();
    }

    fn choices(&self) -> Self {
        self.clone()
    }
}

/// Returns one curve per task's block, with other runs behind them.
pub fn task_traces(
    context: &mut ViewContext<'_>,
    metric: Metric,
    log: bool,
    window: Window,
    whole: bool,
) -> Vec<Trace> {
    let key = |block| Key { source: SeriesId::Metric(block, metric), log };
    let mut traces = Trace::of_others(context, key, window);
    if whole {
        let colour = context.tokens.text;
        traces.push(Trace::new(context, "all", key(Block::All), window, colour));
    }
    // Later tasks come first, so that the first task, the main subject, is drawn on top.
    let tasks = context.tasks();
    for &task in tasks.iter().rev() {
        let colour = context.tokens.task(task);
        let mut trace = Trace::new(context, task.to_string(), key(Block::Task(task)), window, colour);
        trace.width = if task == 1 { 1.8 } else { 1.2 };
        traces.push(trace);
    }
    traces
}

/// Returns the velocity of a tensor's part on each task's probes.
fn tensor_traces(context: &mut ViewContext<'_>, tensor: &str, window: Window) -> Vec<Trace> {
    let mut traces = Vec::new();
    for task in context.tasks() {
        let of_task =
            |row: &Row| row.tensors.iter().filter(|told| told.task == task).position(|told| *told.tensor == *tensor);
        let Some(place) = context.history.rows().last().and_then(of_task) else { continue };
        let key = Key { source: SeriesId::TensorVelocity(task, place), log: true };
        let colour = context.tokens.task(task);
        let trace = Trace::new(context, "", key, window, colour).called(format!("{tensor}: velocity, task {task}"));
        traces.push(Trace { style: Style::Dashed, width: 1.2, ..trace });
    }
    traces
}

/// Returns one curve for a quantity of the whole network, or one per task for a quantity of a block.
fn strip_traces(context: &mut ViewContext<'_>, metric: Metric, window: Window) -> Vec<Trace> {
    if metric == Metric::Susceptibility {
        return task_traces(context, metric, true, window, false);
    }
    let key = Key { source: SeriesId::Metric(Block::All, metric), log: true };
    let colour = context.tokens.text.gamma_multiply(0.8);
    let mut trace = Trace::new(context, "", key, window, colour);
    trace.width = 1.2;
    vec![trace]
}

/// Marks the spike of the first task's block at each switch, as a multiple of its background.
fn spikes(context: &mut ViewContext<'_>, metric: Metric) -> Vec<Mark> {
    let colour = context.tokens.task(1);
    let found = context.curves.spikes(context.history, Block::Task(1), metric);
    let marks = found.iter().flatten().filter(|spike| spike.height > 0.0).map(|spike| Mark {
        epoch: spike.epoch,
        y: spike.height.log10(),
        text: format!("×{}", format::times(spike.ratio)),
        colour,
        below: false,
    });
    marks.collect()
}
