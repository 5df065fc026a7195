//! Paints a described panel into the room of a ui: axes, bands, curves, dots, and the texts at lines and marks.
//!
//! Guarantees: texts at the ends of lines and at marks lie inside the panel; in files they do not cover each other. A line of
//! more points than pixels costs a frame no more than its pixels.

use std::f32::consts::GOLDEN_RATIO;

use egui::epaint::{BandPoint, BandShape, Mesh, Shape};
use egui::layers::ShapeIdx;
use egui::{Align2, Color32, FontId, Galley, Painter, Pos2, Rect, Response, Stroke, Ui, pos2, vec2};

use super::axes::{self, Axes, Ticks};
use super::theme::{self, Tokens};
use super::transform::Transform;
use crate::chart::format;
use crate::chart::panel::{Axis, Dashes, Line, Mark, Panel, Point, Sign};

/// The sizes of a panel, in the window or on paper.
#[derive(Clone, Debug)]
pub struct Look {
    /// A factor on the size of lines and dots.
    pub thick: f32,
    pub ticks: FontId,
    /// The font of texts beside lines.
    pub beside: FontId,
    /// The font of the numbers at marks.
    pub mark: FontId,
    /// Width of the lines at switches.
    pub rule: f32,
    /// Whether the time axis has labels; none where another panel is right below.
    pub labels: bool,
    /// Whether the lines of the grid are painted; a picture that fills the panel has none over it.
    pub grid: bool,
    /// The least width of the left axis.
    pub left: f32,
    /// The room for texts at the right of the lines; none is as much as this panel's own texts need.
    pub room: Option<f32>,
    /// Whether the vertical axis has its name inside the frame, where no header says what it is.
    pub named: bool,
    /// Whether it is for paper: the ground is white, the axes are lines, and their names stand outside.
    pub paper: bool,
}

impl Look {
    /// Returns that of the window.
    pub fn of_window(thick: f32) -> Self {
        let beside = FontId::proportional(10.0);
        Self {
            thick,
            ticks: theme::ticks(),
            beside,
            mark: FontId::proportional(theme::TITLE),
            rule: 1.5,
            labels: true,
            grid: true,
            left: axes::AXIS,
            room: None,
            named: false,
            paper: false,
        }
    }

    /// Returns that of the views of a run.
    pub fn of_view(thick: f32, labels: bool) -> Self {
        let usual = Self::of_window(thick);
        // Where lines are thick, for the back row, the labels are larger, too.
        let ticks = if thick > 1.0 { FontId { size: LARGE, ..usual.ticks } } else { usual.ticks };
        Self { rule: thick, labels, ticks, named: true, ..usual }
    }

    /// Returns that of files.
    pub fn of_paper() -> Self {
        Self {
            thick: 1.0,
            ticks: FontId::monospace(PRINT),
            beside: FontId::proportional(PRINT),
            mark: FontId::proportional(13.0),
            rule: 1.5,
            labels: true,
            grid: true,
            left: 0.0,
            room: None,
            named: true,
            paper: true,
        }
    }

    /// Returns the ticks of the vertical axis of a panel of this height, with their labels.
    fn upward(&self, panel: &Panel, height: f32) -> Vec<(f64, String)> {
        let Axis { log, range, ticks, .. } = &panel.y;
        if let Some(ticks) = ticks {
            return ticks.clone();
        }
        let most = axes::ticks_up(height);
        let (places, span) = if self.paper {
            format::marks_in_print(*log, *range, most)
        } else {
            (format::marks(*log, *range, most), range.1 - range.0)
        };
        places.into_iter().map(|place| (place, format::tick(place, span, *log))).collect()
    }
}

/// The size of the labels of ticks in a presentation.
const LARGE: f32 = 12.0;

/// Length of the dashes of broken lines, and of the gaps between them.
pub const DASH: f32 = 5.0;
pub const SPACE: f32 = DASH * (GOLDEN_RATIO - 1.0);

/// The least size of text in files, of which 96 points are an inch: 9 of the 72 points in which a paper counts.
pub const PRINT: f32 = 12.0;

