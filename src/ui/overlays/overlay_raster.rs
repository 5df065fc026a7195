//! Draws many curves as one picture, on another thread: for a frame, a hundred runs then cost as much as one picture.
//!
//! Guarantees: the picture has the resolution of the screen and the colours of the lines; until the picture of a new time range
//! is ready, the last one is shown at its true position in time and value.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use egui::{Color32, ColorImage, Rect, Shape, TextureHandle, TextureOptions, Ui, pos2};

use crate::chart::panel::{Point, Polyline};
use crate::chart::series_cache::Window;
use crate::paint::panel::{DASH, SPACE};
use crate::paint::transform::Transform;
use crate::ui::kit::background_task::BackgroundThread;

/// Number of curves from which on they are drawn as a picture; fewer are ordinary lines.
pub const MANY: usize = 12;

/// A curve, its colour, and whether it is dashed.
pub type RasterLine = (Arc<Polyline>, Color32, bool);

/// A request for a picture: the curves, and their part of the plot.
#[derive(Clone)]
pub struct RasterRequest {
    pub window: Window,
    /// The smallest and the largest value, as stored.
    pub y: (f64, f64),
    pub size: [usize; 2],
    /// Pixels per point.
    pub scale: f32,
    pub lines: Vec<RasterLine>,
}

impl PartialEq for RasterRequest {
    fn eq(&self, other: &Self) -> bool {
        let same = |(a, b): (&RasterLine, &RasterLine)| {
            // Unchanged curves are the same allocation.
            Arc::ptr_eq(&a.0, &b.0) && (a.1, a.2) == (b.1, b.2)
        };
        (self.window, self.y, self.size, self.scale) == (other.window, other.y, other.size, other.scale)
            && self.lines.len() == other.lines.len()
            && self.lines.iter().zip(&other.lines).all(same)
    }
}

/// The picture of one plot and the thread that draws it.
struct OverlayRaster {
    thread: BackgroundThread<Arc<RasterRequest>, ColorImage>,
    request: Arc<RasterRequest>,
    shown: Option<(TextureHandle, Arc<RasterRequest>)>,
}

/// The pictures of all plots, by name.
#[derive(Default)]
pub struct OverlayRasters(RefCell<HashMap<&'static str, OverlayRaster>>);

impl OverlayRasters {
    /// Returns the picture of these curves at its place in this plot.
    pub fn shape(
        &self,
        ui: &Ui,
        plot: &'static str,
        lines: Vec<RasterLine>,
        window: Window,
        transform: &Transform,
    ) -> Shape {
        let (frame, scale) = (transform.frame, ui.pixels_per_point());
        let side = |points: f32| (points * scale).round().clamp(1.0, 4096.0) as usize;
        let size = [side(frame.width()), side(frame.height())];
        let request = RasterRequest { window, y: transform.y_range, size, scale, lines };
        let mut pictures = self.0.borrow_mut();
        let Some(picture) = of(&mut pictures, ui, plot, &request) else { return Shape::Noop };
        if let Some(image) = picture.thread.response() {
            let options = TextureOptions::NEAREST;
            let request = Arc::clone(&picture.request);
            match &mut picture.shown {
                Some((texture, of)) => {
                    texture.set(image, options);
                    *of = request;
                }
                None => picture.shown = Some((ui.ctx().load_texture(plot, image, options), request)),
            }
        }
        if *picture.request != request && !picture.thread.is_busy() {
            let request = Arc::new(request);
            if picture.thread.request(Arc::clone(&request)) {
                picture.request = request;
            }
        }
        picture.shown.as_ref().map_or(Shape::Noop, |(texture, of)| placed(texture, of, frame, transform))
    }
}

/// Returns the picture of this plot, and starts its thread if it has none.
fn of<'a>(
    pictures: &'a mut HashMap<&'static str, OverlayRaster>,
    ui: &Ui,
    plot: &'static str,
    request: &RasterRequest,
) -> Option<&'a mut OverlayRaster> {
    if !pictures.contains_key(plot) {
        let ctx = ui.ctx().clone();
        let work = |request: Arc<RasterRequest>| rasterise(&request);
        match BackgroundThread::start("picture", work, move || ctx.request_repaint()) {
            Ok(thread) => {
                // The first picture has no lines.
                let first = Arc::new(RasterRequest { lines: Vec::new(), ..request.clone() });
                pictures.insert(plot, OverlayRaster { thread, request: first, shown: None });
            }
            Err(err) => log::warn!("no thread can be started to draw curves: {err}"),
        }
    }
    pictures.get_mut(plot)
}

