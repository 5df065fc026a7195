//! Writes a drawing as an SVG: paths as paths, text as searchable and editable text, pictures as embedded PNG.
//!
//! Guarantees: the XML is well-formed; a line of text has its length on screen even with another font, because its length is
//! given; the file is self-contained.

use std::fmt::Write as _;
use std::io;

use data_encoding::BASE64;
use egui::epaint::TextShape;
use egui::text::LayoutSection;
use egui::{Color32, ColorImage, FontFamily, Pos2, Rect, Stroke, Vec2};
use image::{ImageEncoder as _, codecs::png::PngEncoder};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use vello_cpu::kurbo::BezPath;

use super::offscreen_renderer::{Drawing, Texture};
use super::raster::letter_colour;
use super::shape_painter::{Paper, paint};
use crate::chart::without_zeros;

/// Writes a drawing as an SVG on this background.
pub fn svg(drawing: &Drawing, title: &str, ground: Color32, to: impl io::Write) -> io::Result<()> {
    let mut page = Page { writer: Writer::new(to), size: drawing.size, clips: 0, grouped: false, failure: None };
    page.begin(title, ground)?;
    paint(drawing, &mut page);
    page.end()
}

struct Page<W: io::Write> {
    writer: Writer<W>,
    size: Vec2,
    /// Number of clip paths so far.
    clips: usize,
    /// Whether the group of a clip path is open.
    grouped: bool,
    /// The first error; nothing is written after it.
    failure: Option<io::Error>,
}

/// Formats a number without insignificant digits.
fn number(value: f32) -> String {
    without_zeros(&format!("{value:.2}"))
}

/// Returns a colour and its opacity.
fn colour(colour: Color32) -> (String, f32) {
    let [r, g, b, a] = colour.to_srgba_unmultiplied();
    (format!("#{r:02x}{g:02x}{b:02x}"), f32::from(a) / 255.0)
}