/// Returns to the caller what it needs to paint over a panel, and to react to the pointer.
pub struct Painted {
    pub response: Response,
    /// The transform from stored values to positions.
    pub transform: Transform,
    /// The place above the tasks and below the grid, for what the caller paints there.
    pub behind: ShapeIdx,
}

/// Paints a panel into the remaining room of this ui.
pub fn paint(ui: &mut Ui, id: &str, panel: &Panel, look: &Look) -> Painted {
    let height = ui.available_height();
    paint_high(ui, id, panel, look, height)
}

/// Paints a panel of this height into the remaining room of this ui.
pub fn paint_high(ui: &mut Ui, id: &str, panel: &Panel, look: &Look, height: f32) -> Painted {
    let tokens = Tokens::of(ui);
    let [lowest, behind] = [(); 2].map(|()| ui.painter().add(Shape::Noop));
    let ((left, right), (low, high)) = (panel.x.range, panel.y.range);
    let across = ui.available_width() - look.left;
    let room = look.room.unwrap_or_else(|| ends_width(ui, panel, look)).min(0.5 * across);
    let right = right + (right - left) * f64::from(room / (across - room).max(1.0));
    let has_labels = look.labels || panel.x.ticks.is_some();
    let below = match &panel.x.ticks {
        None => {
            let most = axes::ticks_over_time(ui.available_width());
            let span = panel.x.range.1 - left;
            let label = |at: f64| if look.labels { format::tick(at, span, false) } else { String::new() };
            format::marks(false, (left, right), most).into_iter().map(|at| (at, label(at))).collect()
        }
        Some(ticks) => {
            let letter = LETTER * look.ticks.size / theme::ticks().size;
            fitting(ticks, (left, right), across, letter)
        }
    };
    // A panel without content has no range to speak of.
    let mut up = if panel.is_empty() && !look.paper { Vec::new() } else { look.upward(panel, height) };
    if panel.y.ticks.is_none() {
        // A label at the very edge would overlap the panel above or the labels below.
        let outside = |at: f64| !(0.035..=0.97).contains(&((at - low) / (high - low)));
        up.iter_mut().filter(|tick| outside(tick.0)).for_each(|tick| tick.1.clear());
    }
    let axes = Axes {
        x: Ticks { range: (left, right), places: below, least: if has_labels { axes::TICKS } else { axes::GAP } },
        y: Ticks { range: (low, high), places: up, least: look.left },
        font: &look.ticks,
        grid: look.grid,
        log: panel.y.log && !panel.is_empty(),
    };
    let (response, transform) = axes.paint(ui, id, height);
    let frame = transform.frame;
    ui.painter().set(lowest, Shape::Vec(ground(panel, &transform, look, tokens)));
    let painter = ui.painter().with_clip_rect(frame);
    switches(&painter, panel, &transform, look, tokens);
    if panel.is_empty() {
        let font = if look.paper { look.mark.clone() } else { theme::note() };
        ui.painter().text(frame.center(), Align2::CENTER_CENTER, panel.empty, font, tokens.faint);
    } else {
        for &at in &panel.rules {
            painter.vline(transform.x(at), frame.y_range(), Stroke::new(look.rule, tokens.faint));
        }
        events(&painter, panel, &transform, look, tokens);
        for ribbon in &panel.ribbons {
            let fill = tokens.ink(ribbon.ink).gamma_multiply(if tokens.dark { 0.16 } else { 0.14 });
            painter.add(band(&ribbon.points, &transform, fill));
        }
        for line in panel.guides.iter().map(|(line, _)| line).chain(&panel.lines) {
            stroke(&painter, line, &transform, look, tokens.ink(line.ink));
        }
        dots(&ui.painter().with_clip_rect(frame.expand(3.0)), panel, &transform, look.thick, tokens);
        ends(ui, panel, &transform, room - GAP, look);
    }
    if look.paper {
        let line = Stroke::new(0.75, tokens.weak);
        ui.painter().line_segment([frame.left_top(), frame.left_bottom()], line);
        ui.painter().line_segment([frame.left_bottom(), frame.right_bottom()], line);
    } else {
        names(ui, panel, frame, look, tokens);
    }
    marks(ui, panel, &transform, look);
    Painted { response, transform, behind }
}

/// Space between the end of a line and its text, with that behind the text.
const GAP: f32 = 8.0;

