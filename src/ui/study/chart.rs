//! Shows one panel of a study, and finds the run under the pointer.

use egui::{Pos2, Rect, Stroke, Ui, pos2};

use crate::chart::format;
use crate::chart::panel::{Panel, Point, Target};
use crate::paint::panel::{Look, Painted, paint};
use crate::paint::transform::Transform;
use crate::ui::kit::{theme, theme::Tokens};

/// Distance within which the pointer selects a run, in points.
const REACH: f32 = 14.0;

/// Describes a panel as drawn.
pub struct Shown {
    /// The transform from values to screen positions.
    pub transform: Transform,
    /// The run of a clicked point, by its index in the study.
    pub clicked: Option<usize>,
}

/// Draws the panel into the remaining room of this ui; `thick` is a factor on the size of lines and dots.
pub fn show(ui: &mut Ui, id: &str, panel: &Panel, thick: f32) -> Shown {
    let Painted { response, transform, .. } = paint(ui, id, panel, &Look::of_window(thick));
    if panel.is_empty() {
        return Shown { transform, clicked: None };
    }
    let pointed = response.hover_pos().and_then(|pointer| point_out(ui, panel, &transform, pointer));
    if pointed.is_some() {
        ui.set_cursor_icon(egui::CursorIcon::PointingHand);
    }
    Shown { transform, clicked: pointed.filter(|_| response.clicked()) }
}

/// Marks the nearest point of a run, and writes its value, seed and number; returns the run if a click may open it.
pub fn point_out(ui: &Ui, panel: &Panel, transform: &Transform, pointer: Pos2) -> Option<usize> {
    let nearest = panel.targets.iter().filter_map(|target| nearest_of(target, transform, pointer));
    let (_, at, target, point) =
        nearest.min_by(|a, b| a.0.total_cmp(&b.0)).filter(|(distance, ..)| *distance <= REACH)?;
    let tokens = Tokens::of(ui);
    let value = format::number(if panel.y.log { 10f64.powf(point.1) } else { point.1 });
    let when = if panel.x.ticks.is_some() {
        String::new()
    } else {
        let sign = if point.0 < 0.0 { "−" } else { "+" };
        format!(" at {sign}{:.2} epochs", point.0.abs())
    };
    let frame = transform.frame;
    let painter = ui.painter().with_clip_rect(frame.expand(3.0));
    painter.circle(at, 4.0, tokens.ink(target.ink), Stroke::new(1.5, tokens.cursor));
    let galley =
        painter.layout(format!("{}: {value}{when}", target.name), theme::note(), tokens.text, frame.width() - 12.0);
    let size = galley.size();
    let x = (at.x + 8.0).min(frame.right() - size.x - 4.0).max(frame.left() + 4.0);
    let above = at.y - 8.0 - size.y;
    let y = if above < frame.top() + 2.0 { at.y + 8.0 } else { above };
    let ground = Rect::from_min_size(pos2(x, y), size).expand(3.0);
    painter.rect(ground, 3.0, tokens.card, tokens.line(), egui::StrokeKind::Inside);
    painter.galley(pos2(x, y), galley, tokens.text);
    target.run
}

/// Returns the point of a run nearest to the pointer: distance, position, and run.
fn nearest_of<'a>(target: &'a Target, transform: &Transform, pointer: Pos2) -> Option<(f32, Pos2, &'a Target, Point)> {
    // Points are sorted by x, so only those beside the pointer can be near it.
    let x = transform.point(pointer).0;
    let after = target.points.partition_point(|point| point.0 < x);
    let beside = [after.checked_sub(1), Some(after)].into_iter().flatten();
    let points = beside.filter_map(|place| target.points.get(place));
    let far = |point: &Point| {
        let at = transform.position(*point);
        (at.distance(pointer), at, target, *point)
    };
    points.map(far).min_by(|a, b| a.0.total_cmp(&b.0))
}
