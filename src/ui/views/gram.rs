//! The kernel, or the part of one tensor, as a picture: one texture, blocks by task, thin ticks by class, and the two images under the
//! pointer.
//!
//! The texture is made again only when the snapshot, the mode or the range has changed. The range is that of the whole run
//! and only widens: a range chosen per picture would make a growing kernel look still.

use egui::{
    Align2, Color32, FontId, Pos2, Rect, Role, Sense, Stroke, TextureHandle, TextureOptions, Ui, Vec2, WidgetInfo,
    pos2, vec2,
};

use std::collections::HashMap;
use std::sync::Arc;

use super::atlas::Atlas;
use super::context::Scene;
use super::gram_numbers::{Mode, entry, range_of};
use super::pane::Slot;
use super::pixels::{Shades, colour_bar, picture};
use super::program::Chosen;
use super::tables;
use super::trajectories::Probe;
use crate::run::{Row, RunInfo, Snapshot};
use crate::ui::kit::format;
use crate::ui::kit::theme;
use crate::ui::kit::widgets::segments;

/// Kept between frames.
pub struct GramState {
    mode: Mode,
    sequential: Shades,
    diverging: Shades,
    /// Run-wide ranges, one per mode and tensor; they only widen.
    ranges: HashMap<(Mode, Chosen), (f64, f64)>,
    /// The matrices that were last unpacked, by step and tensor: that at the cursor and that at the last switch.
    unpacked: [Option<Unpacked>; 2],
    drawn: Option<Drawn>,
    atlas: Option<Atlas>,
}

/// Step, tensor, and its matrix.
type Unpacked = (u64, Arc<str>, Arc<[f64]>);

struct Drawn {
    texture: TextureHandle,
    key: (u64, Option<u64>, Mode, Chosen, bool),
    /// Entries that are not numbers.
    bad: usize,
}

impl Default for GramState {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            sequential: Shades::sequential(),
            diverging: Shades::diverging(),
            ranges: HashMap::new(),
            unpacked: [None, None],
            drawn: None,
            atlas: None,
        }
    }
}

impl GramState {
    pub fn reset(&mut self) {
        self.ranges.clear();
        (self.unpacked, self.drawn, self.atlas) = ([None, None], None, None);
    }

    /// Lets go of pictures that belong to one egui.
    pub fn forget_textures(&mut self) {
        (self.drawn, self.atlas) = (None, None);
    }

    /// What is chosen, without pictures.
    pub fn chosen(&self) -> Self {
        Self { mode: self.mode, ranges: self.ranges.clone(), ..Self::default() }
    }

    /// Has the range of colours be that of all these snapshots from the first one on.
    pub fn widen_over(&mut self, snapshots: &[Arc<Snapshot>], cancelled: impl Fn() -> bool) {
        let mode = self.mode;
        let mut before: Option<&Arc<Snapshot>> = None;
        for snapshot in snapshots.iter().take_while(|_| !cancelled()) {
            let n = snapshot.eigenvalues.len();
            if n == 0 || snapshot.gram.len() != n * n {
                continue;
            }
            let earlier = before.filter(|before| before.gram.len() == n * n).map(|before| &before.gram[..]);
            self.widen((mode, None), |row, column| entry(mode, &snapshot.gram, earlier, n, row, column), n);
            if snapshot.row.at_switch {
                before = Some(snapshot);
            }
        }
    }

    /// Has a range hold the numbers of a picture, too.
    fn widen(&mut self, range: (Mode, Chosen), value: impl Fn(usize, usize) -> f64, n: usize) {
        if let Some((low, high)) = range_of(range.0, n, value) {
            let known = self.ranges.entry(range).or_insert((low, high));
            *known = (known.0.min(low), known.1.max(high));
        }
    }

    /// The matrix of a snapshot, whole or of one tensor; `None` where the tensor's is not there.
    fn matrix(&mut self, place: usize, snapshot: &Snapshot, tensor: &Chosen, n: usize) -> Option<Arc<[f64]>> {
        let Some(tensor) = tensor else { return Some(Arc::clone(&snapshot.gram)) };
        let step = snapshot.row.step;
        if let Some((known, of, matrix)) = &self.unpacked[place]
            && (*known, of) == (step, tensor)
        {
            return Some(Arc::clone(matrix));
        }
        let found = snapshot.tensors.iter().find(|found| found.tensor == *tensor)?;
        let matrix: Arc<[f64]> = found.unpack(n)?.into();
        self.unpacked[place] = Some((step, Arc::clone(tensor), Arc::clone(&matrix)));
        Some(matrix)
    }

