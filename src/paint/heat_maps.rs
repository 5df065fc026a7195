//! Paints described heat maps as pictures, with the colours of tasks along their edges and their colour scales at the right.

use egui::{Align2, Color32, ColorImage, FontId, Rect, Stroke, TextureHandle, Ui, Vec2, pos2, vec2};

use super::page::{WIDTH, title};
use super::panel::PRINT;
use super::pixels::{Shades, picture};
use super::theme::Tokens;
use crate::chart::format;
use crate::chart::heat_maps::{ColourScale, HeatMap, HeatMaps};

/// Space around heat maps, and between a title and its map.
const MARGIN: f32 = 10.0;
const GAP: f32 = 16.0;
/// Height of the title of a map and of the figure, and of the note below.
const NAME: f32 = 16.0;
const TITLE: f32 = 26.0;
const NOTE: f32 = 20.0;
/// Width of the colour scales with their numbers.
const BARS: f32 = 74.0;
/// The side of a single heat map.
const SINGLE: f32 = 300.0;
/// Pixels that a picture has at least along an edge: some viewers of an SVG smooth what they enlarge.
const SHARP: usize = 256;

/// Returns the font of the titles of maps.
fn caption() -> FontId {
    FontId::proportional(PRINT)
}

fn side(maps: &HeatMaps) -> f32 {
    match maps.columns {
        0 | 1 => SINGLE,
        columns => (WIDTH - 2.0 * MARGIN - BARS) / columns as f32 - GAP,
    }
}

/// Returns the size of the figure, in points.
pub fn size(maps: &HeatMaps) -> Vec2 {
    let (rows, side) = (maps.rows.len().max(1) as f32, side(maps));
    let note = if maps.note.is_empty() { 0.0 } else { NOTE };
    let width = 2.0 * MARGIN + BARS + maps.columns.max(1) as f32 * (side + GAP);
    vec2(width, TITLE + rows * (NAME + side + 0.5 * MARGIN) + note + 0.5 * MARGIN)
}

/// Returns the picture of each map, and then that of each colour scale.
pub fn images(maps: &HeatMaps) -> Vec<ColorImage> {
    let nan = Tokens::in_theme(false).nan;
    let of_map = |map: &HeatMap| {
        let scale = &maps.scales[map.scale];
        let times = SHARP.div_ceil(map.n.max(1));
        let value = |row: usize, column: usize| map.values[row / times * map.n + column / times];
        picture(map.n * times, value, &shades(scale), range(scale), nan)
    };
    let of_scale = |scale: &ColourScale| {
        let ((low, high), shades) = (range(scale), shades(scale));
        let colour = shades.within((low, high), nan);
        let pixels = (0..SHARP).map(|row| colour(high - (high - low) * (row as f64 + 0.5) / SHARP as f64));
        ColorImage::new([1, SHARP], pixels.collect())
    };
    maps.rows.iter().flatten().map(of_map).chain(maps.scales.iter().map(of_scale)).collect()
}

fn shades(scale: &ColourScale) -> Shades {
    if scale.diverging { Shades::diverging() } else { Shades::sequential() }
}

/// Returns the range of the colours: where all numbers are the same, one in which a number has the colour of none or of 0.
fn range(scale: &ColourScale) -> (f64, f64) {
    let (low, high) = scale.range;
    if low < high || !scale.diverging { (low, high) } else { (-1.0, 1.0) }
}

