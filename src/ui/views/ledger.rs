//! The forgetting ledger shows which images of a batch move which images of earlier tasks, predicted and measured.

use std::sync::Arc;

use egui::{Align2, Button, Color32, FontId, Pos2, Rect, RichText, Sense, Stroke, Ui, Vec2, pos2, vec2};

use super::atlas::Atlas;
use super::context::ViewContext;
use super::gram::class;
use super::pane::Pane;
use super::view::{Needs, ViewClass};
use crate::run::{Ledger, OldImage, RunInfo, RunState};
use crate::ui::app::actions::RunAction;
use crate::ui::kit::data_table::DataTable;
use crate::ui::kit::format;
use crate::ui::kit::theme;
use crate::ui::kit::widgets::choose;
use crate::worker::Command;

/// This view shows which new images move which old ones in one step.
#[derive(Default)]
pub struct LedgerView {
    /// The step of the chosen entry; the newest entry is shown if none was chosen.
    step: Option<u64>,
    /// The chosen old image, by its index in the ledger; if none was chosen, the one that loses most is shown.
    old: Option<usize>,
    probes: Option<Atlas>,
    batch: Option<Atlas>,
}

/// Edge length of a small picture, and of the picture of the old image.
const SMALL: f32 = 34.0;
const LARGE: f32 = 48.0;

impl ViewClass for LedgerView {
    const TITLE: &str = "Ledger";
    const HELP: &str = "Which new images change the outputs on which old ones, in one step. To first order a step \
                 changes the output on an old image x by\n\
                 −η Σ_b Θ(x, x_b) ∂L/∂f(x_b),\n\
                 a part for each image b of the batch. Left: for each probe of the tasks before, the predicted and the \
                 measured change of the logit of its own class; on the line they agree. Click on one: right, the new \
                 images that push it down and up the most. Recorded at the first step of each task, or on request; \
                 plain SGD only.\n\
                 Lee et al. 2019 (1902.06720), eq. 3.";
    const NEEDS: Needs = Needs::Run;
    const ONE_LINE: f32 = 330.0;

    fn show(&mut self, ui: &mut Ui, pane: &mut Pane<'_>, context: &mut ViewContext<'_>) {
        let mut card = pane.card(ui, "");
        let header = &mut card.header;
        let info = context.history.info().cloned();
        let plain = info.as_ref().is_some_and(|info| info.spec.has_plain_steps());
        let live = matches!(context.history.state(), RunState::Running | RunState::Paused)
            && context.history.tasks().len() > 1;
        let button = Button::new(RichText::new("Take one now").size(theme::SMALL));
        if header.add_enabled(live && plain, button).on_hover_text("Of the next step").clicked() {
            context.actions.push(RunAction::Send(Command::TakeLedger));
            self.step = None;
        }
        let ledgers = context.history.ledgers();
        let found = ledgers.iter().rev().find(|ledger| self.step.is_none_or(|step| ledger.step == step));
        let (Some(ledger), Some(info)) = (found.or(ledgers.last()).cloned(), info) else {
            let text = if plain {
                "This view records the first step of the second task: the effect of each of its images on each probe \
                 of the first"
            } else {
                "Only a step of plain SGD is −η Θ ∂L/∂f: switch momentum, weight decay, Adam and the strategy against \
                 forgetting off"
            };
            card.body.add_space(theme::GRID);
            card.body.label(RichText::new(text).color(context.tokens.weak));
            return;
        };
        let names: Vec<String> = ledgers.iter().map(|ledger| format!("epoch {:.2}", ledger.epoch)).collect();
        let options: Vec<(u64, &str)> =
            ledgers.iter().map(|ledger| ledger.step).zip(names.iter().map(String::as_str)).collect();
        let mut step = ledger.step;
        if choose(header, "Ledger", &mut step, &options) {
            (self.step, self.old) = (Some(step), None);
        }
        if let Some(table) = &mut context.table {
            write(table, &ledger, &info);
        }
        let ui = &mut card.body;
        Atlas::update(&mut self.probes, ui, "ledger probes", &info.thumbnails, info.image);
        Atlas::update(&mut self.batch, ui, "ledger batch", &ledger.new_thumbnails, info.image);
        let most_hurt =
            || (0..ledger.old.len()).min_by(|&a, &b| ledger.old[a].helped().total_cmp(&ledger.old[b].helped()));
        let chosen = self.old.filter(|&old| old < ledger.old.len()).or_else(most_hurt);
        let rect = ui.available_rect_before_wrap();
        let wide = (rect.width() * 0.48).min(rect.height() * 1.25);
        let (left, right) = rect.split_left_right_at_x(rect.left() + wide);
        if let Some(old) = scatter(ui, left.shrink2(vec2(0.0, 2.0)), context, &ledger, chosen) {
            self.old = Some(old);
        }
        if let Some(old) = chosen.and_then(|old| ledger.old.get(old)) {
            let name = |label: usize| info.class_name(label);
            entry(ui, right.with_min_x(right.left() + 10.0), context, (&ledger, old), self, &name);
        }
    }

