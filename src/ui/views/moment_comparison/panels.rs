//! Draws the panels of two moments: three matrices with one pointer, the overlaps, both spectra, and the numbers.

use std::ops::Range;

use egui::{
    Align2, Color32, ColorImage, FontId, Pos2, Rect, Response, Role, Sense, Stroke, StrokeKind, TextureHandle,
    TextureOptions, Ui, UiBuilder, Vec2, WidgetInfo, pos2, vec2,
};

use crate::analysis::MomentComparison;
use crate::chart::palette::Colour;
use crate::chart::panel::{Dashes, Line};
use crate::chart::spectrum::{by_index, points};
use crate::paint::panel::{Look, paint};
use crate::paint::pixels::{Shades, amounts, colour_bar, nearly_all, picture};
use crate::run::RunInfo;
use crate::ui::kit::format;
use crate::ui::kit::theme;
use crate::ui::playback::{Which, colour};
use crate::ui::plot::readout;
use crate::ui::views::atlas::Atlas;
use crate::ui::views::context::ViewContext;
use crate::ui::views::spectrum::nth;

/// Room above a panel for its caption, below it for a colour bar, and between panels.
const CAPTION: f32 = 14.0;
const BAR: f32 = 14.0;
const GAP: f32 = 8.0;
/// Width per panel from which all six stand in one row.
const WIDE: f32 = 118.0;

/// Returns the rectangles of the six panels: two rows of three, or one row in a wide and low pane. Height beyond the matrices'
/// need goes to the lower row.
pub fn cells(rect: Rect) -> [Rect; 6] {
    let columns = if rect.width() > 6.0 * WIDE && rect.width() > 3.2 * rect.height() { 6 } else { 3 };
    let width = ((rect.width() - GAP * (columns - 1) as f32) / columns as f32).max(8.0).floor();
    let upper = if columns == 6 { rect.height() } else { ((rect.height() - GAP) / 2.0).min(width + CAPTION + BAR) };
    let upper = upper.max(8.0).floor();
    let lower = (rect.height() - upper - GAP).max(8.0).floor();
    std::array::from_fn(|place| {
        let left = rect.left() + (place % columns) as f32 * (width + GAP);
        let (top, height) = if place < columns { (0.0, upper) } else { (upper + GAP, lower) };
        Rect::from_min_size(pos2(left, rect.top() + top), vec2(width, height))
    })
}

/// Returns the square of a panel, below its caption and above its colour bar.
fn square(cell: Rect) -> Rect {
    let side = cell.width().min(cell.height() - CAPTION - BAR).max(4.0).floor();
    Rect::from_min_size(pos2(cell.left(), cell.top() + CAPTION), Vec2::splat(side))
}

/// Captions of the matrices, in the order of their panels.
const PANELS: [&str; 3] = ["A", "B", "B − A"];

/// Identifies the textures: the moments, the rows, and the theme.
type Key = ([u64; 2], Range<usize>, bool);

/// Holds the textures of the panels that show a matrix.
struct PanelTextures {
    key: Key,
    matrices: [TextureHandle; 3],
    overlaps: TextureHandle,
    /// The range of A and B together, and of their difference.
    ranges: [(f64, f64); 2],
}

/// Keeps the textures of the panels, and draws those that have one.
pub struct Panels {
    sequential: Shades,
    diverging: Shades,
    drawn: Option<PanelTextures>,
    atlas: Option<Atlas>,
}

impl Panels {
    /// Drops the textures, which belong to the window that they were made for.
    pub fn forget_textures(&mut self) {
        (self.drawn, self.atlas) = (None, None);
    }
}

impl Default for Panels {
    fn default() -> Self {
        Self { sequential: Shades::sequential(), diverging: Shades::diverging(), drawn: None, atlas: None }
    }
}

fn entry(found: &MomentComparison, panel: usize, row: usize, column: usize) -> f64 {
    let of = |which: usize| found.grams[which][row * found.len() + column];
    if panel < 2 { of(panel) } else { of(1) - of(0) }
}

