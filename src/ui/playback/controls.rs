//! Draws playback, marks and the moments A and B on the timeline: small buttons beside it, flags on it.

use egui::{Align2, Button, CornerRadius, FontId, Rect, RichText, Role, Sense, Shape, Stroke, Ui, UiBuilder};
use egui::{WidgetInfo, pos2, vec2};

use super::action::PlaybackAction;
use super::{LoopRange, Mark, PER_SECOND, SPEEDS, Which, colour};
use crate::ui::app::commands::UserCommand;
use crate::ui::kit::format;
use crate::ui::kit::widgets::{Icon, IconButton, choose};
use crate::ui::views::context::ViewContext;

/// Width of the buttons, in points.
pub const WIDTH: f32 = 118.0;
/// Height of one of their two rows.
const ROW: f32 = 19.0;
const GAP: f32 = 2.0;

/// Draws the buttons: playback above, moments below.
pub fn controls(ui: &mut Ui, scene: &mut ViewContext<'_>, rect: Rect, available: &[UserCommand]) {
    let top = Rect::from_min_size(rect.left_center() - vec2(0.0, ROW + GAP / 2.0), vec2(rect.width(), ROW));
    let layout = egui::Layout::left_to_right(egui::Align::Center);
    let row = |ui: &mut Ui, rect: Rect, name: &str| {
        let mut row = ui.new_child(UiBuilder::new().max_rect(rect).layout(layout).id_salt(name));
        (row.spacing_mut().item_spacing.x, row.spacing_mut().interact_size.y) = (GAP, ROW);
        row.spacing_mut().button_padding = vec2(4.0, 1.0);
        row
    };
    let upper = &mut row(ui, top, "playback");
    let playing = scene.travel.playback.is_playing();
    let command = |ui: &mut Ui, scene: &mut ViewContext<'_>, command: UserCommand, icon: Icon, lit: bool| {
        let mut button = IconButton { primary: lit, ..IconButton::of(ui, command, icon) };
        match (command, scene.travel.round()) {
            (UserCommand::Play, _) if lit => button.name = "Stop playing",
            (UserCommand::Loop, LoopRange::View) => button.hover += "\nNow: what is in view",
            (UserCommand::Loop, LoopRange::Moments) => button.hover += "\nNow: from A to B",
            _ => {}
        }
        if button.enabled(available.contains(&command)).show(ui, ROW).clicked() {
            scene.actions.user(command);
        }
    };
    command(upper, scene, UserCommand::Play, if playing { Icon::Pause } else { Icon::Play }, playing);
    let round = scene.travel.round() != LoopRange::Off;
    command(upper, scene, UserCommand::Loop, Icon::Loop, round);
    let mut speed = scene.travel.playback.speed();
    let before = speed;
    upper.spacing_mut().combo_width = 0.0;
    upper
        .scope(|ui| choose(ui, "Speed of playback", &mut speed, &SPEEDS))
        .response
        .on_hover_text(format!("{} snapshots a second", format::number(speed * PER_SECOND)));
    if speed != before {
        scene.actions.push(PlaybackAction::SetSpeed(speed));
    }
    let lower = &mut row(ui, top.translate(vec2(0.0, ROW + GAP)), "moments");
    command(lower, scene, UserCommand::PreviousMark, Icon::FlagBefore, false);
    let here = scene.snapshot.as_ref().map(|snapshot| snapshot.row.step);
    let marked = scene.travel.marks.all().iter().any(|mark| Some(mark.step) == here || mark.epoch == scene.cursor);
    command(lower, scene, UserCommand::Mark, Icon::Flag, marked);
    command(lower, scene, UserCommand::NextMark, Icon::FlagAfter, false);
    for (which, command) in [(Which::A, UserCommand::MomentA), (Which::B, UserCommand::MomentB)] {
        letter(lower, scene, which, command, available.contains(&command));
    }
}

