//! Draws the Gram before and after each switch, and their difference, as heat maps on common colour scales.

use plotters::prelude::{PathElement, Rectangle};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color as _, RGBColor};

use super::backend::{Area, Backend, Drawn};
use super::drawing::{INK, LABEL, TITLE, rgb, text};
use super::palette::task_colour;
use super::scale::{Scale, plain};
use crate::run::{Block, History, Metric};

/// Sizes in units: the side of a heat map, the space around it, and the width of the colour bars.
pub(crate) const SIDE: i32 = 280;
pub(crate) const GAP: i32 = 24;
pub(crate) const HEAD: i32 = 62;
pub(crate) const BARS: i32 = 96;
pub(crate) const COLUMNS: i32 = 3;
/// The most switches drawn: a page is then full.
const MAX_SWITCHES: usize = 3;
/// Steps of the colour scale: neighbours of one colour become one rectangle, which keeps an SVG small.
const SHADES: f64 = 64.0;

/// The map from numbers to colours.
#[derive(Clone, Copy)]
pub(crate) enum Map {
    /// Viridis, from the smallest to the largest value (0 included).
    Kernel { low: f64, high: f64 },
    /// Blue below 0, red above, white at 0.
    Change { most: f64 },
}

impl Map {
    fn ends(self) -> (f64, f64) {
        match self {
            Self::Kernel { low, high } => (low, high),
            Self::Change { most } => (-most, most),
        }
    }

    fn shade(self, value: f64) -> RGBColor {
        let (low, high) = self.ends();
        let part = if high > low { ((value - low) / (high - low)).clamp(0.0, 1.0) } else { 0.5 };
        let part = (part * SHADES).round() / SHADES;
        let colour = match self {
            Self::Kernel { .. } => colorous::VIRIDIS.eval_continuous(part),
            Self::Change { .. } => colorous::RED_BLUE.eval_continuous(1.0 - part),
        };
        RGBColor(colour.r, colour.g, colour.b)
    }
}

/// A heat map and what is written above it.
pub(crate) struct Picture {
    pub(crate) title: String,
    pub(crate) n: usize,
    /// Row-major [n, n].
    pub(crate) values: Vec<f64>,
}

/// Returns before, after and difference, a row for each switch; a single kernel gives only itself.
fn pictures(history: &History) -> Vec<Vec<Picture>> {
    let picture = |epoch: f64, what: &str| {
        let snapshot = history.snapshot_at(epoch)?;
        let n = snapshot.eigenvalues.len();
        let (unit, decimals) = if history.counts_steps() { ("step", 0) } else { ("epoch", 2) };
        let title = format!("{what}, {unit} {}", plain(snapshot.row.epoch, Some(decimals)));
        (n > 0 && snapshot.gram.len() == n * n).then(|| Picture { title, n, values: snapshot.gram.to_vec() })
    };
    let triple = |(before, after): (Picture, Picture)| {
        let values = before.values.iter().zip(&after.values).map(|(before, after)| after - before).collect();
        let change = Picture { title: "Change".to_owned(), n: before.n, values };
        vec![before, after, change]
    };
    let switches = history.tasks().windows(2).enumerate().filter_map(|(place, pair)| {
        let spike = history.spikes(Block::Task(pair[0].task), Metric::Velocity).get(place).copied().flatten();
        let after = spike.map_or(pair[1].epoch + 1.0, |spike| spike.epoch);
        let what = if spike.is_some() { "At the spike" } else { "After" };
        picture(pair[1].epoch, "At the switch").zip(picture(after, what)).map(triple)
    });
    let found: Vec<_> = switches.take(MAX_SWITCHES).collect();
    if !found.is_empty() {
        return found;
    }
    if history.rows().len() == 1 {
        let only = picture(0.0, "The kernel").map(|picture| Picture { title: "The kernel".to_owned(), ..picture });
        return only.map(|picture| vec![picture]).into_iter().collect();
    }
    // Without a switch: the first and the last.
    let last = history.snapshots().last().map_or(0.0, |snapshot| snapshot.row.epoch);
    picture(0.0, "First").zip(picture(last, "Last")).map(triple).into_iter().collect()
}

/// Returns the number of heat maps in a row: one for a single kernel.
fn columns(history: &History) -> i32 {
    if history.rows().len() == 1 { 1 } else { COLUMNS }
}

/// The size of this figure, in units.
pub(crate) fn size(history: &History) -> (u32, u32) {
    let switches = history.tasks().len().saturating_sub(1).clamp(1, MAX_SWITCHES) as i32;
    ((columns(history) * (SIDE + GAP) + GAP + BARS) as u32, (switches * (HEAD + SIDE) + GAP) as u32)
}

