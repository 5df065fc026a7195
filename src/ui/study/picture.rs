//! Computes the contents of a panel once from the comparison: points as stored (log10 on logarithmic axes), colours, ranges.
//!
//! Guarantees: an unchanged comparison costs nothing in a frame. Values at or below 0 are left out on a logarithmic axis.

use egui::Color32;
use egui_plot::PlotPoint;

use super::panels::{Content, PanelKind, Series, Style};
use crate::analysis::comparison::{Against, Comparison, Quantity, Spacing, Spread};
use crate::chart::{palette, palette::value_colour};
use crate::ui::kit::format;
use crate::ui::kit::theme::Tokens;

/// Describes a line.
#[derive(Debug)]
pub struct Line {
    pub points: Vec<PlotPoint>,
    pub colour: Color32,
    pub width: f32,
    pub style: Dashes,
}

/// Selects the stroke of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dashes {
    None,
    Broken,
    Dotted,
}

/// Describes the band between the smallest and the largest of several runs.
#[derive(Debug)]
pub struct Ribbon {
    pub x: Vec<f64>,
    pub low: Vec<f64>,
    pub high: Vec<f64>,
    pub colour: Color32,
}

/// Describes a bar from the smallest to the largest.
#[derive(Debug)]
pub struct Bar {
    pub at: f64,
    pub ends: (f64, f64),
    pub colour: Color32,
}

/// Describes a dot for one run.
#[derive(Debug)]
pub struct Dot {
    pub at: PlotPoint,
    pub colour: Color32,
    pub full: bool,
}

/// Describes a target of the pointer: the points of one run, and its name.
#[derive(Debug)]
pub struct Target {
    pub name: String,
    pub points: Vec<PlotPoint>,
    pub colour: Color32,
    /// The run that a click opens, by its index in the study.
    pub run: Option<usize>,
}

/// Holds a text at the end of a line.
#[derive(Debug)]
pub struct Label {
    pub at: PlotPoint,
    pub text: String,
    pub colour: Color32,
}

/// Holds one panel, ready to draw.
#[derive(Debug)]
pub struct Picture {
    pub ribbons: Vec<Ribbon>,
    pub lines: Vec<Line>,
    pub bars: Vec<Bar>,
    pub dots: Vec<Dot>,
    pub targets: Vec<Target>,
    /// Reference lines, which do not affect the range, each with its name where it leaves the panel.
    pub guides: Vec<(Line, &'static str)>,
    /// Texts at the right of the panel, at these heights.
    pub labels: Vec<Label>,
    pub x: (f64, f64),
    pub y: (f64, f64),
    pub log: bool,
    /// Ticks of the horizontal axis if it is that of the study; else the axis is time.
    pub ticks: Option<Vec<(f64, String)>>,
    /// Names of the figures, each marked as the control, a broken line, or the main one.
    pub legend: Vec<(&'static str, Style)>,
}

/// Largest number of single runs drawn: more would be one grey area, and use up the time of a frame.
pub const MOST_LINES: usize = 120;

/// Selects the part of a study in the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// The switch, counted from 0.
    pub switch: usize,
    /// Index of the series whose curves are aligned at it.
    pub series: usize,
}

impl Picture {
    /// Returns an empty panel.
    pub fn bare(log: bool) -> Self {
        Self {
            ribbons: Vec::new(),
            lines: Vec::new(),
            bars: Vec::new(),
            dots: Vec::new(),
            targets: Vec::new(),
            guides: Vec::new(),
            labels: Vec::new(),
            x: (0.0, 1.0),
            y: (0.0, 1.0),
            log,
            ticks: None,
            legend: Vec::new(),
        }
    }

    /// Returns a panel.
    pub fn of(kind: PanelKind, runs: &Comparison, view: View, tokens: &Tokens) -> Self {
        let mut picture = Self::bare(kind.is_log());
        match kind.content() {
            Content::Aligned(quantity) => picture.aligned(runs, quantity, view, tokens),
            Content::Axis(figures) => {
                picture.along(runs);
                figures.iter().for_each(|figure| picture.figure(runs, figure, view.switch, tokens));
            }
            Content::Law(law) => {
                picture.along(runs);
                picture.law(runs, law.figure, tokens);
            }
        }
        match kind.limits() {
            Some(limits) => picture.y = limits,
            None => picture.settle(kind.least()),
        }
        picture
    }

    /// Sets the y range to that of the content; `least` is its smallest span, as stored.
    pub(super) fn settle(&mut self, least: f64) {
        let settle = if self.log { format::settle } else { format::settle_linear };
        self.y = settle(self.span(), least);
    }

    /// Returns whether the panel is empty.
    pub fn is_empty(&self) -> bool {
        self.lines.iter().all(|line| line.points.is_empty()) && self.dots.is_empty() && self.ribbons.is_empty()
    }

    fn stored(&self, value: f64) -> Option<f64> {
        let stored = if self.log { value.log10() } else { value };
        stored.is_finite().then_some(stored)
    }

