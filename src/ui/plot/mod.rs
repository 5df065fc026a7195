//! Draws charts over time with the same axis, bands, cursor and gestures in every view.
//!
//! Guarantees: all time plots show the same range of epochs, with left axes of one width, so that a switch is one vertical line
//! through the window; the bounds are set in every frame, so that the plots stay in step. A drag moves the cursor, the wheel
//! pans, ctrl and wheel (or a pinch) zooms, a drag with the right button zooms to a range, a double click follows the run
//! again. Charts are painted as in files ([`crate::paint::panel`]); only what the pointer does is added here.

pub(crate) mod legend;
pub(crate) mod readout;

use std::sync::Arc;

use egui::{Color32, PointerButton, Pos2, Rect, Response, Shape, Stroke, TextureId, Ui, Vec2, pos2};

use super::app::action_queue::Actions;
use super::app::commands::UserCommand;
use super::kit::data_table::{DataTable, MeasuredCurve};
use super::kit::format;
use super::overlays::MANY;
use super::playback::action::PlaybackAction;
use super::playback::{Which, colour};
use super::views::context::ViewContext;
use crate::chart::palette::{Colour, Ink};
use crate::chart::panel::{Axis, Dashes, Entry, Line, Mark, Panel, Point, Polyline, Sign, span, wider};
use crate::chart::series_cache::{Key, SeriesCache, Window, series};
use crate::chart::series_id::SeriesId;
use crate::chart::time_chart::{TimeChart, TimeCurve, events};
use crate::paint::axes::AXIS;
use crate::paint::panel::{Look, Painted, paint_high};
use crate::paint::transform::Transform;
use crate::run::{History, RunState};

/// Describes one line of a plot, read from a record.
#[derive(Clone, Debug)]
pub struct Trace {
    pub name: String,
    pub line: Line,
    /// Its value at the cursor, as stored; none where it has none there.
    pub now: Option<f64>,
    /// Whether a header shows this value.
    pub has_value: bool,
    /// The curve as measured, if this is an export.
    pub measured: Option<MeasuredCurve>,
    /// True if it belongs to a run drawn over the one shown: many of these are drawn as one picture.
    pub over: bool,
    /// Least and greatest value in view.
    pub span: Option<(f64, f64)>,
}

impl Trace {
    /// Returns the part in view and the value at the cursor for a curve of any record.
    pub fn of(
        (history, curves): (&History, &SeriesCache),
        curve: &TimeCurve,
        log: bool,
        (window, cursor): (Window, f64),
    ) -> Self {
        let key = Key { source: curve.series, log };
        let line = curve.line(curves.visible(history, key, window));
        let now = curves.value_at(key, cursor).filter(|_| curve.has_value);
        let span = line.path.span;
        Self { name: curve.name.short(), line, now, has_value: curve.has_value, measured: None, over: false, span }
    }

    /// Returns the part in view of a curve of the run, and its value at the cursor.
    fn new(context: &ViewContext<'_>, curve: &TimeCurve, log: bool, window: Window) -> Self {
        let mut trace = Self::of((context.history, context.curves), curve, log, (window, context.cursor));
        if context.table.is_some() {
            let measured = measured(context.history, Key { source: curve.series, log }, "");
            let name = curve.exported.clone().unwrap_or(measured.name);
            trace.measured = Some(MeasuredCurve { name, ..measured });
        }
        trace
    }

    /// Returns a curve through these points, as stored, which are not read from the rows of the record.
    pub fn through(name: String, points: Vec<Point>, (window, cursor): (Window, f64), ink: impl Into<Ink>) -> Self {
        let inside = |point: &Point| (window.from..=window.to).contains(&point.0);
        let span = span(&points.iter().copied().filter(inside).collect::<Vec<_>>());
        let now = points.iter().rev().find(|point| point.0 <= cursor).map(|point| point.1);
        let dense = points.len() > 2 * window.pixels;
        let path = Arc::new(Polyline { pieces: vec![points], span, dense });
        let line = Line { name: name.as_str().into(), path, ink: ink.into(), width: 1.5, style: Dashes::None };
        Self { name, line, now, has_value: true, measured: None, over: false, span }
    }

    /// Returns such a curve that goes with another one and is not named in legends.
    pub fn beside(name: &str, points: Vec<Point>, of: (Window, f64), ink: impl Into<Ink>) -> Self {
        let trace = Self::through(String::new(), points, of, ink);
        Self { line: trace.line.named(name), ..trace }
    }

