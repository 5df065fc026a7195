//! Draws plots over time with the same axis, bands, cursor and gestures in every view.
//!
//! Guarantees: all time plots show the same range of epochs, with left axes of one width, so that a switch is one vertical line
//! through the window; the bounds are set in every frame, so that the plots stay in step. A drag moves the cursor, the wheel
//! pans, ctrl and wheel (or a pinch) zooms, a drag with the right button zooms to a range, a double click follows the run
//! again.

pub(crate) mod legend;
pub mod series_cache;
pub(crate) mod series_id;

use std::sync::Arc;

use egui::layers::ShapeIdx;
use egui::{Align2, Color32, PointerButton, Pos2, Rect, Response, Shape, Stroke, Ui, Vec2, pos2};
use egui_plot::{Line, LineStyle, PlotPoint, PlotPoints, PlotTransform};

use super::app::action_queue::Actions;
use super::app::commands::UserCommand;
use super::kit::data_table::{DataTable, MeasuredCurve};
use super::kit::format;
use super::kit::theme;
use super::overlays::MANY;
use super::playback::action::PlaybackAction;
use super::playback::{Which, colour};
use super::views::context::ViewContext;
use crate::paint::{axes, axes::AXIS};
use crate::run::{Block, History, MAX_ROWS};
use crate::ui::plot::series_cache::{Key, SeriesCache, Visible, Window, series};

/// Selects how a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Solid,
    Dashed,
    Dotted,
}

/// Describes one line of a plot.
#[derive(Clone, Debug)]
pub struct Trace {
    pub name: String,
    pub visible: Arc<Visible>,
    pub colour: Color32,
    pub width: f32,
    pub style: Style,
    /// Its value at the cursor, as stored.
    pub now: Option<f64>,
    /// The curve as measured, if this is an export.
    pub measured: Option<MeasuredCurve>,
    /// True if it belongs to a run drawn over the one shown: many of these are drawn as one picture.
    pub over: bool,
    /// Least and greatest value in view.
    pub span: Option<(f64, f64)>,
}

impl Trace {
    /// Returns the part of a curve in view, and its value at the cursor.
    pub fn new(context: &ViewContext<'_>, name: impl Into<String>, key: Key, window: Window, colour: Color32) -> Self {
        let cursor = context.cursor;
        let measured = context.table.as_ref().map(|_| measured(context.history, key, ""));
        Self { measured, ..Self::of((context.history, context.curves), name, key, (window, cursor), colour) }
    }

    /// Returns the part in view and the value at the cursor for a curve of any record.
    pub fn of(
        (history, curves): (&History, &SeriesCache),
        name: impl Into<String>,
        key: Key,
        (window, cursor): (Window, f64),
        colour: Color32,
    ) -> Self {
        let visible = curves.visible(history, key, window);
        let now = curves.value_at(key, cursor);
        let (name, span) = (name.into(), visible.span);
        Self { name, visible, colour, width: 1.5, style: Style::Solid, now, measured: None, over: false, span }
    }

    /// Returns a curve of each task's block, the first task's on top, over those of other runs.
    pub fn of_tasks(context: &ViewContext<'_>, key: impl Fn(Block) -> Key, window: Window) -> Vec<Self> {
        let mut traces = Self::of_others(context, &key, window);
        for &task in context.tasks().iter().rev() {
            let colour = context.tokens.task(task);
            let trace = Self::new(context, task.to_string(), key(Block::Task(task)), window, colour);
            traces.push(Self { width: if task == 1 { 1.8 } else { 1.2 }, ..trace });
        }
        traces
    }

    /// Returns a curve through these points, as stored, which are not read from the rows of the record.
    pub fn through(name: String, points: Vec<PlotPoint>, (window, cursor): (Window, f64), colour: Color32) -> Self {
        let inside = points.iter().filter(|point| (window.from..=window.to).contains(&point.x));
        let span = inside.fold(None, |span: Option<(f64, f64)>, point| {
            let (low, high) = span.unwrap_or((point.y, point.y));
            Some((low.min(point.y), high.max(point.y)))
        });
        let now = points.iter().rev().find(|point| point.x <= cursor).map(|point| point.y);
        let dense = points.len() > 2 * window.pixels;
        let visible = Arc::new(Visible { pieces: vec![points], span, dense });
        Self { name, visible, colour, width: 1.5, style: Style::Solid, now, measured: None, over: false, span }
    }