type Attributes = Vec<(&'static str, String)>;

/// Returns the attributes of the colour of a fill or stroke.
fn ink(of: &'static str, opacity: &'static str, of_colour: Color32) -> Attributes {
    let (name, alpha) = colour(of_colour);
    let mut attributes = vec![(of, name)];
    if alpha < 1.0 {
        attributes.push((opacity, format!("{alpha:.3}")));
    }
    attributes
}

/// Returns the SVG data of a path, to a hundredth of a point.
fn data(path: &BezPath) -> String {
    use vello_cpu::kurbo::PathEl;

    let mut text = String::new();
    let mut add = |letter: char, points: &[vello_cpu::kurbo::Point]| {
        text.push(letter);
        for (place, point) in points.iter().enumerate() {
            let gap = if place > 0 { " " } else { "" };
            // Writing to a string cannot fail.
            let _ = write!(text, "{gap}{},{}", number(point.x as f32), number(point.y as f32));
        }
    };
    for element in path.elements() {
        match *element {
            PathEl::MoveTo(a) => add('M', &[a]),
            PathEl::LineTo(a) => add('L', &[a]),
            PathEl::QuadTo(a, b) => add('Q', &[a, b]),
            PathEl::CurveTo(a, b, c) => add('C', &[a, b, c]),
            PathEl::ClosePath => add('Z', &[]),
        }
    }
    text
}

/// Returns the part of a picture between two corners, in coordinates from (0, 0) to (1, 1), as a PNG.
fn cut(image: &ColorImage, part: Rect) -> Option<Vec<u8>> {
    let [width, height] = image.size;
    let texel = |share: f32, side: usize| ((share * side as f32).round().max(0.0) as usize).min(side);
    let (left, right) = (texel(part.left(), width), texel(part.right(), width));
    let (top, bottom) = (texel(part.top(), height), texel(part.bottom(), height));
    if right <= left || bottom <= top {
        return None;
    }
    let rows = (top..bottom).flat_map(|row| &image.pixels[row * width + left..row * width + right]);
    let pixels: Vec<u8> = rows.flat_map(Color32::to_srgba_unmultiplied).collect();
    let mut png = Vec::new();
    let (width, height) = ((right - left) as u32, (bottom - top) as u32);
    PngEncoder::new(&mut png).write_image(&pixels, width, height, image::ExtendedColorType::Rgba8).ok()?;
    Some(png)
}

impl<W: io::Write> Page<W> {
    fn begin(&mut self, title: &str, ground: Color32) -> io::Result<()> {
        self.writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        let (width, height) = (number(self.size.x), number(self.size.y));
        let root = BytesStart::new("svg").with_attributes([
            ("xmlns", "http://www.w3.org/2000/svg"),
            ("width", &width),
            ("height", &height),
            ("viewBox", &format!("0 0 {width} {height}")),
        ]);
        self.writer.write_event(Event::Start(root))?;
        self.writer.create_element("title").write_text_content(BytesText::new(title))?;
        self.empty("rect", [vec![("width", width), ("height", height)], ink("fill", "fill-opacity", ground)].concat());
        Ok(())
    }

    fn end(mut self) -> io::Result<()> {
        self.close_group();
        self.write(Event::End(BytesEnd::new("svg")));
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }

    fn write(&mut self, event: Event<'_>) {
        if self.failure.is_none() {
            self.failure = self.writer.write_event(event).err();
        }
    }

    fn start(name: &'static str, attributes: &Attributes) -> BytesStart<'static> {
        BytesStart::new(name).with_attributes(attributes.iter().map(|(key, value)| (*key, value.as_str())))
    }

    fn empty(&mut self, name: &'static str, attributes: Attributes) {
        self.write(Event::Empty(Self::start(name, &attributes)));
    }

    fn close_group(&mut self) {
        if std::mem::take(&mut self.grouped) {
            self.write(Event::End(BytesEnd::new("g")));
        }
    }

    /// Writes the glyphs of one row that have one format.
    fn words(&mut self, text: &TextShape, section: &LayoutSection, start: Pos2, run: &Run) {
        let words = run.text.trim_end();
        if words.trim().is_empty() {
            return;
        }
        let family = match &section.format.font_id.family {
            FontFamily::Monospace => "Hack, monospace",
            _ => "'Ubuntu Light', Ubuntu, sans-serif",
        };
        let mut attributes = vec![
            ("x", number(start.x + run.left)),
            ("y", number(start.y + run.baseline)),
            ("font-family", family.to_owned()),
            ("font-size", number(section.format.font_id.size)),
            ("textLength", number(run.right - run.left)),
            ("lengthAdjust", "spacingAndGlyphs".to_owned()),
        ];
        attributes.extend(ink("fill", "fill-opacity", letter_colour(text, section.format.color, true)));
        if text.angle != 0.0 {
            let turn = format!("rotate({} {} {})", number(text.angle.to_degrees()), number(start.x), number(start.y));
            attributes.push(("transform", turn));
        }
        self.write(Event::Start(Self::start("text", &attributes)));
        self.write(Event::Text(BytesText::new(words)));
        self.write(Event::End(BytesEnd::new("text")));
    }
}

/// Adjacent glyphs of one format.
struct Run {
    text: String,
    section: usize,
    left: f32,
    /// Right edge of the last glyph that is not a blank.
    right: f32,
    baseline: f32,
}

impl<W: io::Write> Paper for Page<W> {
    fn clip(&mut self, rect: Rect) {
        self.close_group();
        if rect.size() == self.size {
            return;
        }
        self.clips += 1;
        let name = format!("clip{}", self.clips);
        self.write(Event::Start(Self::start("clipPath", &vec![("id", name.clone())])));
        let corners = [("x", rect.left()), ("y", rect.top()), ("width", rect.width()), ("height", rect.height())];
        self.empty("rect", corners.map(|(key, value)| (key, number(value))).to_vec());
        self.write(Event::End(BytesEnd::new("clipPath")));
        self.write(Event::Start(Self::start("g", &vec![("clip-path", format!("url(#{name})"))])));
        self.grouped = true;
    }

    fn fill(&mut self, path: &BezPath, colour: Color32) {
        self.empty("path", [vec![("d", data(path))], ink("fill", "fill-opacity", colour)].concat());
    }

    fn stroke(&mut self, path: &BezPath, stroke: Stroke) {
        let shape = vec![("d", data(path)), ("fill", "none".to_owned()), ("stroke-width", number(stroke.width))];
        self.empty("path", [shape, ink("stroke", "stroke-opacity", stroke.color)].concat());
    }

    fn picture(&mut self, rect: Rect, texture: &Texture, part: Rect, tint: Color32) {
        let Some(png) = cut(&texture.image, part) else { return };
        let mut attributes = vec![
            ("x", number(rect.left())),
            ("y", number(rect.top())),
            ("width", number(rect.width())),
            ("height", number(rect.height())),
            ("preserveAspectRatio", "none".to_owned()),
            ("href", format!("data:image/png;base64,{}", BASE64.encode(&png))),
        ];
        if texture.nearest {
            attributes.push(("style", "image-rendering:pixelated".to_owned()));
        }
        if tint.a() < 255 {
            attributes.push(("opacity", format!("{:.3}", f32::from(tint.a()) / 255.0)));
        }
        self.empty("image", attributes);
    }

    fn text(&mut self, text: &TextShape) {
        let job = &text.galley.job;
        let mut byte = 0;
        for row in &text.galley.rows {
            let mut run: Option<Run> = None;
            for glyph in &row.glyphs {
                // The format of a glyph follows from its position in the whole text.
                let section = job
                    .sections
                    .iter()
                    .position(|section| (section.byte_range.start.0..section.byte_range.end.0).contains(&byte));
                let section = section.unwrap_or(job.sections.len().saturating_sub(1));
                byte += glyph.chr.len_utf8();
                if let Some(done) = run.take_if(|run| run.section != section)
                    && let Some(format) = job.sections.get(done.section)
                {
                    self.words(text, format, text.pos + row.pos.to_vec2(), &done);
                }
                let (left, baseline) = (glyph.pos.x, glyph.pos.y);
                let run = run.get_or_insert_with(|| Run { text: String::new(), section, left, right: left, baseline });
                if run.text.is_empty() && glyph.chr.is_whitespace() {
                    // A leading blank shifts the glyphs that follow.
                    run.left = glyph.max_x();
                    continue;
                }
                run.text.push(glyph.chr);
                if !glyph.chr.is_whitespace() {
                    run.right = glyph.max_x();
                }
            }
            if row.ends_with_newline {
                byte += 1;
            }
            if let Some(done) = run
                && let Some(format) = job.sections.get(done.section)
            {
                self.words(text, format, text.pos + row.pos.to_vec2(), &done);
            }
        }
    }
}
