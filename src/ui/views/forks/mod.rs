//! Draws the futures of a fork, each with one thing changed, over the run that they come from.

pub(crate) mod jobs;

use egui::{Button, Grid, Popup, RichText, ScrollArea, Stroke, Ui, UiBuilder};

use super::context::ViewContext;
use super::pane::Pane;
use super::view::{Needs, ViewClass};
use crate::chart::curves::{RELATIVE, axis_name};
use crate::chart::palette::Colour;
use crate::chart::series_cache::{Key, SeriesCache, Window};
use crate::chart::series_id::SeriesId;
use crate::chart::time_chart::{TimeChart, TimeCurve};
use crate::run::{Block, Ending, History, Metric, RunState};
use crate::ui::app::actions::RunAction;
use crate::ui::app::commands::UserCommand;
use crate::ui::kit::data_table::Cell;
use crate::ui::kit::format;
use crate::ui::kit::theme;
use crate::ui::kit::widgets::{Icon, IconButton, choose};
use crate::ui::plot::{TimePlot, Trace, measured, window};
use crate::ui::views::forks::jobs::{Branch, ideas};

/// Selects the content of the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Curve(Quantity),
    /// The figures of the switch, a row for each future.
    Table,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantity {
    Block(Metric),
    /// Divided by its value at the last switch.
    Relative(Metric),
    Whole(Metric),
    Accuracy,
    Masked,
}

const QUANTITIES: [(Shown, &str); 9] = [
    (Shown::Table, "figures"),
    (Shown::Curve(Quantity::Block(Metric::Velocity)), "velocity"),
    (Shown::Curve(Quantity::Relative(Metric::LambdaMax)), "λ_max, relative"),
    (Shown::Curve(Quantity::Whole(Metric::StepNorm)), "‖Δw‖"),
    (Shown::Curve(Quantity::Block(Metric::Susceptibility)), "S/‖Δw‖²"),
    (Shown::Curve(Quantity::Block(Metric::AlignmentCentred)), "alignment, centred"),
    (Shown::Curve(Quantity::Block(Metric::DistanceSwitch)), "S from switch"),
    (Shown::Curve(Quantity::Accuracy), "accuracy on the first task"),
    (Shown::Curve(Quantity::Masked), "the same, own classes"),
];

impl Quantity {
    fn key(self, history: &History, task: usize) -> Key {
        let log = matches!(
            self,
            Self::Block(Metric::Velocity | Metric::Susceptibility | Metric::DistanceSwitch) | Self::Whole(_)
        );
        let source = match self {
            Self::Block(metric) => SeriesId::Metric(Block::Task(task), history.usual(metric)),
            Self::Relative(metric) => SeriesId::Relative(Block::Task(task), metric),
            Self::Whole(metric) => SeriesId::Metric(Block::All, metric),
            Self::Accuracy => SeriesId::Accuracy(task),
            Self::Masked => SeriesId::Masked(task),
        };
        Key { source, log }
    }

    /// Returns the name of the vertical axis.
    fn axis(self, history: &History) -> &'static str {
        match self {
            Self::Block(metric) => axis_name(history.usual(metric), history),
            Self::Whole(metric) => axis_name(metric, history),
            Self::Relative(_) => RELATIVE,
            Self::Accuracy => "accuracy",
            Self::Masked => "accuracy among own classes",
        }
    }
}

/// Returns the name of a quantity in the list where it is debiased.
fn debiased_name(metric: Metric) -> &'static str {
    match metric {
        Metric::Velocity => "velocity, debiased",
        Metric::Susceptibility => "S/‖Δw‖², debiased",
        Metric::AlignmentCentred => "alignment, debiased",
        _ => "S from switch, debiased",
    }
}

/// This view shows the futures of a fork over the run that they come from.
pub struct ForksView {
    shown: Shown,
}

impl Default for ForksView {
    fn default() -> Self {
        Self { shown: Shown::Table }
    }
}