    pub(super) fn points(&self, points: impl Iterator<Item = (f64, f64)>) -> Vec<PlotPoint> {
        points.filter_map(|(x, y)| Some(PlotPoint::new(x, self.stored(y)?))).collect()
    }

    fn aligned(&mut self, runs: &Comparison, quantity: Quantity, view: View, tokens: &Tokens) {
        self.x = runs.stretch(view.switch);
        let single = runs.finished() <= MOST_LINES;
        for (place, around) in runs.around(quantity, view.switch, view.series).into_iter().enumerate() {
            let text = &runs.values[place].text;
            let colour = value(runs, place, tokens);
            for piece in around.mean.iter().filter(|_| around.runs.len() > 1) {
                self.ribbon(piece, colour, tokens);
            }
            let alone = around.runs.len() == 1;
            for (seed, pieces) in around.runs.iter().filter(|_| single) {
                let pieces: Vec<Vec<PlotPoint>> =
                    pieces.iter().map(|piece| self.points(piece.iter().copied())).collect();
                let name = format!("{} {text}, seed {seed}", runs.axis);
                self.targets.push(Target { name, points: pieces.concat(), colour, run: None });
                if !alone {
                    let thin = colour.gamma_multiply(0.45);
                    self.lines.extend(pieces.into_iter().map(|points| Line {
                        points,
                        colour: thin,
                        width: 0.8,
                        style: Dashes::None,
                    }));
                }
            }
            for piece in &around.mean {
                let points = self.points(piece.iter().map(|&(x, [_, mean, _])| (x, mean)));
                self.lines.push(Line { points, colour, width: 1.8, style: Dashes::None });
            }
        }
    }

    /// Adds a band around a line of this colour.
    pub(super) fn ribbon(&mut self, spread: &Spread, colour: Color32, tokens: &Tokens) {
        let ends = |&(x, [low, _, high]): &(f64, [f64; 3])| Some((x, self.stored(low)?, self.stored(high)?));
        let kept: Vec<(f64, f64, f64)> = spread.iter().filter_map(ends).collect();
        if kept.len() > 1 {
            let (x, low, high) = (column(&kept, |k| k.0), column(&kept, |k| k.1), column(&kept, |k| k.2));
            self.ribbons.push(Ribbon {
                x,
                low,
                high,
                colour: colour.gamma_multiply(if tokens.dark { 0.16 } else { 0.14 }),
            });
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
            self.x = (least - pad, most + pad);
        }
        self.ticks = Some(ticks);
    }

    /// Adds a figure of a switch, or one of the run that follows no law.
    fn figure(&mut self, runs: &Comparison, figure: &Series, switch: usize, tokens: &Tokens) {
        let control = figure.style == Style::Control;
        if !figure.name.is_empty() {
            self.legend.push((figure.name, figure.style));
        }
        for (series, found) in runs.against(figure.figure, switch).into_iter().enumerate() {
            let (line, broken) = match series_ink(runs, series, tokens) {
                Some((colour, _)) if control => (colour.gamma_multiply(0.45), true),
                Some(ink) => ink,
                None if control => (tokens.weak.gamma_multiply(0.7), false),
                None => (tokens.text.gamma_multiply(0.55), false),
            };
            let style = if broken || figure.style == Style::Broken { Dashes::Broken } else { Dashes::None };
            let points = self.points(found.means.iter().map(|&(at, mean)| (across(runs, at), mean)));
            self.lines.push(Line { points, colour: line, width: 1.4, style });
            self.bars(&found.spread, |at| across(runs, at), line);
            let what = if figure.name.is_empty() { String::new() } else { format!(" ({})", figure.name) };
            self.level(runs, &found, line);
            self.runs(runs, series, &found, (figure.style == Style::Main, &what), |place| {
                if control || runs.has_series() { line } else { value(runs, place, tokens) }
            });
        }
    }