    fn reset(&mut self) {
        (self.step, self.old) = (None, None);
    }

    fn forget_textures(&mut self) {
        (self.probes, self.batch) = (None, None);
    }
}

/// Plots predicted against measured change of each old image's own logit; returns the image that was clicked.
fn scatter(
    ui: &Ui,
    rect: Rect,
    context: &ViewContext<'_>,
    ledger: &Arc<Ledger>,
    chosen: Option<usize>,
) -> Option<usize> {
    let tokens = context.tokens;
    let frame = Rect::from_min_max(rect.min + vec2(14.0, 2.0), rect.max - vec2(4.0, 16.0));
    let painter = ui.painter();
    painter.rect_filled(frame, 2.0, tokens.well);
    let values = || ledger.old.iter().map(OldImage::own_change).flat_map(|(a, b)| [a, b]).chain([0.0]);
    let (low, high) = values().fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
    let margin = 0.06 * (high - low).max(1e-9);
    let (low, high) = (low - margin, high + margin);
    let share = |value: f64| ((value - low) / (high - low)) as f32;
    let at = |x: f64, y: f64| pos2(frame.left() + share(x) * frame.width(), frame.bottom() - share(y) * frame.height());
    let faint = Stroke::new(1.0, tokens.hairline);
    painter.line_segment([at(low, low), at(high, high)], Stroke::new(1.0, tokens.faint));
    painter.line_segment([at(0.0, low), at(0.0, high)], faint);
    painter.line_segment([at(low, 0.0), at(high, 0.0)], faint);
    let response = ui.interact(frame, ui.scope_id().with("ledger points"), Sense::click());
    let pointer = response.hover_pos();
    let mut nearest: Option<(usize, f32)> = None;
    for (place, old) in ledger.old.iter().enumerate() {
        let (x, y) = old.own_change();
        let point = at(x, y);
        let task = context.info().and_then(|info| info.probes.get(old.probe)).map_or(1, |probe| probe.task);
        painter.circle_filled(point, 2.5, tokens.task(task).gamma_multiply(0.8));
        if let Some(pos) = pointer {
            let away = pos.distance(point);
            if nearest.is_none_or(|(_, best)| away < best) {
                nearest = Some((place, away));
            }
        }
        if chosen == Some(place) {
            painter.circle_stroke(point, 5.0, Stroke::new(1.5, tokens.accent));
        }
    }
    let note = |at: Pos2, align, text: String| painter.text(at, align, text, FontId::proportional(9.5), tokens.weak);
    let below = pos2(frame.center().x, frame.bottom() + 8.0);
    let gap = ledger.gap().map_or_else(String::new, |gap| format!(" · gap {:.1} %", 100.0 * gap));
    note(below, Align2::CENTER_CENTER, format!("predicted{gap}"));
    note(frame.left_top() + vec2(4.0, 3.0), Align2::LEFT_TOP, "measured Δ logit".to_owned());
    note(
        frame.right_bottom() - vec2(3.0, 2.0),
        Align2::RIGHT_BOTTOM,
        format!("{} … {}", format::number(low), format::number(high)),
    );
    nearest.filter(|_| response.clicked()).map(|(place, _)| place)
}

