//! Draws the lesson at the lower left: its text, the condition it waits for, and its buttons. It is below the settings, so that
//! it covers no view.

use egui::{Align, Frame, Label, Layout, Margin, Panel, RichText, Sense, Stroke, Ui, vec2};

use super::action::LessonAction;
use super::{Lessons, Open, Seen};
use crate::ui::app::action_queue::Actions;
use crate::ui::app::commands::UserCommand;
use crate::ui::kit::widgets::{BAR_BUTTON, Icon, IconButton};
use crate::ui::kit::{
    theme,
    theme::{BODY, GRID, SMALL, Tokens},
};
use crate::ui::watching;

/// Draws the lesson in progress, or the hint that there are lessons, at the foot of a panel. `paused`: whether the run is paused,
/// so that the condition cannot be met.
pub fn dock(ui: &mut Ui, state: &Lessons, paused: bool, actions: &mut Actions) {
    if state.open.is_none() && !state.hint {
        return;
    }
    let frame = Frame::new().inner_margin(Margin { left: 0, right: 0, top: 6, bottom: 0 });
    Panel::bottom("lesson").frame(frame).resizable(false).show_separator_line(false).show(ui, |ui| {
        let tokens = Tokens::of(ui);
        let stroke = if state.open.is_some() { Stroke::new(1.0, tokens.accent) } else { tokens.line() };
        let frame =
            Frame::new().fill(tokens.well).stroke(stroke).corner_radius(6).inner_margin(Margin::symmetric(10, 8));
        frame.show(ui, |ui| match &state.open {
            Some(open) => lesson(ui, open, paused, actions),
            None => hint(ui, actions),
        });
    });
}

/// Draws the lesson in progress as a strip below the views, for a presentation, which has no settings above it: the text at the
/// left, what it waits for and the buttons at the right.
pub fn caption(ui: &mut Ui, state: &Lessons, paused: bool, actions: &mut Actions) {
    let Some(open) = &state.open else { return };
    let tokens = Tokens::of(ui);
    let frame = Frame::new().fill(tokens.well).stroke(Stroke::new(1.0, tokens.accent)).corner_radius(6);
    let frame =
        frame.inner_margin(Margin::symmetric(10, 6)).outer_margin(Margin { left: 0, right: 0, top: 6, bottom: 0 });
    Panel::bottom("lesson caption").frame(frame).resizable(false).show_separator_line(false).show(ui, |ui| {
        ui.spacing_mut().item_spacing = vec2(2.0 * GRID, GRID);
        ui.horizontal_top(|ui| {
            let room = ui.available_width() - BUTTONS - 2.0 * GRID;
            ui.allocate_ui_with_layout(vec2(room, 0.0), Layout::top_down(Align::Min), |ui| {
                ui.set_width(room);
                ui.add(Label::new(RichText::new(open.text()).size(BODY + 2.0).color(tokens.text)).wrap());
            });
            ui.allocate_ui_with_layout(vec2(BUTTONS, 0.0), Layout::top_down(Align::Min), |ui| {
                ui.set_width(BUTTONS);
                let step = format!("{}, {} of {}", open.lesson.title, open.at + 1, open.lesson.steps.len());
                ui.label(RichText::new(step).size(SMALL).color(tokens.accent));
                waiting(ui, open, paused);
                buttons(ui, open, actions);
            });
        });
    });
}

/// Width of the buttons of a caption.
const BUTTONS: f32 = 230.0;

fn hint(ui: &mut Ui, actions: &mut Actions) {
    let tokens = Tokens::of(ui);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 1.5 * GRID;
        ui.label(RichText::new("New here?").size(SMALL).color(tokens.weak));
        if ui.button("Lessons").on_hover_text(UserCommand::Lessons.hover(ui.ctx())).clicked() {
            actions.user(UserCommand::Lessons);
        }
        if ui.button(watching::card::TITLE).on_hover_text(UserCommand::WatchTraining.hover(ui.ctx())).clicked() {
            actions.user(UserCommand::WatchTraining);
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if IconButton::small(Icon::Cross, "Hide this hint").show(ui, theme::ROW).clicked() {
                actions.push(LessonAction::HideHint);
            }
        });
    });
}