    fn shades(&self) -> &Shades {
        if self.mode == Mode::Change { &self.diverging } else { &self.sequential }
    }
}

/// `chosen`: the tensor that is shown alone, and the probe that a click chooses for other views.
pub fn show(
    ui: &mut Ui,
    slot: &mut Slot,
    scene: &mut Scene<'_>,
    state: &mut GramState,
    (chosen, probe): (&mut Chosen, &mut Probe),
) {
    let mut card = slot.card(ui, if chosen.is_some() { "of" } else { "" });
    let modes = [
        (Mode::Kernel, "K", "The kernel itself"),
        (Mode::Cosine, "Cosine", "K(x,x′)/√(K(x,x) K(x′,x′)): what is left when size is taken out"),
        (Mode::Change, "Change", "The kernel minus what it was at the last switch"),
    ];
    segments(&mut card.header, &mut state.mode, &modes);
    back_to_the_whole(&mut card.header, chosen);
    let ui = &mut card.body;
    let (Some(info), Some(snapshot)) = (scene.history.info(), scene.snapshot.clone()) else {
        placeholder(ui, scene);
        return;
    };
    let n = info.probes.len();
    if n == 0 || snapshot.gram.len() != n * n {
        // Of a run that was opened and is still on disk.
        ui.label(egui::RichText::new("Reading this kernel…").color(scene.tokens.weak));
        return;
    }
    // Of a run before, whose network had other tensors.
    if chosen.as_ref().is_some_and(|tensor| !snapshot.row.tensors.iter().any(|told| told.tensor == *tensor)) {
        *chosen = None;
    }
    let Some(matrix) = state.matrix(0, &snapshot, chosen, n) else {
        let text = "The kernels of single tensors are not carried along: of so many images and tensors they would be too large.";
        ui.label(egui::RichText::new(text).color(scene.tokens.weak));
        return;
    };
    let at_switch = scene.at_switch().filter(|before| before.gram.len() == n * n);
    let before = at_switch.as_ref().and_then(|before| state.matrix(1, before, chosen, n));
    let shown = Shown {
        row: &snapshot.row,
        matrix: &matrix,
        before: before.as_deref(),
        before_step: at_switch.as_ref().map(|before| before.row.step),
        of: chosen.clone(),
        n,
    };
    if let Some(sheet) = &mut scene.sheet {
        let value = |row, column| entry(state.mode, shown.matrix, shown.before, n, row, column);
        tables::of_probes(sheet, info, value);
    }
    let place = matrix_rect(ui.available_rect_before_wrap());
    draw_matrix(ui, place, scene, state, &shown);
    blocks(ui, place, scene, info);
    if let Some(row) = hover(ui, place, scene, state, info, &shown) {
        // A second click lets go of it.
        *probe = Some(row).filter(|_| *probe != Some(row));
    }
    if let Some(row) = *probe {
        mark(ui, place, scene, row, n);
    }
    footer(ui, place, scene, state, &shown);
}

/// What the picture is of.
struct Shown<'a> {
    row: &'a Row,
    /// Row-major [n, n].
    matrix: &'a [f64],
    /// The same at the last switch, and its step.
    before: Option<&'a [f64]>,
    before_step: Option<u64>,
    of: Chosen,
    n: usize,
}

/// The tensor that is shown alone, as a button that shows the whole again.
fn back_to_the_whole(header: &mut Ui, chosen: &mut Chosen) {
    let Some(tensor) = chosen else { return };
    let text = egui::RichText::new(format!("{tensor} ×")).size(theme::SMALL);
    let button = header.button(text).on_hover_text("Only this tensor's part of the kernel; click to show the whole");
    let _named = button.clone().accessible_name("Show the whole kernel");
    if button.clicked() {
        *chosen = None;
    }
}

/// The square that the matrix fills, with room for names at its left and the bar below.
fn matrix_rect(rect: Rect) -> Rect {
    let room = Rect::from_min_max(pos2(rect.left() + 20.0, rect.top()), pos2(rect.right(), rect.bottom() - 34.0));
    let side = room.width().min(room.height()).max(1.0).floor();
    Rect::from_min_size(pos2((room.left() + (room.width() - side) / 2.0).round(), room.top()), Vec2::splat(side))
}

