//! Draws the distance of one task's kernel from itself at every other time, as a picture with time on both axes.

use std::ops::Range;
use std::sync::Arc;

use egui::{Color32, ColorImage, Pos2, Rect, Stroke, TextureHandle, TextureOptions, Ui, pos2};

use super::context::{ViewContext, choose_task};
use super::pane::Pane;
use super::view::{Needs, ViewClass};
use crate::analysis::{DistanceMatrix, GrowingDistances, compared_snapshots};
use crate::chart::panel::Axis;
use crate::chart::series_cache::Window;
use crate::math::distance::Centring;
use crate::paint::axes::AXIS;
use crate::paint::pixels::{Shades, colour_bar};
use crate::paint::transform::Transform;
use crate::run::Snapshot;
use crate::ui::kit::background_task::BackgroundTask;
use crate::ui::kit::data_table::DataTable;
use crate::ui::kit::format;
use crate::ui::kit::theme;
use crate::ui::kit::widgets::segments;
use crate::ui::plot::{OVER_PICTURE, cursor_colour, show_map, window};

/// Largest number of pixels along an edge of the picture.
const SIDE: usize = 320;
/// Number of decades below the largest distance that the logarithmic colours cover.
const DECADES: f64 = 4.0;

/// This view shows how far the kernel is from itself at every other time.
pub struct DistancesView {
    task: usize,
    log: bool,
    shades: Shades,
    matrices: BackgroundTask<Key, Vec<Arc<Snapshot>>, Arc<DistanceMatrix>>,
    drawn: Option<(TextureHandle, TextureKey)>,
    /// The largest distance seen; it only grows.
    high: f64,
}

/// Names the inputs of a distance matrix: the rows of the block, the kind of distance, and the steps of the snapshots.
type Key = (Range<usize>, Centring, Vec<u64>);

/// Names the inputs that the picture was drawn from.
#[derive(Clone, PartialEq)]
struct TextureKey {
    window: Window,
    task: usize,
    log: bool,
    dark: bool,
    times: usize,
    last: u64,
    high: f64,
}

impl Default for DistancesView {
    fn default() -> Self {
        Self {
            task: 1,
            log: true,
            shades: Shades::sequential(),
            matrices: BackgroundTask::new("distances", 1),
            drawn: None,
            high: 0.0,
        }
    }
}

impl ViewClass for DistancesView {
    const TITLE: &str = "Distances";
    const HELP: &str = "The distance of the kernel from itself at every other time, on the probes of one task:\n\
                 S(t, t′) = 1 − CKA(K_t, K_t′)\n\
                 centred (debiased where a task has fewer than 40 probes), with time on both axes; dark is near, lines are \
                 switches. A kernel that turns evenly fades away from the diagonal; one that settles has a dark square from there on (the “cone effect”: after a \
                 short chaotic time, later kernels stay near one another, 2505.13900); one that a switch wakes up has \
                 a dark square for each task. At most 256 snapshots are compared, every second, fourth … one of more, \
                 and those at switches. Point at a place for its number.\n\
                 Fort et al. 2020 (2010.15110), there uncentred and of the full kernel.";
    const NEEDS: Needs = Needs::Kernels;

    fn show(&mut self, ui: &mut Ui, pane: &mut Pane<'_>, context: &mut ViewContext<'_>) {
        let centring = context.history.centring();
        let mut card = pane.card(ui, if centring == Centring::Debiased { "S(t, t′), debiased" } else { "S(t, t′)" });
        let before = self.task;
        let scales = [
            (true, "log", "Colours show the logarithm of the distance, so that small ones can be distinguished"),
            (false, "linear", "Colours are the distance itself, from 0"),
        ];
        segments(&mut card.header, &mut self.log, &scales);
        choose_task(&mut card.header, context, "Probes of the distances", &mut self.task);
        if before != self.task {
            (self.drawn, self.high) = (None, 0.0);
        }
        let ui = &mut card.body;
        let Some(rows) = context.info().and_then(|info| info.rows_of(self.task)) else { return };
        let mut growing = GrowingDistances::default();
        let work = move |(rows, of, _): &Key, snapshots: Vec<Arc<Snapshot>>| growing.update((rows, *of), &snapshots);
        if let Err(err) = self.matrices.start(ui.ctx(), work) {
            ui.label(format!("No thread can be started to compare kernels: {err}"));
            return;
        }
        let window = window(ui, context);
        let wanted = || compared_snapshots(context.history, rows.len());
        let key = (rows.clone(), centring, wanted().map(|snapshot| snapshot.row.step).collect());
        self.matrices.get(&key, || wanted().cloned().collect());
        // The matrix of fewer snapshots is shown until the newest is ready.
        let found = self
            .matrices
            .known()
            .find(|((of, kind, _), _)| (of, *kind) == (&rows, centring))
            .map(|(_, found)| Arc::clone(found));
        let found = found.as_deref();
        if let Some(found) = found {
            if let Some(table) = &mut context.table {
                write(table, found);
            }
            draw(ui, context, self, found, window);
        }
        let transform = frame(ui, context, self);
        if let Some(found) = found {
            hover(ui, context, found, &transform);
        }
    }

    fn reset(&mut self) {
        self.matrices.reset();
        (self.drawn, self.high) = (None, 0.0);
    }

    fn forget_textures(&mut self) {
        self.drawn = None;
    }
}

/// Returns the range of the colour scale: of log10 S, or of S.
fn range(state: &DistancesView) -> (f64, f64) {
    let high = if state.high > 0.0 { state.high } else { 1.0 };
    if state.log { (high.log10() - DECADES, high.log10()) } else { (0.0, high) }
}

