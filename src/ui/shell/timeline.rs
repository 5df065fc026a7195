//! Draws the whole run in one strip: tasks by colour, a tick per snapshot, marks, the cursor and its buttons, and the button that
//! follows the run.
//!
//! Plots may show a part of the run; this strip always shows the whole run, and marks that part.

use egui::text::{LayoutJob, TextWrapping};
use egui::{
    Align2, Mesh, PointerButton, Rect, RichText, Role, Sense, Shape, Stroke, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};

use crate::paint::axes;
use crate::ui::app::commands::UserCommand;
use crate::ui::kit::format;
use crate::ui::kit::widgets::{Icon, IconButton};
use crate::ui::kit::{theme, theme::GRID};
use crate::ui::playback::action::PlaybackAction;
use crate::ui::playback::clock::newest;
use crate::ui::playback::controls;
use crate::ui::views::context::ViewContext;

/// Height of the strip with its text.
pub const HEIGHT: f32 = 52.0 + LINE;

/// Height of the line above the strip that says what run this is.
const LINE: f32 = 14.0;

pub fn show(ui: &mut Ui, scene: &mut ViewContext<'_>, available: &[UserCommand]) {
    let tokens = scene.tokens;
    let rect = ui.available_rect_before_wrap();
    ui.painter().rect(rect, 6.0, tokens.card, tokens.line(), egui::StrokeKind::Inside);
    let inner = rect.shrink2(vec2(8.0, 6.0));
    let follow = 88.0;
    let (head, rest) = inner.split_left_right_at_x(inner.left() + axes::AXIS + 76.0);
    let (strip, follow) = rest.split_left_right_at_x(rest.right() - follow);
    let (strip, buttons) = strip.split_left_right_at_x(strip.right() - controls::WIDTH);
    read_out(ui, scene, head);
    controls::controls(ui, scene, buttons, available);
    follow_button(ui, scene, follow);
    let strip = strip.with_max_x(strip.right() - 2.0 * GRID);
    what_run(ui, scene, strip);
    paint(ui, scene, strip.with_min_y(strip.top() + LINE));
}

/// Draws epoch, step and task at the cursor.
fn read_out(ui: &Ui, scene: &ViewContext<'_>, rect: Rect) {
    let painter = ui.painter();
    let tokens = scene.tokens;
    let font = egui::FontId::monospace(theme::HEADING - 2.0);
    let text = scene.digits(scene.cursor);
    let shown = painter.text(pos2(rect.left(), rect.top() + 11.0), Align2::LEFT_CENTER, text, font, tokens.text);
    painter.text(
        // The word keeps its place while the number grows, as long as there is room.
        pos2((rect.left() + 52.0).max(shown.right() + GRID), rect.top() + 12.0),
        Align2::LEFT_CENTER,
        scene.time_unit(),
        theme::note(),
        tokens.weak,
    );
    // Matrices belong to a snapshot, which may be slightly earlier than the cursor.
    let step = scene.snapshot.as_ref().map_or_else(String::new, |snapshot| {
        let step = format::count(snapshot.row.step);
        if scene.history.counts_steps() { format!("kernel of {step}") } else { format!("kernel of step {step}") }
    });
    painter.text(pos2(rect.left(), rect.bottom() - 7.0), Align2::LEFT_CENTER, step, theme::note(), tokens.weak);
}

/// Says what run this is, as it was begun, above the strip.
fn what_run(ui: &mut Ui, scene: &ViewContext<'_>, rect: Rect) {
    let Some(info) = scene.info().filter(|info| !info.is_imported()) else { return };
    let rect = rect.with_max_y(rect.top() + LINE - 2.0);
    let mut ui = ui.new_child(UiBuilder::new().max_rect(rect).id_salt("what run"));
    let text = RichText::new(info.spec.in_one_line()).size(theme::SMALL).color(scene.tokens.weak);
    ui.add(egui::Label::new(text).truncate());
}

/// Draws a word while the run is followed, and a prominent button otherwise.
fn follow_button(ui: &mut Ui, scene: &mut ViewContext<'_>, rect: Rect) {
    let command = UserCommand::Follow;
    let mut ui = ui.new_child(UiBuilder::new().max_rect(rect).layout(egui::Layout::right_to_left(egui::Align::Center)));
    if scene.clock.is_following() {
        let text = RichText::new("Following").size(theme::SMALL).color(scene.tokens.weak);
        let hover = "All of the run so far is in view and its newest snapshot is shown; a drag, the wheel or an arrow ends that";
        ui.label(text).on_hover_text(hover);
        return;
    }
    let button = IconButton { primary: true, ..IconButton::of(&ui, command, Icon::Newest) };
    if button.text(command.about().label).show(&mut ui, theme::ROW + 2.0 * GRID).clicked() {
        scene.actions.user(command);
    }
}