    /// Returns the same curve of the run before this one.
    fn faint(context: &ViewContext<'_>, key: Key, window: Window) -> Option<Self> {
        let history = context.reference?;
        let curve = TimeCurve::beside("run before", key.source, Colour::Faint.at(0.8), Dashes::None);
        let trace = Self::of((history, context.reference_curves), &curve, key.log, (window, context.cursor));
        let measured = context.table.as_ref().map(|_| measured(history, key, "run before: "));
        // The run before may be of another size: it is seen as far as it lies in the range of this one.
        Some(Self { name: "run before".to_owned(), measured, span: None, ..trace })
    }

    /// Returns the curves of the previous run and of all runs drawn over this one, on one task's probes.
    fn of_others(context: &ViewContext<'_>, key: Key, window: Window) -> Vec<Self> {
        let mut traces: Vec<Self> = Self::faint(context, key, window).into_iter().collect();
        let (cursor, dark) = (context.cursor, context.tokens.dark);
        let (lit, source) = (context.runs.lit, key.source.on(context.runs.block));
        let list = context.runs.list();
        // Many curves go into the picture whole, independent of the range in view: zooming costs the window nothing.
        let many = list.iter().filter(|overlay| !overlay.hidden).count() > MANY;
        // The first ones are drawn on top, like the tasks.
        for overlay in list.iter().rev().filter(|overlay| !overlay.hidden || lit == Some(overlay.id)) {
            let (colour, broken) = overlay.ink(dark);
            let [r, g, b, _] = colour.to_array();
            let is_lit = lit == Some(overlay.id);
            let curve = TimeCurve {
                width: if is_lit { 2.6 } else { 1.2 },
                style: if broken { Dashes::Broken } else { Dashes::None },
                ..TimeCurve::new(overlay.name.as_str(), source, Colour::Rgb([r, g, b]))
            };
            let (drawn, curves) = overlay.series();
            let part = if many && !is_lit { Window::WHOLE } else { window };
            let trace = Self::of((drawn, curves), &curve, key.log, (part, cursor));
            let span = curves.span(Key { source, ..key }, window);
            traces.push(Self { over: !is_lit, span, ..trace });
        }
        traces
    }

    /// Returns the name and sign in a legend.
    pub fn entry(&self) -> Entry {
        let sign = if self.over { Sign::of(self.line.style) } else { Sign::Dot };
        Entry { name: self.name.clone(), ink: self.line.ink, sign }
    }

    /// Returns whether a header names it: what goes with another curve is explained by the view's help.
    fn is_in_header(&self) -> bool {
        let is_main = self.line.style == Dashes::None || self.over;
        is_main && !self.name.is_empty() && self.line.ink.strength >= 1.0 && !self.line.path.pieces.is_empty()
    }
}

/// Returns a curve as measured; on a logarithmic axis only its values above 0.
pub fn measured(history: &History, key: Key, whose: &str) -> MeasuredCurve {
    let mut points = series(history, key.source);
    points.retain(|point| !key.log || point.1 > 0.0);
    MeasuredCurve { name: format!("{whose}{}", key.source), points }
}

/// Describes a time plot: a chart, and its curves as far as they are in view.
#[derive(Clone, Debug)]
pub struct TimePlot {
    pub chart: TimeChart,
    /// The last one is drawn on top.
    pub traces: Vec<Trace>,
    pub marks: Vec<Mark>,
}

/// Returns the range in view and its number of pixels in a plot that fills this ui.
pub fn window(ui: &Ui, context: &ViewContext<'_>) -> Window {
    let pixels = (ui.available_width() - AXIS).max(16.0) * ui.pixels_per_point();
    Window { from: context.range.0, to: context.range.1, pixels: pixels as usize }
}

impl TimePlot {
    /// Returns the plot of a chart, over the curves of other runs.
    pub fn of(context: &ViewContext<'_>, chart: TimeChart, window: Window) -> Self {
        let others = |source: SeriesId| Trace::of_others(context, chart.key(source), window);
        let mut traces = chart.others.map_or_else(Vec::new, others);
        traces.extend(chart.curves.iter().rev().map(|curve| Trace::new(context, curve, chart.log, window)));
        Self { marks: chart.marks(context.history, context.curves), traces, chart }
    }

    /// Returns the plot of a chart whose curves are not declared with it.
    pub fn through(chart: TimeChart, traces: Vec<Trace>) -> Self {
        Self { chart, traces, marks: Vec::new() }
    }

    /// Draws names and values of the traces at the cursor in the remaining room of a header.
    pub fn legend(&self, header: &mut Ui) {
        self.legend_in(header, format::number);
    }

