//! Draws two kernels side by side, that of the run at the cursor and that of another run at the nearest epoch, with one pointer
//! in both.
//!
//! A thread of this view reads the other run's Grams from disk; the last few are kept.

use std::sync::Arc;

use egui::{
    Align2, Color32, FontId, Pos2, Rect, RichText, Role, Sense, Stroke, StrokeKind, TextureHandle, TextureOptions, Ui,
    Vec2, WidgetInfo, pos2, vec2,
};

use super::context::ViewContext;
use super::gram::{Mode, entry, range_of};
use super::pane::Pane;
use super::view::{Needs, ViewClass};
use crate::paint::pixels::{Shades, colour_bar, picture};
use crate::storage::Grams;
use crate::ui::kit::background_task::BackgroundTask;
use crate::ui::kit::data_table::DataTable;
use crate::ui::kit::format;
use crate::ui::kit::widgets::{choose, segments, tick};
use crate::ui::kit::{theme, theme::GRID};
use crate::ui::overlays::Overlay;
use crate::ui::overlays::action::OverlayAction;

/// Number of Grams of other runs that are kept.
const KEPT: usize = 8;
/// Room for the name above a matrix, and for the bar below it.
const NAME: f32 = 16.0;
const BAR: f32 = 20.0;

/// Identifies a Gram by its run and step.
type GramId = (u64, u64);
/// Holds a Gram, or the reason why there is none.
type Matrix = Result<Arc<[f64]>, String>;

/// This view shows the kernels of two runs beside each other.
pub struct RunComparisonView {
    mode: Mode,
    /// True if both share one colour range.
    same: bool,
    shades: Shades,
    /// Grams being read from disk.
    matrices: BackgroundTask<GramId, Arc<Grams>, Matrix>,
    drawn: [Option<MatrixTexture>; 2],
    /// The range of each matrix, computed once and not in each frame.
    ranges: [Option<Ranged>; 2],
}

/// Holds a matrix, the mode in which it was read, and its range.
type Ranged = (Arc<[f64]>, Mode, (f64, f64));

/// Holds the texture of one of the two matrices.
struct MatrixTexture {
    texture: TextureHandle,
    /// The matrix itself, kept alive so that its address identifies it.
    of: Arc<[f64]>,
    look: (Mode, (f64, f64), bool),
}

impl Default for RunComparisonView {
    fn default() -> Self {
        let shades = Shades::sequential();
        let (drawn, ranges) = ([None, None], [None, None]);
        Self { mode: Mode::Kernel, same: true, shades, matrices: BackgroundTask::new("beside", KEPT), drawn, ranges }
    }
}

impl RunComparisonView {
    /// Returns the range of one matrix.
    fn range(&mut self, which: usize, side: &Side) -> (f64, f64) {
        let mode = self.mode;
        let known =
            self.ranges[which].as_ref().filter(|(of, as_what, _)| Arc::ptr_eq(of, &side.matrix) && *as_what == mode);
        if let Some((.., range)) = known {
            return *range;
        }
        let range = range_of(mode, side.n, |row, column| side.entry(mode, row, column)).unwrap_or((0.0, 1.0));
        self.ranges[which] = Some((Arc::clone(&side.matrix), mode, range));
        range
    }

    /// Returns the Gram of another run nearest to an epoch, with its epoch; requests it if it is on disk.
    fn of(&mut self, ui: &Ui, overlay: &Overlay, epoch: f64) -> Option<(f64, Matrix)> {
        let Some(grams) = &overlay.grams else {
            let gap = |at: f64| (at - epoch).abs();
            let kept = overlay.drawn().snapshots().iter();
            let nearest = kept.min_by(|a, b| gap(a.row.epoch).total_cmp(&gap(b.row.epoch)))?;
            return Some((nearest.row.epoch, Ok(Arc::clone(&nearest.gram))));
        };
        let (step, at) = grams.nearest(overlay.own_epoch(epoch))?;
        let place = (overlay.id, step);
        let read = |place: &GramId, grams: Arc<Grams>| grams.read(place.1);
        if let Err(err) = self.matrices.start(ui.ctx(), read) {
            return Some((at, Err(format!("no thread can be started to read it: {err}"))));
        }
        let matrix = self.matrices.get(&place, || Arc::clone(grams))?;
        Some((at, matrix.clone()))
    }
}

/// Describes one of the two kernels.
struct Side {
    name: String,
    epoch: f64,
    matrix: Arc<[f64]>,
    n: usize,
    place: Rect,
}

impl Side {
    fn entry(&self, mode: Mode, row: usize, column: usize) -> f64 {
        entry(mode, &self.matrix, None, self.n, row, column)
    }
}

