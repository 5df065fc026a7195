//! Shows how strongly the kernel couples two tasks: the block of the Gram between their probes.

use egui::Ui;

use super::context::ViewContext;
use super::pane::Pane;
use super::view::{Needs, ViewClass};
use crate::ui::kit::widgets::{choose, segments};
use crate::ui::plot::legend::number_legend;
use crate::ui::plot::series_cache::{Key, OfPair, SeriesId};
use crate::ui::plot::{TimePlot, Trace, time_plot, window};

/// This view shows how much the kernel couples the tasks.
#[derive(Default)]
pub struct CouplingView {
    shown: OfPair,
    /// True to show all pairs, not only those with the first task.
    all: bool,
}

impl ViewClass for CouplingView {
    const TITLE: &str = "Coupling";
    const HELP: &str = "How much two tasks share: the block K_ij of the Gram between the probes of tasks i and j,\n\
                 c = ‖K_ij‖/√(‖K_ii‖ ‖K_jj‖)\n\
                 between 0 (a step on one leaves the other's outputs alone) and 1. In theories of continual learning \
                 with a constant kernel this block is what makes a task forget (Doan et al. 2021, 2010.04003). ‖·‖ is \
                 the Frobenius norm, uncentred.";
    const NEEDS: Needs = Needs::Kernels;

    fn show(&mut self, ui: &mut Ui, pane: &mut Pane<'_>, context: &mut ViewContext<'_>) {
        let mut card = pane.card(ui, "");
        let window = window(&card.body, context);
        let header = &mut card.header;
        let kinds = [(OfPair::Coupling, "coupling"), (OfPair::Frobenius, "‖K_ij‖")];
        choose(header, "What of each pair", &mut self.shown, &kinds);
        let tasks = context.tasks();
        if tasks.len() > 2 {
            let which = [(false, "With 1", "The first task with each other"), (true, "All", "All pairs of tasks")];
            segments(header, &mut self.all, &which);
        }
        let of = |task: usize| tasks.iter().filter(move |other| **other > task).map(move |&other| (task, other));
        let pairs: Vec<(usize, usize)> =
            tasks.iter().filter(|task| self.all || **task == 1).flat_map(|&task| of(task)).collect();
        let trace = |&(task, other): &(usize, usize)| {
            let key = Key { source: SeriesId::Pair(task, other, self.shown), log: false };
            let (one, two) = (context.tokens.task(task), context.tokens.task(other));
            // A pair with the first task has the other one's colour; any other pair has one between the two.
            let colour = if task == 1 { two } else { one.lerp_to_gamma(two, 0.5) };
            Trace::new(context, format!("{task}·{other}"), key, window, colour)
        };
        let traces: Vec<Trace> = pairs.iter().rev().map(trace).collect();
        number_legend(header, &traces, false);
        let ui = &mut card.body;
        let height = ui.available_height();
        let least = if self.shown == OfPair::Coupling { 0.05 } else { 1e-6 };
        let plot = TimePlot { id: "coupling", log: false, limits: None, least, ticks: true, height };
        time_plot(ui, context, &plot, &traces, &[]);
    }
}
