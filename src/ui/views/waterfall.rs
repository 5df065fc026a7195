//! Draws eigenvalues over time: a picture with a column per moment, or the largest ones as lines.
//!
//! The picture is as wide as the plot in pixels; a column holds the spectrum of the snapshot at its moment. Logarithms are
//! taken once per snapshot; colours are computed again only when something in view has changed.

use egui::{Color32, ColorImage, Rect, TextureHandle, TextureOptions, Ui, pos2};

use super::context::{ViewContext, choose_block};
use super::pane::Pane;
use super::view::{Needs, ViewClass};
use crate::chart::curves::eigenvalues as largest;
use crate::chart::panel::Axis;
use crate::chart::series_cache::Window;
use crate::chart::series_id::eigenvalues;
use crate::paint::axes::AXIS;
use crate::paint::pixels::{Shades, colour_bar};
use crate::run::{Block, History};
use crate::ui::kit::data_table::DataTable;
use crate::ui::kit::format;
use crate::ui::kit::widgets::segments;
use crate::ui::plot::{TimePlot, show_map, window};

/// Number of rows of the picture.
const ROWS: usize = 96;
/// Largest number of columns.
const COLUMNS: usize = 512;
/// Number of the largest eigenvalues drawn as lines.
const LINES: usize = 8;

/// This view shows all eigenvalues over time, as a picture or the largest as lines.
pub struct WaterfallView {
    lines: bool,
    shades: Shades,
    columns: Columns,
    /// Run-wide range of log10 λ; it only widens.
    range: Option<(f64, f64)>,
    drawn: Option<SpectraTexture>,
}

/// Holds the picture and the inputs that it was drawn from.
struct SpectraTexture {
    texture: TextureHandle,
    of: TextureKey,
}

/// Names the inputs that the picture was drawn from.
#[derive(Clone, PartialEq)]
struct TextureKey {
    window: Window,
    snapshots: usize,
    last: u64,
    block: Block,
    dark: bool,
}

/// Holds log10 of each snapshot's spectrum, resampled to the rows of the picture.
struct Columns {
    block: Block,
    read: Vec<(u64, f64, [f32; ROWS])>,
}

impl Default for WaterfallView {
    fn default() -> Self {
        Self {
            lines: false,
            shades: Shades::sequential(),
            columns: Columns { block: Block::All, read: Vec::new() },
            range: None,
            drawn: None,
        }
    }
}

impl Columns {
    /// Reads new snapshots; all of them when the record was thinned or the block changed.
    fn update(&mut self, history: &History, block: Block) {
        let snapshots = history.snapshots();
        let known = self.read.len();
        let same = self.block == block
            && known <= snapshots.len()
            && (known == 0 || snapshots[known - 1].row.step == self.read[known - 1].0);
        if !same {
            self.read.clear();
            self.block = block;
        }
        for snapshot in &snapshots[self.read.len()..] {
            let column = eigenvalues(snapshot, block).map_or([f32::NAN; ROWS], resample);
            self.read.push((snapshot.row.step, snapshot.row.epoch, column));
        }
    }
}

/// Samples rows at equal distances of the logarithm of the index, largest eigenvalue first.
fn resample(ascending: &[f64]) -> [f32; ROWS] {
    let n = ascending.len();
    std::array::from_fn(|row| {
        if n == 0 {
            return f32::NAN;
        }
        let index = (n as f64).powf((row as f64 + 0.5) / ROWS as f64).floor() as usize;
        let value = ascending[n - index.clamp(1, n)];
        if value > 0.0 { value.log10() as f32 } else { f32::NAN }
    })
}

impl ViewClass for WaterfallView {
    const TITLE: &str = "λ over time";
    const HELP: &str = "All eigenvalues over time: a column per moment, the largest on top (index on a logarithmic \
                 axis), colour is log λ. “Lines” shows the eight largest.";
    const NEEDS: Needs = Needs::Kernels;
    const ONE_LINE: f32 = 250.0;

    fn show(&mut self, ui: &mut Ui, pane: &mut Pane<'_>, context: &mut ViewContext<'_>) {
        let mut card = pane.card(ui, "");
        let block = &mut pane.selection.block;
        let kinds = [(false, "Map", "All of them as colours"), (true, "Lines", "The eight largest as lines")];
        segments(&mut card.header, &mut self.lines, &kinds);
        choose_block(&mut card.header, context, "Probes of the eigenvalues over time", block);
        let ui = &mut card.body;
        let window = window(ui, context);
        let height = ui.available_height();
        if self.lines {
            let plot = TimePlot::of(context, largest(context.history, *block, LINES), window);
            plot.legend(&mut card.header);
            plot.show(ui, context, "eigenvalue lines");
            return;
        }
        let (history, range) = (context.history, context.range);
        if let Some(table) = &mut context.table {
            write(table, history, *block, range);
        }
        map(ui, context, self, *block, window, height);
    }

    fn reset(&mut self) {
        (self.columns.read, self.range, self.drawn) = (Vec::new(), None, None);
    }

    fn forget_textures(&mut self) {
        self.drawn = None;
    }

    fn show_usual(&mut self) {
        *self = Self::default();
    }
}

