//! Describes charts over time before their points are read: which quantities of a record are shown, with which names, colours and
//! strokes, on which scale, and what is marked.
//!
//! Guarantees: a chart is declared once. The window reads the part of each curve that is in view, in every frame; a figure reads
//! all of it ([`TimeChart::panel`]). Both are painted by [`crate::paint::panel`].

use std::sync::Arc;

use super::format::{change, number, times};
use super::palette::{Colour, Ink};
use super::panel::{Axis, Dashes, Entry, Line, Mark, Panel, Polyline, Sign, TaskBand, TimedEvent, stored};
use super::series_cache::{Key, SeriesCache, Window};
use super::series_id::SeriesId;
use crate::math::spike::{Dip, Spike};
use crate::run::{Block, History, Metric, TaskStart, describe_in_short};

/// Describes a chart over time.
#[derive(Clone, Debug, Default)]
pub struct TimeChart {
    /// The title in a file, where no header has one.
    pub title: &'static str,
    /// The name of the vertical axis: the quantity, with its unit where it has one.
    pub y: &'static str,
    pub log: bool,
    /// The range of a quantity that has one by definition.
    pub limits: Option<(f64, f64)>,
    /// The smallest span of the vertical axis, as stored.
    pub least: f64,
    /// The first one is named first, and lies on top.
    pub curves: Vec<TimeCurve>,
    /// Values at which a broken line goes across; the vertical axis reaches them.
    pub levels: Vec<(f64, Ink)>,
    /// What a solid line and each other stroke shows, where the curves of one colour have several.
    pub strokes: &'static [(Dashes, &'static str)],
    /// The reaction that is marked at each switch.
    pub marks: Option<Reaction>,
    /// The quantity of other runs that is shown behind the curves; of the first task's probes, where it has tasks.
    pub others: Option<SeriesId>,
}

/// Describes one curve.
#[derive(Clone, Debug)]
pub struct TimeCurve {
    pub name: Name,
    pub series: SeriesId,
    pub ink: Ink,
    pub width: f32,
    pub style: Dashes,
    /// Whether its value at the cursor is shown.
    pub has_value: bool,
    /// The name in exported numbers, where it is not that of the quantity.
    pub exported: Option<String>,
}

/// Names a curve in legends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Name {
    /// Nothing names it: there is no other curve beside it.
    #[default]
    None,
    Task(usize),
    Text(String),
    /// It goes with another curve of its colour, which has the name; these words tell the two apart under the pointer.
    Beside(String),
}

/// Selects the reaction of the kernel to a switch that is marked on the curve of the task that ends there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// The ratio of each spike of a velocity to its background.
    Spikes(Metric),
    /// The relative fall of λ_max, where it falls; on curves that are divided by the value at the last switch, or not.
    Dips { relative: bool },
}

