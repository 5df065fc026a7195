//! Shows the size of the kernel: λ_max by default, with the depth of its dip at each switch, or another metric by choice.

use egui::Ui;

use super::context::ViewContext;
use super::pane::Pane;
use super::view::{Needs, ViewClass};
use crate::run::{Block, Metric};
use crate::ui::kit::format;
use crate::ui::kit::widgets::choose;
use crate::ui::plot::legend::number_legend;
use crate::ui::plot::series_cache::{Key, SeriesId};
use crate::ui::plot::{Mark, TimePlot, Trace, time_plot, window};

/// Names the metrics that can be shown.
const QUANTITIES: [(Quantity, &str); 21] = [
    (Quantity::linear(Metric::LambdaMax), "λ_max"),
    (Quantity::relative(Metric::LambdaMax), "λ_max, relative"),
    (Quantity::linear(Metric::Scale), "‖K‖/‖K₀‖"),
    (Quantity::linear(Metric::Trace), "trace"),
    (Quantity::relative(Metric::Trace), "trace, relative"),
    (Quantity::linear(Metric::Frobenius), "‖K‖"),
    (Quantity::log(Metric::LambdaMin), "λ_min"),
    (Quantity::linear(Metric::EffectiveRank), "effective rank"),
    (Quantity::log(Metric::Distance), "S from start"),
    (Quantity::log(Metric::DistanceSwitch), "S from switch"),
    (Quantity::log(Metric::Rotation), "rotation"),
    (Quantity::linear(Metric::Drift), "drift"),
    (Quantity::log(Metric::GradNorm), "‖∇L‖"),
    (Quantity::log(Metric::StepNorm), "‖Δw‖"),
    (Quantity::log(Metric::Susceptibility), "S/‖Δw‖²"),
    (Quantity::log(Metric::Loss), "loss on probes"),
    (Quantity::log(Metric::Rate), "learning rate"),
    (Quantity::log(Metric::Sharpness), "sharpness of the squared error"),
    (Quantity::log(Metric::SharpnessLoss), "sharpness of the loss"),
    (Quantity::log(Metric::InfiniteError), "distance to Θ∞"),
    (Quantity::log(Metric::Asymmetry), "asymmetry"),
];

/// Above this sharpness of the training loss, steps of gradient descent grow.
const STABLE: f64 = 2.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Quantity {
    metric: Metric,
    log: bool,
    /// True if values are divided by the value at the last switch.
    relative: bool,
}

impl Quantity {
    const fn linear(metric: Metric) -> Self {
        Self { metric, log: false, relative: false }
    }

    const fn log(metric: Metric) -> Self {
        Self { metric, log: true, relative: false }
    }

    const fn relative(metric: Metric) -> Self {
        Self { metric, log: false, relative: true }
    }
}

/// This view shows how large the kernel is, by λ_max or another metric.
#[derive(Clone)]
pub struct ScaleView {
    shown: Quantity,
}

impl Default for ScaleView {
    fn default() -> Self {
        Self { shown: Quantity::linear(Metric::LambdaMax) }
    }
}

impl ViewClass for ScaleView {
    const TITLE: &str = "Scale";
    const HELP: &str = "How large the kernel is, on each task's own probes. λ_max is its largest eigenvalue: in many \
                 networks it drops at a switch and recovers, the “checkmark”; in an MLP with LayerNorm it hardly \
                 drops. The percentage is the smallest value within three epochs after the switch against the median \
                 of the last three before. In the list, “relative” divides by the value at the last switch; it has \
                 every other number measured at a snapshot. “Sharpness” is that of the squared error whatever the loss \
                 is, η λ_max(Θ)/(N C) with the NC × NC kernel of a task's N probes; “of the loss” is η λ_max(Θ H)/N \
                 with H = I/C for the squared error and diag p − pp′ for cross-entropy, at most C/2 times the first; η \
                 is the rate that reaches the optimiser. Both are measured at each epoch's end and each switch, and \
                 not between. Where that of the loss is below 2, steps of plain full-batch gradient descent shrink \
                 (dashed line; Cohen et al. 2021, 2103.00065). With momentum μ the bound is 2(1 + μ), and Adam, which \
                 scales each weight's step, has none in this number. “Distance to Θ∞” is ‖K − Θ∞‖/‖Θ∞‖ from the \
                 infinite-width kernel of the same network, where it has one in closed form; it falls as width^−½.\n\
                 Reactivation (2507.16039), there called the NTK norm, as a summary by others has it.";
    const NEEDS: Needs = Needs::Kernels;

    fn show(&mut self, ui: &mut Ui, pane: &mut Pane<'_>, context: &mut ViewContext<'_>) {
        let mut card = pane.card(ui, "");
        let Quantity { metric, log, relative } = self.shown;
        let window = window(&card.body, context);
        let source = |block| if relative { SeriesId::Relative(block, metric) } else { SeriesId::Metric(block, metric) };
        let key = |block| Key { source: source(block), log };
        let mut traces = Trace::of_tasks(context, key, window);
        let squared = context.info().is_some_and(|info| info.spec.training.loss.is_squared());
        if (metric == Metric::SharpnessLoss || (metric == Metric::Sharpness && squared)) && !traces.is_empty() {
            traces.insert(0, Trace::level(window, STABLE.log10(), context.tokens.warning));
        }
        let marks = if metric == Metric::LambdaMax { dips(context, relative) } else { Vec::new() };

        let header = &mut card.header;
        // The last one exists for kernels from other programs only.
        let most = QUANTITIES.len() - usize::from(!context.is_elsewhere());
        choose(header, "Quantity", &mut self.shown, &QUANTITIES[..most]);
        number_legend(header, &traces, log);

        let ui = &mut card.body;
        let plot = TimePlot {
            id: "scale",
            log,
            limits: None,
            least: if log { 0.7 } else { 1e-6 },
            ticks: true,
            height: ui.available_height(),
        };
        time_plot(ui, context, &plot, &traces, &marks);
    }

    fn show_usual(&mut self) {
        *self = Self::default();
    }

    fn choices(&self) -> Self {
        self.clone()
    }
}

/// Marks the relative fall of the first task's λ_max after each switch.
fn dips(context: &mut ViewContext<'_>, relative: bool) -> Vec<Mark> {
    let colour = context.tokens.task(1);
    let key = Key { source: SeriesId::Relative(Block::Task(1), Metric::LambdaMax), log: false };
    let found = context.curves.dips(context.history, Block::Task(1)).to_vec();
    let marks = found.iter().flatten().map(|dip| Mark {
        epoch: dip.epoch,
        y: if relative { context.curves.value_at(key, dip.epoch).unwrap_or(dip.depth) } else { dip.minimum },
        text: format::change(dip.depth),
        colour,
        below: true,
    });
    marks.collect()
}