/// Returns the width that the texts at the right of the lines need.
pub fn ends_width(ui: &Ui, panel: &Panel, look: &Look) -> f32 {
    let widths = panel.ends.iter().map(|end| width(ui, &end.text, &look.beside) + GAP);
    widths.fold(0.0, f32::max)
}

/// Returns the width of the left axis that the labels of its ticks need in a panel of this height.
pub fn axis_width(ui: &Ui, panel: &Panel, height: f32, look: &Look) -> f32 {
    let widths = look.upward(panel, height).into_iter().map(|tick| width(ui, &tick.1, &look.ticks) + GAP);
    widths.fold(0.0, f32::max)
}

/// Paints inside the frame the names of the axes, and what the strokes show; curves pass behind these words.
fn names(ui: &Ui, panel: &Panel, frame: Rect, look: &Look, tokens: &Tokens) {
    let painter = ui.painter().with_clip_rect(frame);
    let font = FontId::proportional(9.5);
    let layout = |text: &str| painter.layout_no_wrap(text.to_owned(), font.clone(), tokens.weak);
    let ground = |rect: Rect| painter.rect_filled(rect.expand2(vec2(2.0, 0.0)), 2.0, tokens.well.gamma_multiply(0.75));
    let mut right = frame.right();
    if panel.x.ticks.is_none() && look.labels && !panel.x.name.is_empty() {
        let unit = layout(&panel.x.name);
        let rect = Align2::RIGHT_BOTTOM.anchor_size(frame.right_bottom() - vec2(4.0, 1.0), unit.size());
        right = rect.left();
        ground(rect);
        painter.galley(rect.min, unit, tokens.weak);
    }
    if panel.is_empty() {
        return;
    }
    if look.named && !panel.y.name.is_empty() {
        let name = layout(&panel.y.name);
        let rect = Rect::from_min_size(frame.left_top() + vec2(6.0, 1.0), name.size());
        if rect.right() < frame.right() && 4.0 * rect.height() < frame.height() {
            ground(rect);
            painter.galley(rect.min, name, tokens.weak);
        }
    }
    // All of them or none: a part of a key would say that the other strokes mean nothing.
    let key: Vec<_> = panel.strokes.iter().map(|entry| (entry, layout(&entry.name))).collect();
    let width: f32 = key.iter().map(|(_, name)| name.size().x + 28.0).sum();
    if frame.left() + width > right - 6.0 || frame.height() < 60.0 {
        return;
    }
    let mut left = frame.left() + 6.0;
    for (entry, name) in key {
        let rect = Rect::from_min_size(pos2(left, frame.bottom() - 1.0 - name.size().y), name.size() + vec2(20.0, 0.0));
        ground(rect);
        painter.add(sign(entry.sign, rect.left_center() + vec2(8.0, 0.0), 8.0, tokens.ink(entry.ink)));
        painter.galley(rect.min + vec2(20.0, 0.0), name, tokens.weak);
        left = rect.right() + 8.0;
    }
}

/// Paints what was done to the run: a broken line each, and its words at the top where there is room for them.
fn events(painter: &Painter, panel: &Panel, transform: &Transform, look: &Look, tokens: &Tokens) {
    let frame = transform.frame;
    let font = if look.paper { look.ticks.clone() } else { FontId::proportional(9.5) };
    let mut free = f32::NEG_INFINITY;
    for event in &panel.events {
        let x = transform.x(event.at);
        if !frame.x_range().contains(x) {
            continue;
        }
        let line = [pos2(x, frame.top()), pos2(x, frame.bottom())];
        painter.extend(Shape::dashed_line(&line, Stroke::new(1.0, tokens.warning), 2.0, 2.0));
        let words = painter.layout_no_wrap(event.words.clone(), font.clone(), tokens.warning);
        // Below the name of the vertical axis.
        let rect = Rect::from_min_size(pos2(x + 2.0, frame.top() + 1.5 * font.size), words.size());
        if x >= free && rect.right() < frame.right() && 4.0 * rect.height() < frame.height() {
            free = rect.right() + 4.0;
            painter.galley(rect.min, words, tokens.warning);
        }
    }
}