impl Name {
    /// Returns the name where the room is short: of a task its number.
    pub fn short(&self) -> String {
        match self {
            Self::None | Self::Beside(_) => String::new(),
            Self::Task(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }

    fn in_full(&self) -> Option<String> {
        match self {
            Self::None | Self::Beside(_) => None,
            Self::Task(number) => Some(format!("task {number}")),
            Self::Text(text) => Some(text.clone()),
        }
    }

    /// Returns what the pointer is told of the curve.
    fn pointed_at(&self) -> String {
        match self {
            Self::Beside(words) => words.clone(),
            name => name.in_full().unwrap_or_default(),
        }
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl TimeCurve {
    /// Returns a solid curve of the usual width.
    pub fn new(name: impl Into<Name>, series: SeriesId, ink: impl Into<Ink>) -> Self {
        let (name, ink) = (name.into(), ink.into());
        Self { name, series, ink, width: 1.5, style: Dashes::None, has_value: true, exported: None }
    }

    /// Returns the curve of a task in its colour.
    pub fn of_task(task: usize, series: SeriesId) -> Self {
        Self::new(Name::Task(task), series, Colour::Task(task))
    }

    /// Returns a curve that goes with another one, in its colour and not named in legends.
    pub fn beside(name: impl Into<String>, series: SeriesId, ink: impl Into<Ink>, style: Dashes) -> Self {
        Self { width: 1.0, style, has_value: false, ..Self::new(Name::Beside(name.into()), series, ink) }
    }

    /// Returns the line of this curve.
    pub fn line(&self, path: Arc<Polyline>) -> Line {
        let name = self.name.pointed_at().into();
        Line { name, path, ink: self.ink, width: self.width, style: self.style }
    }
}

impl TimeChart {
    /// Returns a chart of these curves.
    pub fn new(log: bool, least: f64, curves: Vec<TimeCurve>) -> Self {
        Self { log, least, curves, ..Self::default() }
    }

    /// Returns a chart with a curve of each task's block, the first one emphasised, over those of other runs.
    pub fn of_tasks(history: &History, log: bool, least: f64, series: impl Fn(Block) -> SeriesId) -> Self {
        let curve = |task| {
            let width = if task == 1 { 1.8 } else { 1.2 };
            TimeCurve { width, ..TimeCurve::of_task(task, series(Block::Task(task))) }
        };
        let curves = tasks(history).into_iter().map(curve).collect();
        Self { others: Some(series(Block::Task(1))), ..Self::new(log, least, curves) }
    }

    /// Gives the chart a title, for a file.
    #[must_use]
    pub fn titled(self, title: &'static str) -> Self {
        Self { title, ..self }
    }

    /// Names the vertical axis.
    #[must_use]
    pub fn against(self, y: &'static str) -> Self {
        Self { y, ..self }
    }

    /// Returns the key of a quantity on the scale of this chart.
    pub fn key(&self, source: SeriesId) -> Key {
        Key { source, log: self.log }
    }

    /// Returns the marks, as far as their values have a place; the curves must have been read.
    pub fn marks(&self, history: &History, curves: &SeriesCache) -> Vec<Mark> {
        let Some(reaction) = self.marks else { return Vec::new() };
        let mark = |(place, task): (usize, usize)| {
            let block = Block::Task(task);
            let (epoch, value, text, meaning) = match reaction {
                Reaction::Spikes(metric) => {
                    let spike = curves.spikes(history, block, metric).get(place).copied()??;
                    (spike.epoch, spike.height, format!("×{}", times(spike.ratio)), spike_in_words(&spike, task))
                }
                Reaction::Dips { relative } => {
                    let dip = curves.dips(history, block).get(place).copied()?.filter(|dip| dip.depth < 1.0)?;
                    let key = self.key(SeriesId::Relative(block, Metric::LambdaMax));
                    let found = relative.then(|| curves.value_at(key, dip.epoch));
                    let value = found.map_or(dip.minimum, |found| found.unwrap_or(dip.depth));
                    (dip.epoch, value, change(dip.depth), dip_in_words(&dip))
                }
            };
            let at = (epoch, stored(value, self.log)?);
            let above = matches!(reaction, Reaction::Spikes(_));
            Some(Mark { at, text, meaning, ink: Colour::Task(task).into(), above })
        };
        history.tasks().windows(2).map(|pair| pair[0].task).enumerate().filter_map(mark).collect()
    }

    /// Returns the panel of the chart without its curves, over this range of time.
    pub fn without_curves(&self, range: (f64, f64)) -> Panel {
        let level = |&(value, ink): &(f64, Ink)| Some(Line::level(range, stored(value, self.log)?, ink));
        let lines = self.levels.iter().filter_map(level).collect();
        Panel { lines, x: Axis { range, ..Axis::default() }, ..Panel::titled(self.title, self.y, self.log) }
    }

    /// Returns the names of the strokes, as far as there are lines of them; none if all lines have one stroke.
    pub fn key_of_strokes<'a>(&self, lines: impl Iterator<Item = &'a Line> + Clone) -> Vec<Entry> {
        let drawn = |style| lines.clone().any(|line| line.style == style && !line.path.pieces.is_empty());
        if self.strokes.iter().filter(|stroke| drawn(stroke.0)).count() < 2 {
            return Vec::new();
        }
        let entry = |&(style, name): &(Dashes, &str)| Entry {
            name: name.to_owned(),
            ink: Colour::Weak.into(),
            sign: Sign::of(style),
        };
        self.strokes.iter().filter(|stroke| drawn(stroke.0)).map(entry).collect()
    }

    /// Returns the panel with all points of the curves, for a file.
    pub fn panel(&self, history: &History) -> Panel {
        let (cache, (x, tasks)) = (SeriesCache::default(), over_time(history));
        let mut panel = Panel { tasks, ..self.without_curves(x.range) };
        panel.x = x;
        let levels = panel.lines.len();
        for curve in &self.curves {
            let path = cache.visible(history, self.key(curve.series), Window::WHOLE);
            if !path.pieces.is_empty() {
                panel.curve(curve.name.in_full(), curve.line(path));
            }
        }
        panel.lines[levels..].reverse();
        panel.legend.extend(self.key_of_strokes(panel.lines[levels..].iter()));
        panel.events = events(history);
        panel.marks = self.marks(history, &cache);
        match self.limits {
            None => panel.settle(self.least),
            // A curve at an end of the range is not to lie on the edge.
            Some((low, high)) => {
                let margin = 0.05 * (high - low);
                panel.y.range = (low - margin, high + margin);
            }
        }
        panel
    }
}

/// Says what the number at a spike is of.
fn spike_in_words(spike: &Spike, task: usize) -> String {
    let (height, background, ratio) = (number(spike.height), number(spike.background), times(spike.ratio));
    let fake =
        spike.fake_ratio().map_or(String::new(), |fake| format!(" Of fake switches 99 % stay below ×{}.", times(fake)));
    format!(
        "×{ratio}: {height}, the largest velocity within an epoch after the switch, over {background}, the median of the last          third of task {task}.{fake}"
    )
}

/// Says what the number at a dip is of.
fn dip_in_words(dip: &Dip) -> String {
    let (before, minimum) = (number(dip.before), number(dip.minimum));
    let fake = dip.fake.map_or(String::new(), |fake| format!(" Of fake switches 99 % stay above {}.", change(fake)));
    format!(
        "{}: from {before}, the median of the three epochs before the switch, to {minimum}, the least within three epochs \
         after it.{fake}",
        change(dip.depth)
    )
}

/// Returns the live changes of a run as events of a panel.
pub fn events(history: &History) -> Vec<TimedEvent> {
    let event = |(at, effect)| TimedEvent { at, words: describe_in_short(effect) };
    history.live_changes().map(event).collect()
}

/// Returns the horizontal axis of a whole record, and its tasks.
fn over_time(history: &History) -> (Axis, Vec<TaskBand>) {
    let last = history.rows().last().map_or(0.0, |row| row.epoch);
    let end = if last > 0.0 { last } else { 1.0 };
    let starts = history.tasks();
    let until = |place: usize| starts.get(place + 1).map_or(end, |next| next.epoch).min(end);
    let band = |(place, start): (usize, &TaskStart)| TaskBand {
        from: start.epoch,
        to: until(place),
        task: start.task,
        planned: false,
    };
    let bands = starts.iter().enumerate().map(band).filter(|band| band.to > band.from);
    let name = if history.counts_steps() { "step" } else { "epoch" };
    (Axis { name: name.to_owned(), range: (0.0, end), ..Axis::default() }, bands.collect())
}

/// Returns the numbers of all tasks.
pub fn tasks(history: &History) -> Vec<usize> {
    history.info().map_or_else(Vec::new, |info| info.tasks.iter().map(|task| task.number).collect())
}
