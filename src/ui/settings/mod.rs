//! Shows the panel at the left: every setting of a run, its problems, and the cost of the run.
//!
//! The panel edits a draft. Changes that a live run supports (learning rate, cadence, coming tasks, pace) are sent to it at once;
//! all others wait for `Restart to apply`. A problem is explained below its field.

pub(crate) mod checked;
mod classes;
mod continual;
mod data;
mod form;
mod kernel;
mod network;
mod tasks;
mod training;

use egui::{Panel, RichText, ScrollArea, Ui};

use super::app::action_queue::Actions;
use super::app::actions::{RunAction, SettingsAction};
use super::app::commands::UserCommand;
use super::app::session::Session;
use super::kit::format;
use super::kit::widgets::{BAR_BUTTON, Icon, IconButton};
use super::kit::{
    theme,
    theme::{GRID, Tokens},
};
use crate::spec::Spec;
use crate::ui::settings::checked::{ASSUMED_FLOPS, Checked, needs_restart};
use crate::ui::settings::form::Form;

/// Returns whether an ended run trained its tasks in another order; a live run receives the new order as a command.
fn was_in_other_order(draft: &Spec, session: &Session) -> bool {
    let trained = session.history.tasks().iter().map(|start| start.task);
    !session.is_live() && trained.zip(draft.tasks.sequence()).any(|(was, is)| was != is)
}

/// The context of the panel: the run beside it.
pub struct PanelContext<'a> {
    pub session: Option<&'a Session>,
    /// Whether a reference run is drawn faintly.
    pub has_reference: bool,
    /// Measured operations per second, once known.
    pub flops: Option<f64>,
}

/// Draws the panel.
pub fn show(ui: &mut Ui, draft: &mut Spec, checked: &Checked, actions: &mut Actions, around: &PanelContext<'_>) {
    let tokens = Tokens::of(ui);
    let frame = egui::Frame::new().inner_margin(egui::Margin { left: 0, right: 0, top: 6, bottom: 0 });
    Panel::bottom("settings foot").frame(frame).resizable(false).show_separator_line(false).show(ui, |ui| {
        foot(ui, draft, checked, actions, around);
    });
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 3.0;
        let session = around.session;
        let mut form = Form { draft, checked, actions, tokens, session };
        section(ui, &mut form, "Tasks", true, tasks::show);
        section(ui, &mut form, "Network", true, network::show);
        section(ui, &mut form, "Training", true, training::show);
        section(ui, &mut form, "Kernel", true, kernel::show);
        section(ui, &mut form, "Data", false, data::show);
    });
}

fn section(ui: &mut Ui, form: &mut Form<'_>, title: &str, open: bool, add: impl FnOnce(&mut Ui, &mut Form<'_>)) {
    let has_problem = form.checked.problems.iter().any(|problem| problem.field.starts_with(&title.to_lowercase()));
    let colour = if has_problem { form.tokens.error } else { form.tokens.text };
    let header = egui::CollapsingHeader::new(RichText::new(title).size(theme::TITLE).color(colour))
        .id_salt(title)
        .default_open(open);
    // A section with a problem stays open.
    let header = if has_problem { header.open(Some(true)) } else { header };
    ui.spacing_mut().indent = 16.0;
    header.show_unindented(ui, |ui| add(ui, form));
    ui.add_space(GRID);
}

/// Draws the cost of the draft, and the button that starts it.
fn foot(ui: &mut Ui, draft: &Spec, checked: &Checked, actions: &mut Actions, around: &PanelContext<'_>) {
    let tokens = Tokens::of(ui);
    let flops = around.flops;
    let small = |text: String| RichText::new(text).size(theme::SMALL).color(tokens.weak);
    match (&checked.cost, checked.problems.first()) {
        (Some(cost), _) => {
            let computing = cost.seconds(flops.unwrap_or(ASSUMED_FLOPS));
            let epochs: f64 = (0..draft.tasks.sequence().len()).map(|place| draft.tasks.epochs_at(place)).sum();
            let paced =
                if draft.window.pace > 0.0 && draft.tasks.steps.is_empty() { epochs / draft.window.pace } else { 0.0 };
            let about =
                format!("about {} · {}", format::duration(computing.max(paced)), format::bytes(cost.peak_bytes));
            let hover = format!(
                "Estimate: {} of computing at {}, the window keeps to {} epochs a second; {} steps, {} snapshots of a \
                 {} × {} kernel, {} parameters",
                format::duration(computing),
                flops.map_or("an assumed 20 GFLOP/s".to_owned(), |flops| format!(
                    "the measured {:.0} GFLOP/s",
                    flops / 1e9
                )),
                if draft.window.pace > 0.0 { format::number(draft.window.pace) } else { "no limit of".to_owned() },
                format::count(cost.steps),
                format::count(cost.snapshots),
                cost.probes,
                cost.probes,
                format::count(cost.parameters),
            );
            ui.label(small(about)).on_hover_text(hover);
            let counts = format!(
                "{} steps · {} snapshots of {} × {}",
                format::count(cost.steps),
                format::count(cost.snapshots),
                cost.probes,
                cost.probes
            );
            ui.label(small(counts));
        }
        (None, Some(problem)) => {
            ui.label(
                RichText::new(format!("Cannot start: {}", problem.message)).size(theme::SMALL).color(tokens.error),
            );
        }
        (None, None) => {}
    }
    let pending =
        around.session.is_some_and(|session| needs_restart(draft, &session.spec) || was_in_other_order(draft, session));
    ui.horizontal(|ui| {
        if pending {
            let button = IconButton {
                icon: Icon::Restart,
                text: "Restart to apply",
                name: "Restart to apply",
                hover:
                    "These settings define another network or stream: start again with them, and keep this run as a \
                    faint reference"
                        .to_owned(),
                enabled: checked.problems.is_empty(),
                primary: true,
            };
            if button.show(ui, BAR_BUTTON).clicked() {
                actions.user(UserCommand::Restart);
            }
            if ui.button("Undo").on_hover_text("Back to the settings of this run").clicked() {
                actions.push(SettingsAction::Revert);
            }
        } else {
            ui.set_min_height(BAR_BUTTON);
            if around.has_reference && ui.button("Hide the run before").on_hover_text("The faint curves").clicked() {
                actions.push(RunAction::ForgetReference);
            }
        }
    });
}