/// Paints the figure; `textures` are its [`images`].
pub fn paint(ui: &Ui, maps: &HeatMaps, textures: &[TextureHandle]) {
    let (tokens, painter, side) = (Tokens::of(ui), ui.painter(), side(maps));
    painter.text(pos2(MARGIN, 0.5 * MARGIN), Align2::LEFT_TOP, &maps.title, title(), tokens.text);
    let mut pictures = textures.iter();
    for (row, shown) in maps.rows.iter().enumerate() {
        let top = TITLE + row as f32 * (NAME + side + 0.5 * MARGIN) + NAME;
        for ((column, map), picture) in shown.iter().enumerate().zip(&mut pictures) {
            let corner = pos2(MARGIN + 0.5 * GAP + column as f32 * (side + GAP), top);
            let rect = Rect::from_min_size(corner, Vec2::splat(side));
            painter.text(corner - vec2(0.0, 2.0), Align2::LEFT_BOTTOM, &map.title, caption(), tokens.text);
            painter.image(picture.id(), rect, WHOLE, Color32::WHITE);
            // White would be lost on the changes, whose middle is pale.
            let grey = Color32::from_gray(130);
            tasks(ui, map, rect, if maps.scales[map.scale].diverging { grey } else { Color32::WHITE });
        }
    }
    let bottom = size(maps).y - 0.5 * MARGIN;
    if !maps.note.is_empty() {
        let at = pos2(MARGIN + 0.5 * GAP, bottom);
        painter.text(at, Align2::LEFT_BOTTOM, &maps.note, caption(), tokens.weak);
    }
    if maps.rows.iter().all(Vec::is_empty) {
        return;
    }
    let height = (side - (maps.scales.len() as f32 - 1.0) * (NAME + MARGIN)) / maps.scales.len().max(1) as f32;
    let left = MARGIN + maps.columns.max(1) as f32 * (side + GAP) + 0.5 * GAP;
    for (place, (scale, picture)) in maps.scales.iter().zip(pictures).enumerate() {
        let corner = pos2(left, TITLE + NAME + place as f32 * (height + NAME + MARGIN));
        let rect = Rect::from_min_size(corner, vec2(12.0, height));
        colour_bar(ui, scale, rect, picture);
    }
}

/// The whole of a texture.
const WHOLE: Rect = Rect { min: pos2(0.0, 0.0), max: pos2(1.0, 1.0) };

/// Paints lines between the tasks, and their colours at the left edge.
fn tasks(ui: &Ui, map: &HeatMap, rect: Rect, line: Color32) {
    let (painter, tokens) = (ui.painter(), Tokens::of(ui));
    let edge = |place: usize| rect.width() * place.min(map.n) as f32 / map.n.max(1) as f32;
    let stroke = Stroke::new(0.75, line);
    let mut place = 0;
    for &(task, count) in &map.tasks {
        let (from, to) = (edge(place), edge(place + count));
        let strip = Rect::from_min_max(rect.min + vec2(-5.0, from), pos2(rect.left() - 2.0, rect.top() + to));
        painter.rect_filled(strip, 0.0, tokens.task(task));
        if place > 0 {
            painter.vline(rect.left() + from, rect.y_range(), stroke);
            painter.hline(rect.x_range(), rect.top() + from, stroke);
        }
        place += count;
    }
}

/// Paints a colour scale with its numbers.
fn colour_bar(ui: &Ui, scale: &ColourScale, rect: Rect, picture: &TextureHandle) {
    let (painter, tokens) = (ui.painter(), Tokens::of(ui));
    // A long name begins left of its scale, so that it does not leave the page; a number may be beside the upper end.
    let name = painter.layout_no_wrap(scale.name.to_owned(), caption(), tokens.weak);
    let left = rect.left().min(WIDTH - 4.0 - name.size().x);
    painter.galley(pos2(left, rect.top() - 6.0 - name.size().y), name, tokens.weak);
    let (low, high) = scale.range;
    if low >= high {
        return;
    }
    painter.image(picture.id(), rect, WHOLE, Color32::WHITE);
    for tick in format::linear_marks(low, high, (rect.height() / 18.0).clamp(3.0, 6.0) as usize) {
        let y = rect.bottom() - rect.height() * ((tick - low) / (high - low)) as f32;
        painter.line_segment([pos2(rect.right(), y), pos2(rect.right() + 3.0, y)], Stroke::new(0.75, tokens.weak));
        let at = pos2(rect.right() + 5.0, y);
        painter.text(
            at,
            Align2::LEFT_CENTER,
            format::tick(tick, high - low, false),
            FontId::monospace(PRINT),
            tokens.weak,
        );
    }
}