impl ViewClass for ForksView {
    const TITLE: &str = "Forks";
    const HELP: &str = "Alternative continuations of this run. A fork stores weights, optimiser and everything else \
                 that later numbers depend on; each future continues from there with one thing changed, and is, bit \
                 for bit, the run that its settings give from the start. The curves are those of the first task's \
                 probes; the thick one is the run itself.\n\
                 Steps clamped: each step is scaled so that its length stays the mean of η ‖∇L‖ over the epoch before. That \
                 does not fix how far the weights move over a lag: after a switch the steps point in one direction, \
                 and with equal length lead four to five times as far. Displacement clamped: steps are shortened so that it \
                 does not grow. Masked: the loss sees only the logits of \
                 classes that can be in the batch. Head only: no other layer gets a step; frozen: this one gets none; \
                 the kernel is still that of all layers.\n\
                 By its abstract and a summary, Reactivation (2507.16039) leaves open why the kernel reactivates.";
    const NEEDS: Needs = Needs::Run;

    fn show(&mut self, ui: &mut Ui, pane: &mut Pane<'_>, context: &mut ViewContext<'_>) {
        let mut card = pane.card(ui, "");
        let header = &mut card.header;
        let roomy = pane.roomy();
        fork_button(header, context, roomy);
        menu(header, context, roomy);
        if !context.forks.branches().is_empty() {
            let history = context.history;
            let named = |(shown, name): (Shown, &'static str)| match shown {
                Shown::Curve(Quantity::Block(metric)) => (shown, history.usual_name(name, debiased_name(metric))),
                _ => (shown, name),
            };
            choose(header, "Shown of the futures", &mut self.shown, &QUANTITIES.map(named));
        }
        let task = context.history.tasks().first().map_or(1, |start| start.task);
        if context.forks.branches().is_empty() {
            return empty(&mut card.body, context);
        }
        if let Some(refusal) = &context.forks.refusal {
            card.body.label(RichText::new(refusal).size(theme::SMALL).color(context.tokens.error));
        }
        match self.shown {
            Shown::Table => {
                ScrollArea::vertical().auto_shrink(false).show(&mut card.body, |ui| table(ui, context, task));
            }
            Shown::Curve(quantity) => {
                let window = window(&card.body, context);
                let key = quantity.key(context.history, task);
                let limits = matches!(quantity, Quantity::Accuracy | Quantity::Masked).then_some((0.0, 1.0));
                let least = if key.log { 0.7 } else { 0.05 };
                let chart = TimeChart { limits, ..TimeChart::new(key.log, least, Vec::new()) }
                    .against(quantity.axis(context.history));
                let plot = TimePlot::through(chart, traces(context, key, window));
                let left = header.available_rect_before_wrap();
                plot.legend(&mut header.new_child(UiBuilder::new().max_rect(left)));
                let transform = plot.show(&mut card.body, context, "forks");
                if let Some(epoch) = context.forks.epoch() {
                    let x = transform.x(epoch);
                    if transform.frame.x_range().contains(x) {
                        let stroke = Stroke::new(1.0, context.tokens.accent);
                        card.body.painter().vline(x, transform.frame.y_range(), stroke);
                    }
                }
            }
        }
    }
}

/// Returns the futures first and the run itself last, on top, since they share its curve up to the fork.
fn traces(context: &ViewContext<'_>, key: Key, window: Window) -> Vec<Trace> {
    let (cursor, exported) = (context.cursor, context.table.is_some());
    let trace = |history: &History, curves: &SeriesCache, curve: &TimeCurve, whose: &str| {
        let measured = exported.then(|| measured(history, key, whose));
        Trace { measured, ..Trace::of((history, curves), curve, key.log, (window, cursor)) }
    };
    let of = |branch: &Branch| {
        let [r, g, b, _] = branch.colour.to_array();
        let curve = TimeCurve::new(branch.name.as_str(), key.source, Colour::Rgb([r, g, b]));
        trace(&branch.session.history, &branch.curves, &curve, &format!("{}: ", branch.name))
    };
    let own = TimeCurve { width: 2.0, ..TimeCurve::new(OWN, key.source, Colour::Text) };
    let own = trace(context.history, context.curves, &own, "");
    context.forks.branches().iter().map(of).chain([own]).collect()
}

fn fork_button(ui: &mut Ui, context: &mut ViewContext<'_>, roomy: bool) {
    let live = matches!(context.history.state(), RunState::Running | RunState::Paused);
    let waiting = context.forks.is_waiting();
    let text = match (waiting, context.forks.at_switch) {
        (true, _) => "Waiting…",
        _ if !roomy => "Fork",
        (false, true) => "Fork at switch",
        (false, false) => "Fork here",
    };
    let button = Button::new(RichText::new(text).size(theme::SMALL));
    let hover = UserCommand::Fork.hover(ui.ctx());
    let response = ui.add_enabled(live && !waiting, button).on_hover_text(hover);
    if response.clicked() {
        context.actions.user(UserCommand::Fork);
    }
    let _named = response.accessible_name("Fork");
}

