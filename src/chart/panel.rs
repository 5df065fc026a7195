//! Describes a chart as data: its curves, bands, dots, guides and marks, its axes and its legend, in colours by their purpose.
//!
//! Guarantees: no drawing library is known here, so that the window and the files of figures show the same description with the
//! same painter ([`crate::paint::panel`]). Positions are as stored: log10 on a logarithmic axis, where a value at or below 0 has
//! no place.

use std::sync::Arc;

use super::format;
use super::heat_maps::HeatMaps;
use super::palette::Ink;
use crate::math::bootstrap::Summary;

/// Gives a position: x and y as stored.
pub type Point = (f64, f64);

/// Widths of the curves that a panel is about, and of the less important ones.
pub const MAIN: f32 = 1.4;
pub const THIN: f32 = 0.8;

/// Describes the content of a figure.
#[derive(Clone, Debug)]
pub enum Chart {
    /// Panels below each other.
    Panels(Vec<Panel>),
    Maps(HeatMaps),
}

/// Describes one chart: everything between its axes, the axes themselves, and the legend.
#[derive(Clone, Debug, Default)]
pub struct Panel {
    /// The title above the panel in a file.
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    /// The times of the tasks, painted as bands behind everything with a line at each switch from one to the next.
    pub tasks: Vec<TaskBand>,
    /// Further vertical lines.
    pub rules: Vec<f64>,
    /// What was done to the run while it went on: a thin line each, with its words where there is room.
    pub events: Vec<TimedEvent>,
    pub ribbons: Vec<Ribbon>,
    /// Reference lines, which do not affect the range, each with its name where it leaves the panel.
    pub guides: Vec<(Line, &'static str)>,
    pub lines: Vec<Line>,
    pub bars: Vec<Bar>,
    pub dots: Vec<Dot>,
    /// Texts at the right of the panel, at these heights.
    pub ends: Vec<End>,
    pub marks: Vec<Mark>,
    /// The names of its curves.
    pub legend: Vec<Entry>,
    /// What its strokes show, in the window, where a panel has no legend of its own.
    pub strokes: Vec<Entry>,
    /// The runs that the pointer can highlight in the window.
    pub targets: Vec<Target>,
    /// The text in a panel that has nothing to show.
    pub empty: &'static str,
}

/// Describes one axis of a panel.
#[derive(Clone, Debug)]
pub struct Axis {
    /// The quantity and its unit.
    pub name: String,
    pub log: bool,
    pub range: (f64, f64),
    /// The places that have a label; none where round numbers have one.
    pub ticks: Option<Vec<(f64, String)>>,
}

impl Default for Axis {
    fn default() -> Self {
        Self { name: String::new(), log: false, range: (0.0, 1.0), ticks: None }
    }
}

/// Describes a line through points, and how it is painted.
#[derive(Clone, Debug)]
pub struct Line {
    /// What it shows, in full, for whoever points at it; empty where it is nothing to read from, like a level.
    pub name: Arc<str>,
    /// Shared with what read it from the record: a frame of the window copies no points.
    pub path: Arc<Polyline>,
    pub ink: Ink,
    pub width: f32,
    pub style: Dashes,
}

/// Holds the points of a line, or of the part of it in view.
#[derive(Clone, Debug, Default)]
pub struct Polyline {
    /// Connected pieces.
    pub pieces: Vec<Vec<Point>>,
    /// Least and greatest value.
    pub span: Option<(f64, f64)>,
    /// True if there are more points than pixels.
    pub dense: bool,
}

/// Selects the stroke of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dashes {
    None,
    Broken,
    Dotted,
}

/// Describes a band around a curve: the interval of a mean, or what a null gives.
#[derive(Clone, Debug)]
pub struct Ribbon {
    /// x, lower and upper end.
    pub points: Vec<(f64, f64, f64)>,
    pub ink: Ink,
}

/// Describes a vertical bar at one place: the interval of a mean.
#[derive(Clone, Debug)]
pub struct Bar {
    pub at: f64,
    pub ends: (f64, f64),
    pub ink: Ink,
}

/// Describes a dot, filled or hollow.
#[derive(Clone, Debug)]
pub struct Dot {
    pub at: Point,
    pub ink: Ink,
    pub full: bool,
}

/// Describes a text at the end of a line.
#[derive(Clone, Debug)]
pub struct End {
    pub at: Point,
    pub text: String,
    pub ink: Ink,
}

/// Describes a number that is written at a point of a curve.
#[derive(Clone, Debug)]
pub struct Mark {
    pub at: Point,
    pub text: String,
    /// What the number is of, in a sentence.
    pub meaning: String,
    pub ink: Ink,
    /// Whether the text stands above its point, where there is room.
    pub above: bool,
}

/// Describes the time in which a task is trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TaskBand {
    pub from: f64,
    pub to: f64,
    /// Number of the task, from 1.
    pub task: usize,
    /// Whether it has not begun yet.
    pub planned: bool,
}

/// Describes what was done to a run at one moment of it.
#[derive(Clone, Debug, PartialEq)]
pub struct TimedEvent {
    pub at: f64,
    pub words: String,
}

/// Describes a name in the legend.
#[derive(Clone, Debug)]
pub struct Entry {
    pub name: String,
    pub ink: Ink,
    pub sign: Sign,
}

/// Selects the sign before a name in the legend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    Line,
    Dashes,
    Dots,
    Dot,
    Ring,
}

