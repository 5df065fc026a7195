//! Arranges the panels of a figure below each other, each with its title, its legend and the names of its axes.
//!
//! A figure is as wide as a column of a paper, 5.5 inches, where its text has 9 to 10 points and none is smaller.

use std::sync::Arc;

use egui::epaint::{TextShape, text::LayoutJob};
use egui::{Align, Align2, Color32, FontId, Galley, Rect, Ui, UiBuilder, Vec2, pos2, vec2};

use super::panel::{self, Look, PRINT};
use super::theme::Tokens;
use crate::chart::panel::{Entry, Panel};

/// Width of a figure and height of a panel, in points of which 96 are an inch.
pub const WIDTH: f32 = 528.0;
const HEIGHT: f32 = 226.0;
/// Space around a panel, and between the parts of its header.
const MARGIN: f32 = 10.0;
const GAP: f32 = 4.0;
/// Height of the name of an axis.
const NAME: f32 = 15.0;
/// Most lines of a legend.
const MOST_LINES: usize = 3;

/// Returns the font of titles.
pub fn title() -> FontId {
    FontId::proportional(13.5)
}

/// Returns the font of legends and of the names of axes.
pub fn small() -> FontId {
    FontId::proportional(PRINT)
}

/// Returns the size of a figure with this many panels, in points.
pub fn size(panels: usize) -> Vec2 {
    vec2(WIDTH, HEIGHT * panels.max(1) as f32)
}

/// Paints the panels of the figure of this name.
pub fn paint(ui: &mut Ui, name: &str, panels: &[Panel]) {
    let mut look = Look::of_paper();
    let rects = (0..panels.len()).map(|place| {
        let rect = Rect::from_min_size(pos2(0.0, place as f32 * HEIGHT), vec2(WIDTH, HEIGHT));
        rect.shrink2(vec2(MARGIN, 0.5 * MARGIN))
    });
    // The room of each panel below its header, and the name of its vertical axis.
    let found = panels.iter().zip(rects).map(|(panel, rect)| {
        let names = if panel.tasks.is_empty() { 0.0 } else { small().size };
        let room = rect.with_min_y(header(ui, panel, rect) + GAP + names);
        (panel, room, axis_name(ui, &panel.y.name, room.height()))
    });
    let found: Vec<(&Panel, Rect, Arc<Galley>)> = found.collect();
    // Below each other all have the same room at their sides, so that one place is above the other.
    let widest = |of: &dyn Fn(&Panel) -> f32| panels.iter().map(of).fold(0.0, f32::max);
    look.left = widest(&|panel| panel::axis_width(ui, panel, HEIGHT, &look));
    look.room = Some(widest(&|panel| panel::ends_width(ui, panel, &look)));
    let names = found.iter().map(|(.., name)| name.size().y).fold(NAME, f32::max);
    for (place, (described, room, axis)) in found.into_iter().enumerate() {
        // The name of the horizontal axis reaches into the room that is kept for the labels of its ticks.
        let body = Rect::from_min_max(room.min + vec2(names, 0.0), room.max - vec2(0.0, 0.75 * NAME));
        one(ui, &format!("{name} {place}"), described, &look, (room, body), axis);
    }
}

/// Returns the name of a vertical axis of this length, in lines that are not longer.
fn axis_name(ui: &Ui, name: &str, length: f32) -> Arc<Galley> {
    let weak = Tokens::of(ui).weak;
    let mut job = LayoutJob::simple(name.to_owned(), small(), weak, length);
    job.halign = Align::Center;
    ui.painter().layout_job(job)
}

