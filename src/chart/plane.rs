//! Draws the kernel on points of the plane: over the angle on the circle, before and after training and for all runs of a
//! study; and its principal components on the disk.

use std::f64::consts::PI;

use plotters::style::text_anchor::{HPos, VPos};

use super::backend::{Area, Backend, Drawn};
use super::curves::{Across, Curve, Panel};
use super::drawing::{INK, LABEL, TITLE, text};
use super::gram::{BARS, COLUMNS, GAP, HEAD, Map, Picture, SIDE, colour_bar, heat_map};
use super::palette;
use super::scale::{Scale, plain};
use crate::math::Gram;
use crate::math::modes::Modes;
use crate::run::{History, RunInfo, Snapshot};
use crate::run::{cell, circle, grid, origin, profile};
use crate::storage::{StudyFolder, load};

const START: [u8; 3] = [0, 114, 178];
const END: [u8; 3] = [213, 94, 0];
const LIMIT: [u8; 3] = [90, 90, 90];
/// Components of a kernel that are shown.
const COMPONENTS: usize = 2 * COLUMNS as usize;

/// The angle, in half turns.
pub(crate) fn across() -> Across {
    Across { x: Scale::exact(-1.0, 1.0), name: "γ/π from x₀".to_owned(), bands: Vec::new(), lines: Vec::new() }
}

/// Θ(x₀, x(γ)) with x₀ nearest to (1, 0).
fn over_angle(info: &RunInfo, kernel: &[f64]) -> Vec<(f64, f64)> {
    let Some(points) = circle(info) else { return Vec::new() };
    profile(kernel, &points, origin(&points)).into_iter().map(|(angle, value)| (angle / PI, value)).collect()
}

/// The profile of one run.
pub(crate) fn panels(history: &History) -> Vec<Panel> {
    let curve = |label: &str, colour, thin, points| Curve {
        label: Some(label.to_owned()),
        colour,
        thin,
        broken: false,
        points,
    };
    let mut curves = Vec::new();
    if let Some(info) = history.info() {
        let snapshots = history.snapshots();
        if let Some(limit) = history.limit() {
            curves.push(curve("n = ∞", LIMIT, true, over_angle(info, limit)));
        }
        for (snapshot, label, colour) in [(snapshots.first(), "start", START), (snapshots.last(), "end", END)] {
            curves.extend(snapshot.map(|of| curve(label, colour, false, over_angle(info, &of.gram))));
        }
    }
    curves.retain(|curve| !curve.points.is_empty());
    vec![Panel {
        title: "Kernel between a point of the circle and all others",
        y: "Θ(x₀, x(γ))",
        curves,
        ..Panel::default()
    }]
}

/// The profiles of all runs of a study on the circle, first and last; `None` of another study.
pub(crate) fn of_study(study: &StudyFolder) -> Option<(String, Vec<Panel>, Across)> {
    study.spec().data.source.plane()?;
    let mut values: Vec<&str> = Vec::new();
    for run in study.runs() {
        if !values.contains(&run.value.as_str()) {
            values.push(&run.value);
        }
    }
    let [mut start, mut end] = [Vec::new(), Vec::new()];
    let mut named: Vec<&str> = Vec::new();
    for (place, run) in study.runs().iter().enumerate() {
        // One at a time: all Grams of all runs need not fit in memory.
        let Some(loaded) = study.ended(place).and_then(|_| load(&study.run_folder(place)).ok()) else { continue };
        let Some(info) = loaded.history.info() else { continue };
        let at = values.iter().position(|value| *value == run.value).unwrap_or(0);
        let colour = palette::value_colour(at, values.len(), false);
        let label = (!named.contains(&run.value.as_str())).then(|| run.value.clone());
        named.push(&run.value);
        let snapshots = loaded.history.snapshots();
        for (curves, snapshot) in [(&mut start, snapshots.first()), (&mut end, snapshots.last())] {
            let Some(snapshot) = snapshot else { continue };
            let points = over_angle(info, &snapshot.gram);
            curves.push(Curve { label: label.clone(), colour, thin: true, broken: false, points });
        }
    }
    if start.iter().all(|curve| curve.points.is_empty()) {
        return None;
    }
    let panel = |title, curves| Panel { title, y: "Θ(x₀, x(γ))", curves, ..Panel::default() };
    let panels = vec![panel("Kernel over the circle, at the start", start), panel("The same after training", end)];
    Some(("circle".to_owned(), panels, across()))
}

/// The size of the figure of components, in units.
pub(crate) fn size() -> (u32, u32) {
    ((COLUMNS * (SIDE + GAP) + GAP + BARS) as u32, (4 * (HEAD + SIDE) + GAP) as u32)
}

/// Draws the first eigenvectors of the first and of the last kernel on their grid.
pub(crate) fn draw<B: Backend>(root: &Area<B>, history: &History) -> Drawn<B> {
    let unit = B::UNIT;
    let style = text::<B>(TITLE, INK, HPos::Left, VPos::Center);
    root.draw_text("Eigenvectors of the kernel on a grid of the plane", &style, (GAP * unit, 24 * unit))?;
    let map = Map::Change { most: 1.0 };
    let ends = [history.snapshots().first(), history.snapshots().last()];
    let Some(info) = history.info() else { return Ok(()) };
    for (half, snapshot) in ends.into_iter().enumerate() {
        for (place, picture) in snapshot.map_or_else(Vec::new, |of| pictures(info, of)).iter().enumerate() {
            let (row, column) = (2 * half as i32 + place as i32 / COLUMNS, place as i32 % COLUMNS);
            let corner = ((GAP + column * (SIDE + GAP)) * unit, (HEAD + row * (SIDE + HEAD)) * unit);
            let above = (corner.0, corner.1 - 4 * unit);
            root.draw_text(&picture.title, &text::<B>(LABEL, INK, HPos::Left, VPos::Bottom), above)?;
            heat_map(root, picture, map, corner)?;
        }
    }
    colour_bar(root, map, "over its largest", COLUMNS, HEAD, SIDE)
}

/// The components of one kernel, each over its own largest entry; none where it is not on a grid.
fn pictures(info: &RunInfo, snapshot: &Snapshot) -> Vec<Picture> {
    let Some((side, points)) = grid(info) else { return Vec::new() };
    let gram = Gram::symmetrised(points.len(), snapshot.gram.to_vec()).ok();
    let Some(modes) = gram.and_then(|(gram, _)| Modes::of(&gram).ok()) else { return Vec::new() };
    let trace: f64 = modes.values().iter().sum();
    let component = |rank: usize| {
        let vector = modes.vector(rank);
        let most = vector.iter().map(|value| value.abs()).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
        let mut values = vec![0.0; side * side];
        for (value, point) in vector.iter().zip(&points) {
            let (column, row) = cell(*point, side);
            values[row * side + column] = value / most;
        }
        let share = 100.0 * modes.values()[rank] / trace;
        let epoch = plain(snapshot.row.epoch, Some(1));
        Picture { title: format!("{}. at epoch {epoch}: {} %", rank + 1, plain(share, Some(1))), n: side, values }
    };
    (0..COMPONENTS.min(points.len())).map(component).collect()
}
