//! Describes the panels of a study from its comparison, for the window and for files.
//!
//! Guarantees: a run, a mean and a law have the same colour and the same definition wherever they are shown.

use super::kinds::{Content, PanelKind, Series, Style};
use crate::analysis::comparison::{Comparison, FigureByAxis, Quantity, Spacing, Summaries};
use crate::chart::format;
use crate::chart::palette::{self, Colour, Ink};
use crate::chart::panel::{Bar, Dashes, Dot, End, Entry, Line, Panel, Point, Sign, Target};
use crate::math::bootstrap::Summary;

/// Largest number of single runs drawn: more would be one grey area, and use up the time of a frame.
pub const MOST_LINES: usize = 120;

/// Selects the part of a study in the panels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// The switch, counted from 0.
    pub switch: usize,
    /// Index of the series whose curves are aligned at it.
    pub series: usize,
}

/// Returns a panel.
pub fn panel(kind: PanelKind, runs: &Comparison, view: View) -> Panel {
    let mut panel = Panel::bare(kind.is_log());
    (panel.title, panel.y.name) = kind.in_full();
    match kind.content() {
        Content::Aligned(quantity) => panel.aligned(runs, quantity, view),
        Content::Axis(figures) => {
            panel.along(runs);
            figures.iter().for_each(|figure| panel.figure(runs, figure, view.switch));
        }
        Content::Law(law) => {
            panel.along(runs);
            panel.law(runs, law.figure);
        }
    }
    match kind.limits() {
        Some(limits) => panel.y.range = limits,
        None => panel.settle(kind.least()),
    }
    panel
}

/// Returns the names and colours of the series and of the values of the axis, as far as panels have them.
pub fn keys(runs: &Comparison, aligned: bool) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (place, series) in runs.series.iter().enumerate() {
        let entry = |(colour, broken): (Colour, bool)| Entry {
            name: series.name.clone(),
            ink: colour.into(),
            sign: if broken { Sign::Ring } else { Sign::Dot },
        };
        entries.extend(series_colour(runs, place).map(entry));
    }
    // If colours stand for series, those of values occur in the aligned curves only.
    if entries.is_empty() || aligned {
        let value = |(place, value): (usize, &crate::analysis::comparison::Value)| Entry {
            name: value.text.clone(),
            ink: value_colour(runs, place).into(),
            sign: Sign::Dot,
        };
        entries.extend(runs.values.iter().enumerate().map(value));
    }
    entries
}

impl Panel {
    fn aligned(&mut self, runs: &Comparison, quantity: Quantity, view: View) {
        self.x.range = runs.stretch(view.switch);
        self.x.name = "epochs since the switch".to_owned();
        self.rules = vec![0.0];
        let single = runs.finished() <= MOST_LINES;
        for (place, around) in runs.around(quantity, view.switch, view.series).into_iter().enumerate() {
            let text = &runs.values[place].text;
            let colour = value_colour(runs, place);
            for piece in around.mean.iter().filter(|_| around.runs.len() > 1) {
                self.ribbon(piece.iter().copied(), colour);
            }
            let alone = around.runs.len() == 1;
            for (seed, pieces) in around.runs.iter().filter(|_| single) {
                let pieces: Vec<Vec<Point>> = pieces.iter().map(|piece| self.points(piece.iter().copied())).collect();
                let name = format!("{} {text}, seed {seed}", runs.axis);
                self.targets.push(Target { name, points: pieces.concat(), ink: colour.into(), run: None });
                if !alone {
                    let thin = |points| Line::new(points, colour.at(0.45), 0.8, Dashes::None);
                    self.lines.extend(pieces.into_iter().map(thin));
                }
            }
            for piece in &around.mean {
                let points = self.points(piece.iter().map(|(x, summary)| (*x, summary.mean)));
                self.lines.push(Line::new(points, colour, 1.8, Dashes::None));
            }
        }
    }

    /// Sets up the study's axis: the positions of its values, and their labels.
    fn along(&mut self, runs: &Comparison) {
        let placed = runs.values.iter().filter(|value| value.at.is_finite());
        let ticks: Vec<(f64, String)> = placed.map(|value| (across(runs, value.at), value.text.clone())).collect();
        let least = ticks.iter().map(|tick| tick.0).fold(f64::INFINITY, f64::min);
        let most = ticks.iter().map(|tick| tick.0).fold(f64::NEG_INFINITY, f64::max);
        let pad = match runs.spacing {
            Spacing::Names => 0.5,
            _ if most > least => 0.08 * (most - least),
            _ => 0.1 * least.abs().max(1.0),
        };
        if least.is_finite() {
            self.x.range = (least - pad, most + pad);
        }
        self.x.ticks = Some(ticks);
        let name = if runs.axis.is_empty() { "run" } else { &runs.axis };
        self.x.name = format!("{name} ({})", runs.seeds_in_words());
    }

    /// Adds a figure of a switch, or one of the run that follows no law.
    fn figure(&mut self, runs: &Comparison, figure: &Series, switch: usize) {
        let control = figure.style == Style::Control;
        if !figure.name.is_empty() {
            let (ink, sign) = match figure.style {
                Style::Main => (Colour::Text.into(), Sign::Dot),
                Style::Broken => (Colour::Text.into(), Sign::Ring),
                Style::Control => (Colour::Weak.at(0.7), Sign::Ring),
            };
            self.legend.push(Entry { name: figure.name.to_owned(), ink, sign });
        }
        for (series, found) in runs.against(figure.figure, switch).into_iter().enumerate() {
            let (line, broken) = match series_colour(runs, series) {
                Some((colour, _)) if control => (colour.at(0.45), true),
                Some((colour, broken)) => (colour.into(), broken),
                None if control => (Colour::Weak.at(0.7), false),
                None => (Colour::Text.at(0.55), false),
            };
            let style = if broken || figure.style == Style::Broken { Dashes::Broken } else { Dashes::None };
            let points = self.points(found.means.iter().map(|&(at, mean)| (across(runs, at), mean)));
            self.lines.push(Line::new(points, line, 1.4, style));
            self.bars(&found.summaries, |at| across(runs, at), line);
            let what = if figure.name.is_empty() { String::new() } else { format!(" ({})", figure.name) };
            self.level(runs, &found, line);
            self.runs(runs, series, &found, (figure.style == Style::Main, &what), |place| {
                if control || runs.has_series() { line } else { value_colour(runs, place).into() }
            });
        }
    }