/// Draws one old image and the new ones that move it most.
fn entry(
    ui: &Ui,
    rect: Rect,
    context: &ViewContext<'_>,
    (ledger, old): (&Ledger, &OldImage),
    state: &LedgerView,
    name: &dyn Fn(usize) -> String,
) {
    let tokens = context.tokens;
    let painter = ui.painter().with_clip_rect(rect);
    let text = |at: Pos2, text: String, colour: Color32| {
        painter.text(at, Align2::LEFT_TOP, text, FontId::proportional(theme::SMALL), colour)
    };
    let image = Rect::from_min_size(rect.min, Vec2::splat(LARGE));
    if let Some(atlas) = &state.probes {
        atlas.paint(ui, image, old.probe);
    }
    let beside = image.right_top() + vec2(8.0, 0.0);
    text(beside, name(old.label), tokens.text);
    let (predicted, measured) = old.own_change();
    text(beside + vec2(0.0, 15.0), format!("pred. {}", signed(predicted)), tokens.weak);
    text(beside + vec2(0.0, 29.0), format!("meas. {}", signed(measured)), tokens.weak);
    let mut order: Vec<usize> = (0..old.by_image.len()).collect();
    order.sort_by(|&a, &b| old.by_image[a].total_cmp(&old.by_image[b]));
    let across = ((rect.width() / (SMALL + 6.0)) as usize).max(1);
    let down: Vec<usize> = order.iter().copied().filter(|&image| old.by_image[image] < 0.0).take(across).collect();
    let up: Vec<usize> = order.iter().rev().copied().filter(|&image| old.by_image[image] > 0.0).take(across).collect();
    let mut y = image.bottom() + 6.0;
    for (title, images) in [("pushed down by", down), ("pushed up by", up)] {
        if images.is_empty() || y + 14.0 + SMALL > rect.bottom() {
            continue;
        }
        text(pos2(rect.left(), y), title.to_owned(), tokens.weak);
        y += 14.0;
        for (place, &image) in images.iter().enumerate() {
            let corner = pos2(rect.left() + place as f32 * (SMALL + 6.0), y);
            if let Some(atlas) = &state.batch {
                atlas.paint(ui, Rect::from_min_size(corner, Vec2::splat(SMALL)), image);
            }
            let below = corner + vec2(SMALL / 2.0, SMALL + 1.0);
            let value = signed(old.by_image[image]);
            painter.text(below, Align2::CENTER_TOP, value, FontId::proportional(8.5), tokens.weak);
            let hover = ui.interact(
                Rect::from_min_size(corner, Vec2::splat(SMALL)),
                ui.scope_id().with(("ledger image", title, place)),
                Sense::hover(),
            );
            hover.on_hover_text(format!("{}: {}", name(ledger.new_labels[image]), signed(old.by_image[image])));
        }
        y += SMALL + 14.0;
    }
}

fn signed(value: f64) -> String {
    let number = format::number(value.abs());
    if value < 0.0 { format!("−{number}") } else { format!("+{number}") }
}

/// Writes for each old image the predicted and measured change of its own logit, and each new image's part in it.
fn write(table: &mut DataTable, ledger: &Ledger, info: &RunInfo) {
    let new = ledger.new_labels.iter().enumerate();
    let columns = new.map(|(place, &label)| {
        let name = info.class_name(label);
        format!("by image {} ({name})", place + 1)
    });
    table.head(["probe", "class", "predicted", "measured"].map(str::to_owned).into_iter().chain(columns));
    for old in &ledger.old {
        let (predicted, measured) = old.own_change();
        let of_row = [(old.probe + 1).into(), class(info, old.label), predicted.into(), measured.into()];
        table.row(of_row.into_iter().chain(old.by_image.iter().map(|&value| value.into())));
    }
}