fn draw_matrix(ui: &Ui, place: Rect, scene: &Scene<'_>, state: &mut GramState, shown: &Shown<'_>) {
    let (mode, n) = (state.mode, shown.n);
    let key = (shown.row.step, shown.before_step, mode, shown.of.clone(), scene.tokens.dark);
    if state.drawn.as_ref().is_none_or(|drawn| drawn.key != key) {
        let value = |row: usize, column: usize| entry(mode, shown.matrix, shown.before, n, row, column);
        let range = (mode, shown.of.clone());
        state.widen(range.clone(), value, n);
        let range = state.ranges.get(&range).copied().unwrap_or((0.0, 1.0));
        let image = picture(n, value, state.shades(), range, scene.tokens.nan);
        let options = TextureOptions { magnification: egui::TextureFilter::Nearest, ..TextureOptions::LINEAR };
        let bad = shown.matrix.iter().filter(|value| !value.is_finite()).count();
        match &mut state.drawn {
            Some(drawn) => {
                drawn.texture.set(image, options);
                (drawn.key, drawn.bad) = (key, bad);
            }
            None => state.drawn = Some(Drawn { texture: ui.ctx().load_texture("gram", image, options), key, bad }),
        }
    }
    if let Some(drawn) = &state.drawn {
        let whole = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
        ui.painter().image(drawn.texture.id(), place, whole, Color32::WHITE);
    }
}

/// First and last probe of each task, by task number.
fn task_spans(info: &RunInfo) -> Vec<(usize, usize, usize)> {
    let mut spans: Vec<(usize, usize, usize)> = Vec::new();
    for (place, probe) in info.probes.iter().enumerate() {
        match spans.last_mut() {
            Some(span) if span.0 == probe.task => span.2 = place + 1,
            _ => spans.push((probe.task, place, place + 1)),
        }
    }
    spans
}

/// Lines between tasks, ticks between classes, names of tasks at the left and below.
fn blocks(ui: &Ui, place: Rect, scene: &Scene<'_>, info: &RunInfo) {
    let painter = ui.painter();
    let n = info.probes.len() as f32;
    let cell = place.width() / n;
    let line = Stroke::new(1.0, Color32::from_white_alpha(200));
    for (task, from, to) in task_spans(info) {
        let colour = scene.tokens.task(task);
        let (a, b) = (from as f32 * cell, to as f32 * cell);
        if from > 0 {
            painter.hline(place.x_range(), place.top() + a, line);
            painter.vline(place.left() + a, place.y_range(), line);
        }
        let left = Rect::from_min_max(place.min + vec2(-5.0, a + 0.5), place.min + vec2(-2.0, b - 0.5));
        painter.rect_filled(left, 1.0, colour);
        let below = Rect::from_min_max(
            pos2(place.left() + a + 0.5, place.bottom() + 2.0),
            pos2(place.left() + b - 0.5, place.bottom() + 5.0),
        );
        painter.rect_filled(below, 1.0, colour);
        if (b - a) > 12.0 {
            let font = FontId::proportional(theme::SMALL);
            painter.text(
                pos2(left.left() - 3.0, left.center().y),
                Align2::RIGHT_CENTER,
                task.to_string(),
                font,
                scene.tokens.weak,
            );
        }
    }
    for (at, pair) in info.probes.windows(2).enumerate() {
        if pair[0].label != pair[1].label && pair[0].task == pair[1].task {
            let offset = (at + 1) as f32 * cell;
            let tick = Stroke::new(1.0, scene.tokens.card);
            painter.hline((place.left() - 5.0)..=(place.left() - 2.0), place.top() + offset, tick);
            painter.vline(place.left() + offset, (place.bottom() + 2.0)..=(place.bottom() + 5.0), tick);
        }
    }
}