fn one(ui: &mut Ui, id: &str, panel: &Panel, look: &Look, (room, body): (Rect, Rect), axis: Arc<Galley>) {
    let tokens = Tokens::of(ui);
    let mut inside = ui.new_child(UiBuilder::new().max_rect(body).id_salt(id));
    let painted = panel::paint(&mut inside, id, panel, look);
    let frame = painted.transform.frame;
    for band in &panel.tasks {
        let [from, to] = [band.from, band.to].map(|at| painted.transform.x(at));
        let full = format!("training task {}", band.task);
        let short = format!("task {}", band.task);
        // No name where it does not fit.
        let fits = |name: &&String| panel::width(ui, name, &small()) + GAP <= to - from;
        if let Some(name) = [&full, &short].into_iter().find(fits) {
            let at = pos2(0.5 * (from + to), frame.top() - 1.0);
            ui.painter().text(at, Align2::CENTER_BOTTOM, name, small(), tokens.task(band.task));
        }
    }
    let below = pos2(frame.center().x, room.bottom());
    ui.painter().text(below, Align2::CENTER_BOTTOM, &panel.x.name, small(), tokens.weak);
    // In the middle of the axis, and where it is longer, from the lower edge upwards.
    let half = 0.5 * axis.size().x;
    let middle = (frame.center().y + half).min(room.bottom()) - half;
    let turned = TextShape::new(pos2(room.left(), middle), axis, tokens.weak);
    ui.painter().add(turned.with_angle(-std::f32::consts::FRAC_PI_2));
}

/// Paints the title, and the legend beside it or in lines below; returns its lower edge.
fn header(ui: &Ui, panel: &Panel, rect: Rect) -> f32 {
    let tokens = Tokens::of(ui);
    let text = ui.painter().layout(panel.title.clone(), title(), tokens.text, rect.width());
    let size = text.size();
    ui.painter().galley(rect.min, text, tokens.text);
    let beside = rect.width() - size.x - 24.0;
    let in_full: Vec<(&Entry, &str)> = panel.legend.iter().map(|entry| (entry, entry.name.as_str())).collect();
    if size.y < 1.5 * title().size && lines(ui, &in_full, beside).len() == 1 {
        let y = rect.top() + 0.5 * size.y;
        let wide: f32 = in_full.iter().map(|(_, name)| entry_width(ui, name)).sum();
        legend(ui, &in_full, pos2(rect.right() - wide + BETWEEN, y), tokens);
        return rect.top() + size.y;
    }
    let mut y = rect.top() + size.y;
    // The last words of names are the numbers of tasks. Where not even these fit there is no legend: bands show the colours too.
    let short: Vec<(&Entry, &str)> = in_full.iter().map(|(entry, name)| (*entry, last_word(name))).collect();
    for names in [in_full, short] {
        let lines = lines(ui, &names, rect.width());
        if lines.len() <= MOST_LINES {
            for line in lines {
                y += 0.5 * LINE;
                legend(ui, line, pos2(rect.left(), y), tokens);
                y += 0.5 * LINE;
            }
            break;
        }
    }
    y
}

/// Height of a line of a legend, width of a sign with the space behind it, and space between two entries.
const LINE: f32 = 15.0;
const SIGN: f32 = 17.0;
const BETWEEN: f32 = 12.0;

fn entry_width(ui: &Ui, name: &str) -> f32 {
    SIGN + panel::width(ui, name, &small()) + BETWEEN
}

/// Returns the entries in lines of this width.
fn lines<'a, 'b>(ui: &Ui, mut entries: &'b [(&'a Entry, &'a str)], room: f32) -> Vec<&'b [(&'a Entry, &'a str)]> {
    let mut lines = Vec::new();
    while !entries.is_empty() {
        let mut end = 0.0;
        let fit = entries.iter().take_while(|(_, name)| {
            end += entry_width(ui, name);
            end - BETWEEN <= room
        });
        let (line, rest) = entries.split_at(fit.count().max(1));
        lines.push(line);
        entries = rest;
    }
    lines
}

/// Paints a line of entries from this place on.
fn legend(ui: &Ui, entries: &[(&Entry, &str)], start: egui::Pos2, tokens: &Tokens) {
    let mut x = start.x;
    for (entry, name) in entries {
        let colour: Color32 = tokens.ink(entry.ink);
        ui.painter().add(panel::sign(entry.sign, pos2(x + 6.0, start.y), 6.0, colour));
        ui.painter().text(pos2(x + SIGN, start.y), Align2::LEFT_CENTER, name, small(), tokens.text);
        x += entry_width(ui, name);
    }
}

fn last_word(name: &str) -> &str {
    name.rsplit(' ').next().unwrap_or(name)
}