/// Draws all of them, the kernels on one colour scale and the changes on another.
pub(crate) fn draw<B: Backend>(root: &Area<B>, history: &History) -> Drawn<B> {
    let unit = B::UNIT;
    let columns = columns(history);
    let title = if columns == 1 { "Kernel of all probes" } else { "Kernel of all probes; white lines part the tasks" };
    root.draw_text(title, &text::<B>(TITLE, INK, HPos::Left, VPos::Center), (GAP * unit, 24 * unit))?;
    let rows = pictures(history);
    if rows.is_empty() {
        return Ok(());
    }
    let finite = |columns: std::ops::Range<usize>| {
        let shown = rows.iter().flat_map(move |row| row.iter().take(columns.end).skip(columns.start));
        shown.flat_map(|picture| &picture.values).copied().filter(|value| value.is_finite())
    };
    let kernel = Map::Kernel { low: finite(0..2).fold(0.0, f64::min), high: finite(0..2).fold(0.0, f64::max) };
    let change = Map::Change { most: finite(2..3).fold(0.0, |most, value| most.max(value.abs())) };

    let sizes: Vec<(usize, usize)> = history.info().map_or_else(Vec::new, |info| {
        info.probes.chunk_by(|a, b| a.task == b.task).map(|probes| (probes[0].task, probes.len())).collect()
    });
    for (row, pictures) in rows.iter().enumerate() {
        for (column, picture) in pictures.iter().enumerate() {
            let x = (GAP + column as i32 * (SIDE + GAP)) * unit;
            let y = (HEAD + row as i32 * (SIDE + HEAD)) * unit;
            root.draw_text(&picture.title, &text::<B>(LABEL, INK, HPos::Left, VPos::Bottom), (x, y - 4 * unit))?;
            heat_map(root, picture, if column < 2 { kernel } else { change }, (x, y))?;
            // White would be lost on the changes, whose middle is white.
            let line = if column < 2 { RGBColor(255, 255, 255) } else { RGBColor(130, 130, 130) };
            block_lines(root, &sizes, picture.n, (x, y), line)?;
        }
    }
    let half = (SIDE - HEAD) / 2;
    colour_bar(root, kernel, "kernel", columns, HEAD, half)?;
    if columns == 1 {
        return Ok(());
    }
    colour_bar(root, change, "change", columns, HEAD + half + HEAD, half)
}

/// Where a row or column begins, in pixels.
fn edge<B: Backend>(place: usize, n: usize) -> i32 {
    (place.min(n) as i64 * i64::from(SIDE * B::UNIT) / n.max(1) as i64) as i32
}

/// Draws the squares with this corner, in pixels.
pub(crate) fn heat_map<B: Backend>(root: &Area<B>, picture: &Picture, map: Map, (x, y): (i32, i32)) -> Drawn<B> {
    let n = picture.n;
    for (row, values) in picture.values.chunks_exact(n).enumerate() {
        let (top, bottom) = (y + edge::<B>(row, n), y + edge::<B>(row + 1, n));
        let mut place = 0;
        for run in values.chunk_by(|&a, &b| map.shade(a) == map.shade(b)) {
            let (left, right) = (x + edge::<B>(place, n), x + edge::<B>(place + run.len(), n));
            place += run.len();
            root.draw(&Rectangle::new([(left, top), (right, bottom)], map.shade(run[0]).filled()))?;
        }
    }
    Ok(())
}

/// Lines between the tasks, and their colours at the edge.
pub(crate) fn block_lines<B: Backend>(
    root: &Area<B>,
    sizes: &[(usize, usize)],
    n: usize,
    (x, y): (i32, i32),
    colour: RGBColor,
) -> Drawn<B> {
    let (unit, side) = (B::UNIT, SIDE * B::UNIT);
    let mut place = 0;
    for &(task, size) in sizes {
        let (from, to) = (edge::<B>(place, n), edge::<B>(place + size, n));
        let strip = [(x - 7 * unit, y + from), (x - 2 * unit, y + to)];
        root.draw(&Rectangle::new(strip, rgb(task_colour(task)).filled()))?;
        if place > 0 {
            let style = colour.stroke_width(unit as u32);
            root.draw(&PathElement::new(vec![(x + from, y), (x + from, y + side)], style))?;
            root.draw(&PathElement::new(vec![(x, y + from), (x + side, y + from)], style))?;
        }
        place += size;
    }
    Ok(())
}

/// A colour scale with its numbers, at the right of so many heat maps; `top` and `height` in units.
pub(crate) fn colour_bar<B: Backend>(
    root: &Area<B>,
    map: Map,
    name: &str,
    columns: i32,
    top: i32,
    height: i32,
) -> Drawn<B> {
    let unit = B::UNIT;
    let left = (columns * (SIDE + GAP) + GAP) * unit;
    let right = left + 18 * unit;
    let (low, high) = map.ends();
    root.draw_text(name, &text::<B>(LABEL, INK, HPos::Left, VPos::Bottom), (left, (top - 4) * unit))?;
    if high <= low {
        return Ok(());
    }
    let place = |part: f64| top * unit + height * unit - (part * f64::from(height * unit)) as i32;
    for step in 0..SHADES as i32 {
        let (from, to) = (f64::from(step) / SHADES, f64::from(step + 1) / SHADES);
        let colour = map.shade(low + (from + to) / 2.0 * (high - low));
        root.draw(&Rectangle::new([(left, place(to)), (right, place(from))], colour.filled()))?;
    }
    let scale = Scale::exact(low, high);
    let style = text::<B>(LABEL, INK, HPos::Left, VPos::Center);
    for &tick in scale.ticks() {
        let y = place((tick - low) / (high - low));
        root.draw(&PathElement::new(vec![(right, y), (right + 4 * unit, y)], INK.stroke_width(unit as u32)))?;
        root.draw_text(&scale.label(tick), &style, (right + 8 * unit, y + B::DROP * unit))?;
    }
    Ok(())
}
