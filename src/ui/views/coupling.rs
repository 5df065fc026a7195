//! Shows how strongly the kernel couples two tasks: the block of the Gram between their probes.

use egui::Ui;

use super::context::ViewContext;
use super::pane::Pane;
use super::view::{Needs, ViewClass};
use crate::chart::palette::Colour;
use crate::chart::series_id::{OfPair, SeriesId};
use crate::chart::time_chart::{Name, TimeChart, TimeCurve};
use crate::ui::kit::widgets::{choose, segments};
use crate::ui::plot::{TimePlot, window};

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
        let curve = |&(task, other): &(usize, usize)| {
            // A pair with the first task has the other one's colour; any other pair has one between the two.
            let colour = if task == 1 { Colour::Task(other) } else { Colour::Between(task, other) };
            TimeCurve::new(Name::Text(format!("tasks {task}–{other}")), SeriesId::Pair(task, other, self.shown), colour)
        };
        let least = if self.shown == OfPair::Coupling { 0.05 } else { 1e-6 };
        let y = if self.shown == OfPair::Coupling { "coupling" } else { "‖K_ij‖" };
        let chart = TimeChart::new(false, least, pairs.iter().map(curve).collect()).against(y);
        let plot = TimePlot::of(context, chart, window);
        plot.legend(header);
        plot.show(&mut card.body, context, "coupling");
    }
}
