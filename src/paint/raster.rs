//! Renders a drawing to pixels, with the rasteriser that egui uses for its own glyphs.
//!
//! Guarantees: glyphs equal those of the window, copied from egui's own atlas pixel by pixel; the picture is opaque.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Arc;

use egui::emath::{GuiRounding as _, Rot2};
use egui::epaint::TextShape;
use egui::{Color32, ColorImage, Rect, Stroke, TextureId, vec2};
use vello_common::paint::{Tint, TintMode};
use vello_cpu::color::{AlphaColor, PremulRgba8, Srgb};
use vello_cpu::kurbo::{self, Affine, BezPath, Shape as _};
use vello_cpu::peniko::{ImageQuality, ImageSampler};
use vello_cpu::{Image, ImageSource, Pixmap, RenderContext, Resources};

use super::offscreen_renderer::{Drawing, Texture};
use super::shape_painter::{Paper, kurbo_rect, paint};

/// An RGB image, row by row.
pub struct Pixels {
    pub width: u16,
    pub height: u16,
    pub rgb: Vec<u8>,
}

/// Renders drawings of one size, one after another.
pub struct Rasterizer {
    context: RenderContext,
    resources: Resources,
    page: Pixmap,
    /// Images in the format of the rasteriser, by the address of their pixels.
    known: HashMap<*const ColorImage, (Arc<ColorImage>, Arc<Pixmap>)>,
}

impl Rasterizer {
    /// Creates a renderer for drawings of this size.
    pub fn of(drawing: &Drawing) -> Self {
        let pixels = (drawing.size * drawing.scale).round().clamp(vec2(1.0, 1.0), vec2(16_000.0, 16_000.0));
        let (width, height) = (pixels.x as u16, pixels.y as u16);
        Self {
            context: RenderContext::new(width, height),
            resources: Resources::new(),
            page: Pixmap::new(width, height),
            known: HashMap::new(),
        }
    }

    /// Renders a drawing on this background.
    pub fn print(&mut self, drawing: &Drawing, ground: Color32) -> Pixels {
        let (width, height) = (self.page.width(), self.page.height());
        self.context.reset();
        self.context.set_transform(Affine::IDENTITY);
        self.context.set_paint(colour_of(ground.to_opaque()));
        self.context.fill_rect(&kurbo::Rect::new(0.0, 0.0, f64::from(width), f64::from(height)));
        self.context.set_transform(Affine::scale(f64::from(drawing.scale)));
        // Images that only the previous drawing used are dropped.
        let wanted: Vec<*const ColorImage> = drawing.textures.values().map(|of| Arc::as_ptr(&of.image)).collect();
        self.known.retain(|known, _| wanted.contains(known));
        let atlas = drawing.textures.get(&TextureId::default()).cloned();
        let mut page = Page { rasterizer: self, atlas, scale: drawing.scale, clipped: false };
        paint(drawing, &mut page);
        if page.clipped {
            self.context.pop_clip_path();
        }
        self.context.flush();
        self.context.render(&mut self.page, &mut self.resources);
        let rgb = self.page.data().iter().flat_map(|pixel| [pixel.r, pixel.g, pixel.b]).collect();
        Pixels { width, height, rgb }
    }

    fn pixmap(&mut self, image: &Arc<ColorImage>) -> Arc<Pixmap> {
        let make = || {
            let pixel = |colour: &Color32| {
                let [r, g, b, a] = colour.to_array();
                PremulRgba8 { r, g, b, a }
            };
            // A texture of this window fits a graphics card, and its size is thus far below the limit of this type.
            let [width, height] = image.size.map(|side| side.min(usize::from(u16::MAX)) as u16);
            Arc::new(Pixmap::from_parts(image.pixels.iter().map(pixel).collect(), width, height))
        };
        let known = self.known.entry(Arc::as_ptr(image)).or_insert_with(|| (Arc::clone(image), make()));
        Arc::clone(&known.1)
    }
}

/// Writes a drawing as a PNG.
pub fn png(drawing: &Drawing, ground: Color32, to: &mut impl Write) -> io::Result<()> {
    let pixels = Rasterizer::of(drawing).print(drawing, ground);
    let encoder = image::codecs::png::PngEncoder::new(to);
    let (width, height) = (u32::from(pixels.width), u32::from(pixels.height));
    image::ImageEncoder::write_image(encoder, &pixels.rgb, width, height, image::ExtendedColorType::Rgb8)
        .map_err(io::Error::other)
}

struct Page<'a> {
    rasterizer: &'a mut Rasterizer,
    /// The texture of the glyphs.
    atlas: Option<Texture>,
    scale: f32,
    clipped: bool,
}