    /// Draws the legend with values in this form.
    pub fn legend_in(&self, header: &mut Ui, show: impl Fn(f64) -> String) {
        let value = |stored: f64| show(if self.chart.log { 10f64.powf(stored) } else { stored });
        let named = self.traces.iter().rev().filter(|trace| trace.is_in_header());
        let of = |trace: &Trace| trace.has_value.then(|| trace.now.map_or_else(|| "–".to_owned(), &value));
        let mut entries: Vec<(Entry, Option<String>)> = named.clone().map(|trace| (trace.entry(), of(trace))).collect();
        // The first task has the word, which says what the other numbers are.
        if let (Some((entry, _)), Some(trace)) = (entries.first_mut(), named.clone().next()) {
            entry.name = trace.line.name.to_string();
        }
        legend::legend(header, &entries);
    }

    /// Returns the names and signs of the traces, from the top one.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        self.traces.iter().rev().filter(|trace| !trace.name.is_empty()).map(Trace::entry)
    }

    /// Draws the legend in the header if it has room, else below it in small type.
    pub fn legend_where_it_fits(&self, header: &mut Ui, body: &mut Ui) {
        if body.available_width() > legend::HEADER_WIDTH {
            self.legend(header);
        } else {
            legend::names_below(body, self.entries());
        }
    }

    /// Draws the plot into the remaining room and turns gestures into actions.
    pub fn show(&self, ui: &mut Ui, context: &mut ViewContext<'_>, id: &'static str) -> Transform {
        let height = ui.available_height();
        self.show_high(ui, context, id, (height, true))
    }

    /// Draws the plot with this height, with labels below unless another plot is right below.
    pub fn show_high(
        &self,
        ui: &mut Ui,
        context: &mut ViewContext<'_>,
        id: &'static str,
        (height, labels): (f32, bool),
    ) -> Transform {
        if let Some(table) = &mut context.table {
            write_curves(table, &self.traces, self.chart.log, context.range);
        }
        // On paper each curve is a line of its own: their picture is a texture of the window, which is missing there.
        let many = !context.paper && self.traces.iter().filter(|trace| trace.over).count() > MANY;
        let panel = self.panel(context, many);
        let painted = paint_high(ui, id, &panel, &Look::of_view(context.thick, labels), height);
        let transform = painted.transform;
        if many {
            ui.painter().set(painted.behind, self.picture(ui, context, id, &transform));
        }
        // A dot at an edge is not clipped.
        let painter = ui.painter().with_clip_rect(transform.frame.expand(5.0 * context.thick));
        cursor(&painter, context, &transform);
        if !context.history.rows().is_empty() {
            let x = transform.x(context.cursor);
            // A hundred dots would hide the curves.
            for trace in self.traces.iter().filter(|trace| !trace.over) {
                if let Some(now) = trace.now {
                    let (at, colour) = (pos2(x, transform.y(now)), context.tokens.ink(trace.line.ink));
                    painter.circle(at, 2.5 * context.thick, colour, Stroke::new(1.0, context.tokens.well));
                }
            }
        }
        if !context.paper {
            let over = self.traces.iter().filter(|trace| many && trace.over).map(|trace| &trace.line);
            readout::show(ui, &painted.response, &transform, &panel, over, |epoch| context.moment(epoch));
        }
        gestures(context, &painted.response, &transform, ui);
        transform
    }

    /// Describes what is in view; where there are many other runs, without their curves.
    fn panel(&self, context: &ViewContext<'_>, many: bool) -> Panel {
        let mut panel = self.chart.without_curves(context.range);
        let levels = panel.lines.iter().filter_map(|level| level.path.span);
        let span = self.traces.iter().filter_map(|trace| trace.span).chain(levels).reduce(wider);
        let (settle, least) = (if self.chart.log { format::settle } else { format::settle_linear }, self.chart.least);
        panel.y.range = match self.chart.limits {
            // A curve at the upper end is not to lie on the edge.
            Some((low, high)) => (low, high + 0.04 * (high - low)),
            None => settle(span.unwrap_or((0.0, least)), least),
        };
        panel.x.name = context.time_unit().to_owned();
        panel.tasks.clone_from(&context.bands);
        let drawn = self.traces.iter().filter(|trace| !(many && trace.over));
        panel.lines.extend(drawn.map(|trace| trace.line.clone()));
        panel.marks.clone_from(&self.marks);
        panel.events = events(context.history);
        panel.strokes =
            self.chart.key_of_strokes(self.traces.iter().filter(|trace| !trace.over).map(|trace| &trace.line));
        panel.empty = match context.history.rows() {
            _ if span.is_some() => "",
            [] if *context.history.state() == RunState::Running => "Measuring the first kernel…",
            [] => "",
            // A constant kernel has zero velocity, which has no logarithm.
            _ if context.is_constant() => "At infinite width nothing moves here",
            _ => "Not measured here",
        };
        panel
    }

    /// Draws the many curves of other runs as a picture.
    fn picture(&self, ui: &Ui, context: &ViewContext<'_>, id: &'static str, transform: &Transform) -> Shape {
        let pixels = (transform.frame.width() * ui.pixels_per_point()) as usize;
        let window = Window { from: context.range.0, to: context.range.1, pixels };
        let over = self.traces.iter().filter(|trace| trace.over).map(|trace| &trace.line);
        let lines = over.map(|line| (Arc::clone(&line.path), context.tokens.ink(line.ink), line.style != Dashes::None));
        context.runs.rasters.shape(ui, id, lines.collect(), window, transform)
    }
}