    /// Sets the name of the curve in exports.
    #[must_use]
    pub fn called(mut self, name: impl Into<String>) -> Self {
        if let Some(measured) = &mut self.measured {
            measured.name = name.into();
        }
        self
    }

    /// Returns a horizontal reference line at a value, as stored.
    pub fn level(window: Window, y: f64, colour: Color32) -> Self {
        let pieces = vec![vec![PlotPoint::new(window.from, y), PlotPoint::new(window.to, y)]];
        let visible = Arc::new(Visible { pieces, span: Some((y, y)), dense: false });
        let (name, style) = (String::new(), Style::Dashed);
        Self { name, visible, colour, width: 1.0, style, now: None, measured: None, over: false, span: Some((y, y)) }
    }

    /// Returns the same curve of the run before this one.
    pub fn faint(context: &ViewContext<'_>, key: Key, window: Window) -> Option<Self> {
        let history = context.reference?;
        let visible = context.reference_curves.visible(history, key, window);
        let colour = context.tokens.faint.gamma_multiply(0.8);
        let measured = context.table.as_ref().map(|_| measured(history, key, "run before: "));
        let (name, style, span) = ("run before".to_owned(), Style::Solid, visible.span);
        Some(Self { name, visible, colour, width: 1.0, style, now: None, measured, over: false, span })
    }

    /// Returns the curves of the previous run and of all runs drawn over this one, on one task's probes.
    pub fn of_others(context: &ViewContext<'_>, key: impl Fn(Block) -> Key, window: Window) -> Vec<Self> {
        let mut traces: Vec<Self> = Self::faint(context, key(Block::Task(1)), window).into_iter().collect();
        let (cursor, dark) = (context.cursor, context.tokens.dark);
        let (lit, key) = (context.runs.lit, key(context.runs.block));
        let list = context.runs.list();
        // Many curves go into the picture whole, independent of the range in view: zooming costs the window nothing.
        let many = list.iter().filter(|overlay| !overlay.hidden).count() > MANY;
        let whole = Window { from: f64::NEG_INFINITY, to: f64::INFINITY, pixels: MAX_ROWS };
        // The first ones are drawn on top, like the tasks.
        for overlay in list.iter().rev().filter(|overlay| !overlay.hidden || lit == Some(overlay.id)) {
            let (colour, broken) = overlay.ink(dark);
            let name = overlay.name.as_str();
            let is_lit = lit == Some(overlay.id);
            let seen = window;
            let window = if many && !is_lit { whole } else { window };
            let (drawn, curves) = overlay.series();
            let trace = Self::of((drawn, curves), name, key, (window, cursor), colour);
            let span = curves.span(key, seen);
            traces.push(Self {
                width: if is_lit { 2.6 } else { 1.2 },
                style: if broken { Style::Dashed } else { Style::Solid },
                over: !is_lit,
                span,
                ..trace
            });
        }
        traces
    }
}

/// Returns a curve as measured; on a logarithmic axis only its values above 0.
pub fn measured(history: &History, key: Key, whose: &str) -> MeasuredCurve {
    let mut points = series(history, key.source);
    points.retain(|point| !key.log || point.1 > 0.0);
    MeasuredCurve { name: format!("{whose}{}", key.source), points }
}

/// Describes a note at a point of the plot.
#[derive(Clone, Debug)]
pub struct Mark {
    pub epoch: f64,
    /// The height, as stored.
    pub y: f64,
    pub text: String,
    pub colour: Color32,
    /// The side of the point on which the text is written.
    pub below: bool,
}

/// Describes a time plot.
#[derive(Clone, Debug)]
pub struct TimePlot {
    pub id: &'static str,
    pub log: bool,
    /// Fixed limits of the y axis; if none, those of the data.
    pub limits: Option<(f64, f64)>,
    /// The smallest span of the y axis (as stored).
    pub least: f64,
    /// True if the epochs are written below.
    pub ticks: bool,
    pub height: f32,
}

/// Returns the range in view and its number of pixels in a plot that fills this ui.
pub fn window(ui: &Ui, context: &ViewContext<'_>) -> Window {
    let pixels = (ui.available_width() - AXIS).max(16.0) * ui.pixels_per_point();
    Window { from: context.range.0, to: context.range.1, pixels: pixels as usize }
}