impl Panels {
    /// Makes the textures again if the moments or rows have changed.
    fn draw(&mut self, ui: &Ui, context: &ViewContext<'_>, found: &MomentComparison) {
        let steps = found.moments.each_ref().map(|moment| moment.step);
        let key = (steps, found.rows.clone(), context.tokens.dark);
        if self.drawn.as_ref().is_some_and(|drawn| drawn.key == key) {
            return;
        }
        let n = found.len();
        let both = || found.grams.iter().flat_map(|gram| gram.iter().copied());
        let mut changes: Vec<f64> = (0..n * n).map(|at| entry(found, 2, at / n, at % n).abs()).collect();
        // Equal kernels have a pale difference, not the lowest colour.
        let most = nearly_all(&mut changes).filter(|most| *most > 0.0).unwrap_or(1.0);
        let ranges = [amounts(&mut both().collect::<Vec<_>>()).unwrap_or((0.0, 1.0)), (-most, most)];
        let nan = context.tokens.nan;
        let load = |name: &str, image: ColorImage| {
            let options = TextureOptions { magnification: egui::TextureFilter::Nearest, ..TextureOptions::LINEAR };
            ui.ctx().load_texture(name, image, options)
        };
        let matrices = std::array::from_fn(|panel| {
            let (shades, range) = if panel < 2 { (&self.sequential, ranges[0]) } else { (&self.diverging, ranges[1]) };
            load(PANELS[panel], picture(n, |row, column| entry(found, panel, row, column), shades, range, nan))
        });
        let overlap = |row: usize, column: usize| found.overlaps[row * found.vectors + column];
        let overlaps = load("overlaps", picture(found.vectors, overlap, &self.sequential, (0.0, 1.0), nan));
        self.drawn = Some(PanelTextures { key, matrices, overlaps, ranges });
    }

    /// Draws A, B and their difference, with one pointer.
    pub fn matrices(&mut self, ui: &mut Ui, context: &ViewContext<'_>, found: &MomentComparison, cells: [Rect; 3]) {
        self.draw(ui, context, found);
        let (Some(drawn), Some(info)) = (&self.drawn, context.info()) else { return };
        let (n, squares) = (found.len(), cells.map(square));
        let responses: [Response; 3] = std::array::from_fn(|panel| {
            let response = ui.interact(squares[panel], ui.scope_id().with(PANELS[panel]), Sense::hover());
            response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("Kernel {}", PANELS[panel])));
            response
        });
        let pointed = responses.iter().zip(squares).find_map(|(response, square)| pointed(response, square, n));
        for panel in 0..3 {
            let square = squares[panel];
            image(ui, &drawn.matrices[panel], square);
            if let Some((row, column)) = pointed {
                cross(ui, square, n, (row, column));
            }
            let (name, colour) = match Which::BOTH.get(panel) {
                Some(&which) => (which.letter(), colour(context.tokens, which)),
                None => (PANELS[panel], context.tokens.text),
            };
            let text = match (pointed, found.moments.get(panel)) {
                (Some((row, column)), _) => format::number(entry(found, panel, row, column)),
                (None, Some(moment)) => context.moment(moment.epoch),
                (None, None) => String::new(),
            };
            caption(ui, cells[panel], &[(name, colour), (&text, context.tokens.weak)]);
        }
        // A and B share one bar because they share one range.
        let pair = Rect::from_min_max(squares[0].left_bottom(), pos2(squares[1].right(), squares[1].bottom() + BAR));
        let alone = squares[2].with_min_y(squares[2].bottom()).with_max_y(squares[2].bottom() + BAR);
        bar(ui, &self.sequential, pair, drawn.ranges[0], "≥ ");
        bar(ui, &self.diverging, alone, drawn.ranges[1], "");
        Atlas::update(&mut self.atlas, ui, "compared probes", &info.thumbnails, info.image);
        if let Some((row, column)) = pointed {
            let hovered = responses.into_iter().find(Response::hovered);
            hovered
                .into_iter()
                .for_each(|response| tip(response, context, info, self.atlas.as_ref(), found, (row, column)));
        }
    }

    /// Draws ⟨u_i, w_j⟩² as a picture.
    pub fn overlaps(&self, ui: &mut Ui, context: &ViewContext<'_>, found: &MomentComparison, cell: Rect) {
        let Some(drawn) = &self.drawn else { return };
        let (square, count) = (square(cell), found.vectors);
        image(ui, &drawn.overlaps, square);
        // The frame marks the leading eigenvectors, which the numbers refer to.
        if found.leading < count {
            let side = square.width() * found.leading as f32 / count as f32;
            let frame = Rect::from_min_size(square.min, Vec2::splat(side));
            ui.painter().rect_stroke(frame, 0.0, Stroke::new(1.0, Color32::from_white_alpha(150)), StrokeKind::Inside);
        }
        caption(ui, cell, &[("⟨u_i, w_j⟩²", context.tokens.text), ("A ↓  B →", context.tokens.weak)]);
        let below = square.with_min_y(square.bottom()).with_max_y(square.bottom() + BAR);
        bar(ui, &self.sequential, below, (0.0, 1.0), "");
        let response = ui.interact(square, ui.scope_id().with("overlaps"), Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, "Overlap of the eigenvectors of A and B"));
        if let Some((row, column)) = pointed(&response, square, count) {
            cross(ui, square, count, (row, column));
            let lambda = |which: usize, rank: usize| {
                let values = &found.eigenvalues[which];
                format::number(values[values.len() - 1 - rank])
            };
            let (u, w) = (format::subscript(row + 1), format::subscript(column + 1));
            let value = format::number(found.overlaps[row * count + column]);
            response.on_hover_ui_at_pointer(|ui| {
                ui.monospace(format!("⟨u{u}, w{w}⟩² = {value}"));
                ui.label(format!("λ{u} of A: {}, λ{w} of B: {}", lambda(0, row), lambda(1, column)));
            });
        }
    }
}