/// Rebuilds the texture if anything in view has changed.
fn draw(ui: &Ui, context: &ViewContext<'_>, state: &mut DistancesView, found: &DistanceMatrix, window: Window) {
    let (Some(first), Some(last)) = (found.times.first(), found.times.last()) else { return };
    let greatest = found.values.iter().copied().filter(|value| value.is_finite()).fold(0.0, f32::max);
    state.high = state.high.max(f64::from(greatest));
    let wanted = TextureKey {
        window,
        task: state.task,
        log: state.log,
        dark: context.tokens.dark,
        times: found.times.len(),
        last: last.0,
        high: state.high,
    };
    if state.drawn.as_ref().is_some_and(|(_, of)| *of == wanted) {
        return;
    }
    // The kernel at each moment in view; none before the first snapshot or after the last.
    let side = window.pixels.clamp(1, SIDE);
    let place = |pixel: usize| {
        let epoch = window.from + (pixel as f64 + 0.5) * (window.to - window.from) / side as f64;
        let known = (first.1..=last.1).contains(&epoch);
        known.then(|| found.times.partition_point(|time| time.1 <= epoch) - 1)
    };
    let places: Vec<Option<usize>> = (0..side).map(place).collect();
    let (log, count) = (state.log, found.times.len());
    let colour = state.shades.within(range(state), context.tokens.nan);
    let least = f64::from(f32::MIN_POSITIVE);
    let of = |row: Option<usize>, column: Option<usize>| match (row, column) {
        (Some(row), Some(column)) => {
            let value = f64::from(found.values[row * count + column]);
            // A distance of 0 has no logarithm; it gets the colour of the least distance.
            colour(if log { if value.is_nan() { value } else { value.max(least).log10() } } else { value })
        }
        _ => Color32::TRANSPARENT,
    };
    // Later times are higher up.
    let pixels = (0..side * side).map(|at| of(places[side - 1 - at / side], places[at % side])).collect();
    let (image, options) = (ColorImage::new([side, side], pixels), TextureOptions::NEAREST);
    match &mut state.drawn {
        Some((texture, of)) => {
            texture.set(image, options);
            *of = wanted;
        }
        None => state.drawn = Some((ui.ctx().load_texture("distances", image, options), wanted)),
    }
}

/// Draws the axes with the picture in them, the switches and the cursor on both, and the colour bar below.
fn frame(ui: &mut Ui, context: &mut ViewContext<'_>, state: &DistancesView) -> Transform {
    let rect = ui.available_rect_before_wrap();
    let bar = 16.0;
    let height = (rect.height() - bar).max(20.0);
    let picture = state.drawn.as_ref().map(|drawn| drawn.0.id());
    let y = Axis { range: context.range, ..Axis::default() };
    let transform = show_map(ui, context, "distances", (height, y), picture);
    let frame = transform.frame;
    let painter = ui.painter().with_clip_rect(frame);
    for band in context.bands.iter().filter(|band| band.from > 0.0 && !band.planned) {
        painter.hline(frame.x_range(), transform.y(band.from), Stroke::new(1.0, OVER_PICTURE));
    }
    painter.hline(frame.x_range(), transform.y(context.cursor), Stroke::new(1.0, cursor_colour(context)));

    let below = Rect::from_min_max(pos2(rect.left() + AXIS, rect.top() + height + 4.0), rect.max);
    let (low, high) = range(state);
    let shown = |value: f64| format::number(if state.log { 10f64.powf(value) } else { value });
    let least = if state.log { format!("≤ {}", shown(low)) } else { shown(low) };
    let mut below = ui.new_child(egui::UiBuilder::new().max_rect(below));
    colour_bar(&mut below, &state.shades, (low, high), [&format!("S {least}"), &shown(high)]);
    transform
}

/// Shows S and the two times under the pointer.
fn hover(ui: &Ui, context: &ViewContext<'_>, found: &DistanceMatrix, transform: &Transform) {
    let frame = transform.frame;
    let Some(pos) = ui.input(|input| input.pointer.hover_pos()).filter(|pos| frame.contains(*pos)) else { return };
    if !ui.rect_contains_pointer(frame) {
        return;
    }
    let (Some(first), Some(last)) = (found.times.first(), found.times.last()) else { return };
    let at = |epoch: f64| {
        let known = (first.1..=last.1).contains(&epoch);
        known.then(|| found.times.partition_point(|time| time.1 <= epoch) - 1)
    };
    let (x, y) = transform.point(pos);
    let (Some(column), Some(row)) = (at(x), at(y)) else { return };
    let value = f64::from(found.values[row * found.times.len() + column]);
    let text = format!(
        "S = {} between epochs {:.2} and {:.2}",
        format::number(value),
        found.times[column].1,
        found.times[row].1
    );
    let painter = ui.painter();
    let galley = painter.layout_no_wrap(text, theme::note(), context.tokens.text);
    let size = galley.size();
    let corner = Pos2::new(
        (pos.x + 10.0).min(frame.right() - size.x - 4.0).max(frame.left() + 2.0),
        (pos.y - size.y - 8.0).max(frame.top() + 2.0),
    );
    painter.rect_filled(Rect::from_min_size(corner, size).expand(3.0), 2.0, context.tokens.card);
    painter.galley(corner, galley, context.tokens.text);
}

/// Writes all pairs of times.
fn write(table: &mut DataTable, found: &DistanceMatrix) {
    let n = found.times.len();
    let columns = found.times.iter().map(|time| format!("epoch {:?}", time.1));
    table.head(["epoch".to_owned()].into_iter().chain(columns));
    let value = |row: usize, column: usize| f64::from(found.values[row * n + column]);
    table.square(n, value, |row| vec![found.times[row].1.into()]);
}
