//! Draws the states that need an explanation: no run yet, diverged, failed, or settings that cannot start. Each explains the next
//! step.

use std::path::Path;

use egui::{Align, Color32, Frame, Label, Layout, Margin, Panel, RichText, Ui};

use crate::run::{Ending, RunState};
use crate::ui::app::actions::{RunAction, ShellAction};
use crate::ui::app::commands::UserCommand;
use crate::ui::app::session::Session;
use crate::ui::kit::{theme, theme::GRID};
use crate::ui::settings::checked::Checked;
use crate::ui::views::context::ViewContext;

/// A message, the suggested next step, and a way to begin the run again.
struct Message {
    text: String,
    next: &'static str,
    colour: Color32,
    again: Again,
}

/// The settings with which the run can begin again.
#[derive(Clone, Copy)]
enum Again {
    Not,
    /// The current settings.
    Same,
    /// The watched folder from its first step.
    Watch,
    /// No run begins, but a folder is no longer waited for.
    StopAwaiting,
    /// The settings with another learning rate, because the same one would diverge again.
    At(f64),
}

impl Again {
    fn same(checked: &Checked) -> Self {
        if checked.problems.is_empty() { Self::Same } else { Self::Not }
    }

    /// Chooses the restart after a run that diverged at the rate `diverged`; `rate` is the current one of the settings.
    fn after(checked: &Checked, diverged: f64, rate: f64) -> Self {
        match Self::same(checked) {
            Self::Same if rate >= diverged => Self::At(tenth(diverged)),
            other => other,
        }
    }
}

/// Returns a tenth of the rate, without binary rounding digits.
fn tenth(rate: f64) -> f64 {
    format!("{:.5e}", rate / 10.0).parse().unwrap_or(rate / 10.0)
}

/// What the banner reads beside the run.
pub struct BannerContext<'a> {
    pub checked: &'a Checked,
    /// The learning rate of the settings.
    pub rate: f64,
    /// The folder of a training that is awaited.
    pub awaited: Option<&'a Path>,
}

/// Draws the banner if there is a message.
pub fn show(ui: &mut Ui, scene: &mut ViewContext<'_>, session: Option<&Session>, around: &BannerContext<'_>) {
    let Some(message) = message(scene, session, around) else { return };
    let ground = message.colour.gamma_multiply(if scene.tokens.dark { 0.18 } else { 0.1 });
    let frame = Frame::new()
        .fill(ground)
        .corner_radius(6)
        .inner_margin(Margin::symmetric(12, 4))
        .outer_margin(Margin { bottom: 6, ..Margin::ZERO });
    Panel::top("banner").frame(frame).resizable(false).show_separator_line(false).show(ui, |ui| {
        ui.horizontal(|ui| {
            ui.set_min_height(theme::ROW);
            // The layout is from the right, so that the buttons keep their place and the text takes the remaining width.
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                ui.spacing_mut().item_spacing.x = GRID;
                if ui.button("Dismiss").clicked() {
                    scene.actions.push(ShellAction::DismissBanner);
                }
                match message.again {
                    Again::Not => {}
                    Again::StopAwaiting => {
                        if ui.button("Stop waiting").clicked() {
                            scene.actions.push(ShellAction::StopAwaiting);
                        }
                    }
                    Again::Watch => {
                        let hover = "Watch the folder from its first step; what was measured is kept in another record";
                        if ui.button("Watch it anew").on_hover_text(hover).clicked() {
                            scene.actions.user(UserCommand::Restart);
                        }
                    }
                    Again::Same => {
                        if ui.button("Restart with these settings").clicked() {
                            scene.actions.user(UserCommand::Restart);
                        }
                    }
                    Again::At(rate) => {
                        let hover = "Start again with a tenth of the learning rate and the same settings otherwise";
                        if ui.button(format!("Restart with rate {rate}")).on_hover_text(hover).clicked() {
                            scene.actions.push(RunAction::RestartAt(rate));
                        }
                    }
                }
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    ui.spacing_mut().item_spacing.x = 2.0 * GRID;
                    ui.add(Label::new(RichText::new(&message.text).color(message.colour)).truncate())
                        .on_hover_text(&message.text);
                    ui.add(Label::new(RichText::new(message.next).color(scene.tokens.weak)).truncate());
                });
            });
        });
    });
}

fn message(scene: &ViewContext<'_>, session: Option<&Session>, around: &BannerContext<'_>) -> Option<Message> {
    let tokens = scene.tokens;
    let &BannerContext { checked, rate, awaited } = around;
    if let Some(folder) = awaited {
        return Some(Message {
            text: format!("Waiting for {}: kernelscope.Watch has not written its files there yet", folder.display()),
            next: "Start your script",
            colour: tokens.weak,
            again: Again::StopAwaiting,
        });
    }
    let Some(session) = session else {
        return match checked.problems.first() {
            Some(problem) => Some(Message {
                text: format!("This run cannot start: {}", problem.message),
                next: "The field is marked at the left",
                colour: tokens.error,
                again: Again::Not,
            }),
            None => Some(Message {
                text: "Nothing has run yet".to_owned(),
                next: "Press Start, or choose a preset",
                colour: tokens.weak,
                again: Again::Not,
            }),
        };
    };
    if let Some(place) = &session.watched {
        return watched(scene, session, &place.name);
    }
    match session.history.state() {
        RunState::Ended(Ending::Diverged { step, message }) => Some(Message {
            text: if message.contains(&step.to_string()) {
                message.clone()
            } else {
                format!("Diverged at step {step}: {message}")
            },
            next: "Everything before it can be scrubbed",
            colour: tokens.error,
            again: Again::after(checked, session.spec.training.rate, rate),
        }),
        // The run folder has no end: its program was interrupted, which is no failure of the run.
        RunState::Ended(Ending::Failed { message, .. }) if session.opened.is_some() => Some(Message {
            text: format!("This run did not come to its end: {message}"),
            next: "What was measured stands",
            colour: tokens.weak,
            again: Again::same(checked),
        }),
        RunState::Ended(Ending::Failed { message, .. }) => Some(Message {
            text: format!("The run failed: {message}"),
            next: "What was measured stands",
            colour: tokens.error,
            again: Again::same(checked),
        }),
        _ => None,
    }
}

/// Returns the message about a watched training: that it has not begun, or why it is no longer followed.
fn watched(scene: &ViewContext<'_>, session: &Session, name: &str) -> Option<Message> {
    let tokens = scene.tokens;
    match session.history.state() {
        RunState::Ended(Ending::Failed { message, .. } | Ending::Diverged { message, .. }) => Some(Message {
            text: format!("Watching has ended: {message}"),
            next: "What was measured stands",
            colour: tokens.error,
            again: Again::Watch,
        }),
        RunState::Running if session.history.rows().is_empty() && session.history.progress().planned_steps == 0 => {
            Some(Message {
                text: format!("Waiting for the first step of {name}"),
                next: "It appears within two seconds after watch.save",
                colour: tokens.weak,
                again: Again::Not,
            })
        }
        RunState::Waiting
        | RunState::Running
        | RunState::Paused
        | RunState::Ended(Ending::Finished { .. } | Ending::Stopped { .. }) => None,
    }
}
