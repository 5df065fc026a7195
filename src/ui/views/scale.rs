//! Shows the size of the kernel: λ_max by default, with the depth of its dip at each switch, or another metric by choice.

use egui::Ui;

use super::context::ViewContext;
use super::pane::Pane;
use super::view::{Needs, ViewClass};
use crate::chart::curves::{Quantity, scale};
use crate::run::Metric;
use crate::ui::kit::widgets::choose;
use crate::ui::plot::{TimePlot, window};

/// Names the metrics that can be shown.
const QUANTITIES: [(Quantity, &str); 24] = [
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
    (Quantity::linear(Metric::LeaveOneOut), "leave-one-out error"),
    (Quantity::linear(Metric::Dormant), "dormant units"),
    (Quantity::linear(Metric::Dead), "dead units"),
    (Quantity::log(Metric::Asymmetry), "asymmetry"),
];

/// This view shows how large the kernel is, by λ_max or another metric.
#[derive(Clone, Default)]
pub struct ScaleView {
    shown: Quantity,
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
                 with kernel.sharpness_steps after each of so many steps before and after a switch. Where that of the loss is below 2, steps of plain full-batch gradient descent shrink \
                 (dashed line; Cohen et al. 2021, 2103.00065). With momentum μ the bound is 2(1 + μ), and Adam, which \
                 scales each weight's step, has none in this number. “Distance to Θ∞” is ‖K − Θ∞‖/‖Θ∞‖ from the \
                 infinite-width kernel of the same network, where it has one in closed form; it falls as width^−½. The leave-one-out \
                 error is that of a ridge regression of the labels with the kernel of a task's probes, also before it is trained \
                 (1: no better than the mean). A unit is dormant where its mean response is at most 0.025 of its layer's (Sokar \
                 et al. 2023, 2302.12902), dead where it is 0 for each probe.\n\
                 Reactivation (2507.16039), there called the NTK norm, as a summary by others has it.";
    const NEEDS: Needs = Needs::Kernels;

    fn show(&mut self, ui: &mut Ui, pane: &mut Pane<'_>, context: &mut ViewContext<'_>) {
        let mut card = pane.card(ui, "");
        let window = window(&card.body, context);
        let history = context.history;
        let usual = |of: Quantity| Quantity { metric: history.usual(of.metric), ..of };
        let plot = TimePlot::of(context, scale(context.history, usual(self.shown)), window);

        let header = &mut card.header;
        // The last one exists for kernels from other programs only.
        let most = QUANTITIES.len() - usize::from(!context.is_elsewhere());
        let named = |(of, name): (Quantity, &'static str)| match usual(of).metric {
            Metric::DistanceDebiased => (of, "S from start, debiased"),
            Metric::DistanceSwitchDebiased => (of, "S from switch, debiased"),
            Metric::SusceptibilityDebiased => (of, "S/‖Δw‖², debiased"),
            _ => (of, name),
        };
        choose(header, "Quantity", &mut self.shown, &QUANTITIES.map(named)[..most]);
        plot.legend(header);
        plot.show(&mut card.body, context, "scale");
    }

    fn show_usual(&mut self) {
        *self = Self::default();
    }

    fn choices(&self) -> Self {
        self.clone()
    }
}