/// Returns what lies behind the grid: the ground, and the tasks.
fn ground(panel: &Panel, transform: &Transform, look: &Look, tokens: &Tokens) -> Vec<Shape> {
    let frame = transform.frame;
    let mut shapes = Vec::new();
    if !look.paper {
        shapes.push(Shape::rect_filled(frame, 2.0, tokens.well));
    }
    for band in &panel.tasks {
        let [start, end] = [band.from, band.to].map(|at| transform.x(at));
        let rect = Rect::from_x_y_ranges(start..=end, frame.y_range()).intersect(frame);
        if rect.width() > 0.0 {
            shapes.push(Shape::rect_filled(rect, 0.0, tokens.band(band.task, band.planned)));
        }
    }
    shapes
}

/// Paints the switches between tasks, broken where they are planned, above the grid: a grid line may be at the same place.
fn switches(painter: &Painter, panel: &Panel, transform: &Transform, look: &Look, tokens: &Tokens) {
    let frame = transform.frame;
    for band in panel.tasks.iter().skip(1) {
        let x = transform.x(band.from);
        if !frame.x_range().contains(x) {
            continue;
        }
        if band.planned {
            let line = [pos2(x, frame.top()), pos2(x, frame.bottom())];
            painter.extend(Shape::dashed_line(&line, Stroke::new(look.rule, tokens.hairline), 3.0, 3.0));
        } else {
            painter.vline(x, frame.y_range(), Stroke::new(look.rule, tokens.faint));
        }
    }
}

/// Returns a band of one colour. `epaint`'s own shape of a band fades where it is narrow.
fn band(points: &[(f64, f64, f64)], transform: &Transform, fill: Color32) -> Shape {
    let mut mesh = Mesh::default();
    for (count, &(x, low, high)) in (0u32..).zip(points) {
        mesh.colored_vertex(transform.position((x, high)), fill);
        mesh.colored_vertex(transform.position((x, low)), fill);
        if let Some(last) = (2 * count).checked_sub(2) {
            mesh.add_triangle(last, last + 1, last + 2);
            mesh.add_triangle(last + 1, last + 3, last + 2);
        }
    }
    Shape::mesh(mesh)
}

/// Paints a line, piece by piece.
fn stroke(painter: &Painter, line: &Line, transform: &Transform, look: &Look, colour: Color32) {
    let stroke = Stroke::new(look.thick * line.width, colour);
    for piece in &line.path.pieces {
        let points: Vec<Pos2> = piece.iter().map(|&point| transform.position(point)).collect();
        match (points.as_slice(), line.style) {
            ([], _) => {}
            // A curve of one point would not be seen.
            (&[only], _) => _ = painter.circle_filled(only, stroke.width.max(1.5), colour),
            (_, Dashes::None) => {
                // A band is quick to paint where points are dense, but ragged where they are not.
                let columns = line.path.dense.then(|| columns(&points, stroke)).flatten();
                painter.add(columns.unwrap_or_else(|| Shape::line(points, stroke)));
            }
            (_, Dashes::Broken) => near(&points, transform.frame).iter().for_each(|points| {
                painter.extend(Shape::dashed_line(points, stroke, DASH, SPACE));
            }),
            (_, Dashes::Dotted) => near(&points, transform.frame).iter().for_each(|points| {
                painter.extend(Shape::dotted_line(points, colour, 4.0, stroke.width));
            }),
        }
    }
}

/// Returns the parts of a line near a frame. A dash has a length of its own, so a line to a number far out of view would be more
/// dashes than memory holds.
fn near(points: &[Pos2], frame: Rect) -> Vec<Vec<Pos2>> {
    const AROUND: f32 = 2000.0;
    const FAR: f32 = 1e9;
    let frame = frame.expand(AROUND);
    let mut parts: Vec<Vec<Pos2>> = Vec::new();
    // A place beyond 32 bits is no place, and a line to it would have dashes without end.
    let place =
        |at: &Pos2| (!at.x.is_nan() && !at.y.is_nan()).then(|| pos2(at.x.clamp(-FAR, FAR), at.y.clamp(-FAR, FAR)));
    for (from, to) in points.iter().zip(points.iter().skip(1)) {
        let Some((start, end)) = place(from).zip(place(to)).and_then(|(from, to)| clipped(from, to, frame)) else {
            continue;
        };
        match parts.last_mut() {
            Some(part) if part.last() == Some(&start) => part.push(end),
            _ => parts.push(vec![start, end]),
        }
    }
    parts
}

