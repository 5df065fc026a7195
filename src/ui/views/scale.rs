//! How large the kernel is: λ_max by default, with the depth of its dip at each switch, or any other metric by choice.

use egui::{Rect, Ui};

use super::{View, view_card};
use crate::record::{Block, Metric};
use crate::ui::curves::{Key, Source};
use crate::ui::plot::{Mark, TimePlot, Trace, time_plot, window};
use crate::ui::scene::Scene;
use crate::ui::widgets::{choose, number_legend};

/// The metrics that can be chosen, in words; whether their axis is logarithmic.
const METRICS: [(Metric, &str, bool); 16] = [
    (Metric::LambdaMax, "λ_max", false),
    (Metric::Scale, "‖K‖/‖K₀‖", false),
    (Metric::Trace, "trace", false),
    (Metric::Frobenius, "‖K‖", false),
    (Metric::LambdaMin, "λ_min", true),
    (Metric::EffectiveRank, "effective rank", false),
    (Metric::Distance, "S from start", true),
    (Metric::DistanceSwitch, "S from switch", true),
    (Metric::Rotation, "rotation", true),
    (Metric::Drift, "drift", false),
    (Metric::GradNorm, "‖∇L‖", true),
    (Metric::StepNorm, "‖Δw‖", true),
    (Metric::Susceptibility, "S/‖Δw‖²", true),
    (Metric::Loss, "loss on probes", true),
    (Metric::Rate, "learning rate", true),
    (Metric::Asymmetry, "asymmetry", true),
];

/// Kept between frames.
pub struct ScaleState {
    metric: Metric,
    relative: bool,
}

impl Default for ScaleState {
    fn default() -> Self {
        Self { metric: Metric::LambdaMax, relative: false }
    }
}

pub fn show(ui: &mut Ui, rect: Rect, scene: &mut Scene<'_>, state: &mut ScaleState) {
    let mut card = view_card(ui, rect, View::Scale, "");
    let log = METRICS.iter().any(|metric| metric.0 == state.metric && metric.2);
    let can_be_relative = !log;
    let relative = state.relative && can_be_relative;
    let window = window(&card.body, scene);
    let source =
        |block| if relative { Source::Relative(block, state.metric) } else { Source::Metric(block, state.metric) };
    let key = |block| Key { source: source(block), log };
    let mut traces: Vec<Trace> = Trace::faint(scene, key(Block::Task(1)), window).into_iter().collect();
    for &task in scene.tasks().iter().rev() {
        let colour = scene.tokens.task(task);
        let mut trace = Trace::new(scene, task.to_string(), key(Block::Task(task)), window, colour);
        trace.width = if task == 1 { 1.8 } else { 1.2 };
        traces.push(trace);
    }
    let marks = if state.metric == Metric::LambdaMax { dips(scene, relative) } else { Vec::new() };

    let header = &mut card.header;
    let options = METRICS.map(|(metric, name, _)| (metric, name));
    choose(header, "Quantity", &mut state.metric, &options);
    if can_be_relative {
        header.checkbox(&mut state.relative, "relative").on_hover_text("Divided by its value at the last switch");
    }
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
        text: percent(dip.depth),
        colour,
        below: true,
    });
    marks.collect()
}

/// 0.85 → −15 %.
fn percent(depth: f64) -> String {
    let change = 100.0 * (depth - 1.0);
    if change < 0.0 { format!("−{:.0} %", -change) } else { format!("+{change:.0} %") }
}
