//! Describes the eigenvalues of single kernels by their index, largest first.
//!
//! Guarantees: eigenvalues at or below 0, which have no logarithm, have no place here; the caller counts them.

use super::format::{linear_marks, settle};
use super::palette::Colour;
use super::panel::{Axis, Dashes, Dot, Line, Panel, Point, THIN, wider};
use crate::run::History;

/// Returns (log10 of the index from 1, log10 λ), largest first, without eigenvalues at or below 0.
pub fn points(ascending: &[f64]) -> Vec<Point> {
    let largest_first = ascending.iter().rev().enumerate();
    let positive = largest_first.filter(|(_, value)| **value > 0.0);
    positive.map(|(place, value)| (((place + 1) as f64).log10(), value.log10())).collect()
}

/// Describes spectra of this many eigenvalues on logarithmic axes, the last one on top.
pub fn by_index(lines: Vec<Line>, count: usize) -> Panel {
    let right = (count as f64).log10().max(0.3) + 0.06;
    let ticks = (0..=4).flat_map(|decade| [1, 2, 5].map(|digit| digit * 10u32.pow(decade)));
    let ticks = ticks.map(|index| (f64::from(index).log10(), index.to_string())).filter(|(at, _)| *at <= right);
    let mut panel = Panel { lines, ..Panel::titled("", "eigenvalue", true) };
    panel.x = Axis { name: "index".to_owned(), range: (-0.06, right), ticks: Some(ticks.collect()), log: true };
    let spans = panel.lines.iter().filter_map(|line| line.path.span);
    panel.y.range = spans.reduce(wider).map_or((0.0, 1.0), |span| settle(span, 1.0));
    panel
}

/// Describes all eigenvalues of the last kernel of a record, for a file.
pub(super) fn of_record(history: &History) -> Panel {
    let mut panel = Panel::titled("Eigenvalues of the kernel above 0, by rank", "eigenvalue", true);
    let values = history.snapshots().last().map_or(&[][..], |snapshot| snapshot.eigenvalues.as_slice());
    let points = panel.points((1..).map(f64::from).zip(values.iter().rev().copied()));
    panel.dots = points.iter().map(|&at| Dot { at, ink: Colour::Text.into(), full: true }).collect();
    panel.curve(None, Line::new(points, Colour::Text, THIN, Dashes::None));
    let count = values.len().max(2) as f64;
    let ticks = linear_marks(1.0, count, 8).into_iter().map(|rank| rank.round().max(1.0));
    let ticks = ticks.map(|rank| (rank, rank.to_string())).collect();
    let pad = 0.02 * (count - 1.0);
    panel.x = Axis { name: "rank".to_owned(), range: (1.0 - pad, count + pad), ticks: Some(ticks), log: false };
    panel.fitted()
}
