//! Shows the velocity of the kernel on each task's probes, with the spike of each switch, and below it a possible explanation.
//!
//! Larger steps alone can cause a spike of v, so the strip below shows over the same lag how far the weights moved, or the
//! kernel's rotation per distance (the susceptibility).

use egui::{RichText, Ui};

use super::context::ViewContext;
use super::pane::Pane;
use super::view::{Needs, ViewClass};
use crate::chart::curves::{strip, velocity};
use crate::chart::palette::Colour;
use crate::chart::panel::Dashes;
use crate::chart::series_id::SeriesId;
use crate::chart::time_chart::{Name, TimeCurve, tasks};
use crate::run::{History, Metric};
use crate::ui::kit::theme;
use crate::ui::kit::widgets::{choose, tick};
use crate::ui::plot::{TimePlot, window};

/// Selects the content of the strip below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Strip {
    #[default]
    Displacement,
    Susceptibility,
    Straightness,
    Gradient,
    Hidden,
}

impl Strip {
    fn metric(self) -> Option<Metric> {
        match self {
            Self::Displacement => Some(Metric::StepNorm),
            Self::Susceptibility => Some(Metric::Susceptibility),
            Self::Straightness => Some(Metric::Straightness),
            Self::Gradient => Some(Metric::GradNorm),
            Self::Hidden => None,
        }
    }
}

/// This view shows how fast the kernel turns, and in a strip below what may explain it.
#[derive(Clone)]
pub struct VelocityView {
    /// The kind of velocity, centred or debiased by the number of probes.
    metric: Metric,
    /// Whether that choice is the user's.
    exactly: bool,
    strip: Strip,
    /// True to show the velocity over all probes together, too.
    whole: bool,
}

impl Default for VelocityView {
    fn default() -> Self {
        Self { metric: Metric::Velocity, exactly: false, strip: Strip::default(), whole: false }
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
                 With few probes the diagonals of the kernels, which hardly turn, make S too small: “debiased” takes them \
                 out (HSIC₁, Song et al. 2012). At 80 probes it gives a tenth more, at 10 three to four times as much. Where a \
                 task has fewer than 40 probes, debiased is shown first, and the other kinds are debiased too.\n\
                 “Per path length” divides S by Σ‖Δw‖ over the steps of the lag: what is left of n when the clock is the way of \
                 the weights. The strip's straightness is ‖Δw‖ over that path: near 0 where steps go back and forth, 1 where \
                 they go one way. Lags in steps or path length (kernel.lag_steps, kernel.lag_path) are the same before and \
                 after a switch, for tasks of any length.\n\
                 Reactivation (2507.16039); uncentred, of the full NC × NC kernel: Fort et al. 2020 (2010.15110).";
    const NEEDS: Needs = Needs::Kernels;

    fn show(&mut self, ui: &mut Ui, pane: &mut Pane<'_>, context: &mut ViewContext<'_>) {
        let tensor = pane.selection.tensor.clone();
        let tensor = tensor.as_deref();
        let history = context.history;
        let usual = |metric: Metric| history.usual(metric);
        let mut metric = if self.exactly { self.metric } else { usual(self.metric) };
        let mut card = pane.card(ui, "");
        let window = window(&card.body, context);
        // Tensors have the centred and the debiased velocity only.
        let beside = tensor.filter(|_| matches!(metric, Metric::Velocity | Metric::VelocityDebiased));
        let beside = beside.map_or_else(Vec::new, |tensor| of_tensor(context.history, tensor, metric));
        let tensor = tensor.filter(|_| !beside.is_empty());
        let mut chart = velocity(context.history, metric, self.whole);
        chart.curves.splice(0..0, beside);
        let plot = TimePlot::of(context, chart, window);

        let header = &mut card.header;
        let strips = [
            (Strip::Displacement, "below: ‖Δw‖"),
            (Strip::Susceptibility, "below: S/‖Δw‖²"),
            (Strip::Straightness, "below: straightness"),
            (Strip::Gradient, "below: ‖∇L‖"),
            (Strip::Hidden, "below: nothing"),
        ];
        if pane.roomy() {
            choose(header, "Strip below the velocity", &mut self.strip, &strips);
        }
        let metrics = [
            (Metric::Velocity, "centred"),
            (Metric::VelocityUncentred, "uncentred"),
            (usual(Metric::VelocityAngle), "as an angle"),
            (Metric::VelocityDebiased, "debiased"),
            (usual(Metric::VelocityStep), "per step"),
            (usual(Metric::VelocityPath), "per path length"),
        ];
        if choose(header, "Kind of velocity", &mut metric, &metrics) {
            (self.metric, self.exactly) = (metric, true);
        }
        if pane.roomy() {
            tick(header, &mut self.whole, "all", "Also the velocity on all probes together");
        }
        if let Some(tensor) = tensor {
            let text = RichText::new(format!("dashed: {tensor}")).size(theme::SMALL).color(context.tokens.accent);
            header.label(text).on_hover_text("Of this tensor's part of the kernel alone");
        }
        let left = &mut header.new_child(egui::UiBuilder::new().max_rect(header.available_rect_before_wrap()));
        plot.legend(left);

        let ui = &mut card.body;
        let switches = 0..context.history.switches().len();
        if let Some(why) = switches.rev().find_map(|place| context.history.missing_velocity(place)) {
            ui.label(
                RichText::new(format!("There is no velocity to compare: {why}."))
                    .size(theme::SMALL)
                    .color(context.tokens.weak),
            );
        }
        let room = ui.available_height();
        let metric = self.strip.metric().filter(|_| pane.roomy() && room > 110.0);
        let Some(metric) = metric else {
            plot.show(ui, context, "velocity");
            return;
        };
        let metric = context.history.usual(metric);
        let below = (room * 0.3).clamp(44.0, 120.0);
        ui.spacing_mut().item_spacing.y = GAP;
        plot.show_high(ui, context, "velocity", (room - below - GAP, false));
        let plot = TimePlot::of(context, strip(context.history, metric), window);
        plot.show_high(ui, context, "velocity strip", (below, true));
    }

    fn show_usual(&mut self) {
        *self = Self::default();
    }

    fn choices(&self) -> Self {
        self.clone()
    }
}

/// Space between the velocity and the strip.
const GAP: f32 = 3.0;

/// Returns the velocity of a tensor's part on each task's probes, that of the last task first.
fn of_tensor(history: &History, tensor: &str, metric: Metric) -> Vec<TimeCurve> {
    let curve = |task| {
        let of_task = history.rows().last()?.tensors.iter().filter(|found| found.task == task);
        let place = of_task.into_iter().position(|found| *found.tensor == *tensor)?;
        let series = match metric {
            Metric::VelocityDebiased => SeriesId::TensorVelocityDebiased(task, place),
            _ => SeriesId::TensorVelocity(task, place),
        };
        let curve = TimeCurve::new(Name::Beside(format!("task {task}, {tensor}")), series, Colour::Task(task));
        let exported = Some(format!("{tensor}: velocity, task {task}"));
        Some(TimeCurve { style: Dashes::Broken, width: 1.2, exported, ..curve })
    };
    tasks(history).into_iter().rev().filter_map(curve).collect()
}
