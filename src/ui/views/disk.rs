//! Draws the principal components of the kernel as pictures: its first eigenvectors on a grid of points of the plane, at the
//! start and now.
//!
//! Guarantees: eigenvectors are computed off the window's thread; each picture has its own colour scale, centred at 0, because
//! the size of a unit vector carries no information; the sign is fixed, so that nothing flips between two nearly equal
//! snapshots.

use std::sync::Arc;

use egui::{Align2, Color32, ColorImage, Pos2, Rect, Shape, Stroke, TextureHandle, TextureOptions, Ui, pos2, vec2};

use super::context::{ViewContext, absent};
use super::pane::Pane;
use super::view::{Needs, ViewClass};
use crate::analysis::modes_of;
use crate::math::modes::Modes;
use crate::math::plane::Point;
use crate::paint::pixels::Shades;
use crate::run::{Snapshot, cell, grid};
use crate::ui::kit::background_task::BackgroundTask;
use crate::ui::kit::data_table::Cell;
use crate::ui::kit::format;
use crate::ui::kit::theme;

/// Number of components shown.
const COMPONENTS: usize = 6;

/// The message in place of an empty view.
const ABSENT: &str = "On a grid of points of the plane an eigenvector of the kernel is a picture: a function that the \
                network learns at the rate of its eigenvalue. This run is not on the disk; the preset is.";

/// Holds the components of one snapshot's kernel.
struct Components {
    step: u64,
    epoch: f64,
    modes: Result<Modes, String>,
}

/// Names a result by the row of the picture (0 the start, 1 now) and the step of the snapshot.
type Key = (usize, u64);

/// This view shows the principal components of the kernel of a run on the disk.
pub struct DiskView {
    shades: Shades,
    components: BackgroundTask<Key, Arc<Snapshot>, Components>,
    drawn: [Option<(u64, bool, TextureHandle)>; 2],
}

impl Default for DiskView {
    fn default() -> Self {
        // One entry per row. The start is requested in every frame, so that it is never evicted.
        let components = BackgroundTask::new("components", 2);
        Self { shades: Shades::diverging(), components, drawn: [None, None] }
    }
}

impl DiskView {
    /// Collects finished results and requests missing ones, the start first.
    fn ask(&mut self, context: &ViewContext<'_>) {
        let wanted = [context.history.snapshots().first(), context.snapshot.as_ref()];
        for (row, snapshot) in wanted.into_iter().enumerate() {
            if let Some(snapshot) = snapshot.filter(|snapshot| !snapshot.gram.is_empty()) {
                self.components.get(&(row, snapshot.row.step), || Arc::clone(snapshot));
            }
        }
    }
}

/// Returns the components of a row; the previous ones until the newest are ready.
fn of_row(components: &BackgroundTask<Key, Arc<Snapshot>, Components>, row: usize) -> Option<&Components> {
    components.known().find(|((of, _), _)| *of == row).map(|(_, found)| found)
}

impl ViewClass for DiskView {
    const TITLE: &str = "Disk";
    const HELP: &str = "For runs on the disk, whose probes are a grid: the first eigenvectors of the kernel (not \
                 centred) as pictures, at the first snapshot and at the cursor, largest eigenvalue first; below each \
                 its eigenvalue and share of the trace. Blue is negative, red positive, each picture over its own \
                 largest entry; the sign is such that this entry is positive. Drawn over them: the disk and the curve \
                 between the classes. Where features are learnt, the leading components turn towards that curve; in a \
                 wide network in the NTK parametrisation they stand still.\n\
                 Baratin et al. 2021 (2008.00938).";
    const NEEDS: Needs = Needs::Run;

    fn show(&mut self, ui: &mut Ui, pane: &mut Pane<'_>, context: &mut ViewContext<'_>) {
        let mut card = pane.card(ui, "v₁, v₂, …");
        let ui = &mut card.body;
        let Some((side, points)) = context.info().and_then(grid) else {
            return absent(ui, context, ABSENT, Some("disk"));
        };
        let work = |_: &Key, snapshot: Arc<Snapshot>| {
            let (step, epoch) = (snapshot.row.step, snapshot.row.epoch);
            Components { step, epoch, modes: modes_of(&snapshot) }
        };
        if let Err(err) = self.components.start(ui.ctx(), work) {
            ui.label(format!("No thread can be started to compute eigenvectors: {err}"));
            return;
        }
        self.ask(context);
        if let Some(table) = &mut context.table {
            table.head(["when", "epoch", "component", "eigenvalue", "x", "y", "value"]);
            for (row, when) in ["start", "now"].into_iter().enumerate() {
                let Some((epoch, Ok(modes))) = of_row(&self.components, row).map(|found| (found.epoch, &found.modes))
                else {
                    continue;
                };
                for (rank, &value) in modes.values().iter().enumerate().take(COMPONENTS) {
                    for (entry, [x, y]) in modes.vector(rank).iter().zip(&points) {
                        let numbers = [value, *x, *y, *entry].map(Cell::from);
                        table.row([when.into(), epoch.into(), (rank + 1).into()].into_iter().chain(numbers));
                    }
                }
            }
        }
        draw(ui, context, self, side, &points);
    }