impl ViewClass for RunComparisonView {
    const TITLE: &str = "Two runs";
    const HELP: &str = "The kernel of this run at the cursor, and beside it that of a run of the list (U) at the \
                 nearest epoch. Point at an entry: both values and their difference. “One range” gives both the same \
                 colours; “cosine” divides by √(K(x,x) K(x′,x′)), so that kernels of different size can be compared. \
                 Runs come into the list when they are opened (Ctrl+O) or dropped on the window.";
    const NEEDS: Needs = Needs::Kernels;
    const ONE_LINE: f32 = 330.0;
    const LARGE: bool = true;

    fn show(&mut self, ui: &mut Ui, pane: &mut Pane<'_>, context: &mut ViewContext<'_>) {
        let mut card = pane.card(ui, "");
        let kinds =
            [(Mode::Kernel, "K", "The kernels themselves"), (Mode::Cosine, "Cosine", "K(x,x′)/√(K(x,x) K(x′,x′))")];
        segments(&mut card.header, &mut self.mode, &kinds);
        if pane.roomy() {
            tick(&mut card.header, &mut self.same, "one range", "The same colours for both");
        }
        choose_run(&mut card.header, context);
        let ui = &mut card.body;
        let weak = |text: &str| RichText::new(text.to_owned()).color(context.tokens.weak);
        let Some(overlay) = context.runs.compared.and_then(|id| context.runs.find(id)) else {
            ui.label(weak("Open a run (Ctrl+O, or drop its folder on the window) and choose it here."));
            return;
        };
        let (Some(info), Some(snapshot)) = (context.info(), context.snapshot.as_ref()) else { return };
        let other = match self.of(ui, overlay, context.cursor) {
            Some((epoch, Ok(matrix))) => (epoch, matrix),
            Some((_, Err(problem))) => {
                ui.label(weak(&format!("The kernel of {} cannot be read: {problem}", overlay.name)));
                return;
            }
            None => {
                let text = if overlay.grams.is_none() && overlay.history.snapshots().is_empty() {
                    "No kernel of that run was kept: only its curves can be shown."
                } else {
                    "Reading the kernel…"
                };
                ui.label(weak(text));
                return;
            }
        };
        let n = info.probes.len();
        if snapshot.gram.len() != n * n || n == 0 || other.1.is_empty() {
            ui.label(weak("Reading the kernel…"));
            return;
        }
        let places = places(ui.available_rect_before_wrap());
        let sides = [
            Side {
                name: "this run".to_owned(),
                epoch: snapshot.row.epoch,
                matrix: Arc::clone(&snapshot.gram),
                n,
                place: places[0],
            },
            Side {
                name: overlay.name.clone(),
                epoch: other.0,
                n: other.1.len().isqrt(),
                matrix: other.1,
                place: places[1],
            },
        ];
        if let Some(table) = &mut context.table {
            write(table, sides.each_ref().map(|side| (side.name.as_str(), side.epoch, side.n, &*side.matrix)));
        }
        let mut ranges = [self.range(0, &sides[0]), self.range(1, &sides[1])];
        if self.same {
            let both = (ranges[0].0.min(ranges[1].0), ranges[0].1.max(ranges[1].1));
            ranges = [both, both];
        }
        for (which, side) in sides.iter().enumerate() {
            draw(ui, context, self, (which, side), ranges[which]);
        }
        hover(ui, context, self.mode, &sides);
    }

    fn reset(&mut self) {
        self.forget_textures();
    }

    fn forget_textures(&mut self) {
        (self.drawn, self.ranges) = ([None, None], [None, None]);
    }
}

/// Draws the list of runs to compare with.
fn choose_run(header: &mut Ui, context: &mut ViewContext<'_>) {
    let names: Vec<(u64, String)> = context.runs.list().iter().map(|run| (run.id, run.name.clone())).collect();
    if names.is_empty() {
        return;
    }
    let mut options: Vec<(Option<u64>, &str)> = vec![(None, "beside: nothing")];
    options.extend(names.iter().map(|(id, name)| (Some(*id), name.as_str())));
    let mut beside = context.runs.compared;
    if choose(header, "Run beside", &mut beside, &options) {
        context.actions.push(OverlayAction::CompareWith(beside));
    }
}

/// Returns two squares of the same size, with room for names above and bars below them.
fn places(rect: Rect) -> [Rect; 2] {
    let gap = 3.0 * GRID;
    let side = ((rect.width() - gap) / 2.0).min(rect.height() - NAME - BAR).max(8.0).floor();
    let left = (rect.left() + (rect.width() - 2.0 * side - gap) / 2.0).round();
    let at = |x: f32| Rect::from_min_size(pos2(x, rect.top() + NAME), Vec2::splat(side));
    [at(left), at(left + side + gap)]
}

