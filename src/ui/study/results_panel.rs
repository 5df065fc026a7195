//! Draws the right part of the study page: the state of the study in words, the legend of its values, and the picture.
//!
//! The states empty, waiting, running, finished and failed each have a text that names the next step.

use std::sync::Arc;

use egui::{Align, Align2, Color32, FontId, Layout, Rect, RichText, Ui, UiBuilder, pos2, vec2};

use super::action::StudyAction;
use super::learning;
use super::results::Shown;
use super::{Busy, State, StudyPage, chart};
use crate::analysis::comparison::Comparison;
use crate::chart::panel::Panel;
use crate::chart::study::panels::{MOST_LINES, keys};
use crate::ui::app::action_queue::Actions;
use crate::ui::kit::format;
use crate::ui::kit::widgets::{Card, card_titled, choose};
use crate::ui::kit::{
    theme,
    theme::{GRID, ROW, Tokens},
};
use crate::ui::plot::legend::{legend as plot_legend, legend_within};

/// Draws the right part of the page.
pub fn show(ui: &mut Ui, page: &mut StudyPage, actions: &mut Actions) {
    let tokens = Tokens::of(ui);
    let runs = page.results.comparison().filter(|runs| runs.finished() > 0).map(Arc::clone);
    let rect = ui.available_rect_before_wrap();
    let (head, body) = rect.split_top_bottom_at_y(rect.top() + 26.0);
    let mut ui_head = ui
        .new_child(UiBuilder::new().max_rect(head).id_salt("study head").layout(Layout::right_to_left(Align::Center)));
    tools(&mut ui_head, page, actions, runs.as_deref());
    let left = ui_head.available_rect_before_wrap();
    let (text, colour) = in_words(page, tokens);
    let mut ui_words = ui_head.new_child(UiBuilder::new().max_rect(left).layout(Layout::left_to_right(Align::Center)));
    ui_words.add_space(GRID);
    ui_words.add(egui::Label::new(RichText::new(&text).color(colour)).truncate()).on_hover_text(&text);
    if page.results.learning.learnt().is_some() {
        if let Some(place) =
            learning::show(ui, &mut page.results.learning, body.with_min_y(body.top() + GRID), &mut page.cards)
        {
            actions.push(StudyAction::OpenRun(place));
        }
        return;
    }
    let Some(runs) = runs else {
        empty(ui, page, body);
        return;
    };
    let (strip, grid) = body.split_top_bottom_at_y(body.top() + 20.0);
    legend(ui, page.results.shown(&runs), &runs, strip.shrink2(vec2(GRID, 0.0)));
    panels(ui, page, &runs, grid.with_min_y(grid.top() + GRID));
}

/// Draws the choice of the switch, and the button that saves the figures.
fn tools(ui: &mut Ui, page: &mut StudyPage, actions: &mut Actions, runs: Option<&Comparison>) {
    ui.spacing_mut().item_spacing.x = 2.0 * GRID;
    let learns = page.results.learning.learnt().is_some();
    if runs.is_none() && !learns {
        return;
    }
    let free = page.drawing.is_none();
    let hover = if learns {
        "Draws learning.svg, with all points so far, into the folder “figures” of the study"
    } else {
        "Draws study.svg and study-curves.svg of the finished runs, for the first switch, into the folder “figures” of the \
         study, and writes the page study.html with all numbers and their intervals"
    };
    let tokens = Tokens::of(ui);
    let button = egui::Button::new("Save figures").fill(tokens.card).stroke(tokens.line());
    if ui.add_enabled(free, button).on_hover_text(hover).clicked() {
        actions.push(StudyAction::DrawFigures);
    }
    let Some(runs) = runs else { return };
    let mut shown = page.results.shown(runs);
    let mut options: Vec<(Shown, String)> =
        (0..runs.switches()).map(|switch| (Shown::Switch(switch), format!("switch {}", switch + 1))).collect();
    options.push((Shown::Run, "whole run".to_owned()));
    if options.len() > 1 {
        let options: Vec<(Shown, &str)> = options.iter().map(|(shown, name)| (*shown, name.as_str())).collect();
        if choose(ui, "What is shown", &mut shown, &options) {
            page.results.chosen = Some(shown);
        }
    }
    if let (true, Shown::Switch(_)) = (runs.has_series(), shown) {
        let options: Vec<(usize, &str)> = runs.series.iter().map(|series| series.name.as_str()).enumerate().collect();
        choose(ui, "Series whose curves are shown", &mut page.results.series, &options);
    }
}

/// Draws the series and the values of the axis with their colours, as far as there is room.
pub(super) fn legend(ui: &Ui, shown: Shown, runs: &Comparison, rect: Rect) {
    let (painter, weak) = (ui.painter().with_clip_rect(rect), Tokens::of(ui).weak);
    let write = |x: f32, text: &str| {
        painter.text(pos2(x, rect.center().y), Align2::LEFT_CENTER, text, theme::note(), weak).right()
    };
    let values = rect.with_min_x(write(rect.left(), &format!("{} ({})", runs.axis, runs.seeds_in_words())));
    let entries: Vec<_> = keys(runs, shown != Shown::Run).into_iter().map(|entry| (entry, None)).collect();
    let end = legend_within(ui, values, &entries);
    let many = shown != Shown::Run && runs.finished() > MOST_LINES;
    if many && end < rect.right() - 200.0 {
        write(end + 6.0, &format!("more than {MOST_LINES} runs: means and bands only"));
    }
}