    fn reset(&mut self) {
        self.components.reset();
        self.drawn = [None, None];
    }

    fn forget_textures(&mut self) {
        self.drawn = [None, None];
    }
}

fn draw(ui: &mut Ui, context: &ViewContext<'_>, state: &mut DiskView, side: usize, points: &[Point]) {
    let rect = ui.available_rect_before_wrap();
    let label = 56.0;
    let (gap, line) = (5.0, 13.0);
    let width = (rect.width() - label - gap * (COMPONENTS - 1) as f32) / COMPONENTS as f32;
    let height = (rect.height() - 2.0 * line - gap) / 2.0;
    let edge = width.min(height).floor().max(8.0);
    for (row, word) in ["start", "now"].into_iter().enumerate() {
        let top = rect.top() + row as f32 * (edge + line + gap);
        let Some(found) = of_row(&state.components, row) else { continue };
        let font = theme::note();
        let at = pos2(rect.left(), top + edge / 2.0);
        ui.painter().text(at - vec2(0.0, 7.0), Align2::LEFT_CENTER, word, font.clone(), context.tokens.text);
        let epoch = format!("{:.1} ep", found.epoch);
        ui.painter().text(at + vec2(0.0, 7.0), Align2::LEFT_CENTER, epoch, theme::ticks(), context.tokens.weak);
        let modes = match &found.modes {
            Ok(modes) => modes,
            Err(message) => {
                let at = pos2(rect.left() + label, top + edge / 2.0);
                ui.painter().text(at, Align2::LEFT_CENTER, message, font, context.tokens.warning);
                continue;
            }
        };
        let key = (found.step, context.tokens.dark);
        if state.drawn[row].as_ref().is_none_or(|drawn| (drawn.0, drawn.1) != key) {
            let image = picture(modes, points, side, &state.shades, context.tokens.nan);
            let texture = ui.ctx().load_texture(format!("components {word}"), image, TextureOptions::NEAREST);
            state.drawn[row] = Some((key.0, key.1, texture));
        }
        let Some((_, _, texture)) = &state.drawn[row] else { continue };
        let trace: f64 = modes.values().iter().sum();
        for (rank, value) in modes.values().iter().enumerate().take(COMPONENTS) {
            let left = rect.left() + label + rank as f32 * (edge + gap);
            let place = Rect::from_min_size(pos2(left, top), vec2(edge, edge));
            let part = |at: usize| at as f32 / COMPONENTS as f32;
            let uv = Rect::from_min_max(pos2(part(rank), 0.0), pos2(part(rank + 1), 1.0));
            ui.painter().image(texture.id(), place, uv, Color32::WHITE);
            outline(ui, place);
            let share = if trace > 0.0 { format!("{:.0} %", 100.0 * value / trace) } else { "–".to_owned() };
            let text = format!("{} · {share}", format::number(*value));
            let text = if edge > 74.0 { text } else { share };
            let below = pos2(place.center().x, place.bottom() + 1.0);
            ui.painter().text(below, Align2::CENTER_TOP, text, theme::ticks(), context.tokens.weak);
        }
    }
}

/// Draws the components side by side, each divided by its largest entry.
fn picture(modes: &Modes, points: &[Point], side: usize, shades: &Shades, nan: Color32) -> ColorImage {
    let across = COMPONENTS * side;
    let mut image = ColorImage::filled([across, side], nan);
    for rank in 0..COMPONENTS.min(modes.values().len()) {
        let vector = modes.vector(rank);
        let most = vector.iter().map(|value| value.abs()).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
        let colour = shades.within((-most, most), nan);
        for (value, point) in vector.iter().zip(points) {
            let (column, row) = cell(*point, side);
            image[(rank * side + column, row)] = colour(*value);
        }
    }
    image
}

/// Draws the disk and the curve between its classes.
fn outline(ui: &Ui, place: Rect) {
    let stroke = Stroke::new(1.0, Color32::from_black_alpha(90));
    ui.painter().circle_stroke(place.center(), place.width() / 2.0, stroke);
    let at = |x: f64, y: f64| -> Pos2 { place.center() + vec2(x as f32, -y as f32) * (place.width() / 2.0) };
    let curve = (-32..=32).map(|step| f64::from(step) / 32.0).map(|x| (x, 0.5 * (std::f64::consts::PI * x).sin()));
    let inside = curve.filter(|(x, y)| x.hypot(*y) <= 1.0).map(|(x, y)| at(x, y)).collect();
    ui.painter().add(Shape::line(inside, stroke));
}