/// Draws A or B as a button, in its colour once it is chosen.
fn letter(ui: &mut Ui, scene: &mut ViewContext<'_>, which: Which, command: UserCommand, enabled: bool) {
    let chosen = scene.travel.marks.moment(which);
    let (text, fill) = match chosen {
        Some(_) => (scene.tokens.card, colour(scene.tokens, which)),
        None => (scene.tokens.text, ui.visuals().widgets.inactive.bg_fill),
    };
    let button = Button::new(RichText::new(which.letter()).strong().color(text)).fill(fill).min_size(vec2(ROW, ROW));
    let mut hover = command.hover(ui.ctx());
    if let Some(moment) = chosen {
        hover += &format!("\n{} is epoch {:.2}, step {}", which.letter(), moment.epoch, format::count(moment.step));
    }
    let response = ui.add_enabled(enabled, button).accessible_name(command.about().label);
    if response.on_hover_text(hover).clicked() {
        scene.actions.user(command);
    }
}

/// Draws the marks, A and B and the repeated range on the strip of the run.
pub fn flags(ui: &mut Ui, scene: &mut ViewContext<'_>, strip: Rect, x: impl Fn(f64) -> f32) {
    let (tokens, travel) = (scene.tokens, scene.travel);
    if let Some((from, to)) = travel.stretch(scene.clock, scene.history) {
        let bar = Rect::from_x_y_ranges(x(from)..=x(to), (strip.bottom() - 3.0)..=strip.bottom()).intersect(strip);
        ui.painter().rect_filled(bar, 1.0, tokens.accent);
    }
    for &mark in travel.marks.all() {
        flag(ui, scene, mark, strip, x(mark.epoch));
    }
    for which in Which::BOTH {
        let Some(moment) = travel.marks.moment(which) else { continue };
        let (at, colour) = (x(moment.epoch), colour(tokens, which));
        ui.painter().vline(at, strip.y_range(), Stroke::new(1.5, colour));
        // A is left and B right of its line, so that both are legible where they are the same moment.
        let left = if which == Which::A { at - 11.0 } else { at };
        let tag = Rect::from_min_size(pos2(left, strip.top()), vec2(11.0, 12.0));
        ui.painter().rect_filled(tag, CornerRadius::same(2), colour);
        let font = FontId::proportional(10.0);
        ui.painter().text(tag.center(), Align2::CENTER_CENTER, which.letter(), font, tokens.card);
    }
}

/// Draws one mark: a click moves the cursor there, a right click removes the mark.
fn flag(ui: &mut Ui, scene: &mut ViewContext<'_>, mark: Mark, strip: Rect, x: f32) {
    let place = Rect::from_center_size(pos2(x + 2.0, strip.center().y), vec2(11.0, strip.height()));
    let response = ui.interact(place, ui.scope_id().with(("mark", mark.step)), Sense::click());
    let name = format!("Mark at epoch {:.2}", mark.epoch);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
    let tokens = scene.tokens;
    let lit = response.hovered() || response.has_focus();
    let colour = if lit { tokens.accent } else { tokens.text };
    let painter = ui.painter();
    painter.vline(x, strip.y_range(), Stroke::new(1.0, colour));
    let cloth = vec![pos2(x, strip.top()), pos2(x + 7.0, strip.top() + 3.5), pos2(x, strip.top() + 7.0)];
    painter.add(Shape::convex_polygon(cloth, colour, Stroke::new(0.5, tokens.card)));
    if response.clicked() {
        scene.actions.push(PlaybackAction::Seek(mark.epoch));
    } else if response.secondary_clicked() {
        scene.actions.push(PlaybackAction::RemoveMark(mark.step));
    }
    let shown = scene.history.snapshot_at(mark.epoch);
    response.on_hover_ui(|ui| {
        ui.label(format!("{name}, step {}", format::count(mark.step)));
        // A long record may have thinned the marked snapshot away.
        if let Some(shown) = shown.filter(|shown| shown.row.step != mark.step) {
            let epoch = shown.row.epoch;
            ui.label(format!("Its snapshot is no longer kept; the nearest before it is shown, of epoch {epoch:.2}"));
        }
        ui.label("Click: go there. Right button: remove it");
    });
}