/// Draws the plot and turns gestures into actions.
pub fn time_plot(
    ui: &mut Ui,
    context: &mut ViewContext<'_>,
    plot: &TimePlot,
    traces: &[Trace],
    marks: &[Mark],
) -> PlotTransform {
    let behind = ui.painter().add(Shape::Noop);
    let span = traces.iter().filter_map(|trace| trace.span).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    let settle = if plot.log { format::settle } else { format::settle_linear };
    let (low, high) = plot.limits.unwrap_or_else(|| settle(span.unwrap_or((0.0, plot.least)), plot.least));
    let range = context.range;
    if let Some(table) = &mut context.table {
        write_curves(table, traces, plot.log, range);
    }
    // On paper each curve is a line of its own: their picture is a texture of the window, which is missing there.
    let many = !context.paper && traces.iter().filter(|trace| trace.over).count() > MANY;
    let shown = show(ui, context, plot, traces, (low, high), many);
    let frame = *shown.0.frame();
    let others = if many { picture(ui, context, plot, traces, &shown.0) } else { Shape::Noop };
    paint_bands(ui, context, &shown.0, behind, others);
    if span.is_none() {
        empty(ui, context, frame);
    }
    overlay(ui, context, plot, &shown.0, traces, marks);
    gestures(context, &shown.1, &shown.0, ui);
    shown.0
}

/// Writes the curves of a time plot within the range in view, below those of a plot above it.
fn write_curves(table: &mut DataTable, traces: &[Trace], log: bool, (from, to): (f64, f64)) {
    table.head(["curve", "epoch", "value"]);
    table.over_time = true;
    // The order is that of drawing reversed: the last curve, drawn on top, is the main one.
    for trace in traces.iter().rev() {
        let drawn = || {
            let points = trace.visible.pieces.iter().flatten();
            points.map(|point| (point.x, if log { 10f64.powf(point.y) } else { point.y })).collect()
        };
        let (name, points) = match &trace.measured {
            Some(measured) => (measured.name.as_str(), measured.points.clone()),
            // The curve is not in the record, but computed for the drawing.
            None if !trace.name.is_empty() => (trace.name.as_str(), drawn()),
            None => continue,
        };
        for (epoch, value) in points.into_iter().filter(|(epoch, _)| (from..=to).contains(epoch)) {
            table.row([name.into(), epoch.into(), value.into()]);
        }
    }
}

/// Draws the many curves of other runs as a picture.
fn picture(ui: &Ui, context: &ViewContext<'_>, plot: &TimePlot, traces: &[Trace], transform: &PlotTransform) -> Shape {
    let pixels = (transform.frame().width() * ui.pixels_per_point()) as usize;
    let window = Window { from: context.range.0, to: context.range.1, pixels };
    let over = traces.iter().filter(|trace| trace.over);
    let lines = over.map(|line| (Arc::clone(&line.visible), line.colour, line.style == Style::Dashed)).collect();
    context.runs.rasters.shape(ui, plot.id, lines, window, transform)
}

/// Draws the bare plot: grid, ticks and lines, without those in the picture.
fn show(
    ui: &mut Ui,
    context: &ViewContext<'_>,
    plot: &TimePlot,
    traces: &[Trace],
    (low, high): (f64, f64),
    many: bool,
) -> (PlotTransform, Response) {
    let (from, to) = context.range;
    let (log, span) = (plot.log, high - low);
    let axis = axes::left(context.tokens, (low, high), move |value| format::tick(value, span, log));
    let shown = axes::over_time(ui, plot.id, plot.height, (from, to), plot.ticks.then(theme::ticks))
        .custom_y_axes(vec![axis])
        .y_grid_spacer(axes::spacer(log, axes::ticks_up(plot.height)))
        .show(ui, |plot_ui| {
            plot_ui.set_plot_bounds_x(from..=to);
            plot_ui.set_plot_bounds_y(low..=high);
            for (place, trace) in traces.iter().enumerate().filter(|(_, trace)| !(many && trace.over)) {
                for (piece, points) in trace.visible.pieces.iter().enumerate() {
                    let style = match trace.style {
                        Style::Solid => LineStyle::Solid,
                        Style::Dashed => LineStyle::Dashed { length: 4.0 },
                        Style::Dotted => LineStyle::Dotted { spacing: 4.0 },
                    };
                    let line = Line::new(trace.name.as_str(), PlotPoints::Borrowed(points));
                    let line =
                        line.id((place, piece)).color(trace.colour).width(context.thick * trace.width).style(style);
                    // Bands are quick to draw where points are dense, but ragged where they are not.
                    plot_ui.line(line.allow_hover(false).allow_band(trace.visible.dense));
                }
            }
        });
    (shown.transform, shown.response)
}

