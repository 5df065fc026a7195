//! Defines points of the plane in two classes, whose kernels can be plotted: the circle of Jacot et al. 2018 and the disk
//! of Baratin et al. 2021. Deterministic and independent of every seed of a run, so that all networks have the same
//! points.
//!
//! Class 1 is where a function is positive: x₁x₂ on the circle (the target that Jacot et al. fit), x₂ − ½ sin(πx₁) on the
//! disk, whose two halves are those of yin and yang. Both divide their set into halves: a quarter turn, or a reflection in
//! the origin, swaps the classes.

use std::f64::consts::{FRAC_PI_2, PI};

use rand::RngExt as _;

use super::rng::{Stream, rng};

/// Holds the coordinates x₁ and x₂ of a point.
pub type Point = [f64; 2];

/// Selects the set that points are drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plane {
    /// (cos γ, sin γ).
    Circle,
    /// The unit disk; its probes are those of a square around it.
    Disk,
}

/// The purpose of sampled points; the two sets are disjoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PointSplit {
    Training = 1,
    Test = 2,
}

impl Plane {
    /// Returns the class, 0 or 1. On the curve between the classes of the disk, the right half belongs to class 1.
    pub fn class(self, [x, y]: Point) -> usize {
        match self {
            Self::Circle => usize::from(x * y > 0.0),
            Self::Disk => {
                let above = y - 0.5 * (PI * x).sin();
                usize::from(above > 0.0 || (above == 0.0 && x > 0.0))
            }
        }
    }

    /// Returns `count` probes of a class. On the circle evenly spaced, in the order of their angles; on the disk the
    /// centres of the k × k squares tiling [−1, 1]² that belong to this class, row by row from below: `count` = k²/2 with k
    /// even, and none for any other count.
    pub fn probes(self, class: usize, count: usize) -> Vec<Point> {
        match self {
            Self::Circle => {
                // The class's two quadrants; for an odd count, the first has one more.
                let quadrants = [(1 - class, count.div_ceil(2)), (3 - class, count / 2)];
                let within = |(quadrant, count): (usize, usize)| {
                    (0..count).map(move |at| FRAC_PI_2 * (quadrant as f64 + (at as f64 + 0.5) / count as f64))
                };
                quadrants.into_iter().flat_map(within).map(on_circle).collect()
            }
            Self::Disk => {
                let Some(side) = Self::side(count) else { return Vec::new() };
                let middle = |at: usize| (2 * at + 1) as f64 / side as f64 - 1.0;
                let grid = (0..side * side).map(|at| [middle(at % side), middle(at / side)]);
                grid.filter(|point| self.class(*point) == class).collect()
            }
        }
    }

    /// Returns k of the grid whose classes have `per_class` points each, if there is one.
    pub fn side(per_class: usize) -> Option<usize> {
        let side = per_class.checked_mul(2)?.isqrt();
        (side >= 2 && side.is_multiple_of(2) && side * side == 2 * per_class).then_some(side)
    }

    /// Returns `count` other points of a class.
    pub fn points(self, class: usize, count: usize, drawn: PointSplit) -> Vec<Point> {
        let mut generator = rng(0, Stream::Points, self as u64, drawn as u64);
        let mut draw = || match self {
            Self::Circle => on_circle(generator.random_range(0.0..2.0 * PI)),
            Self::Disk => loop {
                let point: Point = [generator.random_range(-1.0..1.0), generator.random_range(-1.0..1.0)];
                if point[0].hypot(point[1]) < 1.0 {
                    break point;
                }
            },
        };
        std::iter::repeat_with(&mut draw).filter(|point| self.class(*point) == class).take(count).collect()
    }
}

fn on_circle(angle: f64) -> Point {
    [angle.cos(), angle.sin()]
}
