//! Draws small pictures of images, all from one texture.

use std::sync::Arc;

use egui::{Color32, ColorImage, Pos2, Rect, TextureHandle, TextureOptions, Ui, vec2};

/// Holds the texture of some images; it is made when a view first needs one of them.
pub(super) struct Atlas {
    texture: TextureHandle,
    /// Identifies the images in the texture.
    of: Arc<[u8]>,
    columns: usize,
    rows: usize,
}

impl Atlas {
    /// Rebuilds `atlas` for these images, [n, height, width, channels] in 8 bits; leaves it unchanged where they are no images.
    pub fn update(
        atlas: &mut Option<Self>,
        ui: &Ui,
        name: &str,
        images: &Arc<[u8]>,
        [channels, height, width]: [usize; 3],
    ) {
        if atlas.as_ref().is_some_and(|atlas| Arc::ptr_eq(&atlas.of, images)) {
            return;
        }
        let size = channels * height * width;
        if size == 0 || images.is_empty() || !images.len().is_multiple_of(size) {
            return;
        }
        let n = images.len() / size;
        let columns = (n as f64).sqrt().ceil().max(1.0) as usize;
        let rows = n.div_ceil(columns);
        let mut picture = ColorImage::filled([columns * width, rows * height], Color32::BLACK);
        for (place, pixels) in images.chunks_exact(size).enumerate() {
            let (left, top) = ((place % columns) * width, (place / columns) * height);
            for (at, pixel) in pixels.chunks_exact(channels).enumerate() {
                let colour = if channels == 3 {
                    Color32::from_rgb(pixel[0], pixel[1], pixel[2])
                } else {
                    Color32::from_gray(pixel[0])
                };
                picture[(left + at % width, top + at / width)] = colour;
            }
        }
        let texture = ui.ctx().load_texture(name, picture, TextureOptions::NEAREST);
        *atlas = Some(Self { texture, of: Arc::clone(images), columns, rows });
    }

    /// Draws one image.
    pub fn paint(&self, ui: &Ui, rect: Rect, place: usize) {
        let size = vec2(1.0 / self.columns as f32, 1.0 / self.rows as f32);
        let at = vec2((place % self.columns) as f32, (place / self.columns) as f32);
        let part = Rect::from_min_size(Pos2::ZERO + at * size, size);
        ui.painter().image(self.texture.id(), rect, part, Color32::WHITE);
    }
}