fn paint(ui: &mut Ui, scene: &mut ViewContext<'_>, rect: Rect) {
    let tokens = scene.tokens;
    let end = scene.bands.last().map_or(1.0, |band| band.to).max(newest(scene.history)).max(1e-6);
    let x = |epoch: f64| rect.left() + (epoch / end) as f32 * rect.width();
    let response = ui.interact(rect, ui.scope_id().with("timeline"), Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::labeled(Role::Slider, true, "Time"));
    let painter = ui.painter().with_clip_rect(rect.expand2(vec2(1.0, 0.0)));
    let (top, bottom) = (rect.top() + 2.0, rect.bottom() - 16.0);
    painter.rect_filled(Rect::from_min_max(pos2(rect.left(), top), pos2(rect.right(), bottom)), 3.0, tokens.well);
    let seen = newest(scene.history);
    for band in &scene.bands {
        let field = Rect::from_min_max(pos2(x(band.from) + 0.5, top), pos2(x(band.to) - 0.5, bottom));
        let colour = tokens.task(band.task);
        painter.rect_filled(field, 3.0, colour.gamma_multiply(0.22));
        let done = field.with_max_x(x(seen.clamp(band.from, band.to)) - 0.5);
        if done.width() > 0.0 && seen > band.from {
            painter.rect_filled(done, 3.0, colour.gamma_multiply(if tokens.dark { 0.75 } else { 0.8 }));
        }
        name(&painter, scene, field, band.task, bottom);
    }
    ticks(&painter, scene, x, rect, bottom);
    for (epoch, _) in scene.history.live_changes() {
        let line = [pos2(x(epoch), top), pos2(x(epoch), bottom)];
        painter.extend(Shape::dashed_line(&line, Stroke::new(1.0, tokens.warning), 2.0, 2.0));
    }
    let (from, to) = scene.range;
    if !scene.clock.is_following() && (to - from) < end * 0.999 {
        let part = Rect::from_x_y_ranges(x(from)..=x(to), (top - 2.0)..=(bottom + 2.0)).intersect(rect);
        painter.rect_stroke(part, 3.0, Stroke::new(1.0, tokens.accent), egui::StrokeKind::Inside);
    }
    controls::flags(ui, scene, Rect::from_x_y_ranges(rect.x_range(), top..=bottom), x);
    let head = x(scene.cursor);
    painter.vline(head, (top - 2.0)..=(bottom + 3.0), Stroke::new(2.0, tokens.cursor));
    painter.circle(pos2(head, bottom + 4.0), 4.0, tokens.cursor, Stroke::new(1.5, tokens.card));

    if response.double_clicked() {
        scene.actions.user(UserCommand::Follow);
    } else if let Some(pos) = response.interact_pointer_pos()
        && (response.dragged_by(PointerButton::Primary) || response.clicked())
    {
        let epoch = f64::from((pos.x - rect.left()) / rect.width()) * end;
        scene.actions.push(PlaybackAction::Seek(epoch));
    }
}

/// Draws the number and, where there is room, the name of a task, below its part of the strip.
fn name(painter: &egui::Painter, scene: &ViewContext<'_>, field: Rect, task: usize, bottom: f32) {
    let known = scene.info().and_then(|info| info.tasks.get(task - 1));
    let text = known.map_or_else(|| format!("{task}"), |known| format!("{task}  {}", known.name));
    let mut job = LayoutJob::simple_singleline(text, theme::note(), scene.tokens.weak);
    job.wrap = TextWrapping::truncate_at_width((field.width() - 6.0).max(1.0));
    let galley = painter.layout_job(job);
    let at = pos2(field.left() + 2.0, bottom + 10.0 - galley.size().y / 2.0);
    painter.galley(at, galley, scene.tokens.weak);
}

/// Draws a tick for each snapshot, where there is room, as one mesh because there may be hundreds.
fn ticks(painter: &egui::Painter, scene: &mut ViewContext<'_>, x: impl Fn(f64) -> f32, rect: Rect, bottom: f32) {
    let colour = scene.tokens.card.gamma_multiply(0.8);
    let mut mesh = Mesh::default();
    let mut last = f32::NEG_INFINITY;
    for &epoch in scene.curves.snapshot_epochs(scene.history).iter() {
        let at = x(epoch).round();
        if at - last >= 3.0 && rect.x_range().contains(at) {
            mesh.add_colored_rect(Rect::from_x_y_ranges(at..=at + 1.0, (bottom - 5.0)..=bottom), colour);
            last = at;
        }
    }
    painter.add(Shape::mesh(mesh));
}
