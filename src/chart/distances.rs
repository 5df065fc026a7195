//! Draws the distance S(t, t′) between the kernels of all snapshots, on the probes of each task.
//!
//! Dark is near. A kernel that changes evenly fades away from the diagonal; one that changes fast at switches shows dark
//! blocks, one for each task.

use std::ops::Range;

use plotters::style::RGBColor;
use plotters::style::text_anchor::{HPos, VPos};

use super::backend::{Area, Backend, Drawn};
use super::drawing::{INK, LABEL, TITLE, text};
use super::gram::{BARS, COLUMNS, GAP, HEAD, Map, Picture, SIDE, block_lines, colour_bar, heat_map};
use super::scale::plain;
use crate::math::Gram;
use crate::math::distance::{Centring, distances};
use crate::run::History;

/// The most tasks whose probes are shown besides all probes together: the columns are then full.
const MAX_TASKS: usize = COLUMNS as usize - 1;
/// Snapshots at most, and values of all their kernels together: all pairs of more would take longer than a figure may.
const MAX_SNAPSHOTS: usize = 256;
const MAX_VALUES: usize = 1 << 25;

/// The size of this figure, in units.
pub(crate) fn size() -> (u32, u32) {
    ((COLUMNS * (SIDE + GAP) + GAP + BARS) as u32, (HEAD + SIDE + HEAD) as u32)
}

/// Draws a heat map for each task's probes, all on one colour scale.
pub(crate) fn draw<B: Backend>(root: &Area<B>, history: &History) -> Drawn<B> {
    let unit = B::UNIT;
    let style = text::<B>(TITLE, INK, HPos::Left, VPos::Center);
    root.draw_text("Distance 1 − CKA of the kernel from itself at other times", &style, (GAP * unit, 24 * unit))?;
    let pictures = pictures(history);
    let Some(first) = pictures.first() else { return Ok(()) };
    let high = pictures.iter().flat_map(|picture| &picture.values).copied().fold(0.0, f64::max);
    let map = Map::Kernel { low: 0.0, high };
    let times: Vec<usize> = shown(history).iter().map(|&place| history.snapshots()[place].row.task).collect();
    let sizes: Vec<(usize, usize)> = times.chunk_by(|a, b| a == b).map(|same| (same[0], same.len())).collect();
    for (column, picture) in pictures.iter().enumerate() {
        let corner = ((GAP + column as i32 * (SIDE + GAP)) * unit, HEAD * unit);
        let above = (corner.0, corner.1 - 4 * unit);
        root.draw_text(&picture.title, &text::<B>(LABEL, INK, HPos::Left, VPos::Bottom), above)?;
        heat_map(root, picture, map, corner)?;
        block_lines(root, &sizes, picture.n, corner, RGBColor(255, 255, 255))?;
    }
    let snapshots = history.snapshots();
    let ends = [0, first.n - 1].map(|place| plain(snapshots[shown(history)[place]].row.epoch, Some(1)));
    let below = format!("{} snapshots in order, epochs {} to {}; lines: switches", first.n, ends[0], ends[1]);
    let place = (GAP * unit, (HEAD + SIDE + 20) * unit);
    root.draw_text(&below, &text::<B>(LABEL, INK, HPos::Left, VPos::Center), place)?;
    colour_bar(root, map, "distance", COLUMNS, HEAD, SIDE)
}

/// Names and rows of the blocks of probes.
fn blocks(history: &History) -> Vec<(String, Range<usize>)> {
    let Some(info) = history.info() else { return Vec::new() };
    let mut start = 0;
    let block = |probes: &[crate::run::Probe]| {
        let rows = start..start + probes.len();
        start = rows.end;
        (format!("Probes of task {}", probes[0].task), rows)
    };
    let mut found: Vec<_> = info.probes.chunk_by(|a, b| a.task == b.task).map(block).take(MAX_TASKS).collect();
    // Where there is but one task, these are its probes.
    if found.len() > 1 {
        found.push(("All probes".to_owned(), 0..info.probes.len()));
    }
    found
}

/// Returns the snapshots that are shown: all, or every n-th.
fn shown(history: &History) -> Vec<usize> {
    let count = history.snapshots().len();
    let each = history.snapshots().last().map_or(1, |snapshot| snapshot.gram.len().max(1));
    let most = (MAX_VALUES / each).clamp(2, MAX_SNAPSHOTS);
    (0..count).step_by(count.div_ceil(most).max(1)).collect()
}

fn pictures(history: &History) -> Vec<Picture> {
    let whole = |place: usize| {
        let snapshot = &history.snapshots()[place];
        let n = snapshot.eigenvalues.len();
        let values = (snapshot.gram.len() == n * n).then(|| snapshot.gram.to_vec())?;
        Gram::symmetrised(n, values).ok().map(|(gram, _)| gram)
    };
    let Some(kernels) = shown(history).into_iter().map(whole).collect::<Option<Vec<Gram>>>() else { return Vec::new() };
    let picture = |(title, rows): (String, Range<usize>)| {
        let block = |kernel: &Gram| (rows.end <= kernel.len()).then(|| kernel.block(rows.clone()));
        let blocks: Vec<Gram> = kernels.iter().map(block).collect::<Option<_>>()?;
        let values = distances(&blocks, Centring::Centred);
        (!blocks.is_empty()).then_some(Picture { title, n: blocks.len(), values })
    };
    blocks(history).into_iter().filter_map(picture).collect()
}