    /// Adds a figure of the whole run: each run, the band over seeds, and the power law through all runs.
    fn law(&mut self, runs: &Comparison, figure: &str) {
        let all = runs.against(figure, 0);
        let ends = runs.values.iter().map(|value| value.at).filter(|at| at.is_finite());
        let (first, last) =
            ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), at| (low.min(at), high.max(at)));
        // The label of the highest law is at the left, where the reference lines begin.
        let mut top: Option<f64> = None;
        for (series, found) in all.into_iter().enumerate() {
            let (ink, broken) = series_colour(runs, series)
                .map_or((Colour::Text.at(0.8), false), |(colour, broken)| (colour.into(), broken));
            let style = if broken { Dashes::Broken } else { Dashes::None };
            self.ribbon(found.summaries.iter().map(|&(at, summary)| (across(runs, at), summary)), ink);
            let means = self.points(found.means.iter().map(|&(at, mean)| (across(runs, at), mean)));
            let width = if found.law.is_some() { 0.8 } else { 1.4 };
            self.lines.push(Line::new(means, ink, width, Dashes::Broken));
            if let (Some(law), [from, .., to]) = (found.law, found.summaries.as_slice()) {
                let points = self.points([from.0, to.0].into_iter().map(|at| (across(runs, at), law.at(at))));
                if let Some(end) = points.last() {
                    self.ends.push(End { at: *end, text: law.in_words(), ink });
                }
                let left = law.at(first).log10();
                top = Some(top.map_or(left, |top| top.max(left)));
                self.lines.push(Line::new(points, ink, 1.4, style));
            }
            self.level(runs, &found, ink);
            self.runs(runs, series, &found, (!broken, ""), |place| {
                if runs.has_series() { ink } else { value_colour(runs, place).into() }
            });
        }
        if let (Some(top), "network.width") = (top, runs.axis.as_str()) {
            let (left, right) = (across(runs, first), across(runs, last));
            for (slope, name) in [(-0.5, "−½"), (-1.0, "−1")] {
                let points = vec![(left, top), (right, top + slope * (right - left))];
                let line = Line::new(points, Colour::Faint, 1.0, Dashes::Dotted);
                self.guides.push((line, name));
            }
        }
    }

    /// Adds a dot for each run with a position on the axis, filled or hollow, in these colours, and its text on hovering.
    fn runs(
        &mut self,
        runs: &Comparison,
        series: usize,
        found: &FigureByAxis,
        (full, what): (bool, &str),
        ink: impl Fn(usize) -> Ink,
    ) {
        let of = &runs.series[series].name;
        let of = if of.is_empty() { String::new() } else { format!("{of}, ") };
        for &(place, seed, figure) in &found.runs {
            let value = &runs.values[place];
            let (Some(y), true) = (self.stored(figure), value.at.is_finite()) else { continue };
            let (at, ink) = ((across(runs, value.at), y), ink(place));
            self.dots.push(Dot { at, ink, full });
            let name = format!("{of}{} {}, seed {seed}{what}", runs.axis, value.text);
            self.targets.push(Target { name, points: vec![at], ink, run: None });
        }
    }

    /// Adds the value at infinite width as a level, because it has no position on the axis.
    fn level(&mut self, runs: &Comparison, found: &FigureByAxis, ink: Ink) {
        if let Some(Summary { mean, .. }) = found.beyond {
            let (left, right) = self.x.range;
            let points = self.points([(left, mean), (right, mean)]);
            if let Some(end) = points.last() {
                let text = if runs.has_series() { "∞".to_owned() } else { format!("∞: {}", format::number(mean)) };
                self.ends.push(End { at: *end, text, ink });
                self.lines.push(Line::new(points, ink, 1.0, Dashes::Dotted));
            }
        }
    }

    fn bars(&mut self, summaries: &Summaries, x: impl Fn(f64) -> f64, ink: Ink) {
        for (at, (low, high)) in summaries.iter().filter_map(|(at, summary)| Some((*at, summary.interval?))) {
            if let (Some(low), Some(high)) = (self.stored(low), self.stored(high)) {
                self.bars.push(Bar { at: x(at), ends: (low, high), ink });
            }
        }
    }
}

/// Returns the drawn position of a value.
fn across(runs: &Comparison, at: f64) -> f64 {
    if runs.spacing == Spacing::Log { at.log10() } else { at }
}

/// Returns the colour of a run's dot: that of its series if there are several, else that of its value.
pub fn colour(runs: &Comparison, (series, place): (usize, usize)) -> Colour {
    series_colour(runs, series).map_or_else(|| value_colour(runs, place), |found| found.0)
}

/// Returns the colour of the value at this index of the axis.
fn value_colour(runs: &Comparison, place: usize) -> Colour {
    Colour::Value { place, count: runs.values.len() }
}

/// Returns the colour of a series, and whether its line is broken; `None` if there is only one.
fn series_colour(runs: &Comparison, series: usize) -> Option<(Colour, bool)> {
    let (number, broken) = palette::series_ink(series);
    runs.has_series().then_some((Colour::Task(number), broken))
}
