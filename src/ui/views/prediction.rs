//! Shows the outputs that a static kernel predicts beside those of the network.

use egui::Ui;

use super::context::{ViewContext, absent};
use super::pane::Pane;
use super::view::{Needs, ViewClass};
use crate::chart::palette::Colour;
use crate::chart::panel::Dashes;
use crate::chart::series_id::{Of, SeriesId};
use crate::chart::time_chart::{Name, TimeChart, TimeCurve};
use crate::run::{Block, History, Metric, Predictor};
use crate::ui::kit::widgets::choose;
use crate::ui::plot::{TimePlot, window};

/// The message in place of an empty view.
const ABSENT: &str = "This run has no predictions. With “Predict” in the kernel's settings, or with the preset \
                static-kernel, the network is linearised at the start and at each switch and trained beside itself.";

/// This view shows what a static kernel predicts beside what the network does.
pub struct PredictionView {
    of: Of,
    /// The task whose test images are used; the first one trained if none was chosen.
    task: Option<usize>,
}

impl Default for PredictionView {
    fn default() -> Self {
        Self { of: Of::Accuracy, task: None }
    }
}

impl ViewClass for PredictionView {
    const TITLE: &str = "Static kernel";
    const HELP: &str = "Predictions of training with a constant kernel. The network linearised at earlier weights w*,\n\
                 f(x; w*) + J(x; w*) (w − w*),\n\
                 takes the network's own steps on the same batches, so the gap between the two is the kernel's motion \
                 and nothing else. Orange: linearised at initialisation; green: at the last switch; yellow, if \
                 requested: again at intervals. Purple: the network's start moved by the infinite-width kernel Θ∞, f ← \
                 f − η Σ_b Θ∞(·, x_b) ∂L/∂f(x_b), where the network has one and is trained by SGD without decay. The \
                 dashed level lines are kernel regression, f + Θ Θ⁻¹ (y − f), from 100 images of each new class: the \
                 mean squared error at t = ∞, another loss and another time than the network's. They have the full \
                 kernel of all pairs of images and logits, as the linearised networks do, up to 5,000 rows; beyond, \
                 or where it cannot be inverted, the trace kernel, one and the same for each logit, which keeps too \
                 much of task 1. The legend says which. “Gap” is the root mean square of network minus prediction.\n\
                 Lee et al. 2019 (1902.06720); Yang & Littwin 2021 (2105.03703), eq. 22; Karakida & Akaho 2022 \
                 (2112.01653).";
    const NEEDS: Needs = Needs::Run;
    const ONE_LINE: f32 = 480.0;

    fn show(&mut self, ui: &mut Ui, pane: &mut Pane<'_>, context: &mut ViewContext<'_>) {
        let mut card = pane.card(ui, "");
        let predicts = context.info().is_some_and(|info| info.spec.kernel.predict);
        if !predicts {
            return absent(&mut card.body, context, ABSENT, Some("static-kernel"));
        }
        let first = context.history.tasks().first().map_or(1, |start| start.task);
        let mut task = self.task.filter(|task| context.tasks().contains(task)).unwrap_or(first);
        let header = &mut card.header;
        let kinds = [
            (Of::Accuracy, "accuracy"),
            (Of::Masked, "own classes"),
            (Of::Loss, "loss"),
            (Of::Gap, "gap"),
            (Of::ProbeLoss, "loss on probes"),
            (Of::ProbeGap, "gap on probes"),
        ];
        choose(header, "Shown of the predictions", &mut self.of, &kinds);
        let names: Vec<String> = context.tasks().iter().map(|task| format!("on task {task}")).collect();
        let tasks: Vec<(usize, &str)> = context.tasks().into_iter().zip(names.iter().map(String::as_str)).collect();
        if choose(header, "Task of the predictions", &mut task, &tasks) {
            self.task = Some(task);
        }
        let window = window(&card.body, context);
        let plot = TimePlot::of(context, chart(context.history, self.of, task), window);
        if plot.chart.limits.is_some() {
            plot.legend_in(header, |value| format!("{:.0} %", 100.0 * value));
        } else {
            plot.legend(header);
        }
        plot.show(&mut card.body, context, "prediction");
    }
}

fn chart(history: &History, of: Of, task: usize) -> TimeChart {
    let predictions = history.rows().last().map_or(&[][..], |row| &row.predictions);
    let kernel = |by: Predictor| {
        let solved = predictions.iter().find(|found| found.by == by && found.on.task == task)?.solved?;
        Some(solved.kernel.name())
    };
    let own = match of {
        Of::Accuracy => Some(SeriesId::Accuracy(task)),
        Of::Masked => Some(SeriesId::Masked(task)),
        Of::Loss => Some(SeriesId::TestLoss(task)),
        Of::ProbeLoss => Some(SeriesId::Metric(Block::Task(task), Metric::Loss)),
        Of::Gap | Of::ProbeGap => None,
    };
    let own = own.map(|source| TimeCurve { width: 2.0, ..TimeCurve::new("network", source, Colour::Task(task)) });
    let predicted = Predictor::ALL.map(|by| {
        let (name, settled) = match by {
            Predictor::LinearisedStart => ("linearised at the start", false),
            Predictor::LinearisedSwitch => ("at the switch", false),
            Predictor::Piecewise => ("now and then", false),
            Predictor::Infinite => ("infinite width", false),
            Predictor::RegressionStart => ("t = ∞, start", true),
            Predictor::RegressionSwitch => ("t = ∞, switch", true),
            Predictor::RegressionInfinite => ("t = ∞, infinite width", true),
        };
        let of_kernel = kernel(by).filter(|_| by != Predictor::RegressionInfinite);
        let name = of_kernel.map_or_else(|| name.to_owned(), |kernel| format!("{name}, {kernel} kernel"));
        let name = Name::Text(name);
        let (style, width) = if settled { (Dashes::Broken, 1.0) } else { (Dashes::None, 1.6) };
        TimeCurve { style, width, ..TimeCurve::new(name, SeriesId::Predicted(by, task, of), colour(by)) }
    });
    let log = matches!(of, Of::Loss | Of::ProbeLoss);
    let limits = matches!(of, Of::Accuracy | Of::Masked).then_some((0.0, 1.0));
    let curves = own.into_iter().chain(predicted).collect();
    let y = match of {
        Of::Accuracy => "accuracy",
        Of::Masked => "accuracy among own classes",
        Of::Loss => "mean loss on test images",
        Of::ProbeLoss => "mean loss on the probes",
        Of::Gap => "distance of outputs, test images",
        Of::ProbeGap => "distance of outputs, probes",
    };
    TimeChart { limits, ..TimeChart::new(log, if log { 0.7 } else { 0.05 }, curves) }.against(y)
}

/// Returns the colour of a kernel, whatever predicts with it.
fn colour(by: Predictor) -> Colour {
    let place = match by {
        Predictor::LinearisedStart | Predictor::RegressionStart => 1,
        Predictor::LinearisedSwitch | Predictor::RegressionSwitch => 4,
        Predictor::Infinite | Predictor::RegressionInfinite => 6,
        Predictor::Piecewise => 5,
    };
    let colorous::Color { r, g, b } = colorous::TABLEAU10[place];
    Colour::Rgb([r, g, b])
}
