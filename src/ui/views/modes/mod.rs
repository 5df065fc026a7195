//! Shows how fast each part of the residual decays: its energy along the eigenvectors of the run's first kernel.
//!
//! Guarantees: solid lines are measured; dashed lines are the closed form for a constant kernel, and are drawn only if its
//! assumptions hold for the run. Otherwise the view names the assumption that fails.

use egui::{RichText, Ui, UiBuilder};

use super::context::{ViewContext, absent};
use super::pane::Pane;
use super::view::{Needs, ViewClass};
use crate::analysis::{GrowingResiduals, Outputs, Residuals, static_kernel_rate};
use crate::chart::palette::Colour;
use crate::chart::panel::{Dashes, Entry};
use crate::chart::series_cache::Window;
use crate::chart::time_chart::TimeChart;
use crate::math::modes::remaining_energy;
use crate::run::RunInfo;
use crate::ui::kit::background_task::BackgroundTask;
use crate::ui::kit::data_table::MeasuredCurve;
use crate::ui::kit::format;
use crate::ui::kit::theme;
use crate::ui::kit::widgets::choose;
use crate::ui::plot::legend::names_below;
use crate::ui::plot::{TimePlot, Trace, window};

/// Number of modes drawn at once.
const LINES: usize = 6;
/// Energies below this share of the first are rounding errors.
const LEAST: f64 = 1e-12;

/// Selects the modes to draw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Which {
    /// Modes from the largest to the smallest, in even steps of their logarithmic rank.
    #[default]
    Spread,
    Largest,
}

/// The message in place of an empty view.
const ABSENT: &str = "Modes are those of the squared error: with it the residual f − y shrinks along each eigenvector \
                of the kernel at a rate of its own. This run trains with cross-entropy, whose residual p − y mixes \
                them.";

/// This view shows how fast the residual shrinks along each eigenvector of the first kernel.
pub struct ModesView {
    which: Which,
    /// The residuals, by the steps of their snapshots.
    residuals: BackgroundTask<Vec<u64>, Option<Outputs>, Result<Residuals, String>>,
}

impl Default for ModesView {
    fn default() -> Self {
        Self { which: Which::default(), residuals: BackgroundTask::new("residuals", 1) }
    }
}

impl ViewClass for ModesView {
    const TITLE: &str = "Modes";
    const HELP: &str = "The residual r = f − y on the probes (y one-hot), along the eigenvectors v_i of the run's first kernel:\n\
                 ‖v_i′ r_t‖² / ‖v_i′ r_0‖²,\n\
                 on a logarithmic axis; energies below 10⁻¹² of the first are left out. Dashed: a constant kernel takes \
                 r_{t+1} = (1 − η Θ/(N C)) r_t, so (1 − ηλ_i/(N C))^2t is left after t steps: drawn where the probes are \
                 exactly the training images and training is plain gradient descent with the full batch, the kernel's mean over \
                 logits standing for that of each. Large eigenvalues are learnt first.\n\
                 Jacot et al. 2018 (1806.07572); Arora et al. 2019 (1901.08584).";
    const NEEDS: Needs = Needs::Run;

