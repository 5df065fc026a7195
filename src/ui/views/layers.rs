//! Draws a curve for each layer of the network on the probes of one task, to show which layers move.

use std::sync::Arc;

use egui::Ui;

use super::context::ViewContext;
use super::context::choose_task;
use super::pane::Pane;
use super::view::{Needs, ViewClass};
use crate::chart::palette::Colour;
use crate::chart::series_id::{Centred as _, OfLayer, SeriesId};
use crate::chart::time_chart::{Name, TimeChart, TimeCurve};
use crate::ui::kit::format;
use crate::ui::kit::widgets::choose;
use crate::ui::plot::legend::{HEADER_WIDTH, names_below};
use crate::ui::plot::{TimePlot, Trace, window};

/// With more layers than this, their names are written below the header.
const IN_HEADER: usize = 4;
/// With more layers than this, a small pane names only the first, the last and the greatest at the cursor.
const IN_LINES: usize = 8;

/// This view shows a curve for each layer of the network.
pub struct LayersView {
    shown: OfLayer,
    task: usize,
}

impl Default for LayersView {
    fn default() -> Self {
        Self { shown: OfLayer::default(), task: 1 }
    }
}

impl ViewClass for LayersView {
    const TITLE: &str = "Layers";
    const HELP: &str = "How much does each layer's kernel move? The kernel is a sum over layers, K = Σ_ℓ K_ℓ with K_ℓ \
                 the gradients of layer ℓ alone (weight and bias), and each K_ℓ has a velocity, an alignment and a \
                 share tr K_ℓ/tr K of its own, on the probes of one task. Dark is the layer next to the images, bright \
                 the one next to the logits (a small place names only these two and the greatest at the cursor). The \
                 velocity is centred and over the same lag as that of the whole kernel, and does not depend on size: a \
                 layer with a small share may turn fast and hardly matter. ×n is the largest velocity in the epoch \
                 after the last switch over the median of the last third of the task before, and depends on lag, batch \
                 and rate as that of the whole kernel does.\n\
                 Per layer: Baratin et al. 2021 (2008.00938).";
    const NEEDS: Needs = Needs::Network;

    fn show(&mut self, ui: &mut Ui, pane: &mut Pane<'_>, context: &mut ViewContext<'_>) {
        let log = self.shown == OfLayer::Velocity;
        let mut card = pane.card(ui, "");
        let window = window(&card.body, context);
        let header = &mut card.header;
        let history = context.history;
        let usual = |name, debiased| history.usual_name(name, debiased);
        let kinds = [
            (OfLayer::Velocity, usual("velocity", "velocity, debiased")),
            (OfLayer::Alignment, "alignment"),
            (OfLayer::AlignmentCentred, usual("alignment, centred", "alignment, debiased")),
            (OfLayer::Share, "share of the trace"),
        ];
        choose(header, "What of each layer", &mut self.shown, &kinds);
        choose_task(header, context, "Probes of the layers", &mut self.task);

        let shown = self.shown.usual(context.history);
        let names = names(context, self.task);
        let count = names.len();
        let spikes = context.curves.layer_spikes(context.history, self.task).to_vec();
        let curve = |(place, name): (usize, &Arc<str>)| {
            let exported = Some(format!("{name}: {shown}, task {}", self.task));
            let ratio = spikes.get(place).copied().flatten().filter(|_| log);
            let name =
                ratio.map_or_else(|| name.to_string(), |spike| format!("{name} ×{}", format::times(spike.ratio)));
            let series = SeriesId::Layer(self.task, place, shown);
            let curve = TimeCurve::new(Name::Text(name), series, Colour::Layer { place, count });
            TimeCurve { width: 1.3, exported, ..curve }
        };
        let least = if log { 1.0 } else { 0.05 };
        let limits = (self.shown == OfLayer::Share).then_some((0.0, 1.0));
        let chart = TimeChart { limits, ..TimeChart::new(log, least, names.iter().enumerate().map(curve).collect()) };
        let chart = chart.against(match self.shown {
            OfLayer::Velocity | OfLayer::VelocityDebiased => context.velocity_unit(),
            OfLayer::Alignment => "alignment, uncentred",
            OfLayer::AlignmentCentred | OfLayer::AlignmentDebiased => {
                history.usual_name("alignment, centred", "alignment, debiased")
            }
            OfLayer::Share => "tr K_ℓ / tr K",
        });
        let plot = TimePlot::of(context, chart, window);
        let ui = &mut card.body;
        if count <= IN_HEADER && ui.available_width() > HEADER_WIDTH {
            plot.legend(header);
        } else if count <= IN_LINES || pane.roomy() {
            names_below(ui, plot.entries());
        } else {
            // Only the ends of the colour scale and the greatest curve are named.
            let now = |trace: &&Trace| trace.now.unwrap_or(f64::NEG_INFINITY);
            let (traces, most) = (&plot.traces, plot.traces.iter().max_by(|a, b| now(a).total_cmp(&now(b))));
            let mut named: Vec<&Trace> = traces.last().into_iter().chain(most).chain(traces.first()).collect();
            named.dedup_by(|a, b| a.name == b.name);
            names_below(ui, named.into_iter().map(Trace::entry));
        }
        plot.show(ui, context, "layers");
    }
}

/// Returns the layers of the newest row, in the order of the forward pass.
fn names(context: &ViewContext<'_>, task: usize) -> Vec<Arc<str>> {
    let row = context.history.rows().last();
    let layers = row.into_iter().flat_map(|row| row.layers.iter().filter(|layer| layer.task == task));
    layers.map(|layer| Arc::clone(&layer.layer)).collect()
}