/// Returns the cell under the pointer.
fn pointed(response: &Response, square: Rect, n: usize) -> Option<(usize, usize)> {
    let at = (response.hover_pos()? - square.min) / square.width();
    let place = |part: f32| ((part * n as f32) as usize).min(n.saturating_sub(1));
    Some((place(at.y), place(at.x)))
}

fn image(ui: &Ui, texture: &TextureHandle, square: Rect) {
    let whole = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
    ui.painter().image(texture.id(), square, whole, Color32::WHITE);
}

/// Draws the row and column of a cell, readable over bright and dark.
fn cross(ui: &Ui, square: Rect, n: usize, (row, column): (usize, usize)) {
    let cell = square.width() / n as f32;
    let at = square.min + (vec2(column as f32, row as f32) + Vec2::splat(0.5)) * cell;
    for (width, colour) in [(3.0, Color32::from_black_alpha(90)), (1.0, Color32::from_white_alpha(210))] {
        ui.painter().hline(square.x_range(), at.y, Stroke::new(width, colour));
        ui.painter().vline(at.x, square.y_range(), Stroke::new(width, colour));
    }
}

fn caption(ui: &Ui, cell: Rect, words: &[(&str, Color32)]) {
    let painter = ui.painter().with_clip_rect(cell.intersect(ui.clip_rect()));
    let mut at = cell.left_top() + vec2(0.0, CAPTION / 2.0 - 1.0);
    for (word, colour) in words {
        let found = painter.text(at, Align2::LEFT_CENTER, word, theme::note(), *colour);
        at.x = found.right() + 5.0;
    }
}

fn bar(ui: &mut Ui, shades: &Shades, rect: Rect, range: (f64, f64), most: &str) {
    let mut below = ui.new_child(UiBuilder::new().max_rect(rect.translate(vec2(0.0, 1.0))));
    let texts = [format::number(range.0), format!("{most}{}", format::number(range.1))];
    colour_bar(&mut below, shades, range, [&texts[0], &texts[1]]);
}

