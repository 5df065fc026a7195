//! Draws the kernel, or the part of one tensor, as a picture: one texture, with blocks by task, thin ticks by class, and the
//! two images under the pointer.
//!
//! The texture is rebuilt only when the snapshot, the mode, the tensor or the theme has changed. The colour range covers all
//! snapshots shown so far and only widens: with a range per picture, a growing kernel would look constant.

use egui::{
    Align2, Color32, FontId, Pos2, Rect, Role, Sense, Stroke, TextureHandle, TextureOptions, Ui, Vec2, WidgetInfo,
    pos2, vec2,
};

use std::collections::HashMap;
use std::sync::Arc;

use super::atlas::Atlas;
use super::context::{Selection, TensorChoice, ViewContext};
use super::pane::Pane;
use super::view::{Needs, ViewClass};
use crate::paint::pixels::{Shades, amounts, colour_bar, nearly_all, picture};
use crate::run::{Row, RunInfo, Snapshot};
use crate::ui::kit::data_table::{Cell, DataTable};
use crate::ui::kit::format;
use crate::ui::kit::theme;
use crate::ui::kit::widgets::segments;

/// Selects the quantity that the picture shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Mode {
    #[default]
    Kernel,
    /// The normalised kernel, K/√(KᵢᵢKⱼⱼ).
    Cosine,
    /// The kernel minus the kernel at the last switch.
    Change,
}

/// Holds one number of the picture.
pub(super) fn entry(mode: Mode, gram: &[f64], before: Option<&[f64]>, n: usize, row: usize, column: usize) -> f64 {
    let value = gram[row * n + column];
    match mode {
        Mode::Kernel => value,
        Mode::Cosine => value / (gram[row * n + row] * gram[column * n + column]).sqrt(),
        Mode::Change => value - before.map_or(value, |before| before[row * n + column]),
    }
}

/// Returns the range of a picture, its least and greatest number; for a kernel see [`amounts`].
pub(super) fn range_of(mode: Mode, n: usize, value: impl Fn(usize, usize) -> f64) -> Option<(f64, f64)> {
    let stride = (n * n / 8192).max(1);
    let mut seen: Vec<f64> =
        (0..n * n).step_by(stride).map(|at| value(at / n, at % n)).filter(|v| v.is_finite()).collect();
    if seen.is_empty() {
        return None;
    }
    match mode {
        Mode::Change => {
            seen.iter_mut().for_each(|value| *value = value.abs());
            nearly_all(&mut seen).map(|most| (-most, most))
        }
        Mode::Cosine => Some((seen.iter().copied().fold(f64::INFINITY, f64::min).min(1.0), 1.0)),
        Mode::Kernel => amounts(&mut seen),
    }
}

/// This view shows the kernel, or the part of one tensor, as a picture over the probes.
pub struct GramView {
    mode: Mode,
    sequential: Shades,
    diverging: Shades,
    /// Run-wide ranges, one per mode and tensor; they only widen.
    ranges: HashMap<(Mode, TensorChoice), (f64, f64)>,
    /// The matrices unpacked last, by step and tensor: at the cursor and at the last switch.
    unpacked: [Option<Unpacked>; 2],
    drawn: Option<MatrixTexture>,
    atlas: Option<Atlas>,
}

/// Step, tensor, and its matrix.
type Unpacked = (u64, Arc<str>, Arc<[f64]>);

/// Holds the texture of the picture and the inputs that it was made from.
struct MatrixTexture {
    texture: TextureHandle,
    key: (u64, Option<u64>, Mode, TensorChoice, bool),
    /// Entries that are not numbers.
    bad: usize,
}

impl Default for GramView {
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

impl GramView {
    /// Widens the colour range to cover all these snapshots, so that it is the same from the first one on.
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

    /// Widens a range to cover the numbers of one more picture.
    fn widen(&mut self, range: (Mode, TensorChoice), value: impl Fn(usize, usize) -> f64, n: usize) {
        if let Some((low, high)) = range_of(range.0, n, value) {
            let known = self.ranges.entry(range).or_insert((low, high));
            *known = (known.0.min(low), known.1.max(high));
        }
    }

