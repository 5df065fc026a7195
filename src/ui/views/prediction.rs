//! What a static kernel would have the network do, beside what it does.

use egui::{Color32, RichText, Ui, UiBuilder};

use super::context::Scene;
use super::pane::Slot;
use crate::run::{Block, Metric, Predictor};
use crate::spec::preset;
use crate::ui::app::actions::Action;
use crate::ui::kit::theme;
use crate::ui::kit::widgets::{choose, legend, number_legend};
use crate::ui::plot::series_cache::{Key, Of, Source, Window};
use crate::ui::plot::{Style, TimePlot, Trace, time_plot, window};

/// Kept between frames.
pub struct PredictionState {
    of: Of,
    /// Number of the task on whose test images; the first one trained where none was chosen.
    task: Option<usize>,
}

impl Default for PredictionState {
    fn default() -> Self {
        Self { of: Of::Accuracy, task: None }
    }
}

pub fn show(ui: &mut Ui, slot: &mut Slot, scene: &mut Scene<'_>, state: &mut PredictionState) {
    let mut card = slot.card(ui, "");
    let predicts = scene.info().is_some_and(|info| info.spec.kernel.predict);
    if !predicts {
        return absent(&mut card.body, scene);
    }
    let first = scene.history.tasks().first().map_or(1, |start| start.task);
    let mut task = state.task.filter(|task| scene.tasks().contains(task)).unwrap_or(first);
    let header = &mut card.header;
    let kinds = [
        (Of::Accuracy, "accuracy"),
        (Of::Masked, "own classes"),
        (Of::Loss, "loss"),
        (Of::Gap, "gap"),
        (Of::ProbeLoss, "loss on probes"),
        (Of::ProbeGap, "gap on probes"),
    ];
    choose(header, "Shown of the predictions", &mut state.of, &kinds);
    let names: Vec<String> = scene.tasks().iter().map(|task| format!("on task {task}")).collect();
    let tasks: Vec<(usize, &str)> = scene.tasks().into_iter().zip(names.iter().map(String::as_str)).collect();
    if choose(header, "Task of the predictions", &mut task, &tasks) {
        state.task = Some(task);
    }
    let window = window(&card.body, scene);
    let traces = traces(scene, state.of, task, window);
    let left = &mut header.new_child(UiBuilder::new().max_rect(header.available_rect_before_wrap()));
    let share = matches!(state.of, Of::Accuracy | Of::Masked);
    let log = is_log(state.of);
    if share {
        legend(left, &traces, false, |value| format!("{:.0} %", 100.0 * value));
    } else {
        number_legend(left, &traces, log);
    }
    let height = card.body.available_height();
    let limits = share.then_some((0.0, 1.04));
    let plot = TimePlot { id: "prediction", log, limits, least: if log { 0.7 } else { 0.05 }, ticks: true, height };
    time_plot(&mut card.body, scene, &plot, &traces, &[]);
}

fn traces(scene: &mut Scene<'_>, of: Of, task: usize, window: Window) -> Vec<Trace> {
    let log = is_log(of);
    let mut traces = Vec::new();
    for by in Predictor::ALL.into_iter().rev() {
        let (name, settled) = match by {
            Predictor::LinearisedStart => ("linearised at the start", false),
            Predictor::LinearisedSwitch => ("at the switch", false),
            Predictor::Piecewise => ("now and then", false),
            Predictor::Infinite => ("infinite width", false),
            Predictor::RegressionStart => ("t = ∞, start", true),
            Predictor::RegressionSwitch => ("t = ∞, switch", true),
            Predictor::RegressionInfinite => ("t = ∞, infinite width", true),
        };
        let key = Key { source: Source::Predicted(by, task, of), log };
        let trace = Trace::new(scene, name, key, window, colour(by));
        traces.push(Trace {
            style: if settled { Style::Dashed } else { Style::Solid },
            width: if settled { 1.0 } else { 1.6 },
            ..trace
        });
    }
    let own = match of {
        Of::Accuracy => Some(Source::Accuracy(task)),
        Of::Masked => Some(Source::Masked(task)),
        Of::Loss => Some(Source::TestLoss(task)),
        Of::ProbeLoss => Some(Source::Metric(Block::Task(task), Metric::Loss)),
        Of::Gap | Of::ProbeGap => None,
    };
    if let Some(source) = own {
        let colour = scene.tokens.task(task);
        let own = Trace::new(scene, "network", Key { source, log }, window, colour);
        traces.push(Trace { width: 2.0, ..own });
    }
    traces
}

fn is_log(of: Of) -> bool {
    matches!(of, Of::Loss | Of::ProbeLoss)
}

/// One for each kernel, whatever is done with it.
pub fn colour(by: Predictor) -> Color32 {
    let place = match by {
        Predictor::LinearisedStart | Predictor::RegressionStart => 1,
        Predictor::LinearisedSwitch | Predictor::RegressionSwitch => 4,
        Predictor::Infinite | Predictor::RegressionInfinite => 6,
        Predictor::Piecewise => 5,
    };
    let colorous::Color { r, g, b } = colorous::TABLEAU10[place];
    Color32::from_rgb(r, g, b)
}

fn absent(ui: &mut Ui, scene: &mut Scene<'_>) {
    ui.add_space(theme::GRID);
    let text = "This run does not predict. With “Predict” in the kernel's settings, or with the preset static-kernel, the \
                network is linearised at the start and at each switch and trained beside itself.";
    ui.label(RichText::new(text).color(scene.tokens.weak));
    if let Some(preset) = preset("static-kernel")
        && ui.button("Start static-kernel").clicked()
    {
        scene.actions.push(Action::Load(preset));
    }
}