/// Returns the part of a segment in a rectangle, if any of it is there (Liang and Barsky 1984).
fn clipped(from: Pos2, to: Pos2, frame: Rect) -> Option<(Pos2, Pos2)> {
    if frame.contains(from) && frame.contains(to) {
        return Some((from, to));
    }
    let [x, y] = [f64::from(from.x), f64::from(from.y)];
    let [across, down] = [f64::from(to.x) - x, f64::from(to.y) - y];
    let (mut enters, mut leaves) = (0.0_f64, 1.0_f64);
    let sides = [
        (-across, x - f64::from(frame.left())),
        (across, f64::from(frame.right()) - x),
        (-down, y - f64::from(frame.top())),
        (down, f64::from(frame.bottom()) - y),
    ];
    for (step, room) in sides {
        let at = room / step;
        if step < 0.0 {
            enters = enters.max(at);
        } else if step > 0.0 {
            leaves = leaves.min(at);
        } else if room < 0.0 {
            return None;
        }
    }
    let at = |share: f64| pos2((x + share * across) as f32, (y + share * down) as f32);
    (enters <= leaves)
        .then(|| (if enters > 0.0 { at(enters) } else { from }, if leaves < 1.0 { at(leaves) } else { to }))
}

/// Returns a band through the lowest and the highest place in each point of width; none where each has but one place.
fn columns(points: &[Pos2], stroke: Stroke) -> Option<Shape> {
    let mut columns: Vec<BandPoint> = Vec::with_capacity(points.len());
    for point in points {
        match columns.last_mut() {
            Some(column) if (0.0..=1.0).contains(&(point.x - column.x)) => {
                (column.y.min, column.y.max) = (column.y.min.min(point.y), column.y.max.max(point.y));
            }
            _ => columns.push(BandPoint::new(point.x, point.y..=point.y)),
        }
    }
    if !(2..points.len()).contains(&columns.len()) {
        return None;
    }
    columns.iter_mut().skip(1).for_each(|column| column.x += 0.5);
    if let (Some(column), Some(last)) = (columns.last_mut(), points.last()) {
        column.x = last.x;
    }
    for column in &mut columns {
        (column.y.min, column.y.max) = (column.y.min - 0.5 * stroke.width, column.y.max + 0.5 * stroke.width);
    }
    Some(BandShape::filled(columns, stroke.color).into())
}

/// Paints bars and dots above the lines.
fn dots(painter: &Painter, panel: &Panel, transform: &Transform, thick: f32, tokens: &Tokens) {
    for bar in &panel.bars {
        let ends = [bar.ends.0, bar.ends.1].map(|y| transform.position((bar.at, y)));
        painter.line_segment(ends, Stroke::new(thick, tokens.ink(bar.ink)));
    }
    for dot in &panel.dots {
        let (at, colour) = (transform.position(dot.at), tokens.ink(dot.ink));
        if dot.full {
            painter.circle_filled(at, 3.0 * thick, colour);
        } else {
            painter.circle_stroke(at, 2.4 * thick, Stroke::new(thick, colour));
        }
    }
}

