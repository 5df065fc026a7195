//! Translates egui's shapes into the few primitives of an export: filled and stroked paths, pictures, and lines of text.
//!
//! Guarantees: every kind of shape in this window is handled here, once for all formats, so that an SVG and a PNG of a view look
//! the same. Shadows are omitted; a triangle with several vertex colours has their mean.

use egui::epaint::{ColorMode, Mesh, PathStroke, RectShape, TextShape};
use egui::{Color32, Pos2, Rect, Shape, Stroke, StrokeKind, TextureId};
use vello_cpu::kurbo::{self, BezPath, Shape as _};

use super::offscreen_renderer::{Drawing, Texture};

/// Largest distance between a curve and its approximation, in points.
const TOLERANCE: f64 = 0.02;

/// A surface to paint on. All coordinates are in points.
pub trait Paper {
    /// Clips everything that follows to this rectangle.
    fn clip(&mut self, rect: Rect);
    fn fill(&mut self, path: &BezPath, colour: Color32);
    fn stroke(&mut self, path: &BezPath, stroke: Stroke);
    /// Paints a part of a picture, in coordinates from (0, 0) to (1, 1), multiplied by a colour.
    fn picture(&mut self, rect: Rect, texture: &Texture, part: Rect, tint: Color32);
    fn text(&mut self, text: &TextShape);
}

/// Paints a drawing on a surface.
pub fn paint(drawing: &Drawing, paper: &mut impl Paper) {
    let page = Rect::from_min_size(Pos2::ZERO, drawing.size);
    let mut ink = Ink { drawing, paper };
    let mut last = None;
    for clipped in &drawing.shapes {
        let clip = clipped.clip_rect.intersect(page);
        if !clip.is_positive() {
            continue;
        }
        if last != Some(clip) {
            ink.paper.clip(clip);
            last = Some(clip);
        }
        ink.shape(&clipped.shape);
    }
}

struct Ink<'a, P> {
    drawing: &'a Drawing,
    paper: &'a mut P,
}

impl<P: Paper> Ink<'_, P> {
    fn shape(&mut self, shape: &Shape) {
        match shape {
            // The window uses no paint callbacks.
            Shape::Noop | Shape::Callback(_) => {}
            Shape::Vec(shapes) => shapes.iter().for_each(|shape| self.shape(shape)),
            Shape::Circle(circle) => {
                let path = kurbo::Circle::new(point(circle.center), f64::from(circle.radius)).to_path(TOLERANCE);
                self.both(&path, circle.fill, circle.stroke);
            }
            Shape::Ellipse(ellipse) => {
                let radii = kurbo::Vec2::new(f64::from(ellipse.radius.x), f64::from(ellipse.radius.y));
                let path =
                    kurbo::Ellipse::new(point(ellipse.center), radii, f64::from(ellipse.angle)).to_path(TOLERANCE);
                self.both(&path, ellipse.fill, ellipse.stroke);
            }
            Shape::LineSegment { points, stroke } => self.line(*points, *stroke),
            Shape::Path(path) => self.path(&line(&path.points, path.closed), path.fill, &path.stroke),
            Shape::Band(band) => {
                let back = band.points.iter().rev().map(|at| Pos2::new(at.x, at.y.max));
                let edge: Vec<Pos2> = band.points.iter().map(|at| Pos2::new(at.x, at.y.min)).chain(back).collect();
                self.both(&line(&edge, true), band.fill, band.stroke);
            }
            Shape::Rect(rect) => self.rect(rect),
            Shape::Text(text) => self.paper.text(text),
            Shape::Mesh(mesh) => self.mesh(mesh),
            Shape::QuadraticBezier(curve) => {
                let [a, b, c] = curve.points.map(point);
                let mut path = BezPath::new();
                path.move_to(a);
                path.quad_to(b, c);
                self.path(&path, curve.fill, &curve.stroke);
            }
            Shape::CubicBezier(curve) => {
                let [a, b, c, d] = curve.points.map(point);
                let mut path = BezPath::new();
                path.move_to(a);
                path.curve_to(b, c, d);
                self.path(&path, curve.fill, &curve.stroke);
            }
        }
    }

    fn both(&mut self, path: &BezPath, fill: Color32, stroke: Stroke) {
        if fill != Color32::TRANSPARENT {
            self.paper.fill(path, fill);
        }
        if !stroke.is_empty() {
            self.paper.stroke(path, stroke);
        }
    }

    fn path(&mut self, path: &BezPath, fill: Color32, stroke: &PathStroke) {
        let colour = match &stroke.color {
            ColorMode::Solid(colour) => *colour,
            ColorMode::UV(of) => {
                let bounds = path.bounding_box();
                let rect = Rect::from_two_pos(
                    Pos2::new(bounds.x0 as f32, bounds.y0 as f32),
                    Pos2::new(bounds.x1 as f32, bounds.y1 as f32),
                );
                of(rect, rect.center())
            }
        };
        self.both(path, fill, Stroke::new(stroke.width, colour));
    }

    /// Paints a line as egui does: along an axis it is aligned to whole pixels, as it would be two grey ones otherwise.
    fn line(&mut self, mut points: [Pos2; 2], stroke: Stroke) {
        let scale = self.drawing.scale;
        if points[0].x == points[1].x {
            stroke.round_center_to_pixel(scale, &mut points[0].x);
            points[1].x = points[0].x;
        }
        if points[0].y == points[1].y {
            stroke.round_center_to_pixel(scale, &mut points[0].y);
            points[1].y = points[0].y;
        }
        self.both(&line(&points, false), Color32::TRANSPARENT, stroke);
    }

    fn rect(&mut self, shape: &RectShape) {
        // A blurred rectangle is a shadow.
        if shape.blur_width > 0.0 || !shape.rect.is_positive() {
            return;
        }
        let textured = shape.brush.as_ref().and_then(|brush| Some((self.texture(brush.fill_texture_id)?, brush.uv)));
        if let Some((texture, part)) = textured {
            self.paper.picture(shape.rect, &texture, part, shape.fill);
        } else if shape.fill != Color32::TRANSPARENT {
            self.paper.fill(&rounded(shape, 0.0), shape.fill);
        }
        if !shape.stroke.is_empty() {
            let half = shape.stroke.width / 2.0;
            let grown = match shape.stroke_kind {
                StrokeKind::Inside => -half,
                StrokeKind::Middle => 0.0,
                StrokeKind::Outside => half,
            };
            self.paper.stroke(&rounded(shape, grown), shape.stroke);
        }
    }

    fn mesh(&mut self, mesh: &Mesh) {
        let texture = self.texture(mesh.texture_id).filter(|_| mesh.texture_id != TextureId::default());
        if let Some(texture) = texture {
            // An image is two triangles that share the corners of a rectangle.
            for corners in mesh.vertices.chunks_exact(4) {
                let rect = Rect::from_points(&[0, 1, 2, 3].map(|at: usize| corners[at].pos));
                let part = Rect::from_points(&[0, 1, 2, 3].map(|at: usize| corners[at].uv));
                self.paper.picture(rect, &texture, part, corners[0].color);
            }
            return;
        }
        // A mesh with a missing texture would cover everything below it with one colour.
        if mesh.texture_id != TextureId::default() {
            return;
        }
        if let Some(colour) = one_colour(mesh) {
            self.paper.fill(&joined(mesh), colour);
            return;
        }
        for corners in mesh.triangles() {
            let corners = corners.map(|at| mesh.vertices[at as usize]);
            let path = line(&corners.map(|corner| corner.pos), true);
            let colour = mean(corners.map(|corner| corner.color));
            self.paper.fill(&path, colour);
            // Without this stroke the background would show as a thin line between two triangles.
            self.paper.stroke(&path, Stroke::new(0.5, colour));
        }
    }

    fn texture(&self, id: TextureId) -> Option<Texture> {
        self.drawing.textures.get(&id).cloned()
    }
}