fn map(
    ui: &mut Ui,
    context: &mut ViewContext<'_>,
    state: &mut WaterfallView,
    block: Block,
    window: Window,
    height: f32,
) {
    state.columns.update(context.history, block);
    let n = context.snapshot.as_ref().and_then(|snapshot| eigenvalues(snapshot, block)).map_or(1, <[f64]>::len).max(2);
    draw(ui, context, state, block, window);
    let rect = ui.available_rect_before_wrap();
    let bar = 16.0;
    let picture = state.drawn.as_ref().map(|drawn| drawn.texture.id());
    show_map(ui, context, "waterfall", (height - bar, by_index(n)), picture);
    let below = Rect::from_min_max(
        pos2(rect.left() + AXIS, rect.top() + height - bar + 4.0),
        pos2(rect.right(), rect.top() + height),
    );
    let range = state.range.unwrap_or((0.0, 1.0));
    let texts = [format!("λ {}", format::number(10f64.powf(range.0))), format::number(10f64.powf(range.1))];
    let mut below = ui.new_child(egui::UiBuilder::new().max_rect(below));
    colour_bar(&mut below, &state.shades, range, [&texts[0], &texts[1]]);
}

/// Returns the left axis, which counts downwards: the largest eigenvalue is on top.
fn by_index(n: usize) -> Axis {
    let depth = (n as f64).log10();
    let ticks = (0..=4).flat_map(|decade| [1, 3].map(|digit| digit * 10u32.pow(decade)));
    let ticks = ticks.map(|index| (-f64::from(index).log10(), index.to_string())).filter(|(at, _)| *at >= -depth);
    Axis { range: (-depth, 0.0), ticks: Some(ticks.collect()), log: true, ..Axis::default() }
}

/// Rebuilds the texture if anything in view has changed; only its new columns if snapshots were appended.
fn draw(ui: &Ui, context: &ViewContext<'_>, state: &mut WaterfallView, block: Block, window: Window) {
    let read = &state.columns.read;
    let Some(last) = read.last() else { return };
    let wanted = TextureKey { window, snapshots: read.len(), last: last.0, block, dark: context.tokens.dark };
    let before = state.drawn.as_ref().map(|drawn| drawn.of.clone());
    if before.as_ref() == Some(&wanted) {
        return;
    }
    // Snapshots were appended and nothing else changed: the formerly last snapshot is still there.
    let grown = before.filter(|of| {
        let last = read.get(of.snapshots.wrapping_sub(1)).map(|column| column.0);
        TextureKey { snapshots: wanted.snapshots, last: wanted.last, ..of.clone() } == wanted && last == Some(of.last)
    });
    let fresh = &read[grown.as_ref().map_or(0, |of| of.snapshots)..];
    let known = state.range.filter(|_| grown.is_some()).unwrap_or((f64::INFINITY, f64::NEG_INFINITY));
    let values = fresh.iter().flat_map(|column| column.2).filter(|value| value.is_finite()).map(f64::from);
    let wider = values.fold(known, |(low, high), value| (low.min(value), high.max(value)));
    let grown = grown.filter(|_| wider == known);
    state.range = (wider.0 <= wider.1).then_some(wider);

    let columns = window.pixels.clamp(1, COLUMNS);
    let range = state.range.unwrap_or((0.0, 1.0));
    let per_epoch = columns as f64 / (window.to - window.from);
    let column_of = |epoch: f64| (((epoch - window.from) * per_epoch).floor().max(0.0) as usize).min(columns);
    // Columns from the former end of a picture that grew; at least one, since a texture cannot be empty.
    let first = grown.map_or(0, |of| column_of(read[of.snapshots - 1].1)).min(columns - 1);
    let width = if first == 0 { columns } else { (column_of(last.1) + 1).min(columns).max(first + 1) - first };
    let colour = state.shades.within(range, context.tokens.nan);
    let mut image = ColorImage::filled([width, ROWS], Color32::TRANSPARENT);
    for column in 0..width {
        let epoch = window.from + ((first + column) as f64 + 0.5) / per_epoch;
        if epoch > last.1 {
            break;
        }
        let place = read.partition_point(|column| column.1 <= epoch).saturating_sub(1);
        for (row, &value) in read[place].2.iter().enumerate() {
            image[(column, row)] = colour(f64::from(value));
        }
    }
    let options = TextureOptions::NEAREST;
    match &mut state.drawn {
        Some(drawn) => {
            if first > 0 {
                drawn.texture.set_partial([first, 0], image, options);
            } else {
                drawn.texture.set(image, options);
            }
            drawn.of = wanted;
        }
        None => {
            state.drawn =
                Some(SpectraTexture { texture: ui.ctx().load_texture("eigenvalues", image, options), of: wanted })
        }
    }
}

/// Writes the spectrum of each snapshot in view, largest first.
fn write(table: &mut DataTable, history: &History, block: Block, (from, to): (f64, f64)) {
    table.over_time = true;
    let inside = history.snapshots().iter().filter(|snapshot| (from..=to).contains(&snapshot.row.epoch));
    for snapshot in inside {
        let Some(values) = eigenvalues(snapshot, block) else { continue };
        if table.heads.is_empty() {
            let columns = (1..=values.len()).map(|place| format!("eigenvalue {place}"));
            table.head(["step", "epoch", "task"].map(str::to_owned).into_iter().chain(columns));
        }
        let row = &snapshot.row;
        let of_row = [row.step.into(), row.epoch.into(), row.task.into()];
        table.row(of_row.into_iter().chain(values.iter().rev().map(|&value| value.into())));
    }
}
