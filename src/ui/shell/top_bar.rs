//! Draws the bar at the top: name, presets, transport, and the state of the run.
//!
//! Buttons show the confirmed state: `Pausing…` until the run is paused, `Stopping…` until it has ended.

use egui::{Align, Color32, ComboBox, Layout, RichText, Ui};

use crate::run::{Ending, RunState};
use crate::spec::{LABS, Preset};
use crate::ui::app::action_queue::Actions;
use crate::ui::app::actions::RunAction;
use crate::ui::app::commands::{Group, UserCommand};
use crate::ui::app::session::Session;
use crate::ui::kit::appearance;
use crate::ui::kit::format;
use crate::ui::kit::widgets::{BAR_BUTTON, Icon, IconButton, segments};
use crate::ui::kit::{theme, theme::GRID};
use crate::ui::study::StudyPage;
use crate::ui::study::action::StudyAction;
use crate::ui::views::context::ViewContext;

pub fn show(
    ui: &mut Ui,
    scene: &mut ViewContext<'_>,
    session: Option<&Session>,
    study: &StudyPage,
    preset: Option<&'static Preset>,
    (available, on): (&[UserCommand], &[UserCommand]),
) {
    ui.horizontal_centered(|ui| {
        ui.spacing_mut().item_spacing.x = GRID;
        ui.label(RichText::new("Kernelscope").size(theme::HEADING).color(scene.tokens.text));
        ui.add_space(3.0 * GRID);
        page(ui, scene.actions, study);
        ui.add_space(2.0 * GRID);
        if study.shown {
            let name = RichText::new(study.draft.name()).size(theme::TITLE).color(scene.tokens.text);
            ui.label(name).on_hover_text(study.draft.about());
            if session.is_some_and(Session::is_live) {
                ui.add_space(2.0 * GRID);
                ui.label(RichText::new("The run continues meanwhile").size(theme::SMALL).color(scene.tokens.weak));
            }
        } else {
            presets(ui, scene.actions, preset);
            ui.add_space(2.0 * GRID);
            transport(ui, scene.actions, session, available, false);
            ui.add_space(2.0 * GRID);
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let icon = if scene.tokens.dark { Icon::Sun } else { Icon::Moon };
            for (command, icon) in
                [(UserCommand::Help, Icon::Help), (UserCommand::Theme, icon), (UserCommand::Presentation, Icon::Larger)]
            {
                if IconButton::of(ui, command, icon).show(ui, BAR_BUTTON).clicked() {
                    scene.actions.user(command);
                }
            }
            menu(ui, scene.actions, (available, on));
            if !study.shown {
                // The state takes the space between the buttons: a long name is cut, with the full name in the tooltip.
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| state(ui, scene, session));
            }
        });
    });
}

/// Draws what one presses while speaking: pause, the switch, and the end of the presentation; and the state of the run.
pub fn show_presenting(ui: &mut Ui, scene: &mut ViewContext<'_>, session: Option<&Session>, available: &[UserCommand]) {
    ui.horizontal_centered(|ui| {
        ui.spacing_mut().item_spacing.x = GRID;
        transport(ui, scene.actions, session, available, true);
        ui.add_space(2.0 * GRID);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if IconButton::of(ui, UserCommand::Presentation, Icon::Cross).show(ui, BAR_BUTTON).clicked() {
                scene.actions.user(UserCommand::Presentation);
            }
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| state(ui, scene, session));
        });
    });
}

/// Draws the switch between the run and the studies.
fn page(ui: &mut Ui, actions: &mut Actions, study: &StudyPage) {
    let key = ui.ctx().format_shortcut(&UserCommand::Page.about().key);
    let run = format!("One run, live ({key})");
    let many = format!("Many runs under one question ({key})");
    let mut shown = study.shown;
    if segments(ui, &mut shown, &[(false, "Run", run.as_str()), (true, "Study", many.as_str())]) {
        actions.push(StudyAction::Show(shown));
    }
}