/// Returns the colour that all corners have.
fn one_colour(mesh: &Mesh) -> Option<Color32> {
    let first = mesh.vertices.first()?.color;
    mesh.vertices.iter().all(|corner| corner.color == first).then_some(first)
}

/// Returns all triangles as one path: painted one by one, they would show where they touch. All run the same way round,
/// so that no two cancel out along a common edge.
fn joined(mesh: &Mesh) -> BezPath {
    let mut path = BezPath::new();
    for corners in mesh.triangles() {
        let [a, mut b, mut c] = corners.map(|at| mesh.vertices[at as usize].pos);
        if (b - a).rot90().dot(c - a) < 0.0 {
            (b, c) = (c, b);
        }
        path.move_to(point(a));
        path.line_to(point(b));
        path.line_to(point(c));
        path.close_path();
    }
    path
}

fn mean(colours: [Color32; 3]) -> Color32 {
    let channel = |at: usize| (colours.iter().map(|colour| u16::from(colour.to_array()[at])).sum::<u16>() / 3) as u8;
    Color32::from_rgba_premultiplied(channel(0), channel(1), channel(2), channel(3))
}

/// Returns the outline of a rectangle, moved outwards by `grown`.
fn rounded(shape: &RectShape, grown: f32) -> BezPath {
    let rect = kurbo_rect(shape.rect.expand(grown));
    let radius = |radius: u8| (f64::from(radius) + f64::from(grown)).max(0.0);
    let corners = shape.corner_radius;
    if corners == egui::CornerRadius::ZERO {
        return rect.to_path(TOLERANCE);
    }
    let radii = (radius(corners.nw), radius(corners.ne), radius(corners.se), radius(corners.sw));
    kurbo::RoundedRect::from_rect(rect, radii).to_path(TOLERANCE)
}

pub fn kurbo_rect(rect: Rect) -> kurbo::Rect {
    kurbo::Rect::new(f64::from(rect.left()), f64::from(rect.top()), f64::from(rect.right()), f64::from(rect.bottom()))
}

fn point(pos: Pos2) -> kurbo::Point {
    kurbo::Point::new(f64::from(pos.x), f64::from(pos.y))
}

fn line(points: &[Pos2], closed: bool) -> BezPath {
    let mut path = BezPath::new();
    for (place, &at) in points.iter().filter(|at| at.is_finite()).enumerate() {
        if place == 0 { path.move_to(point(at)) } else { path.line_to(point(at)) }
    }
    if closed && !path.elements().is_empty() {
        path.close_path();
    }
    path
}