/// Draws the tasks as coloured backgrounds and their switches as lines, behind everything.
fn paint_bands(ui: &Ui, context: &ViewContext<'_>, transform: &PlotTransform, behind: ShapeIdx, others: Shape) {
    let frame = *transform.frame();
    let tokens = context.tokens;
    let mut shapes = vec![Shape::rect_filled(frame, 2.0, tokens.well)];
    for band in &context.bands {
        let (left, right) = (transform.position_from_point_x(band.start), transform.position_from_point_x(band.end));
        let rect = Rect::from_min_max(pos2(left, frame.top()), pos2(right, frame.bottom())).intersect(frame);
        if rect.width() > 0.0 {
            shapes.push(Shape::rect_filled(rect, 0.0, tokens.band(band.task, band.planned)));
        }
        if band.start > 0.0 && frame.x_range().contains(left) {
            let stroke = Stroke::new(context.thick, if band.planned { tokens.hairline } else { tokens.faint });
            let line = [pos2(left, frame.top()), pos2(left, frame.bottom())];
            if band.planned {
                shapes.extend(Shape::dashed_line(&line, stroke, 3.0, 3.0));
            } else {
                shapes.push(Shape::line_segment(line, stroke));
            }
        }
    }
    shapes.push(others);
    ui.painter().set(behind, Shape::Vec(shapes));
}

/// Draws the cursor, the values at it, and notes, above everything.
fn overlay(
    ui: &Ui,
    context: &ViewContext<'_>,
    plot: &TimePlot,
    transform: &PlotTransform,
    traces: &[Trace],
    marks: &[Mark],
) {
    let frame = *transform.frame();
    // The mark of a point at an edge is not clipped.
    let painter = ui.painter().with_clip_rect(frame.expand(5.0 * context.thick));
    if plot.ticks {
        let at = frame.right_bottom() - Vec2::new(4.0, 1.0);
        let font = egui::FontId::proportional(9.5);
        let unit = painter.layout_no_wrap(context.time_unit().to_owned(), font, context.tokens.weak);
        let rect = Align2::RIGHT_BOTTOM.anchor_size(at, unit.size());
        // Curves and the cursor pass behind it.
        painter.rect_filled(rect.expand2(Vec2::new(2.0, 0.0)), 2.0, context.tokens.well.gamma_multiply(0.75));
        let at = rect.min;
        painter.galley(at, unit, context.tokens.weak);
    }
    cursor(&painter, context, transform);
    let x = transform.position_from_point_x(context.cursor);
    if !context.history.rows().is_empty() {
        // A hundred dots would hide the curves.
        for trace in traces.iter().filter(|trace| !trace.over) {
            if let Some(now) = trace.now {
                let at = pos2(x, transform.position_from_point_y(now));
                painter.circle(at, 2.5 * context.thick, trace.colour, Stroke::new(1.0, context.tokens.well));
            }
        }
    }
    for mark in marks {
        let at = pos2(transform.position_from_point_x(mark.epoch), transform.position_from_point_y(mark.y));
        note(&painter, context, frame, at, mark);
    }
}

/// Draws the time cursor and the two moments that are compared, over the full height of the plot.
pub fn cursor(painter: &egui::Painter, context: &ViewContext<'_>, transform: &PlotTransform) {
    let frame = transform.frame();
    let x = transform.position_from_point_x(context.cursor);
    let strength = if context.clock.chosen().is_some() { 0.85 } else { 0.3 };
    painter.vline(x, frame.y_range(), Stroke::new(context.thick, context.tokens.cursor.gamma_multiply(strength)));
    for which in Which::BOTH {
        if let Some(moment) = context.travel.marks.moment(which) {
            let x = transform.position_from_point_x(moment.epoch);
            let line = [pos2(x, frame.top()), pos2(x, frame.bottom())];
            painter.extend(Shape::dashed_line(&line, Stroke::new(1.0, colour(context.tokens, which)), 2.0, 4.0));
        }
    }
}

