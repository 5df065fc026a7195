//! Describes the kernel on points of the plane: over the angle on the circle, before and after training and for all runs of a
//! study; and its principal components on the disk.

use std::f64::consts::PI;
use std::sync::Arc;

use super::format::{fixed, settle_linear};
use super::heat_maps::{ColourScale, HeatMap, HeatMaps};
use super::palette::Colour;
use super::panel::{Axis, Chart, Dashes, Line, MAIN, Panel, Point, THIN, wider};
use crate::math::Gram;
use crate::math::modes::Modes;
use crate::run::{History, RunInfo, Snapshot};
use crate::run::{cell, circle, grid, origin, profile};
use crate::storage::{StudyFolder, load};

/// Number of components of a kernel in a row, and in all.
const COLUMNS: usize = 3;
const COMPONENTS: usize = 2 * COLUMNS;

/// Returns the axis of the angle.
fn over_the_circle() -> Axis {
    let names = ["−π", "−π/2", "0", "π/2", "π"];
    let ticks = (-2..=2).zip(names).map(|(quarter, name)| (f64::from(quarter) * PI / 2.0, name.to_owned()));
    Axis { name: "γ from x₀".to_owned(), range: (-1.02 * PI, 1.02 * PI), ticks: Some(ticks.collect()), log: false }
}

/// Returns Θ(x₀, x(γ)) over the angle γ, with x₀ nearest to (1, 0).
fn over_angle(info: &RunInfo, kernel: &[f64]) -> Vec<Point> {
    let Some(points) = circle(info) else { return Vec::new() };
    profile(kernel, &points, origin(&points))
}

/// Describes one kernel over the circle by its line and its name, which is empty for one among several.
#[derive(Clone, Debug)]
pub struct Profile {
    pub name: &'static str,
    pub line: Line,
}

impl Profile {
    /// Returns the profile of the network of infinite width.
    pub fn of_limit(points: Vec<Point>) -> Self {
        Self { name: "n = ∞", line: Line::new(points, Colour::Text, 1.2, Dashes::Broken) }
    }

    /// Returns the profile of the first kernel of a run.
    pub fn of_start(points: Vec<Point>) -> Self {
        Self { name: "at the start", line: Line::new(points, Colour::Task(1), MAIN, Dashes::Broken) }
    }

    /// Returns the profile of a later kernel of the same run.
    pub fn of_moment(name: &'static str, points: Vec<Point>) -> Self {
        Self { name, line: Line::new(points, Colour::Task(2), 2.0, Dashes::None) }
    }

    /// Returns the profile of the first or of the last kernel of an earlier run.
    pub fn of_earlier(is_start: bool, points: Vec<Point>) -> Self {
        let (strength, style) = if is_start { (0.6, Dashes::Broken) } else { (1.0, Dashes::None) };
        Self { name: "", line: Line::new(points, Colour::Faint.at(strength), THIN, style) }
    }
}

/// Describes kernels over the circle, the last one on top.
pub fn profiles(profiles: Vec<Profile>) -> Panel {
    let title = "Kernel between a point of the circle and all others";
    let mut panel = Panel { x: over_the_circle(), ..Panel::titled(title, PROFILE, false) };
    for Profile { name, line } in profiles {
        panel.curve((!name.is_empty()).then(|| name.to_owned()), line);
    }
    let spans = panel.lines.iter().filter_map(|line| line.path.span);
    let span = spans.reduce(wider).map_or((0.0, 1.0), |(low, high)| (low.min(0.0), high));
    panel.y.range = settle_linear(span, 1e-9);
    panel
}

/// Describes the profiles of one run.
pub(super) fn panels(history: &History) -> Vec<Panel> {
    let Some(info) = history.info() else { return vec![profiles(Vec::new()).fitted()] };
    let of = |kernel: &[f64]| over_angle(info, kernel);
    let of_snapshot = |snapshot: Option<&Arc<Snapshot>>| snapshot.map(|snapshot| of(&snapshot.gram));
    let snapshots = history.snapshots();
    let found = [
        history.limit().map(|limit| Profile::of_limit(of(limit))),
        of_snapshot(snapshots.first()).map(Profile::of_start),
        of_snapshot(snapshots.last()).map(|points| Profile::of_moment("at the end", points)),
    ];
    let measured = |profile: &Profile| profile.line.path.span.is_some();
    // Without other runs to compare with, the range needs no 0.
    vec![profiles(found.into_iter().flatten().filter(measured).collect()).fitted()]
}

const PROFILE: &str = "Θ(x₀, x(γ))";

/// Describes the first and the last profile of all runs of a study on the circle; `None` for another study.
pub(super) fn of_study(study: &StudyFolder) -> Option<(String, Chart)> {
    study.spec().data.source.plane()?;
    let mut values: Vec<&str> = Vec::new();
    for run in study.runs() {
        if !values.contains(&run.value.as_str()) {
            values.push(&run.value);
        }
    }
    let titles = ["Kernel over the circle, at the start", "The same after training"];
    let mut panels = titles.map(|title| Panel { x: over_the_circle(), ..Panel::titled(title, PROFILE, false) });
    let mut named: Vec<&str> = Vec::new();
    for (place, run) in study.runs().iter().enumerate() {
        // One at a time: all Grams of all runs need not fit in memory.
        let Some(loaded) = study.ended(place).and_then(|_| load(&study.run_folder(place)).ok()) else { continue };
        let Some(info) = loaded.history.info() else { continue };
        let at = values.iter().position(|value| *value == run.value).unwrap_or(0);
        let colour = Colour::Value { place: at, count: values.len() };
        let name = (!named.contains(&run.value.as_str())).then(|| run.value.clone());
        named.push(&run.value);
        let snapshots = loaded.history.snapshots();
        for (panel, snapshot) in panels.iter_mut().zip([snapshots.first(), snapshots.last()]) {
            if let Some(snapshot) = snapshot {
                let line = Line::new(over_angle(info, &snapshot.gram), colour, THIN, Dashes::None);
                panel.curve(name.clone(), line);
            }
        }
    }
    let is_drawn = !panels[0].is_empty();
    is_drawn.then(|| ("circle".to_owned(), Chart::Panels(panels.map(Panel::fitted).into())))
}

/// Describes the first eigenvectors of the first and of the last kernel on their grid.
pub(super) fn components(history: &History) -> HeatMaps {
    let ends = [history.snapshots().first(), history.snapshots().last()].into_iter().flatten();
    let pictures = history.info().map_or_else(Vec::new, |info| ends.map(|of| pictures(info, of)).collect());
    let rows = pictures.into_iter().flat_map(|mut first: Vec<HeatMap>| {
        let second = first.split_off(COLUMNS.min(first.len()));
        [first, second]
    });
    HeatMaps {
        title: "Eigenvectors of the kernel on a grid of the plane".to_owned(),
        columns: COLUMNS,
        rows: rows.filter(|row| !row.is_empty()).collect(),
        scales: vec![ColourScale { name: "over its largest", diverging: true, range: (-1.0, 1.0) }],
        note: String::new(),
    }
}

/// Returns the components of one kernel, each divided by its largest entry; none where the probes are not on a grid.
fn pictures(info: &RunInfo, snapshot: &Snapshot) -> Vec<HeatMap> {
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
        let title = format!("{}. at epoch {}: {} %", rank + 1, fixed(snapshot.row.epoch, 1), fixed(share, 1));
        HeatMap { title, n: side, values, scale: 0, tasks: Vec::new() }
    };
    (0..COMPONENTS.min(points.len())).map(component).collect()
}