/// Colour bar and what the picture is of.
fn footer(ui: &mut Ui, place: Rect, scene: &Scene<'_>, state: &GramState, shown: &Shown<'_>) {
    let range = state.ranges.get(&(state.mode, shown.of.clone())).copied().unwrap_or((0.0, 1.0));
    let bar = Rect::from_min_max(pos2(place.left(), place.bottom() + 9.0), pos2(place.right(), place.bottom() + 21.0));
    let mut below = ui.new_child(egui::UiBuilder::new().max_rect(bar));
    let (low, high) = (format::number(range.0), format::number(range.1));
    let high = if state.mode == Mode::Kernel { format!("≥ {high}") } else { high };
    colour_bar(&mut below, state.shades(), range, [&low, &high]);
    let bad = state.drawn.as_ref().map_or(0, |drawn| drawn.bad);
    let row = shown.row;
    let (when, step) = (scene.moment(row.epoch), format!(" · step {}", format::count(row.step)));
    let step = if scene.history.counts_steps() { "" } else { &step };
    let mut text = format!("{when}{step} · task {}", row.task);
    if state.mode == Mode::Change && shown.before.is_none() {
        text = "No switch yet: the change is counted from there".to_owned();
    } else if bad > 0 {
        text += &format!(" · {bad} entries are not numbers");
    }
    let at = pos2(place.center().x, place.bottom() + 24.0);
    ui.painter().text(at, Align2::CENTER_TOP, text, theme::note(), scene.tokens.weak);
}

/// A sign beside the row of the probe that was chosen.
fn mark(ui: &Ui, place: Rect, scene: &Scene<'_>, row: usize, n: usize) {
    let y = place.top() + (row as f32 + 0.5) * place.height() / n as f32;
    let tip = pos2(place.right() + 1.0, y);
    let points = vec![tip, tip + vec2(6.0, -3.5), tip + vec2(6.0, 3.5)];
    ui.painter().add(egui::Shape::convex_polygon(points, scene.tokens.accent, Stroke::NONE));
}

/// Value, images, classes and tasks of the cell under the pointer; the row that was clicked on.
fn hover(
    ui: &mut Ui,
    place: Rect,
    scene: &Scene<'_>,
    state: &mut GramState,
    info: &RunInfo,
    shown: &Shown<'_>,
) -> Option<usize> {
    let response = ui.interact(place, ui.scope_id().with("matrix"), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, "Kernel: choose a probe by its row"));
    let pos = response.hover_pos()?;
    let n = info.probes.len();
    let cell = place.width() / n as f32;
    let at = |offset: f32| ((offset / cell) as usize).min(n - 1);
    let (row, column) = (at(pos.y - place.top()), at(pos.x - place.left()));
    let value = entry(state.mode, shown.matrix, shown.before, n, row, column);
    let gram = shown.matrix[row * n + column];
    let cross = Stroke::new(1.0, scene.tokens.accent);
    ui.painter().rect_stroke(
        Rect::from_min_size(place.min + vec2(column as f32, row as f32) * cell, Vec2::splat(cell)).expand(1.0),
        0.0,
        cross,
        egui::StrokeKind::Outside,
    );
    Atlas::update(&mut state.atlas, ui, "probes", &info.thumbnails, info.image);
    let atlas = state.atlas.as_ref();
    let mode = state.mode;
    let clicked = response.clicked();
    response.on_hover_ui_at_pointer(|ui| {
        ui.horizontal(|ui| {
            for probe in [row, column] {
                ui.vertical(|ui| {
                    if let Some(atlas) = atlas {
                        let (rect, _) = ui.allocate_exact_size(Vec2::splat(56.0), Sense::hover());
                        atlas.paint(ui, rect, probe);
                    } else {
                        ui.label(format!("row {probe}"));
                    }
                    let of = info.probes[probe];
                    let name = info.class_name(of.label);
                    ui.label(name);
                    ui.label(
                        egui::RichText::new(format!("task {}", of.task)).small().color(scene.tokens.task(of.task)),
                    );
                });
                ui.add_space(theme::GRID);
            }
        });
        ui.monospace(format!("K = {}", format::number(gram)));
        match mode {
            Mode::Kernel => {}
            Mode::Cosine => _ = ui.monospace(format!("cosine = {}", format::number(value))),
            Mode::Change => _ = ui.monospace(format!("change = {}", format::number(value))),
        }
    });
    clicked.then_some(row)
}

/// What stands here before the first snapshot.
fn placeholder(ui: &Ui, scene: &Scene<'_>) {
    let place = matrix_rect(ui.available_rect_before_wrap());
    ui.painter().rect(place, 2.0, scene.tokens.well, scene.tokens.line(), egui::StrokeKind::Inside);
}