/// Shows the two images of a cell and its values in A, B and their difference.
fn tip(
    response: Response,
    context: &ViewContext<'_>,
    info: &RunInfo,
    atlas: Option<&Atlas>,
    found: &MomentComparison,
    (row, column): (usize, usize),
) {
    response.on_hover_ui_at_pointer(|ui| {
        ui.horizontal(|ui| {
            for probe in [row, column].map(|place| found.rows.start + place) {
                let Some(of) = info.probes.get(probe) else { continue };
                ui.vertical(|ui| {
                    let (rect, _) = ui.allocate_exact_size(Vec2::splat(48.0), Sense::hover());
                    if let Some(atlas) = atlas {
                        atlas.paint(ui, rect, probe);
                    }
                    ui.label(info.class_name(of.label));
                    let task = egui::RichText::new(format!("task {}", of.task)).small();
                    ui.label(task.color(context.tokens.task(of.task)));
                });
                ui.add_space(theme::GRID);
            }
        });
        for (panel, name) in PANELS.into_iter().enumerate() {
            ui.monospace(format!("{name:>5} = {}", format::number(entry(found, panel, row, column))));
        }
    });
}

/// Draws both spectra, largest first, on logarithmic axes.
pub fn spectra(ui: &mut Ui, context: &ViewContext<'_>, found: &MomentComparison, cell: Rect) {
    let tokens = context.tokens;
    let letters = Which::BOTH.map(|which| (which.letter(), colour(tokens, which)));
    caption(ui, cell, &[("λ by index", tokens.weak), letters[0], letters[1]]);
    let place = cell.with_min_y(cell.top() + CAPTION);
    let mut ui = ui.new_child(UiBuilder::new().max_rect(place).id_salt("spectra of A and B"));
    let line = |(ascending, (letter, colour)): (&Vec<f64>, (&str, Color32))| {
        let [r, g, b, _] = colour.to_array();
        Line::new(points(ascending), Colour::Rgb([r, g, b]), 1.5, Dashes::None).named(letter)
    };
    let lines = found.eigenvalues.iter().zip(letters).map(line).collect();
    let look = Look::of_view(context.thick, true);
    let panel = by_index(lines, found.len());
    let painted = paint(&mut ui, "two spectra", &panel, &look);
    readout::of_panel(&ui, &painted, &panel, nth);
}

/// Writes the similarity of the two in numbers.
pub fn numbers(ui: &mut Ui, context: &ViewContext<'_>, found: &MomentComparison, cell: Rect, busy: bool) {
    let tokens = context.tokens;
    let mut ui = ui.new_child(UiBuilder::new().max_rect(cell).id_salt("numbers of A and B"));
    ui.spacing_mut().item_spacing.y = 0.0;
    let k = found.leading;
    let centring = found.centring().words();
    let entries = [
        ("‖B − A‖/‖A‖".to_owned(), format::number(found.drift), "How far B is from A (Frobenius norms)".to_owned()),
        ("‖B‖/‖A‖".to_owned(), format::number(found.scale), "How much larger B is".to_owned()),
        (
            "S".to_owned(),
            format::number(found.distance),
            format!("S = 1 − CKA, {centring}: 0 where one is a multiple of the other"),
        ),
        ("CKA".to_owned(), format::number(1.0 - found.distance), format!("Cosine of the {centring} kernels")),
        (
            format!("first {k} share"),
            format::number(found.shared),
            format!(
                "‖U′W‖²/{k} of the first {k} eigenvectors: 1 where they span the same, {k}/{} by chance",
                found.len()
            ),
        ),
        (
            "largest angle".to_owned(),
            format!("{:.1}°", found.angle.to_degrees()),
            format!("The largest principal angle between the spans of the first {k} eigenvectors"),
        ),
    ];
    for (name, value, hover) in entries {
        let mut job = egui::text::LayoutJob::default();
        job.append(&format!("{name} "), 0.0, egui::TextFormat::simple(theme::note(), tokens.weak));
        job.append(&value, 3.0, egui::TextFormat::simple(FontId::monospace(10.5), tokens.text));
        ui.label(job).on_hover_text(hover);
    }
    if busy {
        ui.label(egui::RichText::new("computing…").size(theme::SMALL).color(tokens.weak));
    }
}
