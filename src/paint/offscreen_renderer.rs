//! Renders pictures off screen: a second egui without a window, in which views draw themselves as they do on screen, in the theme
//! and at the size of the picture.
//!
//! Guarantees: it does not appear in the window, and receives no pointer, keyboard or scroll input. The result is a
//! [`Drawing`] of all painted shapes and their textures: plain data that can be sent to a thread.

use std::collections::HashMap;
use std::sync::Arc;

use egui::epaint::ClippedShape;
use egui::epaint::textures::{TextureFilter, TexturesDelta};
use egui::{
    ColorImage, Context, ImageData, Memory, RawInput, Rect, TextureHandle, TextureId, TextureOptions, Theme, Ui, Vec2,
    ViewportId,
};

use super::theme;

/// Pixels per point in pictures, sharp enough for print.
pub const SCALE: f32 = 2.0;
/// Number of passes; some widgets know their size only after they were drawn once.
const PASSES: usize = 2;

/// The pixels of an image, and whether enlarging keeps them square.
#[derive(Clone)]
pub struct Texture {
    pub image: Arc<ColorImage>,
    pub nearest: bool,
}

/// Holds a finished drawing.
pub struct Drawing {
    /// Size in points.
    pub size: Vec2,
    /// Pixels per point.
    pub scale: f32,
    pub shapes: Vec<ClippedShape>,
    pub textures: HashMap<TextureId, Texture>,
}

/// Draws views and figures with an egui of its own.
pub struct OffscreenRenderer {
    ctx: Context,
    scale: f32,
    /// Longest side of the texture of the glyphs; its width is reserved at once.
    atlas: usize,
    textures: HashMap<TextureId, Texture>,
}

impl OffscreenRenderer {
    /// Creates one for views and for the whole window.
    pub fn new(scale: f32) -> Self {
        // The glyphs of a large window at twice its size would not fit the limit of the smallest graphics cards.
        Self::with_atlas(scale, 8192)
    }

    /// Creates one for figures, which have little text.
    pub fn of_figures(scale: f32) -> Self {
        Self::with_atlas(scale, 2048)
    }

    fn with_atlas(scale: f32, atlas: usize) -> Self {
        let ctx = Context::default();
        theme::install(&ctx);
        Self { ctx, scale, atlas, textures: HashMap::new() }
    }

    /// Copies the window's scroll positions, panel widths and the like.
    pub fn remember(&self, mut memory: Memory) {
        // The window's scale does not apply: the picture has its own points.
        memory.options.zoom_factor = 1.0;
        self.ctx.memory_mut(|known| *known = memory);
        theme::install(&self.ctx);
        if let Some(focused) = self.ctx.memory(Memory::focused) {
            self.ctx.memory_mut(|memory| memory.surrender_focus(focused));
        }
    }

    /// Loads images whose pixels stay squares; each is freed when its handle is dropped.
    pub fn textures(&self, images: Vec<ColorImage>) -> Vec<TextureHandle> {
        let load = |image| self.ctx.load_texture("image", image, TextureOptions::NEAREST);
        images.into_iter().map(load).collect()
    }

    /// Draws a picture of this size, in points; `draw` is called more than once.
    pub fn draw(&mut self, size: Vec2, theme: Theme, draw: impl FnMut(&mut Ui)) -> Drawing {
        self.passes(size, theme, PASSES, draw)
    }

    /// Draws a picture in a single pass; `draw` must have drawn one of this size before.
    pub fn draw_again(&mut self, size: Vec2, theme: Theme, draw: impl FnMut(&mut Ui)) -> Drawing {
        self.passes(size, theme, 1, draw)
    }

    fn passes(&mut self, size: Vec2, theme: Theme, passes: usize, mut draw: impl FnMut(&mut Ui)) -> Drawing {
        self.ctx.set_theme(theme);
        let mut shapes = Vec::new();
        for _ in 0..passes.max(1) {
            let mut input =
                RawInput { screen_rect: Some(Rect::from_min_size(egui::Pos2::ZERO, size)), ..RawInput::default() };
            input.viewports.entry(ViewportId::ROOT).or_default().native_pixels_per_point = Some(self.scale);
            input.max_texture_side = Some(self.atlas);
            let mut output = self.ctx.run_ui(input, &mut draw);
            self.take(std::mem::take(&mut output.textures_delta));
            shapes = output.shapes;
        }
        Drawing { size, scale: self.scale, shapes, textures: self.textures.clone() }
    }

    /// Stores the texture changes that a graphics card would receive.
    fn take(&mut self, mut delta: TexturesDelta) {
        for (id, changes) in delta.set.drain() {
            for change in changes {
                let ImageData::Color(image) = change.image;
                let nearest = change.options.magnification == TextureFilter::Nearest;
                match (change.pos, self.textures.get_mut(&id)) {
                    (Some([left, top]), Some(known)) => {
                        let whole = Arc::make_mut(&mut known.image);
                        for (row, pixels) in image.pixels.chunks_exact(image.width().max(1)).enumerate() {
                            let at = (top + row) * whole.width() + left;
                            whole.pixels[at..at + pixels.len()].copy_from_slice(pixels);
                        }
                    }
                    _ => {
                        self.textures.insert(id, Texture { image, nearest });
                    }
                }
            }
        }
        for id in delta.free.drain() {
            self.textures.remove(&id);
        }
    }
}