fn panels(ui: &mut Ui, page: &mut StudyPage, runs: &Comparison, rect: Rect) {
    let tokens = Tokens::of(ui);
    let gap = 1.5 * GRID;
    let StudyPage { results, cards, .. } = page;
    let pictures = results.pictures(runs);
    let across = match pictures.len() {
        0 | 1 => 1,
        2 | 4 => 2,
        _ => 3,
    };
    let down = pictures.len().div_ceil(across).max(1);
    let size =
        (rect.size() - vec2((across - 1) as f32 * gap, (down - 1) as f32 * gap)) / vec2(across as f32, down as f32);
    for (place, (kind, picture)) in pictures.iter().enumerate() {
        let (column, row) = ((place % across) as f32, (place / across) as f32);
        let min = (rect.min + vec2(column * (size.x + gap), row * (size.y + gap))).round();
        let Card { mut header, mut body } =
            card_titled(ui, Rect::from_min_size(min, size.floor()), kind.title(), kind.unit(), &kind.help(), |ui| {
                ui.label(RichText::new(kind.title()).size(theme::TITLE).color(tokens.text));
            });
        cards.export(&mut header, kind.title(), size.floor());
        names(&mut header, picture);
        chart::show(&mut body, kind.title(), picture, cards.thick);
    }
}

/// Draws the label of each line of a panel, if there are several.
pub(super) fn names(ui: &mut Ui, picture: &Panel) {
    let entries: Vec<_> = picture.legend.iter().map(|entry| (entry.clone(), None)).collect();
    plot_legend(ui, &entries);
}

/// Draws a text until there is a picture.
fn empty(ui: &Ui, page: &StudyPage, rect: Rect) {
    let tokens = Tokens::of(ui);
    ui.painter().rect(rect, 6.0, tokens.card, tokens.line(), egui::StrokeKind::Inside);
    let (title, next) = match &page.work {
        Some((Busy::Looking, _)) => ("Reading the folder…", ""),
        Some((Busy::Running, _)) => ("The first runs are training", "Each appears here as soon as it has ended"),
        Some((Busy::Following, _)) => {
            ("No run of this study has finished yet", "Those that other processes do appear here")
        }
        Some((Busy::Cancelling, _)) => ("Cancelling…", ""),
        None if page.refusal.is_some() => ("This folder cannot take the study", "Choose another one on the left"),
        None if !page.plan.problems.is_empty() => ("This study cannot start", "The problem is shown on the left"),
        None => ("No run of this study has finished yet", "Press Start study; finished runs are kept in its folder"),
    };
    let write = |y: f32, text: &str, size: f32, colour| {
        ui.painter().text(pos2(rect.center().x, y), Align2::CENTER_CENTER, text, FontId::proportional(size), colour);
    };
    write(rect.center().y - ROW, title, theme::HEADING, tokens.text);
    write(rect.center().y + GRID, next, theme::BODY, tokens.weak);
    write(rect.center().y + ROW + GRID, page.draft.about(), theme::BODY, tokens.weak);
}

/// Describes the state of the study in one sentence.
fn in_words(page: &StudyPage, tokens: &Tokens) -> (String, Color32) {
    if let Some(refusal) = &page.refusal {
        return (refusal.clone(), tokens.error);
    }
    if let Some(notice) = &page.notice {
        return (notice.text.clone(), if notice.is_error { tokens.error } else { tokens.text });
    }
    if let (Some(problem), false) = (page.plan.problems.first(), page.is_running()) {
        return (format!("This study cannot start: {}", problem.message), tokens.error);
    }
    let Some(opened) = &page.opened else { return (String::new(), tokens.weak) };
    let count = |of: fn(&State) -> bool| opened.states.iter().filter(|state| of(state)).count();
    let ended = count(|state| matches!(state, State::Ended(_)));
    let diverged = count(|state| matches!(state, State::Ended(summary) if summary.diverged));
    let failed = count(|state| matches!(state, State::Failed(_)));
    let elsewhere = count(|state| matches!(state, State::Elsewhere(_)));
    let all = opened.states.len();
    let mut text = match &page.work {
        Some((Busy::Cancelling, _)) => "Cancelling…".to_owned(),
        Some((Busy::Running, _)) => format!("{ended} of {all} runs"),
        _ if ended == all => {
            format!("All {all} runs are done; the table is {}", page.plan.out.join(crate::storage::TABLE).display())
        }
        Some((Busy::Following, _)) if elsewhere > 0 => {
            format!("{ended} of {all} runs are done, and other processes do {elsewhere}; Start study helps them")
        }
        _ if ended > 0 => format!("{ended} of {all} runs are done; Start study does the others"),
        _ => format!("{all} runs to do"),
    };
    if let (Some((Busy::Running, _)), Some(left)) = (&page.work, opened.progress.seconds_left()) {
        text += &format!(", about {} left", format::duration(left));
    }
    if diverged > 0 {
        text += &format!("; {diverged} diverged, and are not in the picture");
    }
    let first = opened.states.iter().find_map(|state| match state {
        State::Failed(message) => Some(message),
        _ => None,
    });
    if let Some(message) = first {
        text += &format!("; {failed} failed: {message}");
    }
    (text, if diverged + failed > 0 { tokens.warning } else { tokens.text })
}
