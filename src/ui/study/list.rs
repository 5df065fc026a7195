//! Lists the runs of the study, one per line: name, progress, and results.

use egui::{Align2, FontId, Rect, RichText, Role, ScrollArea, Sense, Ui, WidgetInfo, pos2, vec2};

use super::action::StudyAction;
use super::{State, StudyPage};
use crate::chart::study::panels::colour;
use crate::ui::app::action_queue::Actions;
use crate::ui::kit::{
    theme,
    theme::{ROW, Tokens},
};

/// Draws the list into the remaining room.
pub fn show(ui: &mut Ui, page: &StudyPage, actions: &mut Actions) {
    let Some(opened) = page.opened() else { return };
    let tokens = Tokens::of(ui);
    let seeds = opened.runs.iter().map(|run| run.seed).collect::<std::collections::BTreeSet<_>>().len() > 1;
    ui.spacing_mut().item_spacing.y = 0.0;
    ScrollArea::vertical().auto_shrink(false).id_salt("runs").show_rows(ui, ROW, opened.runs.len(), |ui, rows| {
        for place in rows {
            let (run, state) = (&opened.runs[place], &opened.states[place]);
            let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click());
            let name = if seeds { format!("{} · seed {}", run.name(), run.seed) } else { run.name() };
            let text = in_words(state);
            response.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("{name}: {text}")));
            let dot = page.comparison().and_then(|runs| Some(tokens.ink(colour(runs, runs.place(run)?))));
            let lit = response.hovered() || response.has_focus();
            if lit {
                ui.painter().rect_filled(rect, 4.0, tokens.well);
            }
            paint(ui, rect, &name, state, dot.unwrap_or(tokens.faint));
            let hover = format!("{name}: {text}\nPress to take its settings to the run page");
            if response.on_hover_text(hover).clicked() {
                actions.push(StudyAction::OpenRun(place));
            }
            if page.log_of(place).is_some() {
                log_button(ui, rect, &name, || actions.push(StudyAction::ShowLog(place)));
            }
        }
    });
}

/// Draws the button that shows the log of a run, over the beginning of its line.
fn log_button(ui: &mut Ui, rect: Rect, name: &str, show: impl FnOnce()) {
    let place = Rect::from_min_size(pos2(rect.left() + 0.3 * rect.width(), rect.top()), vec2(0.12 * rect.width(), ROW));
    let text = RichText::new("log").size(theme::SMALL);
    let button = ui.put(place, egui::Button::new(text).frame(false));
    button.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("Log of {name}")));
    if button.on_hover_text("Show who began this run, and what came of it").clicked() {
        show();
    }
}

/// Describes the state of a run.
fn in_words(state: &State) -> String {
    match state {
        State::Waiting => "waiting".to_owned(),
        State::Running(share) => format!("{:.0} %", 100.0 * share),
        State::Ended(summary) => summary.headline.clone(),
        State::Failed(message) => format!("failed: {message}"),
        State::Elsewhere(holder) => format!("run by {holder}"),
    }
}

fn paint(ui: &Ui, rect: Rect, name: &str, state: &State, dot: egui::Color32) {
    let tokens = Tokens::of(ui);
    let y = rect.center().y;
    let colour = match state {
        State::Waiting => tokens.faint,
        State::Running(_) | State::Elsewhere(_) => tokens.accent,
        State::Ended(summary) if summary.diverged => tokens.warning,
        State::Ended(_) => tokens.weak,
        State::Failed(_) => tokens.error,
    };
    let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
    let font = FontId::proportional(theme::SMALL);
    let galley = painter.layout_no_wrap(in_words(state), font.clone(), colour);
    // A sentence longer than the line is cut at its end, and shown whole on hovering.
    let left = (rect.right() - 4.0 - galley.size().x).max(rect.left() + 0.45 * rect.width());
    painter.galley(pos2(left, y - galley.size().y / 2.0), galley, colour);
    if matches!(state, State::Ended(_)) {
        painter.circle_filled(pos2(rect.left() + 6.0, y), 3.5, dot);
    } else {
        painter.circle_stroke(pos2(rect.left() + 6.0, y), 3.5, egui::Stroke::new(1.0, dot));
    }
    let clipped = painter.with_clip_rect(rect.with_max_x(left - 6.0).intersect(ui.clip_rect()));
    clipped.text(pos2(rect.left() + 16.0, y), Align2::LEFT_CENTER, name, font, tokens.text);
    if let State::Running(share) = state {
        let bar = Rect::from_min_max(
            pos2(rect.left() + 16.0, rect.bottom() - 2.5),
            pos2(rect.right() - 4.0, rect.bottom() - 1.0),
        );
        painter.rect_filled(bar, 1.0, tokens.hairline);
        painter.rect_filled(bar.with_max_x(bar.left() + bar.width() * *share as f32), 1.0, tokens.accent);
    }
}
