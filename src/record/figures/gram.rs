//! The Gram before and after each switch, as heat maps on one colour scale with its bar.

use std::sync::Arc;

use plotters::prelude::{Rectangle, PathElement};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color as _, RGBColor};

use super::super::palette::task_colour;
use super::super::{Block, History, Metric, Snapshot};
use super::backend::{Area, Backend, Drawn};
use super::chart::{rgb, text};
use super::scale::{Scale, plain};

/// Units: a heat map's side, the space about it, and what the colour bar takes.
const SIDE: i32 = 360;
const GAP: i32 = 24;
const HEAD: i32 = 62;
const BAR: i32 = 110;
/// More switches than this are not drawn: a page is full.
const MAX_SWITCHES: usize = 4;
/// Steps of the colour scale: neighbours of one colour become one rectangle, which keeps an SVG small.
const SHADES: f64 = 64.0;

const INK: RGBColor = RGBColor(40, 40, 40);

/// One heat map and what is written above it.
struct Picture {
    snapshot: Arc<Snapshot>,
    title: String,
}

/// The pairs before and after each switch; without a switch the first and the last.
fn pairs(history: &History) -> Vec<[Picture; 2]> {
    let picture = |epoch: f64, what: &str| {
        let snapshot = history.snapshot_at(epoch)?.clone();
        let title = format!("{what}, epoch {}", plain(snapshot.row.epoch, Some(2)));
        Some(Picture { snapshot, title })
    };
    let last = history.snapshots().last().map_or(0.0, |snapshot| snapshot.row.epoch);
    let switches = history.tasks().windows(2).enumerate().filter_map(|(place, pair)| {
        let spike = history.spikes(Block::Task(pair[0].task), Metric::Velocity).get(place).copied().flatten();
        let after = spike.map_or(pair[1].epoch + 1.0, |spike| spike.epoch);
        Some([picture(pair[1].epoch, "At the switch")?, picture(after, "At the spike")?])
    });
    let found: Vec<_> = switches.take(MAX_SWITCHES).collect();
    if !found.is_empty() {
        return found;
    }
    picture(0.0, "First").zip(picture(last, "Last")).map(|(first, last)| vec![[first, last]]).unwrap_or_default()
}

/// The size of this figure, in units.
pub(super) fn size(history: &History) -> (u32, u32) {
    let rows = pairs(history).len().max(1) as i32;
    ((2 * SIDE + 3 * GAP + BAR) as u32, (rows * (HEAD + SIDE) + GAP) as u32)
}

/// Draws all pairs with one colour scale.
pub(super) fn draw<B: Backend>(root: &Area<B>, history: &History) -> Drawn<B> {
    let unit = B::UNIT;
    let title = "Kernel of all probes (lines: tasks)";
    root.draw_text(title, &text::<B>(22, INK, HPos::Left, VPos::Center), (GAP * unit, 24 * unit))?;
    let pairs = pairs(history);
    let values = || pairs.iter().flatten().flat_map(|picture| picture.snapshot.gram.iter().copied());
    let scale = Scale::of(values().chain([0.0]), false);
    let range = values().filter(|value| value.is_finite()).fold((0.0f64, 0.0f64), |(low, high), v| (low.min(v), high.max(v)));
    let sizes: Vec<(usize, usize)> = history.info().map_or_else(Vec::new, |info| {
        info.probes.chunk_by(|a, b| a.task == b.task).map(|probes| (probes[0].task, probes.len())).collect()
    });
    for (row, pair) in pairs.iter().enumerate() {
        for (column, picture) in pair.iter().enumerate() {
            let x = (GAP + column as i32 * (SIDE + GAP)) * unit;
            let y = (HEAD + row as i32 * (SIDE + HEAD)) * unit;
            root.draw_text(&picture.title, &text::<B>(17, INK, HPos::Left, VPos::Bottom), (x, y - 4 * unit))?;
            heat_map(root, &picture.snapshot, range, (x, y))?;
            let n = picture.snapshot.eigenvalues.len();
            block_lines(root, &sizes, n, (x, y))?;
        }
    }
    if pairs.is_empty() {
        return Ok(());
    }
    colour_bar(root, &scale, range)
}

