//! How fast each part of the residual goes: its energy along the eigenvectors of the run's first kernel.
//!
//! Guarantees: what is drawn solid was measured; the dashed lines are the closed form of the kernel standing still, and are
//! drawn only where its assumptions are those of the run. Where they are not, the view says which one fails.

pub mod worker;

use egui::{RichText, Ui, UiBuilder};
use egui_plot::PlotPoint;

use super::context::Scene;
use super::pane::Slot;
use crate::math::modes::left;
use crate::run::RunInfo;
use crate::spec::preset;
use crate::ui::app::actions::Action;
use crate::ui::kit::data_table::Told;
use crate::ui::kit::format;
use crate::ui::kit::theme;
use crate::ui::kit::widgets::{choose, names_below};
use crate::ui::plot::{Style, TimePlot, Trace, time_plot, window};
use crate::ui::views::modes::worker::{ResidualMap, Residuals, still};

/// Modes drawn at once.
const LINES: usize = 6;
/// Energies below this share of the first are rounding.
const LEAST: f64 = 1e-12;

/// Which modes are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Which {
    /// From the largest to the smallest, in even steps of their logarithmic rank.
    #[default]
    Spread,
    Largest,
}

/// Kept between frames.
#[derive(Default)]
pub struct ModesState {
    which: Which,
    /// The thread, once this view was looked at.
    map: Option<ResidualMap>,
}

impl ModesState {
    pub fn reset(&mut self) {
        self.map.iter_mut().for_each(ResidualMap::reset);
    }
}

pub(super) fn show(ui: &mut Ui, slot: &mut Slot, scene: &mut Scene<'_>, state: &mut ModesState) {
    let mut card = slot.card(ui, "energy left");
    let Some(info) = scene.history.info().cloned() else { return };
    if !info.spec.training.loss.is_squared() {
        return absent(&mut card.body, scene);
    }
    choose(
        &mut card.header,
        "Modes",
        &mut state.which,
        &[(Which::Spread, "large to small"), (Which::Largest, "the largest")],
    );
    let ui = &mut card.body;
    if state.map.is_none() {
        let ctx = ui.ctx().clone();
        match ResidualMap::start(move || ctx.request_repaint()) {
            Ok(map) => state.map = Some(map),
            Err(err) => {
                ui.label(format!("No thread can be started to compute eigenvectors: {err}"));
                return;
            }
        }
    }
    let Some(map) = &mut state.map else { return };
    let found = match map.of(scene.history) {
        Some(Ok(found)) => found.clone(),
        Some(Err(message)) => {
            ui.label(RichText::new(message).color(scene.tokens.warning));
            return;
        }
        None => Residuals::default(),
    };
    let rate = still(&info);
    let window = window(ui, scene);
    let traces = traces(scene, &info, &found, ranks(state.which, found.eigenvalues.len()), rate.ok(), window);
    let word = match rate {
        Ok(_) => "dashed: (1 − ηλ/(N C))^2t, the kernel standing still".to_owned(),
        Err(why) => format!("no prediction: {why}"),
    };
    let left = &mut card.header;
    let left = &mut left.new_child(UiBuilder::new().max_rect(left.available_rect_before_wrap()));
    if slot.roomy() {
        left.label(RichText::new(&word).size(theme::SMALL).color(scene.tokens.weak));
    }
    ui.scope(|ui| names_below(ui, traces.iter().filter(|trace| !trace.name.is_empty()))).response.on_hover_text(word);
    let height = ui.available_height();
    let plot = TimePlot { id: "modes", log: true, limits: None, least: 1.0, ticks: true, height };
    time_plot(ui, scene, &plot, &traces, &[]);
}

/// The ranks to draw of so many modes, from 0.
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
    scene: &Scene<'_>,
    info: &RunInfo,
    found: &Residuals,
    ranks: Vec<usize>,
    rate: Option<f64>,
    window: crate::ui::plot::series_cache::Window,
) -> Vec<Trace> {
    let (lines, cursor) = (ranks.len(), scene.cursor);
    let entries = info.probes.len() * info.readout().count();
    let log = |epoch: f64, share: f64| (share > LEAST).then(|| PlotPoint::new(epoch, share.log10()));
    let rate = rate.filter(|_| scene.history.changes().is_empty());
    let mut traces = Vec::new();
    for (place, rank) in ranks.into_iter().enumerate() {
        let colour = scene.tokens.layer(place, lines.max(2));
        let eigenvalue = found.eigenvalues[rank];
        let name = format!("λ{} {}", format::subscript(rank + 1), format::number(eigenvalue));
        if let Some(rate) = rate {
            let expected = found
                .times
                .iter()
                .filter_map(|&(step, epoch)| log(epoch, left(rate, eigenvalue, entries, step as f64)));
            let mut line = Trace::through(String::new(), expected.collect(), (window, cursor), colour);
            if scene.sheet.is_some() {
                let points = line.visible.pieces.iter().flatten().map(|point| (point.x, 10f64.powf(point.y))).collect();
                line.told = Some(Told { name: format!("{name}, kernel standing still"), points });
            }
            traces.push(Trace { style: Style::Dashed, width: 1.2, now: None, ..line });
        }
        let measured = found.left(rank).into_iter().filter_map(|(epoch, share)| log(epoch, share)).collect();
        traces.push(Trace::through(name, measured, (window, cursor), colour));
    }
    traces
}

fn absent(ui: &mut Ui, scene: &mut Scene<'_>) {
    ui.add_space(theme::GRID);
    let text = "Modes are those of the squared error: with it the residual f − y shrinks along each eigenvector of the kernel at \
                a rate of its own. This run trains with cross-entropy, whose residual p − y mixes them.";
    ui.label(RichText::new(text).color(scene.tokens.weak));
    if let Some(preset) = preset("universality")
        && ui.button("Start universality").clicked()
    {
        scene.actions.push(Action::Load(preset));
    }
}