fn draw(
    ui: &mut Ui,
    context: &ViewContext<'_>,
    state: &mut RunComparisonView,
    (which, side): (usize, &Side),
    range: (f64, f64),
) {
    let (place, tokens, mode) = (side.place, context.tokens, state.mode);
    let look = (mode, range, tokens.dark);
    let known = state.drawn[which].as_ref();
    if known.is_none_or(|drawn| !Arc::ptr_eq(&drawn.of, &side.matrix) || drawn.look != look) {
        let value = |row: usize, column: usize| side.entry(mode, row, column);
        let image = picture(side.n, value, &state.shades, range, tokens.nan);
        let options = TextureOptions { magnification: egui::TextureFilter::Nearest, ..TextureOptions::LINEAR };
        let texture = ui.ctx().load_texture(format!("beside {which}"), image, options);
        state.drawn[which] = Some(MatrixTexture { texture, of: Arc::clone(&side.matrix), look });
    }
    let painter = ui.painter().with_clip_rect(place.expand2(vec2(0.0, NAME + BAR)));
    if let Some(drawn) = &state.drawn[which] {
        painter.image(drawn.texture.id(), place, Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0)), Color32::WHITE);
    }
    let at = format!("{:.2} {}", side.epoch, context.time_unit());
    painter.text(place.right_top() - vec2(0.0, 2.0), Align2::RIGHT_BOTTOM, at, theme::note(), tokens.weak);
    let room =
        painter.with_clip_rect(Rect::from_min_max(place.min - vec2(0.0, NAME), place.right_top() - vec2(78.0, 0.0)));
    let font = FontId::proportional(theme::SMALL);
    room.text(place.left_top() - vec2(0.0, 2.0), Align2::LEFT_BOTTOM, &side.name, font, tokens.text);
    let bar = Rect::from_min_max(place.left_bottom() + vec2(0.0, 4.0), place.right_bottom() + vec2(0.0, BAR - 2.0));
    let mut below = ui.new_child(egui::UiBuilder::new().max_rect(bar).id_salt(("beside bar", which)));
    let (low, high) = (format::number(range.0), format::number(range.1));
    let high = if mode == Mode::Cosine { high } else { format!("≥ {high}") };
    colour_bar(&mut below, &state.shades, range, [&low, &high]);
}

/// Shows both values and their difference under the pointer.
fn hover(ui: &Ui, context: &ViewContext<'_>, mode: Mode, sides: &[Side; 2]) {
    for (which, side) in sides.iter().enumerate() {
        let response = ui.interact(side.place, ui.scope_id().with(("beside", which)), Sense::hover());
        let name = format!("Kernel of {}", side.name);
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &name));
        let Some(pos) = response.hover_pos() else { continue };
        let cell = side.place.width() / side.n as f32;
        let at = |offset: f32| ((offset / cell) as usize).min(side.n - 1);
        let (row, column) = (at(pos.y - side.place.top()), at(pos.x - side.place.left()));
        // Equal rows of kernels of different size stand for different images.
        let linked = sides[0].n == sides[1].n;
        for other in sides.iter().enumerate().filter(|(place, _)| linked || *place == which).map(|(_, side)| side) {
            let min = other.place.min + vec2(column as f32, row as f32) * cell;
            let rect = Rect::from_min_size(min, Vec2::splat(cell)).expand(1.0);
            ui.painter().rect_stroke(rect, 0.0, Stroke::new(1.0, context.tokens.accent), StrokeKind::Outside);
        }
        response.on_hover_ui_at_pointer(|ui| {
            ui.label(format!("row {row}, column {column}"));
            let value = |side: &Side| side.entry(mode, row, column);
            for side in sides.iter().enumerate().filter(|(place, _)| linked || *place == which).map(|(_, side)| side) {
                ui.monospace(format!("{:>9}  {}", format::number(value(side)), side.name));
            }
            if linked {
                let difference = value(&sides[1]) - value(&sides[0]);
                ui.monospace(format!("{:>9}  difference", format::number(difference)));
            } else {
                ui.label(format!("{} and {} rows: no row is the same", sides[0].n, sides[1].n));
            }
        });
    }
}

/// Writes the kernels of two runs, entry by entry: name, epoch, size, row-major.
fn write(table: &mut DataTable, sides: [(&str, f64, usize, &[f64]); 2]) {
    table.head(["run", "epoch", "row", "column", "value"]);
    for (name, epoch, n, matrix) in sides {
        for (at, &value) in matrix.iter().enumerate() {
            table.row([name.into(), epoch.into(), (at / n.max(1)).into(), (at % n.max(1)).into(), value.into()]);
        }
    }
}