/// Paints the texts at the right of the lines, each at the height of its line's end unless another one is there, and the names
/// of the reference lines where these leave the panel.
fn ends(ui: &Ui, panel: &Panel, transform: &Transform, room: f32, look: &Look) {
    let (painter, frame, tokens) = (ui.painter(), transform.frame, Tokens::of(ui));
    let mut ends: Vec<_> = panel.ends.iter().map(|end| (transform.position(end.at), end)).collect();
    ends.sort_by(|a, b| a.0.y.total_cmp(&b.0.y));
    let line = 1.1 * look.beside.size;
    let limits = (frame.top() + 0.6 * look.beside.size, frame.bottom() - 0.6 * look.beside.size);
    let heights = apart(&ends.iter().map(|end| end.0.y).collect::<Vec<_>>(), limits, line);
    for ((at, end), y) in ends.iter().zip(heights) {
        let at = pos2(at.x.max(frame.left()) + 5.0, y);
        let most = end.text.chars().count() as f32 * room / width(ui, &end.text, &look.beside).max(1.0);
        let text = cut(&end.text, (most + 0.01) as usize);
        painter.text(at, Align2::LEFT_CENTER, text, look.beside.clone(), tokens.ink(end.ink));
    }
    for (line, name) in &panel.guides {
        let (mut points, last) = (line.points(), line.points().last());
        let (Some(first), Some(last)) = (points.next(), last) else { continue };
        let y = last.1.max(panel.y.range.0 + 0.08 * (panel.y.range.1 - panel.y.range.0));
        let x = first.0 + (last.0 - first.0) * (y - first.1) / (last.1 - first.1);
        // A reference line falls, so its name lies above it at the right, or below it at the left.
        let at = transform.position((x, y));
        // Behind the end of the line are the texts of the curves.
        let fits = at.x + 2.0 + width(ui, name, &look.beside) < transform.position(last).x;
        let (align, aside) = if fits { (Align2::LEFT_BOTTOM, 2.0) } else { (Align2::RIGHT_TOP, -2.0) };
        let at = at + vec2(aside, 0.0);
        painter.text(at, align, name, look.beside.clone(), tokens.weak);
    }
}

/// Paints the numbers at marks, beside their points.
fn marks(ui: &Ui, panel: &Panel, transform: &Transform, look: &Look) {
    let (painter, frame, tokens) = (ui.painter(), transform.frame, Tokens::of(ui));
    let near = painter.with_clip_rect(frame.expand(5.0 * look.thick));
    let mut taken: Vec<Rect> = Vec::new();
    for mark in panel.marks.iter().filter(|mark| frame.x_range().contains(transform.x(mark.at.0))) {
        let (at, colour) = (transform.position(mark.at), tokens.ink(mark.ink));
        let galley = painter.layout_no_wrap(mark.text.clone(), look.mark.clone(), colour);
        if !look.paper {
            // Where a curve grows, a number that looked for a free place would jump.
            let rect = beside(at, galley.size(), mark.above, frame);
            near.rect_filled(rect.expand(1.0), 2.0, tokens.well.gamma_multiply(0.75));
            near.circle_stroke(at, 3.5, Stroke::new(1.5, colour));
            near.galley(rect.min, galley, colour);
            continue;
        }
        let (rect, is_crossed) = free_place(panel, transform, &galley, mark, &taken);
        near.circle_filled(at, 3.0 * look.thick, colour);
        if is_crossed {
            painter.rect_filled(rect, 2.0, tokens.card.gamma_multiply(0.75));
        }
        painter.galley(rect.min, galley, colour);
        taken.push(rect);
    }
}

/// Returns the place at the right of a point, above or below it, moved to stay inside the frame.
fn beside(at: Pos2, size: egui::Vec2, above: bool, frame: Rect) -> Rect {
    let mut min = at + vec2(5.0, if above { -3.0 - size.y } else { 3.0 });
    if min.x + size.x > frame.right() - 2.0 {
        min.x = (at.x - 5.0 - size.x).max(frame.left() + 1.0);
    }
    min.y = min.y.clamp(frame.top() + 1.0, (frame.bottom() - size.y - 1.0).max(frame.top() + 1.0));
    Rect::from_min_size(min, size)
}

/// Returns the place near a mark's point that lies inside the panel and over no curve and no other number, as far as there is
/// such a place, and whether a curve crosses it.
fn free_place(panel: &Panel, transform: &Transform, galley: &Galley, mark: &Mark, taken: &[Rect]) -> (Rect, bool) {
    let (at, size, frame) = (transform.position(mark.at), galley.size(), transform.frame);
    let pieces = || panel.lines.iter().flat_map(|line| &line.path.pieces);
    let through = |rect: &Rect, ends: &[Point]| crosses(rect, transform.position(ends[0]), transform.position(ends[1]));
    let crossed = |rect: &Rect| pieces().any(|piece| piece.windows(2).any(|ends| through(rect, ends)));
    let beside = |above: bool, far: f32| {
        let y = if above { at.y - 3.0 - far - size.y } else { at.y + 3.0 + far };
        [at.x + 5.0, at.x - 5.0 - size.x, at.x - 0.5 * size.x].map(|x| Rect::from_min_size(pos2(x, y), size))
    };
    let rects: Vec<Rect> = [0.0, 8.0, 16.0]
        .into_iter()
        .flat_map(|far| [mark.above, !mark.above].map(|above| beside(above, far)))
        .flatten()
        .collect();
    let inside = |rect: &&Rect| frame.contains_rect(**rect);
    let is_apart = |rect: &&Rect| inside(rect) && taken.iter().all(|other| !other.intersects(**rect));
    let is_free = |rect: &&Rect| is_apart(rect) && !crossed(rect);
    let found = rects.iter().find(is_free).or_else(|| rects.iter().find(is_apart));
    let rect = *found.or_else(|| rects.iter().find(inside)).unwrap_or(&rects[0]);
    (rect, crossed(&rect))
}

