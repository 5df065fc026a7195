//! Tells what the pointer is at in a plot: the moment, and name and value of every curve there, the nearest one marked.
//!
//! Guarantees: a value is one that was measured, the nearest to the pointer in time and never one between two; a curve that has
//! none near there, because it begins later or has a gap, is left out. The search takes two comparisons a piece and a binary
//! search in it, so that forty curves cost a frame next to nothing.

use std::cmp::Ordering;

use egui::{Pos2, Response, RichText, Stroke, Ui, vec2};

use crate::chart::format;
use crate::chart::panel::{Line, Panel, Point, Sign};
use crate::paint::panel::{Painted, sign};
use crate::paint::transform::Transform;
use crate::ui::kit::{theme, theme::Tokens};

/// The most curves that are listed; of more, those nearest to the pointer.
const MOST: usize = 12;

/// How far from the pointer a curve may end and still be told of, in points of the screen.
const REACH: f32 = 10.0;

/// How near a mark the pointer tells what it means, in points of the screen.
const AT_MARK: f32 = 14.0;

/// The width at which the sentence at a mark is wrapped.
const WRAP: f32 = 260.0;

/// What is at one place of a plot.
struct Reading<'a> {
    /// The curves that have a point there, from the highest to the lowest, and the index of the nearest.
    curves: Vec<(&'a Line, Point)>,
    nearest: usize,
    /// The number of curves that are not listed.
    more: usize,
}

/// Shows what the pointer is at, of this panel and of further lines that it does not contain; `when` formats a horizontal place.
pub fn show<'a>(
    ui: &Ui,
    response: &Response,
    transform: &Transform,
    panel: &'a Panel,
    further: impl Iterator<Item = &'a Line>,
    when: impl Fn(f64) -> String,
) {
    let Some(pointer) = response.hover_pos().filter(|pointer| transform.frame.contains(*pointer)) else { return };
    if response.dragged() || ui.input(|input| input.pointer.any_down()) {
        return;
    }
    let mark = panel.marks.iter().find(|mark| transform.position(mark.at).distance(pointer) <= AT_MARK);
    let lines = panel.guides.iter().map(|(line, _)| line).filter(|line| !line.name.is_empty());
    let lines = lines.chain(&panel.lines).chain(further);
    let Some(reading) = read(lines, transform, pointer) else { return };
    let tokens = Tokens::of(ui);
    let (nearest, at) = reading.curves[reading.nearest];
    let painter = ui.painter().with_clip_rect(transform.frame.expand(5.0));
    for (place, (line, point)) in reading.curves.iter().enumerate() {
        let radius = if place == reading.nearest { 4.0 } else { 2.5 };
        painter.circle(transform.position(*point), radius, tokens.ink(line.ink), Stroke::new(1.0, tokens.cursor));
    }
    egui::Tooltip::always_open(
        ui.ctx().clone(),
        ui.layer_id(),
        response.id.with("readout"),
        egui::PopupAnchor::Pointer,
    )
    .gap(16.0)
    .show(|ui| {
        ui.set_max_width(WRAP);
        ui.spacing_mut().item_spacing = vec2(6.0, 2.0);
        let text = |text: String| RichText::new(text).size(theme::SMALL);
        if let Some(mark) = mark {
            ui.label(text(mark.meaning.clone()));
            return;
        }
        let quantity = if panel.y.name.is_empty() { String::new() } else { format!(": {}", panel.y.name) };
        ui.label(text(format!("{}{quantity}", when(at.0))).color(tokens.weak));
        for (line, point) in &reading.curves {
            let is_nearest = std::ptr::eq(*line, nearest);
            ui.horizontal(|ui| {
                let (rect, _) = ui.allocate_exact_size(vec2(12.0, 10.0), egui::Sense::hover());
                ui.painter().add(sign(Sign::of(line.style), rect.center(), 6.0, tokens.ink(line.ink)));
                let value = format::number(if panel.y.log { 10f64.powf(point.1) } else { point.1 });
                let name = if line.name.is_empty() { value } else { format!("{}  {value}", line.name) };
                let name = text(name);
                ui.label(if is_nearest { name.strong() } else { name });
            });
        }
        if reading.more > 0 {
            ui.label(text(format!("and {} more", reading.more)).color(tokens.weak));
        }
    });
}

/// Shows what the pointer is at, of a panel as painted.
pub fn of_panel(ui: &Ui, painted: &Painted, panel: &Panel, when: impl Fn(f64) -> String) {
    show(ui, &painted.response, &painted.transform, panel, std::iter::empty(), when);
}

/// Finds what is at the pointer; nothing where no curve has a point near it.
fn read<'a>(lines: impl Iterator<Item = &'a Line>, transform: &Transform, pointer: Pos2) -> Option<Reading<'a>> {
    let x = transform.point(pointer).0;
    let found = lines.filter_map(|line| Some((line, point_near(line, transform, x, pointer.x)?)));
    let mut curves: Vec<(&Line, Point)> = found.collect();
    let far = |point: &Point| transform.position(*point).distance(pointer);
    let closer = |a: &(&Line, Point), b: &(&Line, Point)| far(&a.1).total_cmp(&far(&b.1));
    curves.sort_by(closer);
    let more = curves.len().saturating_sub(MOST);
    curves.truncate(MOST);
    let nearest = curves.first()?.0;
    let downward = |a: &(&Line, Point), b: &(&Line, Point)| b.1.1.partial_cmp(&a.1.1).unwrap_or(Ordering::Equal);
    curves.sort_by(downward);
    let nearest = curves.iter().position(|(line, _)| std::ptr::eq(*line, nearest))?;
    Some(Reading { curves, nearest, more })
}

/// Returns the point of a line that is nearest in the horizontal direction; none if it is out of reach and no piece of the line
/// passes there.
fn point_near(line: &Line, transform: &Transform, x: f64, screen: f32) -> Option<Point> {
    let mut best: Option<(f32, Point)> = None;
    for piece in line.path.pieces.iter().filter(|piece| !piece.is_empty()) {
        let after = piece.partition_point(|point| point.0 < x);
        let passes = after > 0 && after < piece.len();
        let beside = [after.checked_sub(1), Some(after)].into_iter().flatten();
        for point in beside.filter_map(|place| piece.get(place)) {
            let far = (transform.x(point.0) - screen).abs();
            if (passes || far <= REACH) && best.is_none_or(|(least, _)| far < least) {
                best = Some((far, *point));
            }
        }
    }
    best.map(|(_, point)| point)
}
