//! Paints the axes of a panel: the lines of the grid, and the labels at its left and below it.

use std::sync::Arc;

use egui::emath::GuiRounding as _;
use egui::{Color32, FontId, Galley, Rect, Response, Sense, Stroke, Ui, Vec2, pos2, vec2};

use super::theme::Tokens;
use super::transform::Transform;
use crate::chart::format;

/// Width of every left axis, in points, so that stacked plots line up.
pub const AXIS: f32 = 40.0;
/// Height of a bottom axis with labels, and without.
pub const TICKS: f32 = 15.0;
pub const GAP: f32 = 3.0;
/// Space at either side of the labels of a left axis.
const ASIDE: f32 = 4.0;
/// Length of a tick without a label, and the least space between two of them.
const SHORT_TICK: f32 = 3.0;
const MINOR: f32 = 4.0;
/// Lengths up to which a horizontal and a vertical axis have no labels.
const SHORT: Vec2 = vec2(60.0, 20.0);

/// One axis: its range, and where it has lines and labels.
pub struct Ticks {
    /// The ends of the axis, as stored.
    pub range: (f64, f64),
    /// The places of the lines of the grid, each with its label, which may be empty.
    pub places: Vec<(f64, String)>,
    /// The least height of a bottom axis, or width of a left one; labels that need more room get it.
    pub least: f32,
}

/// Both axes of a panel.
pub struct Axes<'a> {
    pub x: Ticks,
    pub y: Ticks,
    /// The font of the labels.
    pub font: &'a FontId,
    /// Whether the lines of the grid are painted.
    pub grid: bool,
    /// Whether the vertical axis is logarithmic: it has a short tick at each multiple of a power of ten.
    pub log: bool,
}

impl Axes<'_> {
    /// Takes this height of the ui and paints the axes into it; returns what the pointer does between them, and the transform
    /// there.
    pub fn paint(&self, ui: &mut Ui, id: &str, height: f32) -> (Response, Transform) {
        let tokens = Tokens::of(ui);
        let size = vec2(ui.available_size_before_wrap().x, height).max(Vec2::splat(1.0));
        let (_, whole) = ui.allocate_space(size);
        let [across, up] = [&self.x, &self.y].map(|axis| self.labels(ui, axis, tokens.weak));
        let below = across.iter().map(|label| label.1.size().y).fold(self.x.least, f32::max);
        let left = up.iter().map(|label| label.1.size().x + 2.0 * ASIDE).fold(self.y.least, f32::max);
        let inside =
            Rect::from_min_max(pos2(whole.left() + left, whole.top()), pos2(whole.right(), whole.bottom() - below));
        let fits = inside.is_positive();
        let frame = if fits { inside } else { whole };
        let transform = Transform::new(frame, self.x.range, self.y.range);
        let response = ui.interact(frame.round_ui(), ui.scope_id().with(id), Sense::click_and_drag());

        let painter = ui.painter();
        if fits && frame.width() > SHORT.x {
            for (value, galley) in across.into_iter().filter(|label| label.1.size().x <= frame.width()) {
                // A label at the right end is moved inward rather than cut.
                let x = (transform.x(value) - galley.size().x / 2.0).min(whole.right() - galley.size().x);
                let at = pos2(x, frame.bottom());
                painter.galley(at, galley, tokens.weak);
            }
        }
        if fits && frame.height() > SHORT.y {
            for (value, galley) in up.into_iter().filter(|label| label.1.size().y <= frame.height()) {
                let x = frame.left() - (galley.size().x + 2.0 * ASIDE) + ASIDE;
                painter.galley(pos2(x, transform.y(value) - galley.size().y / 2.0), galley, tokens.weak);
            }
        }
        if self.grid {
            let (painter, line) = (painter.with_clip_rect(frame), Stroke::new(1.0, tokens.grid));
            for (value, _) in &self.x.places {
                painter.vline(transform.x(*value), frame.y_range(), line);
            }
            for (value, _) in &self.y.places {
                painter.hline(frame.x_range(), transform.y(*value), line);
            }
            let (from, to) = self.y.range;
            let minor = format::minor_marks(self.log, (from, to), (frame.height() / MINOR) as usize);
            for y in minor.into_iter().map(|value| transform.y(value)) {
                painter.hline(frame.left()..=frame.left() + SHORT_TICK, y, Stroke::new(1.0, tokens.faint));
            }
        }
        (response, transform)
    }

    /// Lays the labels of an axis out.
    fn labels(&self, ui: &Ui, axis: &Ticks, colour: Color32) -> Vec<(f64, Arc<Galley>)> {
        let labelled = axis.places.iter().filter(|(_, label)| !label.is_empty());
        let layout = |text: &String| ui.painter().layout_no_wrap(text.clone(), self.font.clone(), colour);
        labelled.map(|(value, label)| (*value, layout(label))).collect()
    }
}

/// Returns the number of ticks that fit a left axis of this height.
pub fn ticks_up(height: f32) -> usize {
    (height / 26.0).clamp(1.0, 6.0) as usize
}

/// Returns the number of ticks that fit a time axis in a ui of this width.
pub fn ticks_over_time(width: f32) -> usize {
    ((width - AXIS) / 56.0).max(1.0) as usize
}
