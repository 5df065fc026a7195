//! What a panel draws, worked out once from the comparison: points as stored (log10 on logarithmic axes), colours, ranges.
//!
//! Guarantees: a comparison that has not changed costs nothing in a frame. Values that are not above 0 have no place on a
//! logarithmic axis and are left out.

use egui::Color32;
use egui_plot::PlotPoint;

use super::panels::{Content, PanelKind, Series, Style};
use crate::record::comparison::{Around, Comparison, Quantity, Spacing, Spread};
use crate::record::palette::value_colour;
use crate::ui::format;
use crate::ui::theme::Tokens;

/// A line.
#[derive(Debug)]
pub struct Line {
    pub points: Vec<PlotPoint>,
    pub colour: Color32,
    pub width: f32,
    pub broken: bool,
}

/// What lies between the smallest and the largest of several runs.
#[derive(Debug)]
pub struct Ribbon {
    pub x: Vec<f64>,
    pub low: Vec<f64>,
    pub high: Vec<f64>,
    pub colour: Color32,
}

/// A bar from the smallest to the largest.
#[derive(Debug)]
pub struct Bar {
    pub at: f64,
    pub ends: (f64, f64),
    pub colour: Color32,
}

/// A dot for one run.
#[derive(Debug)]
pub struct Dot {
    pub at: PlotPoint,
    pub colour: Color32,
    pub full: bool,
}

/// What can be pointed at: the points of one run, and what it is called.
#[derive(Debug)]
pub struct Target {
    pub name: String,
    pub points: Vec<PlotPoint>,
    pub colour: Color32,
}

/// One panel, ready to draw.
#[derive(Debug)]
pub struct Picture {
    pub ribbons: Vec<Ribbon>,
    pub lines: Vec<Line>,
    pub bars: Vec<Bar>,
    pub dots: Vec<Dot>,
    pub targets: Vec<Target>,
    pub x: (f64, f64),
    pub y: (f64, f64),
    pub log: bool,
    /// Ticks of the horizontal axis where it is that of the study; else it is time.
    pub ticks: Option<Vec<(f64, String)>>,
    /// The figures' names and whether each is the control, a broken line, or the main one.
    pub legend: Vec<(&'static str, Style)>,
}

/// More single runs than this are not drawn: they would be one grey area, and cost what a frame has.
pub const MOST_LINES: usize = 120;

impl Picture {
    /// A panel of this switch, counted from 0.
    pub fn of(kind: PanelKind, runs: &Comparison, switch: usize, tokens: &Tokens) -> Self {
        let mut picture = Self {
            ribbons: Vec::new(),
            lines: Vec::new(),
            bars: Vec::new(),
            dots: Vec::new(),
            targets: Vec::new(),
            x: (0.0, 1.0),
            y: (0.0, 1.0),
            log: kind.is_log(),
            ticks: None,
            legend: Vec::new(),
        };
        match kind.content() {
            Content::Aligned(quantity) => picture.aligned(runs, quantity, switch, tokens),
            Content::Axis(figures) => {
                picture.along(runs);
                figures.iter().for_each(|figure| picture.figure(runs, figure, switch, tokens));
            }
        }
        picture.y = kind.limits().unwrap_or_else(|| format::settle(picture.span(), kind.least()));
        picture
    }

    /// Whether there is nothing to see.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.dots.is_empty() && self.ribbons.is_empty()
    }

    fn stored(&self, value: f64) -> Option<f64> {
        let stored = if self.log { value.log10() } else { value };
        stored.is_finite().then_some(stored)
    }

    fn points(&self, points: impl Iterator<Item = (f64, f64)>) -> Vec<PlotPoint> {
        points.filter_map(|(x, y)| Some(PlotPoint::new(x, self.stored(y)?))).collect()
    }