fn shade(value: f64, (low, high): (f64, f64)) -> RGBColor {
    let part = if high > low { ((value - low) / (high - low)).clamp(0.0, 1.0) } else { 0.0 };
    let colour = colorous::VIRIDIS.eval_continuous((part * SHADES).round() / SHADES);
    RGBColor(colour.r, colour.g, colour.b)
}

fn heat_map<B: Backend>(root: &Area<B>, snapshot: &Snapshot, range: (f64, f64), origin: (i32, i32)) -> Drawn<B> {
    let n = snapshot.eigenvalues.len();
    if n == 0 || snapshot.gram.len() != n * n {
        return Ok(());
    }
    let edge = |place: usize| (place as i64 * i64::from(SIDE * B::UNIT) / n as i64) as i32;
    for (row, values) in snapshot.gram.chunks_exact(n).enumerate() {
        let mut place = 0;
        for run in values.chunk_by(|&a, &b| shade(a, range) == shade(b, range)) {
            let (left, right) = (origin.0 + edge(place), origin.0 + edge(place + run.len()));
            let (top, bottom) = (origin.1 + edge(row), origin.1 + edge(row + 1));
            place += run.len();
            root.draw(&Rectangle::new([(left, top), (right, bottom)], shade(run[0], range).filled()))?;
        }
    }
    Ok(())
}

/// Lines between the tasks, and their colours at the edge.
fn block_lines<B: Backend>(root: &Area<B>, sizes: &[(usize, usize)], n: usize, origin: (i32, i32)) -> Drawn<B> {
    let unit = B::UNIT;
    let edge = |place: usize| (place as i64 * i64::from(SIDE * unit) / n.max(1) as i64) as i32;
    let mut place = 0;
    for &(task, size) in sizes {
        let (from, to) = (edge(place.min(n)), edge((place + size).min(n)));
        let strip = [(origin.0 - 7 * unit, origin.1 + from), (origin.0 - 2 * unit, origin.1 + to)];
        root.draw(&Rectangle::new(strip, rgb(task_colour(task)).filled()))?;
        if place > 0 {
            let side = SIDE * unit;
            let white = RGBColor(255, 255, 255).stroke_width(unit as u32);
            root.draw(&PathElement::new(vec![(origin.0 + from, origin.1), (origin.0 + from, origin.1 + side)], white))?;
            root.draw(&PathElement::new(vec![(origin.0, origin.1 + from), (origin.0 + side, origin.1 + from)], white))?;
        }
        place += size;
    }
    Ok(())
}

fn colour_bar<B: Backend>(root: &Area<B>, scale: &Scale, range: (f64, f64)) -> Drawn<B> {
    let unit = B::UNIT;
    let (left, right) = ((2 * SIDE + 3 * GAP) * unit, (2 * SIDE + 3 * GAP + 18) * unit);
    let (top, height) = (HEAD * unit, SIDE * unit);
    let place = |part: f64| top + height - (part * f64::from(height)) as i32;
    for step in 0..SHADES as i32 {
        let (low, high) = (f64::from(step) / SHADES, f64::from(step + 1) / SHADES);
        let colour = shade(range.0 + high * (range.1 - range.0), range);
        root.draw(&Rectangle::new([(left, place(high)), (right, place(low))], colour.filled()))?;
    }
    let style = text::<B>(17, INK, HPos::Left, VPos::Center);
    for &tick in scale.ticks().iter().filter(|&&tick| tick >= range.0 && tick <= range.1 && range.1 > range.0) {
        let y = place((tick - range.0) / (range.1 - range.0));
        root.draw(&PathElement::new(vec![(right, y), (right + 4 * unit, y)], INK.stroke_width(unit as u32)))?;
        root.draw_text(&scale.label(tick), &style, (right + 8 * unit, y + B::DROP * unit))?;
    }
    Ok(())
}