/// Draws the menu of when to fork and of the changes to make.
fn menu(ui: &mut Ui, context: &mut ViewContext<'_>, roomy: bool) {
    let Some(info) = context.history.info() else { return };
    let count = context.forks.wanted(&info.spec).len();
    let text = match count {
        _ if !roomy => format!("{count} ▾"),
        1 => "1 future".to_owned(),
        _ => format!("{count} futures"),
    };
    let response = ui.button(RichText::new(text).size(theme::SMALL)).on_hover_text("When to fork, and what to change");
    let response = response.accessible_name("When to fork, and what to change");
    Popup::menu(&response).close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside).show(|ui| {
        let mut at_switch = context.forks.at_switch;
        let next = ui.radio_value(&mut at_switch, true, "At the next switch");
        if (next | ui.radio_value(&mut at_switch, false, "Here")).changed() {
            context.actions.push(RunAction::ForkAtSwitch(at_switch));
        }
        ui.separator();
        for idea in ideas(&info.spec) {
            let mut chosen = context.forks.chosen.contains(&idea.name);
            let possible = !(context.forks.at_switch && idea.effect.is_switch());
            let field = egui::Checkbox::new(&mut chosen, &idea.name);
            if ui.add_enabled(possible, field).on_hover_text(idea.about).changed() {
                context.actions.push(RunAction::ChooseFuture(idea.name, chosen));
            }
        }
    });
}

fn empty(ui: &mut Ui, context: &ViewContext<'_>) {
    let live = matches!(context.history.state(), RunState::Running | RunState::Paused);
    let refusal = context.forks.refusal.as_deref();
    let text = match (refusal, context.forks.is_waiting(), live) {
        (Some(refusal), ..) => refusal,
        (None, true, true) => "The run is kept at its next switch, and the futures begin there",
        (None, _, true) => {
            "Fork stores the state of the run and continues other futures from it, each with one thing changed"
        }
        (None, _, false) => "There is no run to fork: start one",
    };
    ui.add_space(theme::GRID);
    ui.label(RichText::new(text).color(if refusal.is_some() { context.tokens.error } else { context.tokens.weak }));
}

/// Holds the figures of a future at the switch at or after the fork.
struct Figures {
    ratio: Option<f64>,
    dip: Option<f64>,
    accuracy: Option<(f64, f64)>,
    newest: Option<f64>,
}

impl Figures {
    /// Computes the figures. `task` is the task of the probes, `newest` the task begun last in any of the futures.
    fn of(history: &History, curves: &SeriesCache, fork: f64, (task, newest): (usize, usize)) -> Self {
        let place = history.switches().iter().position(|switch| switch.1 >= fork - 1e-9);
        let block = Block::Task(task);
        let spike = place
            .and_then(|place| curves.spikes(history, block, history.usual(Metric::Velocity)).get(place).copied()?);
        let dip = place.and_then(|place| curves.dips(history, block).get(place).copied()?);
        let accuracy = |task: usize| {
            history.rows().last().and_then(|row| row.accuracy.iter().find(|found| found.task == task).copied())
        };
        Self {
            ratio: spike.map(|spike| spike.ratio),
            dip: dip.map(|dip| dip.depth),
            accuracy: accuracy(task).and_then(|found| found.accuracy.zip(found.masked)),
            newest: accuracy(newest).filter(|_| newest != task).and_then(|found| found.accuracy),
        }
    }
}