fn lesson(ui: &mut Ui, open: &Open, paused: bool, actions: &mut Actions) {
    let tokens = Tokens::of(ui);
    ui.spacing_mut().item_spacing = vec2(GRID, 1.5 * GRID);
    ui.set_min_width(ui.available_width());
    ui.horizontal(|ui| {
        ui.label(RichText::new(&open.lesson.title).size(theme::TITLE).color(tokens.accent));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if IconButton::small(Icon::Cross, "Close lesson").show(ui, theme::ROW).clicked() {
                actions.push(LessonAction::Close);
            }
            let step = format!("{} of {}", open.at + 1, open.lesson.steps.len());
            ui.label(RichText::new(step).size(SMALL).color(tokens.weak));
        });
    });
    ui.add(Label::new(RichText::new(open.text()).size(BODY + 1.0).color(tokens.text)).wrap());
    if open.strays {
        let text = "The run has other settings by now than this lesson is about.";
        ui.label(RichText::new(text).size(SMALL).color(tokens.warning));
    }
    waiting(ui, open, paused);
    buttons(ui, open, actions);
}

/// Draws the condition of the step and its state.
fn waiting(ui: &mut Ui, open: &Open, paused: bool) {
    let tokens = Tokens::of(ui);
    let awaited = open.step().wait;
    let key = ui.ctx().format_shortcut(&UserCommand::NextStep.about().key);
    let (text, colour, full) = match open.seen() {
        Seen::Waiting if open.is_held() => (format!("The switch is next: {key} lets it happen"), tokens.accent, false),
        Seen::Waiting if paused && !awaited.is_of_study() => {
            (format!("Waiting for {}: the run is paused", awaited.words()), tokens.warning, false)
        }
        Seen::Waiting => (format!("Waiting for {}", awaited.words()), tokens.weak, false),
        Seen::Come if open.held().is_some() => {
            (format!("The run waits before the switch: {key} continues"), tokens.accent, true)
        }
        Seen::Come if awaited.is_nothing() => (format!("{key} goes on"), tokens.weak, true),
        Seen::Come => (format!("Done: {key} continues"), tokens.accent, true),
        Seen::Skipped => ("Not waited for".to_owned(), tokens.warning, false),
        Seen::Never(why) => (format!("{why}: {key} continues nevertheless"), tokens.warning, false),
    };
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = 1.5 * GRID;
        let (rect, _) = ui.allocate_exact_size(vec2(8.0, 14.0), Sense::hover());
        if full {
            ui.painter().circle_filled(rect.center(), 3.5, colour);
        } else {
            ui.painter().circle_stroke(rect.center(), 3.0, Stroke::new(1.2, colour));
        }
        ui.add(Label::new(RichText::new(text).size(SMALL).color(colour)).wrap());
    });
}

fn buttons(ui: &mut Ui, open: &Open, actions: &mut Actions) {
    ui.horizontal(|ui| {
        let back = egui::Button::new("Back");
        let hover = UserCommand::PreviousStep.hover(ui.ctx());
        if ui.add_enabled(open.at > 0, back).on_hover_text(hover).clicked() {
            actions.user(UserCommand::PreviousStep);
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let waits = *open.seen() == Seen::Waiting && !open.is_held();
            if open.is_last()
                && open.has_successor()
                && !waits
                && ui.button("Next lesson").on_hover_text("Begin the lesson after this one").clicked()
            {
                actions.push(LessonAction::NextLesson);
            }
            let text = match open.is_last() {
                _ if open.is_held() => "Let it happen",
                true => "Finish",
                false => "Next",
            };
            let hover = UserCommand::NextStep.hover(ui.ctx());
            let next = IconButton { icon: Icon::Play, text, name: text, hover, enabled: !waits, primary: !waits };
            if next.show(ui, BAR_BUTTON).clicked() && !waits {
                actions.user(UserCommand::NextStep);
            }
            if waits {
                let hover = "Continue without it; what the next step describes may not be there yet";
                if ui.button("Skip waiting").on_hover_text(hover).clicked() {
                    actions.push(LessonAction::Skip);
                }
            }
        });
    });
}
