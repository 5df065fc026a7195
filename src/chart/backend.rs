//! Provides the surfaces a figure is drawn on: an SVG text, or pixels that become a PNG. The same drawing code serves both.
//!
//! The pixels are drawn at twice the size and halved: `plotters` does not smooth thick lines. Texts are measured with the
//! fonts that the window has too, so a figure looks the same on a machine without any font.

use std::io::Cursor;
use std::sync::Once;

use epaint_default_fonts::UBUNTU_LIGHT;
use image::imageops::{FilterType, resize};
use image::{ImageFormat, RgbImage};
use plotters::coord::Shift;
use plotters::prelude::{BitMapBackend, DrawingArea, DrawingBackend, IntoDrawingArea as _, SVGBackend, WHITE};
use plotters::style::FontStyle;

/// A drawing surface, and the size of a unit of the figure on it.
pub(crate) trait Backend: DrawingBackend {
    /// Pixels per unit.
    const UNIT: i32;
    /// By how many units a text must be lowered to stand in the middle of where it was put: `plotters` draws the glyphs of
    /// `ab_glyph` too high.
    const DROP: i32;
    /// How much wider a text may be shown than it was measured.
    const OTHER_FONTS: f32;
}

impl Backend for SVGBackend<'_> {
    const UNIT: i32 = 1;
    const DROP: i32 = 0;
    // The measured font is a light one; DejaVu Sans, which many systems have for "sans-serif", is a fifth wider.
    const OTHER_FONTS: f32 = 1.25;
}

impl Backend for BitMapBackend<'_> {
    const UNIT: i32 = 2 * PNG_UNIT;
    const DROP: i32 = 3;
    const OTHER_FONTS: f32 = 1.0;
}

/// Pixels per unit in the finished PNG: sharp on a slide and in print.
const PNG_UNIT: i32 = 2;

pub(crate) type Area<B> = DrawingArea<B, Shift>;
pub(crate) type Failure<B> = plotters::drawing::DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>;
pub(crate) type Drawn<B> = Result<(), Failure<B>>;

/// Draws on white, as SVG.
pub(crate) fn svg(
    size: (u32, u32),
    draw: impl for<'a> FnOnce(&Area<SVGBackend<'a>>) -> Drawn<SVGBackend<'a>>,
) -> Result<String, String> {
    register_fonts();
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
        let drawn = root.fill(&WHITE).and_then(|()| draw(&root)).and_then(|()| root.present());
        drawn.map_err(|err| err.to_string())?;
    }
    // What SVG takes for granted; in a heat map it is a third of the file.
    Ok(text.replace(" opacity=\"1\"", "").replace(" stroke=\"none\"", ""))
}

/// Draws on white, as PNG.
pub(crate) fn png(
    size: (u32, u32),
    draw: impl for<'a> FnOnce(&Area<BitMapBackend<'a>>) -> Drawn<BitMapBackend<'a>>,
) -> Result<Vec<u8>, String> {
    register_fonts();
    let unit = <BitMapBackend<'_> as Backend>::UNIT as u32;
    let (width, height) = (size.0 * unit, size.1 * unit);
    let mut pixels = vec![0; (width * height * 3) as usize];
    {
        let root = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
        let drawn = root.fill(&WHITE).and_then(|()| draw(&root)).and_then(|()| root.present());
        drawn.map_err(|err| err.to_string())?;
    }
    let large = RgbImage::from_raw(width, height, pixels).ok_or("the picture has a wrong size")?;
    let small = resize(&large, width / 2, height / 2, FilterType::Triangle);
    let mut bytes = Cursor::new(Vec::new());
    small.write_to(&mut bytes, ImageFormat::Png).map_err(|err| err.to_string())?;
    Ok(bytes.into_inner())
}

/// The family that all texts use; viewers of an SVG take their own.
pub(crate) const FAMILY: &str = "sans-serif";

fn register_fonts() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if plotters::style::register_font(FAMILY, FontStyle::Normal, UBUNTU_LIGHT).is_err() {
            // The font is part of the program; a figure then fails with a sentence of its own.
            log::error!("The font of the figures cannot be read");
        }
    });
}
