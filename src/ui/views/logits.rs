//! Shows the kernels of the old and of the new classes' logits separately.

use egui::Ui;

use super::context::ViewContext;
use super::context::choose_task;
use super::pane::Pane;
use super::view::{Needs, ViewClass};
use crate::chart::palette::Colour;
use crate::chart::series_id::{Centred as _, OfLogits, SeriesId};
use crate::chart::time_chart::{TimeChart, TimeCurve};
use crate::run::Logits;
use crate::ui::kit::widgets::choose;
use crate::ui::plot::{TimePlot, window};

/// This view shows the kernels of the old and of the new classes' logits.
pub struct LogitsView {
    shown: OfLogits,
    task: usize,
}

impl Default for LogitsView {
    fn default() -> Self {
        Self { shown: OfLogits::default(), task: 1 }
    }
}

impl ViewClass for LogitsView {
    const TITLE: &str = "Logits";
    const HELP: &str = "The kernel of some logits only: K = (1/|set|) Σ_{c in set} Θ_cc, for the classes of the task \
                 that was trained first (old) and for all others (new), on the probes of one task. The kernel itself \
                 is their mean, weighted by the number of logits of each. Before the switch the new logits were only \
                 ever pushed down; after it the old ones are. Nothing is shown where one task has all classes, or the \
                 kernel is that of the logits' sum.";
    const NEEDS: Needs = Needs::Network;

    fn show(&mut self, ui: &mut Ui, pane: &mut Pane<'_>, context: &mut ViewContext<'_>) {
        let log = self.shown == OfLogits::Velocity;
        let mut card = pane.card(ui, "");
        let window = window(&card.body, context);
        let header = &mut card.header;
        let velocity = context.history.usual_name("velocity", "velocity, debiased");
        let kinds = [(OfLogits::Velocity, velocity), (OfLogits::LambdaMax, "λ_max"), (OfLogits::Trace, "trace")];
        choose(header, "What of each set of logits", &mut self.shown, &kinds);
        choose_task(header, context, "Probes of the logits", &mut self.task);

        // The colours of the first two tasks that are trained.
        let order = context.info().map(|info| info.spec.tasks.sequence()).unwrap_or_default();
        let (old, new) = (order.first().copied().unwrap_or(1), order.get(1).copied().unwrap_or(2));
        let curves = [(Logits::Old, "old", old), (Logits::New, "new", new)].map(|(logits, name, task)| {
            TimeCurve::new(
                name,
                SeriesId::Logits(self.task, logits, self.shown.usual(context.history)),
                Colour::Task(task),
            )
        });
        let y = match self.shown {
            OfLogits::Velocity | OfLogits::VelocityDebiased => context.velocity_unit(),
            OfLogits::LambdaMax => "λ_max",
            OfLogits::Trace => "tr K",
        };
        let chart = TimeChart::new(log, if log { 1.0 } else { 1e-6 }, curves.into()).against(y);
        let plot = TimePlot::of(context, chart, window);
        plot.legend_where_it_fits(header, &mut card.body);
        plot.show(&mut card.body, context, "logits");
    }
}