/// Draws a text beside a point, moved to stay inside the frame, on a background that keeps it readable over lines.
fn note(painter: &egui::Painter, context: &ViewContext<'_>, frame: Rect, at: Pos2, mark: &Mark) {
    if !frame.x_range().contains(at.x) {
        return;
    }
    let galley = painter.layout_no_wrap(mark.text.clone(), egui::FontId::proportional(theme::TITLE), mark.colour);
    let size = galley.size();
    let offset = if mark.below { Vec2::new(5.0, 3.0) } else { Vec2::new(5.0, -3.0 - size.y) };
    let mut min = at + offset;
    if min.x + size.x > frame.right() - 2.0 {
        min.x = (at.x - 5.0 - size.x).max(frame.left() + 1.0);
    }
    min.y = min.y.clamp(frame.top() + 1.0, (frame.bottom() - size.y - 1.0).max(frame.top() + 1.0));
    painter.rect_filled(Rect::from_min_size(min, size).expand(1.0), 2.0, context.tokens.well.gamma_multiply(0.75));
    painter.circle_stroke(at, 3.5, Stroke::new(1.5, mark.colour));
    painter.galley(min, galley, mark.colour);
}

/// Draws the message of a plot without data.
fn empty(ui: &Ui, context: &ViewContext<'_>, frame: Rect) {
    let text = match context.history.rows() {
        [] => "",
        // A constant kernel has zero velocity, which has no logarithm.
        _ if context.is_constant() => "At infinite width nothing moves here",
        _ => "Not measured here",
    };
    ui.painter().text(frame.center(), Align2::CENTER_CENTER, text, theme::note(), context.tokens.faint);
}

/// Handles the gestures that move the cursor, pan and zoom.
pub fn gestures(context: &mut ViewContext<'_>, response: &Response, transform: &PlotTransform, ui: &Ui) {
    let epoch_at = |pos: Pos2| transform.value_from_position(pos).x;
    let actions = &mut *context.actions;
    if response.double_clicked() {
        actions.user(UserCommand::Follow);
        return;
    }
    if let Some(pos) = response.interact_pointer_pos()
        && (response.dragged_by(PointerButton::Primary) || response.clicked())
    {
        actions.push(PlaybackAction::Seek(epoch_at(pos)));
    }
    zoom_to_stretch(actions, response, transform, ui);
    if let (true, Some(pos)) = (response.contains_pointer(), ui.input(|input| input.pointer.hover_pos())) {
        let (zoom, scroll) = ui.input(|input| (f64::from(input.zoom_delta()), input.smooth_scroll_delta));
        if zoom != 1.0 {
            actions.push(PlaybackAction::Zoom { about: epoch_at(pos), factor: zoom });
        } else if scroll != Vec2::ZERO {
            let points = f64::from(scroll.x + scroll.y);
            actions.push(PlaybackAction::Pan(-points * transform.dvalue_dpos()[0]));
        }
    }
}

fn zoom_to_stretch(actions: &mut Actions, response: &Response, transform: &PlotTransform, ui: &Ui) {
    let id = response.id.with("stretch");
    if response.drag_started_by(PointerButton::Secondary)
        && let Some(pos) = response.interact_pointer_pos()
    {
        ui.data_mut(|data| data.insert_temp(id, pos.x));
    }
    let Some(start) = ui.data(|data| data.get_temp::<f32>(id)) else { return };
    let Some(pos) = response.interact_pointer_pos().or_else(|| ui.input(|input| input.pointer.latest_pos())) else {
        return;
    };
    let frame = transform.frame();
    let rect = Rect::from_two_pos(pos2(start, frame.top()), pos2(pos.x, frame.bottom())).intersect(*frame);
    if response.drag_stopped_by(PointerButton::Secondary) {
        ui.data_mut(|data| data.remove::<f32>(id));
        if rect.width() > 4.0 {
            let epoch = |x: f32| transform.value_from_position(pos2(x, frame.top())).x;
            actions.push(PlaybackAction::Show(epoch(rect.left()), epoch(rect.right())));
        }
    } else {
        let accent = ui.visuals().selection.stroke.color;
        ui.painter().rect_filled(rect, 0.0, accent.gamma_multiply(0.2));
    }
}