fn colour_of(colour: Color32) -> AlphaColor<Srgb> {
    let [r, g, b, a] = colour.to_srgba_unmultiplied();
    AlphaColor::from_rgba8(r, g, b, a)
}

impl Page<'_> {
    /// Paints the part of an image between two texels into a rectangle of the page.
    fn part(&mut self, rect: Rect, image: &Arc<ColorImage>, texels: Rect, nearest: bool, tint: Color32, at: Affine) {
        if !rect.is_positive() || !texels.is_positive() {
            return;
        }
        let source = ImageSource::Pixmap(self.rasterizer.pixmap(image));
        let quality = if nearest { ImageQuality::Low } else { ImageQuality::Medium };
        let context = &mut self.rasterizer.context;
        let whole = Affine::scale(f64::from(self.scale)) * at;
        context.set_transform(whole);
        context.set_paint(Image { image: source, sampler: ImageSampler { quality, ..ImageSampler::default() } });
        let (across, down) = (rect.width() / texels.width(), rect.height() / texels.height());
        let place = Affine::translate((f64::from(rect.left()), f64::from(rect.top())))
            * Affine::scale_non_uniform(f64::from(across), f64::from(down))
            * Affine::translate((-f64::from(texels.left()), -f64::from(texels.top())));
        context.set_paint_transform(place);
        if tint != Color32::WHITE {
            context.set_tint(Some(Tint { color: colour_of(tint), mode: TintMode::Multiply }));
        }
        context.fill_rect(&kurbo_rect(rect));
        context.reset_tint();
        context.reset_paint_transform();
        context.set_transform(Affine::scale(f64::from(self.scale)));
    }
}

impl Paper for Page<'_> {
    fn clip(&mut self, rect: Rect) {
        if self.clipped {
            self.rasterizer.context.pop_clip_path();
        }
        self.rasterizer.context.push_clip_path(&kurbo_rect(rect).to_path(0.1));
        self.clipped = true;
    }

    fn fill(&mut self, path: &BezPath, colour: Color32) {
        self.rasterizer.context.set_paint(colour_of(colour));
        self.rasterizer.context.fill_path(path);
    }

    fn stroke(&mut self, path: &BezPath, stroke: Stroke) {
        self.rasterizer.context.set_paint(colour_of(stroke.color));
        self.rasterizer.context.set_stroke(kurbo::Stroke::new(f64::from(stroke.width)));
        self.rasterizer.context.stroke_path(path);
    }

    fn picture(&mut self, rect: Rect, texture: &Texture, part: Rect, tint: Color32) {
        let size = vec2(texture.image.width() as f32, texture.image.height() as f32);
        let texels = Rect::from_min_max((part.min.to_vec2() * size).to_pos2(), (part.max.to_vec2() * size).to_pos2());
        self.part(rect, &texture.image, texels, texture.nearest, tint, Affine::IDENTITY);
    }

    fn text(&mut self, text: &TextShape) {
        let Some(atlas) = self.atlas.clone() else { return };
        let origin = text.pos.round_to_pixels(self.scale);
        let turn = Rot2::from_angle(text.angle);
        for row in &text.galley.rows {
            let start = origin + turn * row.pos.to_vec2();
            let at =
                Affine::translate((f64::from(start.x), f64::from(start.y))) * Affine::rotate(f64::from(text.angle));
            let visuals = &row.visuals;
            // Glyphs and the backgrounds before them are rectangles of four vertices.
            let corners = &visuals.mesh.vertices[..visuals.glyph_vertex_range.end.min(visuals.mesh.vertices.len())];
            for (place, corners) in corners.chunks_exact(4).enumerate() {
                let is_letter = visuals.glyph_vertex_range.contains(&(4 * place));
                let colour = letter_colour(text, corners[0].color, is_letter);
                let rect = Rect::from_points(&[0, 1, 2, 3].map(|at: usize| corners[at].pos));
                let texels = Rect::from_points(&[0, 1, 2, 3].map(|at: usize| corners[at].uv));
                if is_letter {
                    self.part(rect, &atlas.image, texels, true, colour, at);
                } else {
                    self.fill(&(at * kurbo_rect(rect).to_path(0.1)), colour);
                }
            }
        }
    }
}

/// Returns the colour of a glyph, by the rules of egui.
pub fn letter_colour(text: &TextShape, own: Color32, is_letter: bool) -> Color32 {
    let colour = match text.override_text_color {
        Some(colour) if is_letter => colour,
        _ if own == Color32::PLACEHOLDER => text.fallback_color,
        _ => own,
    };
    if text.opacity_factor < 1.0 { colour.gamma_multiply(text.opacity_factor) } else { colour }
}
