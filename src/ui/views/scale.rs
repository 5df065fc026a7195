//! How large the kernel is: λ_max by default, with the depth of its dip at each switch, or any other metric by choice.

use egui::Ui;

use super::context::Scene;
use super::pane::Slot;
use crate::run::{Block, Metric};
use crate::ui::kit::format;
use crate::ui::kit::widgets::{choose, number_legend};
use crate::ui::plot::series_cache::{Key, Source};
use crate::ui::plot::{Mark, TimePlot, Trace, time_plot, window};

/// What can be shown, in words.
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

/// Above this sharpness of the loss that is trained, steps of gradient descent grow.
const STABLE: f64 = 2.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Quantity {
    metric: Metric,
    log: bool,
    /// Divided by its value at the last switch.
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

/// Kept between frames.
#[derive(Clone)]
pub struct ScaleState {
    shown: Quantity,
}

impl Default for ScaleState {
    fn default() -> Self {
        Self { shown: Quantity::linear(Metric::LambdaMax) }
    }
}

pub fn show(ui: &mut Ui, slot: &mut Slot, scene: &mut Scene<'_>, state: &mut ScaleState) {
    let mut card = slot.card(ui, "");
    let Quantity { metric, log, relative } = state.shown;
    let window = window(&card.body, scene);
    let source = |block| if relative { Source::Relative(block, metric) } else { Source::Metric(block, metric) };
    let key = |block| Key { source: source(block), log };
    let mut traces = Trace::of_tasks(scene, key, window);
    let squared = scene.info().is_some_and(|info| info.spec.training.loss.is_squared());
    if (metric == Metric::SharpnessLoss || (metric == Metric::Sharpness && squared)) && !traces.is_empty() {
        traces.insert(0, Trace::level(window, STABLE.log10(), scene.tokens.warning));
    }
    let marks = if metric == Metric::LambdaMax { dips(scene, relative) } else { Vec::new() };

    let header = &mut card.header;
    // The last one is told of kernels from elsewhere alone.
    let most = QUANTITIES.len() - usize::from(!scene.is_elsewhere());
    choose(header, "Quantity", &mut state.shown, &QUANTITIES[..most]);
    let left = &mut header.new_child(egui::UiBuilder::new().max_rect(header.available_rect_before_wrap()));
    number_legend(left, &traces, log);

    let ui = &mut card.body;
    let plot = TimePlot {
        id: "scale",
        log,
        limits: None,
        least: if log { 0.7 } else { 1e-6 },
        ticks: true,
        height: ui.available_height(),
    };
    time_plot(ui, scene, &plot, &traces, &marks);
}

/// By how much λ_max of the first task's block fell after each switch.
fn dips(scene: &mut Scene<'_>, relative: bool) -> Vec<Mark> {
    let colour = scene.tokens.task(1);
    let key = Key { source: Source::Relative(Block::Task(1), Metric::LambdaMax), log: false };
    let found = scene.curves.dips(scene.history, Block::Task(1)).to_vec();
    let marks = found.iter().flatten().map(|dip| Mark {
        epoch: dip.epoch,
        y: if relative { scene.curves.value_at(key, dip.epoch).unwrap_or(dip.depth) } else { dip.minimum },
        text: format::change(dip.depth),
        colour,
        below: true,
    });
    marks.collect()
}