impl Sign {
    /// Returns that of a line of this stroke.
    pub fn of(style: Dashes) -> Self {
        match style {
            Dashes::None => Self::Line,
            Dashes::Broken => Self::Dashes,
            Dashes::Dotted => Self::Dots,
        }
    }
}

/// Describes a run that the pointer can highlight: its points and its name.
#[derive(Clone, Debug)]
pub struct Target {
    pub name: String,
    pub points: Vec<Point>,
    pub ink: Ink,
    /// The run that a click opens, by its index in the study.
    pub run: Option<usize>,
}

impl Line {
    /// Returns the line through these points.
    pub fn new(points: Vec<Point>, ink: impl Into<Ink>, width: f32, style: Dashes) -> Self {
        let path = Arc::new(Polyline { span: span(&points), pieces: vec![points], dense: false });
        Self { name: Arc::default(), path, ink: ink.into(), width, style }
    }

    /// Names what the line shows.
    #[must_use]
    pub fn named(self, name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Returns a broken horizontal line from one place to another.
    pub fn level((from, to): (f64, f64), y: f64, ink: impl Into<Ink>) -> Self {
        Self::new(vec![(from, y), (to, y)], ink, 1.0, Dashes::Broken)
    }

    /// Returns all of its points.
    pub fn points(&self) -> impl Iterator<Item = Point> {
        self.path.pieces.iter().flatten().copied()
    }
}

/// Returns the least and the greatest height of these points.
pub fn span(points: &[Point]) -> Option<(f64, f64)> {
    points.iter().map(|point| (point.1, point.1)).reduce(wider)
}

/// Returns the stored form of a height; none where it has no place.
pub fn stored(value: f64, log: bool) -> Option<f64> {
    let stored = if log { value.log10() } else { value };
    // Beyond this a range could not be computed.
    (stored.abs() < 1e300).then_some(stored)
}

/// Returns the range that covers both.
pub fn wider(one: (f64, f64), other: (f64, f64)) -> (f64, f64) {
    (one.0.min(other.0), one.1.max(other.1))
}

impl Panel {
    /// Returns an empty panel whose vertical axis is this one.
    pub fn bare(log: bool) -> Self {
        Self { y: Axis { log, ..Axis::default() }, empty: "Not measured", ..Self::default() }
    }

    /// Returns an empty panel of this title and quantity.
    pub fn titled(title: &str, y: &str, log: bool) -> Self {
        let y = Axis { name: y.to_owned(), log, ..Axis::default() };
        Self { title: title.to_owned(), y, ..Self::bare(log) }
    }

    /// Adds a curve, and its name to the legend; none when another curve of this colour has it.
    pub fn curve(&mut self, name: Option<String>, line: Line) {
        let sign = Sign::of(line.style);
        let line = match &name {
            Some(name) if line.name.is_empty() => line.named(name.as_str()),
            _ => line,
        };
        self.legend.extend(name.map(|name| Entry { name, ink: line.ink, sign }));
        self.lines.push(line);
    }

    /// Returns the stored form of a height; none where it has no place.
    pub fn stored(&self, value: f64) -> Option<f64> {
        stored(value, self.y.log)
    }

    /// Returns these points as stored; the horizontal place is left as it is.
    pub fn points(&self, points: impl IntoIterator<Item = Point>) -> Vec<Point> {
        points.into_iter().filter_map(|(x, y)| Some((x, self.stored(y)?))).collect()
    }

    /// Adds the band of the intervals of several means, where they have one; a band needs two of them.
    pub fn ribbon(&mut self, means: impl IntoIterator<Item = (f64, Summary)>, ink: impl Into<Ink>) {
        let ends = |(x, mean): (f64, Summary)| {
            let (low, high) = mean.interval?;
            Some((x, self.stored(low)?, self.stored(high)?))
        };
        let points: Vec<(f64, f64, f64)> = means.into_iter().filter_map(ends).collect();
        if points.len() > 1 {
            self.ribbons.push(Ribbon { points, ink: ink.into() });
        }
    }

    /// Sets the range of the vertical axis to that of the content; `least` is its smallest span, as stored.
    pub fn settle(&mut self, least: f64) {
        let settle = if self.y.log { format::settle } else { format::settle_linear };
        self.y.range = settle(self.span(), least);
    }

    /// Fits the vertical axis to the content, with the least span that is not taken for noise.
    pub fn fitted(mut self) -> Self {
        self.settle(if self.y.log { 0.3 } else { 1e-9 });
        self
    }

    /// Returns whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        let none = |line: &Line| line.path.pieces.iter().all(Vec::is_empty);
        self.lines.iter().all(none) && self.dots.is_empty() && self.ribbons.is_empty()
    }

    /// Returns the least and the greatest value, as stored; of a logarithmic axis at most twelve decades.
    fn span(&self) -> (f64, f64) {
        let lines = self.lines.iter().filter_map(|line| line.path.span);
        let dots = self.dots.iter().map(|dot| (dot.at.1, dot.at.1));
        let ribbons = self.ribbons.iter().flat_map(|ribbon| &ribbon.points).map(|&(_, low, high)| (low, high));
        let Some((low, high)) = lines.chain(dots).chain(ribbons).reduce(wider) else { return (0.0, 1.0) };
        (if self.y.log { low.max(high - 12.0) } else { low }, high)
    }
}
