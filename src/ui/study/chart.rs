//! Draws one panel of a study's picture, and finds the run under the pointer.

use std::sync::Arc;

use egui::{Align2, FontId, Pos2, Rect, Shape, Stroke, Ui, Vec2, pos2};
use egui_plot::{FilledArea, GridMark, Line as PlotLine, LineStyle, PlotPoint, PlotPoints, PlotTransform};

use super::picture::{Dashes, Line, Picture, Target};
use crate::ui::kit::format;
use crate::ui::kit::{theme, theme::Tokens};
use crate::ui::plot::axes;

/// Distance within which the pointer selects a run, in points.
const REACH: f32 = 14.0;

/// Describes a panel as drawn.
pub struct Shown {
    /// The transform from values to screen positions.
    pub transform: PlotTransform,
    /// The run of a clicked point, by its index in the study.
    pub clicked: Option<usize>,
}

/// Draws the picture into the remaining room of this ui; `thick` is a factor on the size of lines and dots.
pub fn show(ui: &mut Ui, id: &str, picture: &Picture, thick: f32) -> Shown {
    let tokens = Tokens::of(ui);
    let behind = ui.painter().add(Shape::Noop);
    let ((left, right), (low, high)) = (picture.x, picture.y);
    let (log, span, height) = (picture.log, high - low, ui.available_height());
    let across = ui.available_width() - axes::AXIS;
    // The texts at the right of the lines have room of their own.
    let widths = picture.labels.iter().map(|label| width(ui, &label.text) + 8.0);
    let room = widths.fold(0.0, f32::max).min(0.5 * across);
    let right = right + (right - left) * f64::from(room / (across - room).max(1.0));
    let plot = match &picture.ticks {
        None => axes::over_time(ui, id, height, picture.x, true),
        Some(ticks) => {
            let shown: Arc<[(f64, String)]> = fitting(ticks, (left, right), across).into();
            let marks: Vec<GridMark> =
                shown.iter().map(|tick| GridMark { value: tick.0, step_size: right - left }).collect();
            let label = move |value: f64| {
                let nearest = shown.iter().min_by(|a, b| (a.0 - value).abs().total_cmp(&(b.0 - value).abs()));
                nearest.map_or_else(String::new, |tick| tick.1.clone())
            };
            let axis = axes::bottom(tokens, true, label);
            axes::bare(ui, id, height).custom_x_axes(vec![axis]).x_grid_spacer(move |_| marks.clone())
        }
    };
    let axis = axes::left(tokens, (low, high), move |value| format::tick(value, span, log));
    let shown =
        plot.custom_y_axes(vec![axis]).y_grid_spacer(format::spacer(log, axes::ticks_up(height))).show(ui, |plot_ui| {
            plot_ui.set_plot_bounds_x(left..=right);
            plot_ui.set_plot_bounds_y(low..=high);
            for (place, ribbon) in picture.ribbons.iter().enumerate() {
                let area = FilledArea::new("", &ribbon.x, &ribbon.low, &ribbon.high)
                    .fill_color(ribbon.colour)
                    .stroke(Stroke::NONE);
                plot_ui.add(area.id(("ribbon", place)).allow_hover(false));
            }
            let lines = picture.guides.iter().map(|(line, _)| line).chain(&picture.lines);
            lines.enumerate().for_each(|(place, line)| plot_ui.line(drawn(line, place, thick)));
        });
    let transform = shown.transform;
    let frame = *transform.frame();
    let mut ground = vec![Shape::rect_filled(frame, 2.0, tokens.well)];
    if picture.ticks.is_none() && left < 0.0 {
        let x = transform.position_from_point_x(0.0);
        ground.push(Shape::vline(x, frame.y_range(), Stroke::new(1.5, tokens.faint)));
    }
    ui.painter().set(behind, Shape::Vec(ground));
    if picture.is_empty() {
        ui.painter().text(frame.center(), Align2::CENTER_CENTER, "Not measured", theme::note(), tokens.faint);
        return Shown { transform, clicked: None };
    }
    dots(ui, picture, &transform, thick);
    labels(ui, picture, &transform, room - 8.0);
    if picture.ticks.is_none() {
        let (at, font) = (frame.right_bottom() - Vec2::new(4.0, 1.0), FontId::proportional(9.5));
        ui.painter().text(at, Align2::RIGHT_BOTTOM, "epochs since the switch", font, tokens.faint);
    }
    let pointed = shown.response.hover_pos().and_then(|pointer| point_out(ui, picture, &transform, pointer));
    if pointed.is_some() {
        ui.set_cursor_icon(egui::CursorIcon::PointingHand);
    }
    Shown { transform, clicked: pointed.filter(|_| shown.response.clicked()) }
}

fn drawn(line: &Line, place: usize, thick: f32) -> PlotLine<'_> {
    let style = match line.style {
        Dashes::None => LineStyle::Solid,
        Dashes::Broken => LineStyle::Dashed { length: 5.0 },
        Dashes::Dotted => LineStyle::Dotted { spacing: 4.0 },
    };
    let drawn = PlotLine::new("", PlotPoints::Borrowed(&line.points)).id(("line", place));
    drawn.color(line.colour).width(thick * line.width).style(style).allow_hover(false)
}