    fn show(&mut self, ui: &mut Ui, pane: &mut Pane<'_>, context: &mut ViewContext<'_>) {
        let mut card = pane.card(ui, "energy left");
        let Some(info) = context.history.info().cloned() else { return };
        if !info.spec.training.loss.is_squared() {
            return absent(&mut card.body, context, ABSENT, Some("universality"));
        }
        choose(
            &mut card.header,
            "Modes",
            &mut self.which,
            &[(Which::Spread, "large to small"), (Which::Largest, "the largest")],
        );
        let ui = &mut card.body;
        let mut growing = GrowingResiduals::default();
        let work = move |_: &Vec<u64>, outputs: Option<Outputs>| {
            outputs.map_or_else(|| Ok(Residuals::default()), |outputs| growing.update(&outputs))
        };
        if let Err(err) = self.residuals.start(ui.ctx(), work) {
            ui.label(format!("No thread can be started to compute eigenvectors: {err}"));
            return;
        }
        self.residuals.get(&Outputs::steps(context.history), || Outputs::of(context.history));
        let none = Residuals::default();
        // The residuals of fewer snapshots are shown until the newest are ready.
        let found = match self.residuals.known().next() {
            Some((_, Ok(found))) => found,
            Some((_, Err(message))) => {
                ui.label(RichText::new(message).color(context.tokens.warning));
                return;
            }
            None => &none,
        };
        let rate = static_kernel_rate(&info);
        let window = window(ui, context);
        let traces = traces(context, &info, found, ranks(self.which, found.eigenvalues.len()), rate.ok(), window);
        let plot =
            TimePlot::through(TimeChart::new(true, 1.0, Vec::new()).against("share of the residual left"), traces);
        let word = match rate {
            Ok(_) => "dashed: (1 − ηλ/(N C))^2t, the kernel standing still".to_owned(),
            Err(why) => format!("no prediction: {why}"),
        };
        let left = &mut card.header;
        let left = &mut left.new_child(UiBuilder::new().max_rect(left.available_rect_before_wrap()));
        if pane.roomy() {
            left.label(RichText::new(&word).size(theme::SMALL).color(context.tokens.weak));
        }
        // The largest is named first, and the smallest lies on top.
        let names: Vec<Entry> = plot.entries().collect();
        ui.scope(|ui| names_below(ui, names.into_iter().rev())).response.on_hover_text(word);
        plot.show(ui, context, "modes");
    }

    fn reset(&mut self) {
        self.residuals.reset();
    }
}

/// Returns the ranks to draw, from 0, out of this many modes.
fn ranks(which: Which, count: usize) -> Vec<usize> {
    let mut ranks: Vec<usize> = match which {
        Which::Largest => (0..count.min(LINES)).collect(),
        Which::Spread => {
            let last = count.saturating_sub(1).max(1) as f64;
            let at = |step: usize| ((last + 1.0).powf(step as f64 / (LINES - 1) as f64) - 1.0).round() as usize;
            (0..LINES).map(at).filter(|&rank| rank < count).collect()
        }
    };
    ranks.dedup();
    ranks
}

fn traces(
    context: &ViewContext<'_>,
    info: &RunInfo,
    found: &Residuals,
    ranks: Vec<usize>,
    rate: Option<f64>,
    window: Window,
) -> Vec<Trace> {
    let (lines, cursor) = (ranks.len(), context.cursor);
    let entries = info.probes.len() * info.readout().count();
    let log = |epoch: f64, share: f64| (share > LEAST).then(|| (epoch, share.log10()));
    let rate = rate.filter(|_| context.history.changes().is_empty());
    let mut traces = Vec::new();
    for (place, rank) in ranks.into_iter().enumerate() {
        let colour = Colour::Layer { place, count: lines.max(2) };
        let eigenvalue = found.eigenvalues[rank];
        let name = format!("λ{} {}", format::subscript(rank + 1), format::number(eigenvalue));
        if let Some(rate) = rate {
            let expected = found
                .times
                .iter()
                .filter_map(|&(step, epoch)| log(epoch, remaining_energy(rate, eigenvalue, entries, step as f64)));
            let words = format!("{name}, kernel standing still");
            let mut trace = Trace::beside(&words, expected.collect(), (window, cursor), colour);
            if context.table.is_some() {
                let points = trace.line.points().map(|(epoch, share)| (epoch, 10f64.powf(share))).collect();
                trace.measured = Some(MeasuredCurve { name: format!("{name}, kernel standing still"), points });
            }
            (trace.line.style, trace.line.width, trace.now) = (Dashes::Broken, 1.2, None);
            traces.push(trace);
        }
        let measured = found.left(rank).into_iter().filter_map(|(epoch, share)| log(epoch, share)).collect();
        traces.push(Trace::through(name, measured, (window, cursor), colour));
    }
    traces
}