/// Places a picture in time and value, clipped to the frame.
fn placed(texture: &TextureHandle, of: &RasterRequest, frame: Rect, transform: &Transform) -> Shape {
    let (x, y) = (|epoch| transform.x(epoch), |value| transform.y(value));
    let whole = Rect::from_min_max(pos2(x(of.window.from), y(of.y.1)), pos2(x(of.window.to), y(of.y.0)));
    let rect = whole.intersect(frame);
    if !rect.is_positive() || !whole.is_positive() {
        return Shape::Noop;
    }
    let part = |at: egui::Pos2| ((at - whole.min) / whole.size()).to_pos2();
    Shape::image(texture.id(), rect, Rect::from_min_max(part(rect.min), part(rect.max)), Color32::WHITE)
}

/// Draws the curves, the first ones at the bottom.
pub fn rasterise(request: &RasterRequest) -> ColorImage {
    let [width, height] = request.size;
    let mut image = ColorImage::filled(request.size, Color32::TRANSPARENT);
    let across = width as f64 / (request.window.to - request.window.from);
    let up = height as f64 / (request.y.1 - request.y.0);
    let place = |&(x, y): &Point| [((x - request.window.from) * across) as f32, ((request.y.1 - y) * up) as f32];
    let half = 0.55 * request.scale;
    let (dash, period) = (DASH * request.scale, (DASH + SPACE) * request.scale);
    for (curve, colour, broken) in &request.lines {
        let mut gone = 0.0;
        for piece in &curve.pieces {
            for pair in piece.windows(2) {
                let (from, to) = (place(&pair[0]), place(&pair[1]));
                // Where points are dense, a segment belongs to a dash or to a gap as a whole.
                let visible = !*broken || gone % period < dash;
                gone += (to[0] - from[0]).hypot(to[1] - from[1]);
                if visible {
                    segment(&mut image, from, to, half, *colour);
                }
            }
        }
    }
    image
}

/// Draws one antialiased line segment.
fn segment(image: &mut ColorImage, from: [f32; 2], to: [f32; 2], half: f32, colour: Color32) {
    let steep = (to[1] - from[1]).abs() > (to[0] - from[0]).abs();
    // The loop walks the longer direction pixel by pixel, and covers the thickness in the other.
    let (along, across) = if steep { (1, 0) } else { (0, 1) };
    let (from, to) = if from[along] <= to[along] { (from, to) } else { (to, from) };
    let length = to[along] - from[along];
    let slope = if length > 0.0 { (to[across] - from[across]) / length } else { 0.0 };
    let half = half * (1.0 + slope * slope).sqrt();
    let most = image.size[along] as f32 - 1.0;
    if to[along] < 0.0 || from[along] > most + 1.0 {
        return;
    }
    let (first, last) = (from[along].floor().max(0.0) as usize, to[along].floor().min(most) as usize);
    for pixel in first..=last {
        let middle = (pixel as f32 + 0.5).clamp(from[along], to[along]);
        let centre = from[across] + slope * (middle - from[along]);
        let (low, high) = (centre - half, centre + half);
        let end = image.size[across] as f32;
        if high <= 0.0 || low >= end {
            continue;
        }
        for other in low.max(0.0) as usize..=(high.min(end - 1.0).max(0.0) as usize) {
            let covered = (high.min(other as f32 + 1.0) - low.max(other as f32)).clamp(0.0, 1.0);
            let at = if steep { pixel * image.size[0] + other } else { other * image.size[0] + pixel };
            let under = image.pixels[at];
            image.pixels[at] = under.blend(colour.gamma_multiply(covered));
        }
    }
}