fn presets(ui: &mut Ui, actions: &mut Actions, current: Option<&Preset>) {
    let text = current.map_or("own settings", |preset| preset.name);
    let list = ComboBox::from_id_salt("preset").selected_text(text).width(124.0).height(420.0);
    let shown = list.show_ui(ui, |ui| {
        ui.set_min_width(330.0);
        for (place, lab) in LABS.iter().enumerate() {
            if place > 0 {
                ui.add_space(2.0 * GRID);
            }
            ui.label(RichText::new(lab.name).size(theme::HEADING)).on_hover_text(lab.question);
            for preset in lab.presets() {
                let chosen = current.is_some_and(|current| current.name == preset.name);
                ui.scope(|ui| {
                    if ui.selectable_label(chosen, preset.name).clicked() {
                        actions.push(RunAction::Load(preset));
                    }
                    ui.label(RichText::new(preset.about).size(theme::SMALL).weak());
                });
            }
        }
    });
    let about = current.map_or("Settings of your own; the list has runs that show something", |preset| preset.about);
    let _named = shown.response.on_hover_text(about).accessible_name("Preset");
}

/// Draws the buttons of the run; `presents`: only pause and switch.
fn transport(ui: &mut Ui, actions: &mut Actions, session: Option<&Session>, available: &[UserCommand], presents: bool) {
    let live = session.is_some_and(Session::is_live);
    let paused = session.is_some_and(Session::is_paused);
    let pausing = session.is_some_and(Session::is_pausing);
    let stopping = session.is_some_and(Session::is_stopping);
    let running = session.is_some_and(|session| *session.history.state() == RunState::Running);
    let can_start = available.contains(&UserCommand::Restart);
    let watched = session.and_then(|session| session.watched.as_ref());

    // One button serves all states at the same width, so that its neighbours keep their places.
    let (icon, text, primary) = match (live, paused, pausing) {
        (true, true, _) => (Icon::Play, "Resume", true),
        (true, false, true) => (Icon::Pause, "Pausing…", false),
        (true, false, false) => (Icon::Pause, "Pause", running),
        (false, ..) => (Icon::Play, if watched.is_some() { "Watch" } else { "Start" }, can_start),
    };
    let hover = match watched {
        Some(_) if live => "Measure no further steps for now, or go on; the training itself goes on".to_owned(),
        Some(place) => format!("Watch {} again, from its first step", place.name),
        None if live => UserCommand::PauseResume.hover(ui.ctx()),
        None => "Begin a run of these settings".to_owned(),
    };
    let button = IconButton { icon, text, name: text, hover, enabled: primary && !stopping, primary };
    let before = ui.cursor().left();
    if button.show(ui, BAR_BUTTON).clicked() && primary {
        if live {
            actions.user(UserCommand::PauseResume);
        } else {
            actions.push(RunAction::Start);
        }
    }
    ui.add_space((before + 96.0 - ui.cursor().left()).max(0.0));

    let mut command = |ui: &mut Ui, command: UserCommand, icon: Icon, text: &str| {
        let enabled = available.contains(&command);
        if IconButton::of(ui, command, icon).text(text).enabled(enabled).show(ui, BAR_BUTTON).clicked() {
            actions.user(command);
        }
    };
    if !presents {
        command(ui, UserCommand::Step, Icon::Step, "");
        command(ui, UserCommand::Restart, Icon::Restart, "");
        command(ui, UserCommand::NewSeed, Icon::Dice, "");
        command(ui, UserCommand::Stop, Icon::Stop, "");
    }
    command(ui, UserCommand::SwitchTask, Icon::Next, "Switch task now");
}

/// Draws the menu: all commands by topic, with their keys; toggles that are on are marked.
fn menu(ui: &mut Ui, actions: &mut Actions, commands: (&[UserCommand], &[UserCommand])) {
    let entries = |ui: &mut Ui| {
        ui.set_width(190.0);
        for group in Group::ALL {
            ui.menu_button(group.title(), |ui| {
                ui.set_width(250.0);
                group.commands().for_each(|command| entry(ui, actions, commands, command));
            });
        }
        ui.separator();
        looks(ui);
    };
    ui.menu_button("Menu", entries).response.on_hover_text("All commands, with their keys");
}