/// Writes the curves of a time plot within the range in view, below those of a plot above it.
fn write_curves(table: &mut DataTable, traces: &[Trace], log: bool, (from, to): (f64, f64)) {
    table.head(["curve", "epoch", "value"]);
    table.over_time = true;
    // The order is that of drawing reversed: the last curve, drawn on top, is the main one.
    for trace in traces.iter().rev() {
        let drawn = || {
            let points = trace.line.points();
            points.map(|(x, y)| (x, if log { 10f64.powf(y) } else { y })).collect()
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

/// Draws a picture that fills a plot of this height, with time along it and this axis at its left; over it the switches and the
/// cursor. Gestures become actions as in other time plots.
pub fn show_map(
    ui: &mut Ui,
    context: &mut ViewContext<'_>,
    id: &'static str,
    (height, y): (f32, Axis),
    picture: Option<TextureId>,
) -> Transform {
    let x = Axis { range: context.range, ..Axis::default() };
    let look = Look { grid: false, ..Look::of_view(context.thick, true) };
    let Painted { response, transform, behind } =
        paint_high(ui, id, &Panel { x, y, ..Panel::default() }, &look, height);
    let frame = transform.frame;
    if let Some(picture) = picture {
        let whole = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
        ui.painter().set(behind, Shape::image(picture, frame, whole, Color32::WHITE));
    }
    let painter = ui.painter().with_clip_rect(frame);
    for band in context.bands.iter().filter(|band| band.from > 0.0 && !band.planned) {
        painter.vline(transform.x(band.from), frame.y_range(), Stroke::new(1.0, OVER_PICTURE));
    }
    cursor(&painter, context, &transform);
    gestures(context, &response, &transform, ui);
    transform
}

/// The colour of switches over a picture.
pub const OVER_PICTURE: Color32 = Color32::from_rgba_premultiplied(190, 190, 190, 190);

/// Returns the colour of the cursor: faint until a moment is chosen.
pub fn cursor_colour(context: &ViewContext<'_>) -> Color32 {
    context.tokens.cursor.gamma_multiply(if context.clock.chosen().is_some() { 0.85 } else { 0.3 })
}

/// Draws the time cursor and the two moments that are compared, over the full height of the plot.
pub fn cursor(painter: &egui::Painter, context: &ViewContext<'_>, transform: &Transform) {
    let frame = transform.frame;
    let x = transform.x(context.cursor);
    painter.vline(x, frame.y_range(), Stroke::new(context.thick, cursor_colour(context)));
    for which in Which::BOTH {
        if let Some(moment) = context.travel.marks.moment(which) {
            let x = transform.x(moment.epoch);
            let line = [pos2(x, frame.top()), pos2(x, frame.bottom())];
            painter.extend(Shape::dashed_line(&line, Stroke::new(1.0, colour(context.tokens, which)), 2.0, 4.0));
        }
    }
}

/// Handles the gestures that move the cursor, pan and zoom.
pub fn gestures(context: &mut ViewContext<'_>, response: &Response, transform: &Transform, ui: &Ui) {
    let epoch_at = |pos: Pos2| transform.point(pos).0;
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
            actions.push(PlaybackAction::Pan(-points * transform.x_per_point()));
        }
    }
}

fn zoom_to_stretch(actions: &mut Actions, response: &Response, transform: &Transform, ui: &Ui) {
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
    let frame = transform.frame;
    let rect = Rect::from_two_pos(pos2(start, frame.top()), pos2(pos.x, frame.bottom())).intersect(frame);
    if response.drag_stopped_by(PointerButton::Secondary) {
        ui.data_mut(|data| data.remove::<f32>(id));
        if rect.width() > 4.0 {
            let epoch = |x: f32| transform.point(pos2(x, frame.top())).0;
            actions.push(PlaybackAction::Show(epoch(rect.left()), epoch(rect.right())));
        }
    } else {
        let accent = ui.visuals().selection.stroke.color;
        ui.painter().rect_filled(rect, 0.0, accent.gamma_multiply(0.2));
    }
}
