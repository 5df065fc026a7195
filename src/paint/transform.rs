//! Translates between the stored values of a panel and positions on the screen.

use egui::emath::remap;
use egui::{Pos2, Rect, pos2};

use crate::chart::panel::Point;

/// The frame of a panel and the ranges of values that it shows.
#[derive(Clone, Copy, Debug)]
pub struct Transform {
    pub frame: Rect,
    /// The values at the left and at the right edge, as stored.
    pub x_range: (f64, f64),
    /// The values at the lower and at the upper edge, as stored.
    pub y_range: (f64, f64),
}

impl Transform {
    /// Returns that of these ranges; one that has no extent, or ends in no number, is replaced by one that can be shown.
    pub fn new(frame: Rect, x_range: (f64, f64), y_range: (f64, f64)) -> Self {
        Self { frame, x_range: with_extent(x_range), y_range: with_extent(y_range) }
    }

    /// Returns the horizontal position of a value.
    pub fn x(&self, value: f64) -> f32 {
        let (left, right) = (f64::from(self.frame.left()), f64::from(self.frame.right()));
        remap(value, self.x_range.0..=self.x_range.1, left..=right) as f32
    }

    /// Returns the vertical position of a value.
    pub fn y(&self, value: f64) -> f32 {
        let (top, bottom) = (f64::from(self.frame.top()), f64::from(self.frame.bottom()));
        remap(value, self.y_range.0..=self.y_range.1, bottom..=top) as f32
    }

    /// Returns the position of a point.
    pub fn position(&self, (x, y): Point) -> Pos2 {
        pos2(self.x(x), self.y(y))
    }

    /// Returns the point at a position.
    pub fn point(&self, at: Pos2) -> Point {
        let (left, right) = (f64::from(self.frame.left()), f64::from(self.frame.right()));
        let (top, bottom) = (f64::from(self.frame.top()), f64::from(self.frame.bottom()));
        let x = remap(f64::from(at.x), left..=right, self.x_range.0..=self.x_range.1);
        let y = remap(f64::from(at.y), bottom..=top, self.y_range.0..=self.y_range.1);
        (x, y)
    }

    /// Returns how much of the horizontal range one point of the screen covers.
    pub fn x_per_point(&self) -> f64 {
        (self.x_range.1 - self.x_range.0) / f64::from(self.frame.width())
    }
}

fn with_extent((low, high): (f64, f64)) -> (f64, f64) {
    if !(low.is_finite() && high.is_finite()) {
        return (-1.0, 1.0);
    }
    let middle = f64::midpoint(low, high);
    if low < high { (low, high) } else { (middle - 0.5, middle + 0.5) }
}