    /// Adds a figure of the whole run: each run, the band over seeds, and the power law through all runs.
    fn law(&mut self, runs: &Comparison, figure: &str, tokens: &Tokens) {
        let all = runs.against(figure, 0);
        let ends = runs.values.iter().map(|value| value.at).filter(|at| at.is_finite());
        let (first, last) =
            ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), at| (low.min(at), high.max(at)));
        // The label of the highest law is at the left, where the reference lines begin.
        let mut top: Option<f64> = None;
        for (series, found) in all.into_iter().enumerate() {
            let (colour, broken) = series_ink(runs, series, tokens).unwrap_or((tokens.text.gamma_multiply(0.8), false));
            let style = if broken { Dashes::Broken } else { Dashes::None };
            let spread: Spread = found.spread.iter().map(|&(at, around)| (across(runs, at), around)).collect();
            self.ribbon(&spread, colour, tokens);
            let means = self.points(found.means.iter().map(|&(at, mean)| (across(runs, at), mean)));
            let width = if found.law.is_some() { 0.8 } else { 1.4 };
            self.lines.push(Line { points: means, colour, width, style: Dashes::Broken });
            if let (Some(law), [from, .., to]) = (found.law, found.spread.as_slice()) {
                let points = self.points([from.0, to.0].into_iter().map(|at| (across(runs, at), law.at(at))));
                if let Some(end) = points.last() {
                    self.labels.push(Label { at: *end, text: law.in_words(), colour });
                }
                let left = law.at(first).log10();
                top = Some(top.map_or(left, |top| top.max(left)));
                self.lines.push(Line { points, colour, width: 1.4, style });
            }
            self.level(runs, &found, colour);
            self.runs(runs, series, &found, (!broken, ""), |place| {
                if runs.has_series() { colour } else { value(runs, place, tokens) }
            });
        }
        if let (Some(top), "network.width") = (top, runs.axis.as_str()) {
            let (left, right) = (across(runs, first), across(runs, last));
            for (slope, name) in [(-0.5, "−½"), (-1.0, "−1")] {
                let points = vec![PlotPoint::new(left, top), PlotPoint::new(right, top + slope * (right - left))];
                let line = Line { points, colour: tokens.faint, width: 1.0, style: Dashes::Dotted };
                self.guides.push((line, name));
            }
        }
    }

    /// Adds a dot for each run with a position on the axis, filled or hollow, in these colours, and its text on hovering.
    fn runs(
        &mut self,
        runs: &Comparison,
        series: usize,
        found: &Against,
        (full, what): (bool, &str),
        colour: impl Fn(usize) -> Color32,
    ) {
        let of = &runs.series[series].name;
        let of = if of.is_empty() { String::new() } else { format!("{of}, ") };
        for &(place, seed, figure) in &found.runs {
            let value = &runs.values[place];
            let (Some(y), true) = (self.stored(figure), value.at.is_finite()) else { continue };
            let (at, colour) = (PlotPoint::new(across(runs, value.at), y), colour(place));
            self.dots.push(Dot { at, colour, full });
            let name = format!("{of}{} {}, seed {seed}{what}", runs.axis, value.text);
            self.targets.push(Target { name, points: vec![at], colour, run: None });
        }
    }

    /// Adds the value at infinite width as a level, because it has no position on the axis.
    fn level(&mut self, runs: &Comparison, found: &Against, colour: Color32) {
        if let Some([_, mean, _]) = found.beyond {
            let (left, right) = self.x;
            let points = self.points([(left, mean), (right, mean)].into_iter());
            if let Some(end) = points.last() {
                let text = if runs.has_series() { "∞".to_owned() } else { format!("∞: {}", format::number(mean)) };
                self.labels.push(Label { at: *end, text, colour });
                self.lines.push(Line { points, colour, width: 1.0, style: Dashes::Dotted });
            }
        }
    }

    fn bars(&mut self, spread: &Spread, x: impl Fn(f64) -> f64, colour: Color32) {
        for &(at, [low, _, high]) in spread {
            if let (Some(low), Some(high)) = (self.stored(low), self.stored(high)) {
                self.bars.push(Bar { at: x(at), ends: (low, high), colour });
            }
        }
    }

    /// Returns the least and the greatest value, as stored.
    pub(super) fn span(&self) -> (f64, f64) {
        let lines = self.lines.iter().flat_map(|line| &line.points).map(|point| point.y);
        let dots = self.dots.iter().map(|dot| dot.at.y);
        let ribbons = self.ribbons.iter().flat_map(|ribbon| ribbon.low.iter().chain(&ribbon.high)).copied();
        let all = lines.chain(dots).chain(ribbons);
        let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), y| (low.min(y), high.max(y)));
        if low <= high { (low, high) } else { (0.0, 1.0) }
    }
}

/// Returns the drawn position of a value.
fn across(runs: &Comparison, at: f64) -> f64 {
    if runs.spacing == Spacing::Log { at.log10() } else { at }
}

/// Returns the colour of a run's dot: that of its series if there are several, else that of its value.
pub fn colour(runs: &Comparison, (series, place): (usize, usize), tokens: &Tokens) -> Color32 {
    series_ink(runs, series, tokens).map_or_else(|| value(runs, place, tokens), |ink| ink.0)
}

/// Returns the colour of the value at this index of the axis.
pub fn value(runs: &Comparison, place: usize, tokens: &Tokens) -> Color32 {
    let [r, g, b] = value_colour(place, runs.values.len(), tokens.dark);
    Color32::from_rgb(r, g, b)
}

/// Returns the colour of a series, and whether its line is broken; `None` if there is only one.
pub fn series_ink(runs: &Comparison, series: usize, tokens: &Tokens) -> Option<(Color32, bool)> {
    let (number, broken) = palette::series_ink(series);
    runs.has_series().then(|| (tokens.task(number), broken))
}

fn column(rows: &[(f64, f64, f64)], of: impl Fn(&(f64, f64, f64)) -> f64) -> Vec<f64> {
    rows.iter().map(of).collect()
}