    /// Returns the matrix of a snapshot, whole or of one tensor; `None` where the tensor's is missing.
    fn matrix(&mut self, place: usize, snapshot: &Snapshot, tensor: &TensorChoice, n: usize) -> Option<Arc<[f64]>> {
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

impl ViewClass for GramView {
    const TITLE: &str = "Kernel";
    const HELP: &str = "The empirical neural tangent kernel on the probe images, averaged over the C logits:\n\
                 K(x,x′) = (1/C) Σ_c ⟨∇f_c(x), ∇f_c(x′)⟩\n\
                 over all parameters, those of layers that are frozen on the way too; gains and biases of LayerNorm \
                 are constants in the NTK parametrisation (with “Logits: their sum” in the settings: (1/C) Σ_{c,d} \
                 ⟨∇f_c(x), ∇f_d(x′)⟩). Rows and columns are ordered by task, then class; one colour range holds for \
                 the whole run and only widens. “Cosine” divides by √(K(x,x) K(x′,x′)); “Change” subtracts the kernel \
                 at the last switch. Point at a cell to see its two images.\n\
                 Jacot, Gabriel, Hongler 2018 (1806.07572).";
    const NEEDS: Needs = Needs::Kernels;
    const ONE_LINE: f32 = 250.0;
    const MODES: &[&str] = &["kernel", "cosine", "change"];

    fn set_mode(&mut self, place: usize) {
        self.mode = [Mode::Kernel, Mode::Cosine, Mode::Change][place];
    }

    fn show(&mut self, ui: &mut Ui, pane: &mut Pane<'_>, context: &mut ViewContext<'_>) {
        let mut card = pane.card(ui, if pane.selection.tensor.is_some() { "of" } else { "" });
        let Selection { tensor: chosen, probe, .. } = &mut *pane.selection;
        let modes = [
            (Mode::Kernel, "K", "The kernel itself"),
            (Mode::Cosine, "Cosine", "K(x,x′)/√(K(x,x) K(x′,x′)): the kernel without its scale"),
            (Mode::Change, "Change", "The kernel minus that at the last switch"),
        ];
        segments(&mut card.header, &mut self.mode, &modes);
        back_to_the_whole(&mut card.header, chosen);
        let ui = &mut card.body;
        let (Some(info), Some(snapshot)) = (context.history.info(), context.snapshot.clone()) else {
            placeholder(ui, context);
            return;
        };
        let n = info.probes.len();
        if n == 0 || snapshot.gram.len() != n * n {
            // The run was opened and its snapshot is still on disk.
            ui.label(egui::RichText::new("Reading this kernel…").color(context.tokens.weak));
            return;
        }
        // The tensor belongs to an earlier run, whose network had other tensors.
        if chosen.as_ref().is_some_and(|tensor| !snapshot.row.tensors.iter().any(|metrics| metrics.tensor == *tensor)) {
            *chosen = None;
        }
        let Some(matrix) = self.matrix(0, &snapshot, chosen, n) else {
            let text = "The kernels of single tensors are not stored: for this many images and tensors they would be \
                too large.";
            ui.label(egui::RichText::new(text).color(context.tokens.weak));
            return;
        };
        let at_switch = context.at_switch().filter(|before| before.gram.len() == n * n);
        let before = at_switch.as_ref().and_then(|before| self.matrix(1, before, chosen, n));
        let shown = ShownMatrix {
            row: &snapshot.row,
            matrix: &matrix,
            before: before.as_deref(),
            before_step: at_switch.as_ref().map(|before| before.row.step),
            of: chosen.clone(),
            n,
        };
        if let Some(table) = &mut context.table {
            let value = |row, column| entry(self.mode, shown.matrix, shown.before, n, row, column);
            write(table, info, value);
        }
        let room = ui.available_rect_before_wrap();
        let place = matrix_rect(room);
        draw_matrix(ui, place, context, self, &shown);
        blocks(ui, place, room.left(), context, info);
        if let Some(row) = hover(ui, place, context, self, info, &shown) {
            // A second click clears the choice.
            *probe = Some(row).filter(|_| *probe != Some(row));
        }
        if let Some(row) = *probe {
            mark(ui, place, context, row, n);
        }
        footer(ui, place, context, self, &shown);
    }

    fn reset(&mut self) {
        self.ranges.clear();
        (self.unpacked, self.drawn, self.atlas) = ([None, None], None, None);
    }

    fn forget_textures(&mut self) {
        (self.drawn, self.atlas) = (None, None);
    }

    fn show_usual(&mut self) {
        *self = Self::default();
    }

    fn choices(&self) -> Self {
        Self { mode: self.mode, ranges: self.ranges.clone(), ..Self::default() }
    }
}

/// Holds the matrix that the picture shows.
struct ShownMatrix<'a> {
    row: &'a Row,
    /// Row-major [n, n].
    matrix: &'a [f64],
    /// The matrix at the last switch, and its step.
    before: Option<&'a [f64]>,
    before_step: Option<u64>,
    of: TensorChoice,
    n: usize,
}

/// Draws the name of the tensor shown alone, as a button that returns to the whole kernel.
fn back_to_the_whole(header: &mut Ui, chosen: &mut TensorChoice) {
    let Some(tensor) = chosen else { return };
    let text = egui::RichText::new(format!("{tensor} ×")).size(theme::SMALL);
    let button = header.button(text).on_hover_text("Only this tensor's part of the kernel; click to show the whole");
    let _named = button.clone().accessible_name("Show the whole kernel");
    if button.clicked() {
        *chosen = None;
    }
}

/// Returns the square that the matrix fills, with room for names at its left and the bar below.
fn matrix_rect(rect: Rect) -> Rect {
    let room = Rect::from_min_max(pos2(rect.left() + 20.0, rect.top()), pos2(rect.right(), rect.bottom() - 34.0));
    let side = room.width().min(room.height()).max(1.0).floor();
    Rect::from_min_size(pos2((room.left() + (room.width() - side) / 2.0).round(), room.top()), Vec2::splat(side))
}

fn draw_matrix(ui: &Ui, place: Rect, context: &ViewContext<'_>, state: &mut GramView, shown: &ShownMatrix<'_>) {
    let (mode, n) = (state.mode, shown.n);
    let key = (shown.row.step, shown.before_step, mode, shown.of.clone(), context.tokens.dark);
    if state.drawn.as_ref().is_none_or(|drawn| drawn.key != key) {
        let value = |row: usize, column: usize| entry(mode, shown.matrix, shown.before, n, row, column);
        let range = (mode, shown.of.clone());
        state.widen(range.clone(), value, n);
        let range = state.ranges.get(&range).copied().unwrap_or((0.0, 1.0));
        let image = picture(n, value, state.shades(), range, context.tokens.nan);
        let options = TextureOptions { magnification: egui::TextureFilter::Nearest, ..TextureOptions::LINEAR };
        let bad = shown.matrix.iter().filter(|value| !value.is_finite()).count();
        match &mut state.drawn {
            Some(drawn) => {
                drawn.texture.set(image, options);
                (drawn.key, drawn.bad) = (key, bad);
            }
            None => {
                state.drawn = Some(MatrixTexture { texture: ui.ctx().load_texture("gram", image, options), key, bad })
            }
        }
    }
    if let Some(drawn) = &state.drawn {
        let whole = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
        ui.painter().image(drawn.texture.id(), place, whole, Color32::WHITE);
    }
}

/// Returns the first and last probe of each task, by task number.
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

/// Returns the first and last probe of each class of each task, by the index of the class.
fn class_spans(info: &RunInfo) -> Vec<(usize, usize, usize)> {
    let mut spans: Vec<(usize, usize, usize)> = Vec::new();
    let mut last = None;
    for (place, probe) in info.probes.iter().enumerate() {
        let of = Some((probe.task, probe.label));
        match spans.last_mut() {
            Some(span) if last == of => span.2 = place + 1,
            _ => spans.push((probe.label, place, place + 1)),
        }
        last = of;
    }
    spans
}

/// Draws the names of classes at the left of the matrix, if they have room between it and this edge; returns whether they do.
fn class_names(ui: &Ui, place: Rect, edge: f32, info: &RunInfo, weak: Color32) -> bool {
    let spans = class_spans(info);
    let cell = place.height() / info.probes.len() as f32;
    let least = spans.iter().map(|span| (span.2 - span.1) as f32 * cell).fold(f32::INFINITY, f32::min);
    let font = FontId::proportional(theme::SMALL);
    if least < font.size {
        return false;
    }
    let name = |label: usize| info.class_names.get(label).map_or("", String::as_str);
    let layout = |label: usize| ui.painter().layout_no_wrap(name(label).to_owned(), font.clone(), weak);
    let names: Vec<_> = spans.iter().map(|&(label, from, to)| (layout(label), from, to)).collect();
    let widest = names.iter().map(|name| name.0.size().x).fold(0.0, f32::max);
    if widest == 0.0 || place.left() - 8.0 - widest < edge {
        return false;
    }
    for (galley, from, to) in names {
        let y = place.top() + 0.5 * (from + to) as f32 * cell - galley.size().y / 2.0;
        ui.painter().galley(pos2(place.left() - 8.0 - galley.size().x, y), galley, weak);
    }
    true
}

/// Draws lines between tasks, ticks between classes, and at the left the names of the classes, or the numbers of the tasks where
/// there is no room between the matrix and this edge.
fn blocks(ui: &Ui, place: Rect, edge: f32, context: &ViewContext<'_>, info: &RunInfo) {
    let painter = ui.painter();
    let is_named = class_names(ui, place, edge, info, context.tokens.weak);
    let n = info.probes.len() as f32;
    let cell = place.width() / n;
    let line = Stroke::new(1.0, Color32::from_white_alpha(200));
    for (task, from, to) in task_spans(info) {
        let colour = context.tokens.task(task);
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
        if (b - a) > 12.0 && !is_named {
            let font = FontId::proportional(theme::SMALL);
            painter.text(
                pos2(left.left() - 3.0, left.center().y),
                Align2::RIGHT_CENTER,
                task.to_string(),
                font,
                context.tokens.weak,
            );
        }
    }
    for (at, pair) in info.probes.windows(2).enumerate() {
        if pair[0].label != pair[1].label && pair[0].task == pair[1].task {
            let offset = (at + 1) as f32 * cell;
            let tick = Stroke::new(1.0, context.tokens.card);
            painter.hline((place.left() - 5.0)..=(place.left() - 2.0), place.top() + offset, tick);
            painter.vline(place.left() + offset, (place.bottom() + 2.0)..=(place.bottom() + 5.0), tick);
        }
    }
}

/// Draws the colour bar and the name of the quantity shown.
fn footer(ui: &mut Ui, place: Rect, context: &ViewContext<'_>, state: &GramView, shown: &ShownMatrix<'_>) {
    let range = state.ranges.get(&(state.mode, shown.of.clone())).copied().unwrap_or((0.0, 1.0));
    let bar = Rect::from_min_max(pos2(place.left(), place.bottom() + 9.0), pos2(place.right(), place.bottom() + 21.0));
    let mut below = ui.new_child(egui::UiBuilder::new().max_rect(bar));
    let (low, high) = (format::number(range.0), format::number(range.1));
    let high = if state.mode == Mode::Kernel { format!("≥ {high}") } else { high };
    colour_bar(&mut below, state.shades(), range, [&low, &high]);
    let bad = state.drawn.as_ref().map_or(0, |drawn| drawn.bad);
    let row = shown.row;
    let (when, step) = (context.moment(row.epoch), format!(" · step {}", format::count(row.step)));
    let step = if context.history.counts_steps() { "" } else { &step };
    let mut text = format!("{when}{step} · task {}", row.task);
    if state.mode == Mode::Change && shown.before.is_none() {
        text = "No switch yet: the change is counted from there".to_owned();
    } else if bad > 0 {
        text += &format!(" · {bad} entries are not numbers");
    }
    let at = pos2(place.center().x, place.bottom() + 24.0);
    ui.painter().text(at, Align2::CENTER_TOP, text, theme::note(), context.tokens.weak);
}

/// Draws a mark beside the row of the chosen probe.
fn mark(ui: &Ui, place: Rect, context: &ViewContext<'_>, row: usize, n: usize) {
    let y = place.top() + (row as f32 + 0.5) * place.height() / n as f32;
    let tip = pos2(place.right() + 1.0, y);
    let points = vec![tip, tip + vec2(6.0, -3.5), tip + vec2(6.0, 3.5)];
    ui.painter().add(egui::Shape::convex_polygon(points, context.tokens.accent, Stroke::NONE));
}

/// Shows value, images, classes and tasks of the cell under the pointer; handles a click on its row.
fn hover(
    ui: &mut Ui,
    place: Rect,
    context: &ViewContext<'_>,
    state: &mut GramView,
    info: &RunInfo,
    shown: &ShownMatrix<'_>,
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
    let cross = Stroke::new(1.0, context.tokens.accent);
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
                        egui::RichText::new(format!("task {}", of.task)).small().color(context.tokens.task(of.task)),
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

/// Draws a message until the first snapshot arrives.
fn placeholder(ui: &Ui, context: &ViewContext<'_>) {
    let place = matrix_rect(ui.available_rect_before_wrap());
    ui.painter().rect(place, 2.0, context.tokens.well, context.tokens.line(), egui::StrokeKind::Inside);
}

/// Writes a square matrix over the probes, each row after its position, task and class.
fn write(table: &mut DataTable, info: &RunInfo, value: impl Fn(usize, usize) -> f64) {
    let n = info.probes.len();
    let columns = (1..=n).map(|place| place.to_string());
    table.head(["probe", "task", "class"].map(str::to_owned).into_iter().chain(columns));
    let of_row = |row: usize| vec![(row + 1).into(), info.probes[row].task.into(), class(info, info.probes[row].label)];
    table.square(n, value, of_row);
}

/// Returns the name of a class, or its number where it has none.
pub(super) fn class(info: &RunInfo, label: usize) -> Cell {
    info.class_names.get(label).map_or_else(|| label.into(), |name| name.as_str().into())
}