    fn aligned(&mut self, runs: &Comparison, quantity: Quantity, switch: usize, tokens: &Tokens) {
        self.x = runs.stretch(switch);
        let single = runs.finished() <= MOST_LINES;
        for (place, around) in runs.around(quantity, switch).into_iter().enumerate() {
            let value = &runs.values[place];
            let colour = colour(runs, place, tokens);
            self.ribbons(&around, colour.gamma_multiply(if tokens.dark { 0.16 } else { 0.14 }));
            let alone = around.runs.len() == 1;
            for (seed, pieces) in around.runs.iter().filter(|_| single) {
                let pieces: Vec<Vec<PlotPoint>> =
                    pieces.iter().map(|piece| self.points(piece.iter().copied())).collect();
                let name = format!("{} {}, seed {seed}", runs.axis, value.text);
                self.targets.push(Target { name, points: pieces.concat(), colour });
                if !alone {
                    let thin = colour.gamma_multiply(0.45);
                    self.lines.extend(pieces.into_iter().map(|points| Line {
                        points,
                        colour: thin,
                        width: 0.8,
                        broken: false,
                    }));
                }
            }
            for piece in &around.mean {
                let points = self.points(piece.iter().map(|&(x, [_, mean, _])| (x, mean)));
                self.lines.push(Line { points, colour, width: 1.8, broken: false });
            }
        }
    }

    fn ribbons(&mut self, around: &Around, colour: Color32) {
        if around.runs.len() < 2 {
            return;
        }
        for piece in &around.mean {
            let ends = |&(x, [low, _, high]): &(f64, [f64; 3])| Some((x, self.stored(low)?, self.stored(high)?));
            let kept: Vec<(f64, f64, f64)> = piece.iter().filter_map(ends).collect();
            if kept.len() > 1 {
                let (x, low, high) = (column(&kept, |k| k.0), column(&kept, |k| k.1), column(&kept, |k| k.2));
                self.ribbons.push(Ribbon { x, low, high, colour });
            }
        }
    }

    /// The study's axis: where its values lie, and what is written there.
    fn along(&mut self, runs: &Comparison) {
        let at = |value: f64| if runs.spacing == Spacing::Log { value.log10() } else { value };
        let ticks: Vec<(f64, String)> = runs.values.iter().map(|value| (at(value.at), value.text.clone())).collect();
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

    fn figure(&mut self, runs: &Comparison, series: &Series, switch: usize, tokens: &Tokens) {
        let found = runs.against(series.figure, switch);
        let x = |at: f64| if runs.spacing == Spacing::Log { at.log10() } else { at };
        let grey = tokens.weak.gamma_multiply(0.7);
        let control = series.style == Style::Control;
        if !series.name.is_empty() {
            self.legend.push((series.name, series.style));
        }
        let line = if control { grey } else { tokens.text.gamma_multiply(0.55) };
        let points = self.points(found.means.iter().map(|&(at, mean)| (x(at), mean)));
        self.lines.push(Line { points, colour: line, width: 1.4, broken: series.style == Style::Broken });
        self.bars(&found.spread, x, line);
        for (place, seed, value) in found.runs {
            let Some(y) = self.stored(value) else { continue };
            let at = PlotPoint::new(x(runs.values[place].at), y);
            let colour = if control { grey } else { colour(runs, place, tokens) };
            self.dots.push(Dot { at, colour, full: series.style == Style::Main });
            let what = if series.name.is_empty() { String::new() } else { format!(" ({})", series.name) };
            let name = format!("{} {}, seed {seed}{what}", runs.axis, runs.values[place].text);
            self.targets.push(Target { name, points: vec![at], colour });
        }
    }

    fn bars(&mut self, spread: &Spread, x: impl Fn(f64) -> f64, colour: Color32) {
        for &(at, [low, _, high]) in spread {
            if let (Some(low), Some(high)) = (self.stored(low), self.stored(high)) {
                self.bars.push(Bar { at: x(at), ends: (low, high), colour });
            }
        }
    }

    /// The least and the greatest value, as stored.
    fn span(&self) -> (f64, f64) {
        let lines = self.lines.iter().flat_map(|line| &line.points).map(|point| point.y);
        let dots = self.dots.iter().map(|dot| dot.at.y);
        let ribbons = self.ribbons.iter().flat_map(|ribbon| ribbon.low.iter().chain(&ribbon.high)).copied();
        let all = lines.chain(dots).chain(ribbons);
        let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), y| (low.min(y), high.max(y)));
        if low <= high { (low, high) } else { (0.0, 1.0) }
    }
}

/// The colour of the value at this place of the axis.
pub fn colour(runs: &Comparison, place: usize, tokens: &Tokens) -> Color32 {
    let [r, g, b] = value_colour(place, runs.values.len(), tokens.dark);
    Color32::from_rgb(r, g, b)
}

fn column(rows: &[(f64, f64, f64)], of: impl Fn(&(f64, f64, f64)) -> f64) -> Vec<f64> {
    rows.iter().map(of).collect()
}