/// Draws the texts at the right of the lines, each at the height of its line's end unless another one is there, and the names
/// of the reference lines where these leave the panel.
fn labels(ui: &Ui, picture: &Picture, transform: &PlotTransform, room: f32) {
    let (painter, frame) = (ui.painter(), *transform.frame());
    let mut ends: Vec<_> =
        picture.labels.iter().map(|label| (transform.position_from_point(&label.at), label)).collect();
    ends.sort_by(|a, b| a.0.y.total_cmp(&b.0.y));
    let heights = apart(&ends.iter().map(|end| end.0.y).collect::<Vec<_>>(), (frame.top() + 6.0, frame.bottom() - 6.0));
    for ((at, label), y) in ends.iter().zip(heights) {
        let at = pos2(at.x.max(frame.left()) + 5.0, y);
        let most = label.text.chars().count() as f32 * room / width(ui, &label.text).max(1.0);
        painter.text(at, Align2::LEFT_CENTER, cut(&label.text, (most + 0.01) as usize), beside(), label.colour);
    }
    for (line, name) in &picture.guides {
        let &[first, last] = line.points.as_slice() else { continue };
        let y = last.y.max(picture.y.0 + 0.08 * (picture.y.1 - picture.y.0));
        let x = first.x + (last.x - first.x) * (y - first.y) / (last.y - first.y);
        let at = transform.position_from_point(&PlotPoint::new(x, y)) + Vec2::new(-3.0, 0.0);
        let fits = at.x - width(ui, name) > frame.left();
        let align = if fits { Align2::RIGHT_CENTER } else { Align2::LEFT_CENTER };
        painter.text(at, align, name, beside(), Tokens::of(ui).weak);
    }
}

/// Returns the font of texts beside lines.
fn beside() -> FontId {
    FontId::proportional(10.0)
}

/// Returns the width of a text in this font.
fn width(ui: &Ui, text: &str) -> f32 {
    ui.painter().layout_no_wrap(text.to_owned(), beside(), egui::Color32::WHITE).size().x
}

/// Moves heights (ascending) apart as little as lines of text need, within these ends.
fn apart(heights: &[f32], (top, bottom): (f32, f32)) -> Vec<f32> {
    const LINE: f32 = 11.0;
    let mut moved: Vec<f32> = Vec::new();
    for &height in heights {
        moved.push(height.max(moved.last().map_or(top, |last| last + LINE)));
    }
    let mut limit = bottom;
    for height in moved.iter_mut().rev() {
        *height = height.min(limit);
        limit = *height - LINE;
    }
    moved
}

/// Returns the ticks whose labels fit.
fn fitting(ticks: &[(f64, String)], (left, right): (f64, f64), width: f32) -> Vec<(f64, String)> {
    let at = |value: f64| ((value - left) / (right - left)) as f32 * width;
    // Names are cut to the room of each; numbers are never cut, but some are left out.
    let room = (width / ticks.len().max(1) as f32 / LETTER) as usize;
    let names = ticks.iter().any(|tick| tick.1.parse::<f64>().is_err());
    let mut shown: Vec<(f64, String)> = Vec::new();
    let mut free = f32::NEG_INFINITY;
    let mut sorted: Vec<&(f64, String)> = ticks.iter().collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (value, text) in sorted {
        let text = if names { cut(text, room.max(3)) } else { text.clone() };
        let half = 0.5 * LETTER * text.chars().count() as f32;
        if at(*value) - half >= free {
            free = at(*value) + half + LETTER;
            shown.push((*value, text));
        }
    }
    shown
}

/// Width of a letter of a tick label.
const LETTER: f32 = 5.8;

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// Draws bars and dots above the lines.
fn dots(ui: &Ui, picture: &Picture, transform: &PlotTransform, thick: f32) {
    let painter = ui.painter().with_clip_rect(transform.frame().expand(3.0));
    for bar in &picture.bars {
        let at = |y: f64| transform.position_from_point(&PlotPoint::new(bar.at, y));
        painter.line_segment([at(bar.ends.0), at(bar.ends.1)], Stroke::new(thick, bar.colour));
    }
    for dot in &picture.dots {
        let at = transform.position_from_point(&dot.at);
        if dot.full {
            painter.circle_filled(at, 3.0 * thick, dot.colour);
        } else {
            painter.circle_stroke(at, 2.4 * thick, Stroke::new(thick, dot.colour));
        }
    }
}

/// Marks the nearest point of a run, and writes its value, seed and number; returns the run if a click may open it.
pub fn point_out(ui: &Ui, picture: &Picture, transform: &PlotTransform, pointer: Pos2) -> Option<usize> {
    let nearest = picture.targets.iter().filter_map(|target| nearest_of(target, transform, pointer));
    let (_, at, target, point) =
        nearest.min_by(|a, b| a.0.total_cmp(&b.0)).filter(|(distance, ..)| *distance <= REACH)?;
    let tokens = Tokens::of(ui);
    let value = format::number(if picture.log { 10f64.powf(point.y) } else { point.y });
    let when = if picture.ticks.is_some() {
        String::new()
    } else {
        let sign = if point.x < 0.0 { "−" } else { "+" };
        format!(" at {sign}{:.2} epochs", point.x.abs())
    };
    let frame = *transform.frame();
    let painter = ui.painter().with_clip_rect(frame.expand(3.0));
    painter.circle(at, 4.0, target.colour, Stroke::new(1.5, tokens.cursor));
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
fn nearest_of<'a>(
    target: &'a Target,
    transform: &PlotTransform,
    pointer: Pos2,
) -> Option<(f32, Pos2, &'a Target, PlotPoint)> {
    // Points are sorted by x, so only those beside the pointer can be near it.
    let x = transform.value_from_position(pointer).x;
    let after = target.points.partition_point(|point| point.x < x);
    let beside = [after.checked_sub(1), Some(after)].into_iter().flatten();
    let points = beside.filter_map(|place| target.points.get(place));
    let far = |point: &PlotPoint| {
        let at = transform.position_from_point(point);
        (at.distance(pointer), at, target, *point)
    };
    points.map(far).min_by(|a, b| a.0.total_cmp(&b.0))
}