fn table(ui: &mut Ui, context: &mut ViewContext<'_>, task: usize) {
    let fork = context.forks.epoch().unwrap_or_default();
    let begun = context.forks.branches().iter().map(|branch| branch.session.history.tasks());
    let furthest = begun.chain([context.history.tasks()]).max_by_key(|tasks| tasks.len());
    let newest = furthest.and_then(|tasks| tasks.last()).map_or(task, |start| start.task);
    let own = Figures::of(context.history, context.curves, fork, (task, newest));
    write(context, &own, fork, (task, newest));
    let small = |text: &str| RichText::new(text).size(theme::SMALL);
    let weak = context.tokens.weak;
    let mut removed = None;
    Grid::new("futures").num_columns(6).spacing([8.0, 3.0]).show(ui, |ui| {
        let heads = [
            ("".to_owned(), "From this epoch on"),
            ("spike".to_owned(), "Largest velocity within an epoch after the switch over the background before it"),
            ("λ_max".to_owned(), "Smallest within three epochs after the switch against that before"),
            (format!("task {task}"), "Accuracy on the first task among all classes, now"),
            ("own classes".to_owned(), "The same among its own classes"),
            (format!("task {newest}"), "Accuracy on the newest task among all classes, now"),
        ];
        for (head, hover) in heads {
            ui.label(small(&head).color(weak)).on_hover_text(hover);
        }
        ui.end_row();
        row(ui, (OWN, context.tokens.text, ""), &own);
        ui.end_row();
        for (place, branch) in context.forks.branches().iter().enumerate() {
            let figures = Figures::of(&branch.session.history, &branch.curves, fork, (task, newest));
            if row(ui, (&branch.name, branch.colour, state(&branch.session.history)), &figures) {
                removed = Some(place);
            }
            ui.end_row();
        }
    });
    if let Some(place) = removed {
        context.actions.push(RunAction::RemoveFuture(place));
    }
}

/// Writes the table if this is an export.
fn write(context: &mut ViewContext<'_>, own: &Figures, fork: f64, (task, newest): (usize, usize)) {
    let Some(into) = &mut context.table else { return };
    let on = |task: usize, what: &str| format!("{what}, task {task}");
    into.head(["future".to_owned(), "spike".to_owned(), "dip".to_owned()].into_iter().chain([
        on(task, "accuracy"),
        on(task, "accuracy_masked"),
        on(newest, "accuracy"),
    ]));
    let mut line = |name: &str, of: &Figures| {
        let (all, masked) = (of.accuracy.map(|found| found.0), of.accuracy.map(|found| found.1));
        let numbers = [of.ratio, of.dip, all, masked, of.newest].map(Cell::from);
        into.row([Cell::from(name)].into_iter().chain(numbers));
    };
    line(OWN, own);
    for branch in context.forks.branches() {
        line(&branch.name, &Figures::of(&branch.session.history, &branch.curves, fork, (task, newest)));
    }
}

/// Name of the run itself.
const OWN: &str = "as it is";
/// Edge length of the button that removes a future.
const CROSS: f32 = 16.0;

/// Draws one line; returns whether the future is to be removed.
fn row(ui: &mut Ui, (name, colour, state): (&str, egui::Color32, &str), figures: &Figures) -> bool {
    let percent = |value: f64| format!("{:.0} %", 100.0 * value);
    let mut removed = false;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = theme::GRID;
        if name == OWN {
            ui.add_space(CROSS + theme::GRID);
        } else {
            removed = IconButton::small(Icon::Cross, &format!("Let go of {name}")).show(ui, CROSS).clicked();
        }
        let (dot, _) = ui.allocate_exact_size(egui::Vec2::splat(8.0), egui::Sense::hover());
        // The symbol is a ring while the future runs.
        if matches!(state, "" | "stopped") {
            ui.painter().circle_filled(dot.center(), 3.5, colour);
        } else {
            ui.painter().circle_stroke(dot.center(), 3.0, Stroke::new(1.5, colour));
        }
        let words = if matches!(state, "diverged" | "failed") { format!("{name}, {state}") } else { name.to_owned() };
        ui.label(RichText::new(words).size(theme::SMALL)).on_hover_text(state);
    });
    let cells = [
        figures.ratio.map(|ratio| format!("×{}", format::times(ratio))),
        figures.dip.map(format::change),
        figures.accuracy.map(|found| percent(found.0)),
        figures.accuracy.map(|found| percent(found.1)),
        figures.newest.map(percent),
    ];
    for cell in cells {
        ui.monospace(RichText::new(cell.unwrap_or_else(|| "–".to_owned())).size(theme::SMALL));
    }
    removed
}

/// Describes the state of a future that has not simply reached its end.
fn state(history: &History) -> &'static str {
    match history.state() {
        RunState::Ended(Ending::Finished { .. }) => "",
        RunState::Ended(Ending::Diverged { .. }) => "diverged",
        RunState::Ended(Ending::Failed { .. }) => "failed",
        RunState::Ended(Ending::Stopped { .. }) => "stopped",
        RunState::Waiting | RunState::Running | RunState::Paused => "runs",
    }
}
