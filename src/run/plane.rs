//! Locates the probes of a run that are points of the plane, so that the kernel can be drawn over them.
//!
//! The method of [`RunInfo`] here stands beside the functions on such points.

use std::f64::consts::PI;

use super::event::RunInfo;
use crate::math::plane::{Plane, Point};

impl RunInfo {
    /// Returns the set of points, and the point of each probe, in Gram order; `None` of a run on images.
    pub fn plane(&self) -> Option<(Plane, Vec<Point>)> {
        let plane = self.spec.data.source.plane()?;
        let each = self.spec.kernel.probes_per_class;
        let groups = self.probes.chunk_by(|a, b| (a.task, a.label) == (b.task, b.label));
        let points: Vec<Point> = groups.flat_map(|group| plane.probes(group[0].label, each)).collect();
        (points.len() == self.probes.len()).then_some((plane, points))
    }
}

/// Returns γ in (−π, π] from one point of the circle to another.
pub fn angle_between(from: Point, to: Point) -> f64 {
    let turn = to[1].atan2(to[0]) - from[1].atan2(from[0]);
    // The interval is half-open: a half turn is π and never −π, despite rounding.
    let turn = turn.rem_euclid(2.0 * PI);
    if turn > PI + 1e-12 { turn - 2.0 * PI } else { turn }
}

/// Returns (γ, Θ(x₀, x(γ))) of all points in the order of γ: the row of x₀ in a row-major [n, n] kernel. Empty where the
/// kernel has another size.
pub fn profile(kernel: &[f64], points: &[Point], origin: usize) -> Vec<(f64, f64)> {
    let n = points.len();
    if kernel.len() != n * n || origin >= n {
        return Vec::new();
    }
    let row = points.iter().zip(&kernel[origin * n..]);
    let mut profile: Vec<(f64, f64)> =
        row.map(|(point, value)| (angle_between(points[origin], *point), *value)).collect();
    profile.sort_by(|a, b| a.0.total_cmp(&b.0));
    profile
}

/// Returns the probe nearest to (1, 0): x₀ where none was chosen.
pub fn origin(points: &[Point]) -> usize {
    let away = |place: &usize| points[*place][1].atan2(points[*place][0]).abs();
    (0..points.len()).min_by(|a, b| away(a).total_cmp(&away(b))).unwrap_or(0)
}

/// Returns the column, and the row from above, of a point of the disk's grid of `side` × `side` squares over [−1, 1]².
pub fn cell([x, y]: Point, side: usize) -> (usize, usize) {
    let place = |value: f64| (((value + 1.0) / 2.0 * side as f64) as usize).min(side - 1);
    (place(x), side - 1 - place(y))
}

/// Returns the side of the grid of the probes, and their points, if this is a run on the disk whose probes are exactly
/// one grid.
pub fn grid(info: &RunInfo) -> Option<(usize, Vec<Point>)> {
    let (_, points) = info.plane().filter(|(plane, _)| *plane == Plane::Disk)?;
    let side = Plane::side(info.spec.kernel.probes_per_class)?;
    (side * side == points.len()).then_some((side, points))
}

/// Returns the probes of a run on the circle.
pub fn circle(info: &RunInfo) -> Option<Vec<Point>> {
    let (plane, points) = info.plane()?;
    (plane == Plane::Circle).then_some(points)
}