fn entry(ui: &mut Ui, actions: &mut Actions, (available, on): (&[UserCommand], &[UserCommand]), command: UserCommand) {
    let about = command.about();
    let key = ui.ctx().format_shortcut(&about.key);
    let button = egui::Button::new(about.label).shortcut_text(key).frame_when_inactive(false);
    let button = button.selected(on.contains(&command));
    let entry = ui.add_enabled(available.contains(&command), button).accessible_name(about.label);
    if entry.on_hover_text(about.tooltip).clicked() {
        actions.user(command);
        ui.close();
    }
}

/// Draws the choice of the theme and the scale.
fn looks(ui: &mut Ui) {
    ui.horizontal(|ui| {
        let mut theme = ui.ctx().options(|options| options.theme_preference);
        if segments(ui, &mut theme, &appearance::THEMES) {
            ui.ctx().set_theme(theme);
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let percent = format!("{:.0} %", 100.0 * ui.ctx().zoom_factor());
            ui.label(RichText::new(percent).size(theme::SMALL).weak()).on_hover_text("Scale of the window");
        });
    });
}

/// Describes the record that was opened.
fn opened(session: Option<&Session>) -> String {
    let Some((session, opened)) = session.and_then(|session| Some((session, session.opened.as_ref()?))) else {
        return String::new();
    };
    let history = &session.history;
    let n = history.info().map_or(0, |info| info.probes.len());
    let seen = format!("{} of {n} × {n}", format::count(history.snapshots().len() as u64));
    format!("{} · {seen}", opened.name)
}

/// Describes a watched training.
fn watched(scene: &ViewContext<'_>, session: Option<&Session>) -> (String, Color32) {
    let history = scene.history;
    let name = session.and_then(|session| session.watched.as_ref()).map_or("a training", |place| place.name.as_str());
    let word = if *history.state() == RunState::Paused { "Paused" } else { "Watching" };
    match (history.rows().last(), history.tasks().last()) {
        (Some(row), Some(start)) => {
            let text = format!("{word} {name} · task {} · step {}", start.task, format::count(row.step));
            (text, scene.tokens.task(start.task))
        }
        _ => (format!("{word} {name}"), scene.tokens.weak),
    }
}

/// Draws the state of the run in words.
fn state(ui: &mut Ui, scene: &ViewContext<'_>, session: Option<&Session>) {
    let tokens = scene.tokens;
    let history = scene.history;
    let tasks = scene.info().map_or(0, |info| info.spec.tasks.sequence().len());
    let is_watched = session.is_some_and(|session| session.watched.is_some());
    let (text, colour) = match history.state() {
        _ if session.is_none() => ("Ready".to_owned(), tokens.weak),
        _ if session.is_some_and(|session| session.opened.is_some()) => (opened(session), tokens.text),
        _ if session.is_some_and(Session::is_stopping) => ("Stopping…".to_owned(), tokens.weak),
        RunState::Waiting | RunState::Running | RunState::Paused if is_watched => watched(scene, session),
        RunState::Waiting => ("Loading images…".to_owned(), tokens.weak),
        RunState::Running | RunState::Paused => {
            let word = if *history.state() == RunState::Paused { "Paused" } else { "Training" };
            let at = history.tasks().len();
            let which = history.tasks().last().map_or(0, |task| task.task);
            (
                format!("{word} · task {which}, {at} of {tasks}"),
                history.tasks().last().map_or(tokens.weak, |task| tokens.task(task.task)),
            )
        }
        RunState::Ended(Ending::Finished { step }) => {
            (format!("Finished after {} steps", format::count(*step)), tokens.text)
        }
        RunState::Ended(Ending::Stopped { step }) => (format!("Stopped at step {}", format::count(*step)), tokens.weak),
        RunState::Ended(Ending::Diverged { .. }) => ("Diverged".to_owned(), tokens.error),
        RunState::Ended(Ending::Failed { .. }) => ("Failed".to_owned(), tokens.error),
    };
    let (rect, _) = ui.allocate_exact_size(egui::vec2(8.0, 8.0), egui::Sense::hover());
    ui.painter().circle_filled(rect.center(), 3.5, colour);
    ui.add(egui::Label::new(RichText::new(text).color(tokens.text)).truncate());
}