/// Returns whether the line between two points goes through a rectangle.
fn crosses(rect: &Rect, from: Pos2, to: Pos2) -> bool {
    // The part of the line, from 0 to 1, that is between each pair of opposite edges.
    let (mut first, mut last) = (0.0f32, 1.0f32);
    for (from, to, low, high) in [(from.x, to.x, rect.left(), rect.right()), (from.y, to.y, rect.top(), rect.bottom())]
    {
        let along = to - from;
        if along == 0.0 {
            if from < low || from > high {
                return false;
            }
            continue;
        }
        let (one, other) = ((low - from) / along, (high - from) / along);
        first = first.max(one.min(other));
        last = last.min(one.max(other));
    }
    first <= last
}

/// Returns the width of a text in this font.
pub fn width(ui: &Ui, text: &str, font: &FontId) -> f32 {
    ui.painter().layout_no_wrap(text.to_owned(), font.clone(), Color32::WHITE).size().x
}

/// Moves heights (ascending) apart as little as lines of text of this height need, within these ends.
fn apart(heights: &[f32], (top, bottom): (f32, f32), line: f32) -> Vec<f32> {
    let mut moved: Vec<f32> = Vec::new();
    for &height in heights {
        moved.push(height.max(moved.last().map_or(top, |last| last + line)));
    }
    let mut limit = bottom;
    for height in moved.iter_mut().rev() {
        *height = height.min(limit);
        limit = *height - line;
    }
    moved
}

/// Returns the ticks whose labels fit.
fn fitting(ticks: &[(f64, String)], (left, right): (f64, f64), width: f32, letter: f32) -> Vec<(f64, String)> {
    let at = |value: f64| ((value - left) / (right - left)) as f32 * width;
    // Names are cut to the room of each; numbers are never cut, but some are left out.
    let room = (width / ticks.len().max(1) as f32 / letter) as usize;
    let names = ticks.iter().any(|tick| tick.1.parse::<f64>().is_err());
    let mut shown: Vec<(f64, String)> = Vec::new();
    let mut free = f32::NEG_INFINITY;
    let mut sorted: Vec<&(f64, String)> = ticks.iter().collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (value, text) in sorted {
        let text = if names { cut(text, room.max(3)) } else { text.clone() };
        let half = 0.5 * letter * text.chars().count() as f32;
        if at(*value) - half >= free {
            free = at(*value) + half + letter;
            shown.push((*value, text));
        }
    }
    shown
}

/// Width of a letter of a tick label in the window.
const LETTER: f32 = 5.8;

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// Returns the sign before a name of a legend, around this place; a line reaches so far to both sides.
pub fn sign(sign: Sign, at: Pos2, half: f32, colour: Color32) -> Shape {
    let (ends, stroke) = ([at - vec2(half, 0.0), at + vec2(half, 0.0)], Stroke::new(2.0, colour));
    match sign {
        Sign::Dot => Shape::circle_filled(at, 3.0, colour),
        Sign::Ring => Shape::circle_stroke(at, 2.4, Stroke::new(1.0, colour)),
        Sign::Line => Shape::line_segment(ends, stroke),
        Sign::Dashes => Shape::Vec(Shape::dashed_line(&ends, stroke, 3.0, 2.0)),
        Sign::Dots => Shape::Vec(Shape::dotted_line(&ends, colour, 3.5, 1.2)),
    }
}
