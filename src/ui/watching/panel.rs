//! Draws what is known of a watched training, at the left in place of the settings: nothing of it can be changed here.

use egui::{Grid, Label, Panel, RichText, ScrollArea, Ui};

use super::WatchedPlace;
use crate::run::RunInfo;
use crate::spec::Readout;
use crate::ui::app::action_queue::Actions;
use crate::ui::app::actions::RunAction;
use crate::ui::app::commands::UserCommand;
use crate::ui::app::session::Session;
use crate::ui::kit::format;
use crate::ui::kit::theme::{GRID, SMALL, TITLE, Tokens};

/// Draws the panel.
pub fn show(ui: &mut Ui, session: &Session, place: &WatchedPlace, actions: &mut Actions) {
    let tokens = Tokens::of(ui);
    let frame = egui::Frame::new().inner_margin(egui::Margin { left: 0, right: 0, top: 6, bottom: 0 });
    Panel::bottom("watched foot").frame(frame).resizable(false).show_separator_line(false).show(ui, |ui| {
        foot(ui, session, actions);
    });
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        ui.label(RichText::new("Watched training").size(TITLE).color(tokens.text));
        let name = Label::new(RichText::new(&place.name).color(tokens.accent)).truncate();
        ui.add(name).on_hover_text(place.path.display().to_string());
        ui.add_space(GRID);
        facts(ui, session);
        ui.add_space(2.0 * GRID);
        let text = "Another program trains it: here nothing of it can be changed. Losses and accuracies are those on the \
                    probes, and time is counted in steps.";
        ui.add(Label::new(RichText::new(text).size(SMALL).color(tokens.weak)).wrap());
    });
}

/// Draws the facts, one a row.
fn facts(ui: &mut Ui, session: &Session) {
    let tokens = Tokens::of(ui);
    let history = &session.history;
    let Some(info) = history.info() else { return };
    let progress = history.progress();
    let row = history.rows().last();
    let mut lines = vec![
        ("Network", network(info), "The module that was exported, or a network that comes with Kernelscope"),
        ("Probes", probes(info), "Inputs on which the kernel is measured, from probes.safetensors"),
        ("Outputs", outputs(info), "What the labels of the probes are"),
        ("Newest step", format::count(progress.planned_steps), "The last line of log.jsonl"),
        ("Measured to", row.map_or("–".to_owned(), |row| format::count(row.step)), "The newest step that is shown"),
        ("Steps shown", format::count(history.rows().len() as u64), "Each is a snapshot"),
        (
            "Passed over",
            format::count(history.passed_over()),
            "Steps that were not measured: there was no time, or no usable file",
        ),
    ];
    // Only the second step of a pair has one.
    if let Some(lag) = history.rows().iter().rev().find_map(|row| row.blocks.first()?.lag_steps) {
        lines.push(("Lag", format!("{lag} steps"), "Steps of a pair, over which a velocity is taken"));
    }
    let number = |value: Option<f64>| value.map(format::number);
    let logged = [
        ("Loss", number(row.and_then(|row| row.train_loss)), "The loss that the script has logged"),
        ("Rate", number(row.and_then(|row| row.rate)), "The learning rate that the script has logged"),
    ];
    lines.extend(logged.into_iter().filter_map(|(name, value, about)| Some((name, value?, about))));
    Grid::new("watched facts").num_columns(2).spacing([12.0, 4.0]).show(ui, |ui| {
        for (name, value, about) in lines {
            ui.label(RichText::new(name).color(tokens.weak)).on_hover_text(about);
            ui.label(value).on_hover_text(about);
            ui.end_row();
        }
    });
}

fn network(info: &RunInfo) -> String {
    match info.parameters {
        // Its sizes are in the weights.
        0 => info.spec.network.program.clone(),
        count => format!("{} parameters", format::count(count)),
    }
}

fn probes(info: &RunInfo) -> String {
    let mut tasks: Vec<usize> = info.probes.iter().map(|probe| probe.task).collect();
    tasks.dedup();
    match tasks.len() {
        1 => format!("{}, of one task", info.probes.len()),
        count => format!("{}, of {count} tasks", info.probes.len()),
    }
}

fn outputs(info: &RunInfo) -> String {
    match info.readout() {
        Readout::Number => "a number".to_owned(),
        Readout::Classes(count) => format!("{count} classes"),
    }
}

/// Draws the buttons that do something else than watch.
fn foot(ui: &mut Ui, session: &Session, actions: &mut Actions) {
    ui.spacing_mut().item_spacing.y = GRID;
    if session.history.passed_over() > 0 {
        let hover = "Begin again, and measure every step that is in the folder, in order, however long it takes";
        if ui.button("Measure every step").on_hover_text(hover).clicked() {
            actions.user(UserCommand::Restart);
        }
    }
    let hover = "Stop watching, and begin a run of the settings that this window had before; what was measured is kept";
    if ui.button("Start a run of my own").on_hover_text(hover).clicked() {
        actions.push(RunAction::StartOwn);
    }
}
