//! Shows how well the kernel of each task's probes fits their labels.

use egui::Ui;

use super::context::ViewContext;
use super::pane::Pane;
use super::view::{Needs, ViewClass};
use crate::chart::curves::alignment;
use crate::run::Metric;
use crate::ui::kit::widgets::choose;
use crate::ui::plot::{TimePlot, window};

/// This view shows how well the kernel fits the labels.
pub struct AlignmentView {
    metric: Metric,
    /// Whether that choice is the user's; else few probes have the debiased one.
    exactly: bool,
}

impl Default for AlignmentView {
    fn default() -> Self {
        Self { metric: Metric::Alignment, exactly: false }
    }
}

impl ViewClass for AlignmentView {
    const TITLE: &str = "Alignment";
    const HELP: &str = "How well the kernel fits the labels of each task's probes:\n\
                 A = ⟨K, YY′⟩ / (‖K‖ ‖YY′‖)\n\
                 with Y one-hot; “centred” takes the means out of both first; “full” is y′Θy / (‖Θ‖ ‖y‖²) with the NC \
                 × NC kernel, at each epoch's end and each switch; as nothing is centred there, its maximum lies far \
                 below 1. Labels at random do not give 0: the dotted lines are mean ± two standard deviations over all \
                 permutations of the labels (in closed form, Mantel 1967). In the default run these give .42 \
                 uncentred and .09 centred, the right ones .53 and .51. “Debiased” is centred without the diagonals (HSIC₁), so \
                 that labels at random give 0 in the mean; it is shown first where a task has fewer than 40 probes.\n\
                 Cristianini et al. 2001; Cortes et al. 2012 (1203.0550); “full” without the centring of Baratin et \
                 al. 2021 (2008.00938).";
    const NEEDS: Needs = Needs::Kernels;

    fn show(&mut self, ui: &mut Ui, pane: &mut Pane<'_>, context: &mut ViewContext<'_>) {
        let mut card = pane.card(ui, "");
        let window = window(&card.body, context);
        let mut metric = if self.exactly { self.metric } else { context.history.usual(self.metric) };
        let plot = TimePlot::of(context, alignment(context.history, metric), window);
        let header = &mut card.header;
        let kinds = [
            (Metric::Alignment, "plain"),
            (Metric::AlignmentCentred, "centred"),
            (Metric::AlignmentDebiased, "debiased"),
            (Metric::AlignmentFull, "full kernel"),
        ];
        if choose(header, "Kind of alignment", &mut metric, &kinds) {
            (self.metric, self.exactly) = (metric, true);
        }
        plot.legend(header);
        plot.show(&mut card.body, context, "alignment");
    }

    fn show_usual(&mut self) {
        *self = Self::default();
    }
}
