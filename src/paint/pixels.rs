//! Maps numbers to colours: two colour maps, and a matrix as a picture.
//!
//! Guarantees: amounts use viridis, differences a diverging map centred at 0; NaN has a colour that neither map has. A matrix
//! larger than [`MOST`] is averaged over blocks, not sampled, so that no line is lost.

use egui::{Color32, ColorImage, Ui};

/// Largest number of pixels along an edge of a picture.
pub const MOST: usize = 1024;
const SHADES: usize = 256;

/// Holds a colour map as a table.
#[derive(Clone)]
pub struct Shades([Color32; SHADES]);

impl Shades {
    /// Returns the map for amounts, from dark to bright.
    pub fn sequential() -> Self {
        Self::of(&colorous::VIRIDIS)
    }

    /// Returns the map for differences: blue below 0, pale at 0, red above.
    pub fn diverging() -> Self {
        let mut shades = Self::of(&colorous::RED_BLUE);
        shades.0.reverse();
        shades
    }

    fn of(map: &colorous::Gradient) -> Self {
        Self(std::array::from_fn(|place| {
            let colour = map.eval_rational(place, SHADES);
            Color32::from_rgb(colour.r, colour.g, colour.b)
        }))
    }

    /// Returns the colour of each number within a range; numbers beyond it take the colour of its end. In a constant matrix
    /// every number has the lowest colour.
    pub fn within(&self, (low, high): (f64, f64), nan: Color32) -> impl Fn(f64) -> Color32 {
        let scale = if high > low { (SHADES - 1) as f64 / (high - low) } else { 0.0 };
        // The cast saturates negative numbers to 0, as intended.
        move |value| {
            if value.is_finite() { self.0[(((value - low) * scale + 0.5) as usize).min(SHADES - 1)] } else { nan }
        }
    }
}

/// Draws a square matrix as a picture.
pub fn picture(
    size: usize,
    value: impl Fn(usize, usize) -> f64,
    shades: &Shades,
    range: (f64, f64),
    nan: Color32,
) -> ColorImage {
    let block = size.div_ceil(MOST).max(1);
    let side = size.div_ceil(block);
    let colour = shades.within(range, nan);
    let mut pixels = Vec::with_capacity(side * side);
    for row in 0..side {
        for column in 0..side {
            let number = if block == 1 { value(row, column) } else { mean(size, block, row, column, &value) };
            pixels.push(colour(number));
        }
    }
    ColorImage::new([side, side], pixels)
}

fn mean(size: usize, block: usize, row: usize, column: usize, value: &impl Fn(usize, usize) -> f64) -> f64 {
    let rows = row * block..((row + 1) * block).min(size);
    let columns = column * block..((column + 1) * block).min(size);
    let count = (rows.len() * columns.len()) as f64;
    rows.map(|r| columns.clone().map(|c| value(r, c)).sum::<f64>()).sum::<f64>() / count
}

/// Returns the colour range of a kernel, whose diagonal is much larger than the rest: from its least number, or 0, to the
/// 99.5th percentile.
pub fn amounts(seen: &mut [f64]) -> Option<(f64, f64)> {
    let low = seen.iter().copied().reduce(f64::min)?;
    Some((low.min(0.0), nearly_all(seen)?))
}

/// Returns the 99.5th percentile of these numbers.
pub fn nearly_all(seen: &mut [f64]) -> Option<f64> {
    let place = (seen.len().checked_sub(1)? as f64 * 0.995) as usize;
    Some(*seen.select_nth_unstable_by(place, f64::total_cmp).1)
}

/// Draws the colour map as a bar with its ends written beside it, in one row.
pub fn colour_bar(ui: &mut Ui, shades: &Shades, range: (f64, f64), texts: [&str; 2]) {
    use egui::{FontId, Mesh, Rect, Shape, pos2, vec2};

    let tokens = super::theme::Tokens::of(ui);
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 12.0), egui::Sense::hover());
    let font = FontId::monospace(9.5);
    let low = ui.painter().layout_no_wrap(texts[0].to_owned(), font.clone(), tokens.weak);
    let high = ui.painter().layout_no_wrap(texts[1].to_owned(), font, tokens.weak);
    let bar = Rect::from_min_max(
        pos2(rect.left() + low.size().x + 5.0, rect.top() + 2.0),
        pos2(rect.right() - high.size().x - 5.0, rect.bottom() - 2.0),
    );
    let y = |height: f32| rect.center().y - height / 2.0;
    ui.painter().galley(pos2(rect.left(), y(low.size().y)), low.clone(), tokens.weak);
    ui.painter().galley(pos2(rect.right() - high.size().x, y(high.size().y)), high.clone(), tokens.weak);
    if bar.width() < 8.0 {
        return;
    }
    let mut mesh = Mesh::default();
    let of = shades.within(range, tokens.nan);
    let steps = 48;
    for step in 0..=steps {
        let part = f64::from(step) / f64::from(steps);
        let colour = of(range.0 + part * (range.1 - range.0));
        let x = bar.left() + bar.width() * part as f32;
        mesh.colored_vertex(pos2(x, bar.top()), colour);
        mesh.colored_vertex(pos2(x, bar.bottom()), colour);
        if step > 0 {
            let last = mesh.vertices.len() as u32 - 1;
            mesh.add_triangle(last - 3, last - 2, last - 1);
            mesh.add_triangle(last - 2, last - 1, last);
        }
    }
    ui.painter().add(Shape::mesh(mesh));
}
