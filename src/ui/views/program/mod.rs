//! The network as a text and as its tensor program. Left, where it is asked for, the text, in which a network is written; right
//! the forward pass line by line, the backward pass as its mirror, and between the two every parameter tensor with its share of the
//! kernel. A click on a tensor chooses it for the views of the kernel and its velocity.
//!
//! Guarantees: what is drawn is the network of the run, not of the settings, until its text is changed; then it is the text's, or
//! the last one that was a network, and has no shares. A share is the one measured at the cursor, and where none was measured the
//! view says why instead. Nothing here waits for a text to be read.

mod drawing;
mod editor;
mod files;
mod ink;
mod layout;
mod margin;
mod pane;
mod reader;
mod words;

use std::path::PathBuf;
use std::sync::Arc;

use egui::{Context, RichText, Ui, UiBuilder};

use self::drawing::Picture;
use self::editor::Editor;
use self::pane::Around;
use super::choosers::choose_task;
use super::context::Scene;
use super::pane::{Slot, Wish};
use super::{View, ViewState};
use crate::run::TensorMetrics;
use crate::spec::{DataShape, NetworkSpec, Program};
use crate::ui::app::update::waker;
use crate::ui::kit::{theme, theme::GRID};

/// The tensor that the views of the kernel and its velocity show alone; none: the whole.
pub type Chosen = Option<Arc<str>>;

/// From this size on there is room for text and drawing beside each other.
const BOTH: f32 = 640.0;
const HIGH: f32 = 230.0;
/// Of both, the text's part of the width, and the most that lines need.
const TEXT: f32 = 0.66;
const LONGEST: f32 = 940.0;

/// Kept between frames.
pub struct ProgramState {
    task: usize,
    /// The block that is shown where not all have room.
    block: usize,
    /// The network that was last described, for images and logits of these numbers.
    described: Option<(NetworkSpec, [usize; 3], usize, Arc<Program>)>,
    editor: Editor,
}

impl Default for ProgramState {
    fn default() -> Self {
        Self { task: 1, block: 0, described: None, editor: Editor::default() }
    }
}

impl ProgramState {
    fn describe(&mut self, scene: &Scene<'_>) -> Option<Arc<Program>> {
        let info = scene.info()?;
        let (network, image, classes) = (&info.spec.network, info.image, info.readout().count());
        let same = |known: &(NetworkSpec, [usize; 3], usize, Arc<Program>)| {
            (&known.0, known.1, known.2) == (network, image, classes)
        };
        if !self.described.as_ref().is_some_and(same) {
            let program = network.program(image, classes).ok()?;
            self.described = Some((network.clone(), image, classes, program));
        }
        self.described.as_ref().map(|known| known.3.clone())
    }
}

/// What the window does with the text.
impl ViewState {
    /// Takes note of the settings of the window, whose network's text can be written.
    pub fn follow(&mut self, network: &NetworkSpec, shape: &DataShape) {
        self.program.editor.follow(network, Some(shape));
    }

    /// Whether the text has the keys, or had them until Esc took them.
    pub fn writes(&self) -> bool {
        self.program.editor.writes
    }

    /// Shows the text of the network beside its drawing.
    pub fn open_text(&mut self) {
        self.program.editor.open = true;
    }

    /// Reads a file with the text of a network, and shows it.
    ///
    /// # Errors
    /// When there is no thread to read it.
    pub fn open_file(&mut self, ctx: &Context, path: PathBuf) -> std::io::Result<()> {
        self.bring(View::Program);
        self.open_text();
        self.program.editor.open_file(path, waker(ctx))
    }
}

pub fn show(ui: &mut Ui, slot: &mut Slot, scene: &mut Scene<'_>, state: &mut ProgramState, chosen: &mut Chosen) {
    let mut card = slot.card(ui, "tr Θ_W/tr Θ");
    choose_task(&mut card.header, scene, "Probes of the program", &mut state.task);
    let room = card.body.available_size();
    let both = room.x >= BOTH && room.y >= HIGH;
    let edits = !scene.paper && {
        let edit = card.header.selectable_label(state.editor.open, RichText::new("Edit").size(theme::SMALL));
        if edit.on_hover_text("Read and write the network as a text").clicked() {
            state.editor.open ^= true;
            if state.editor.open && !both && !slot.enlarged {
                slot.wish = Some(Wish::Enlarge);
            }
        }
        state.editor.open
    };
    let program = state.describe(scene);
    let run = state
        .described
        .as_ref()
        .filter(|_| program.is_some())
        .map(|(network, image, classes, _)| (network, *image, *classes));
    let ui = &mut card.body;
    let row = scene.snapshot.as_ref().map(|snapshot| snapshot.row.clone());
    let told: Vec<TensorMetrics> =
        row.iter().flat_map(|row| row.tensors.iter().filter(|tensor| tensor.task == state.task)).cloned().collect();
    if let Some(sheet) = &mut scene.sheet {
        sheet.head(["tensor", "task", "share"]);
        told.iter().for_each(|told| sheet.row([(*told.tensor).into(), told.task.into(), told.share.into()]));
    }
    let is_run = run.is_some_and(|(network, ..)| state.editor.is_text_of(network));
    let mut rest = ui.available_rect_before_wrap();
    if edits {
        state.editor.poll(scene.actions);
        state.editor.read(ui.ctx(), run);
        let width = if both { (TEXT * room.x).min(LONGEST) } else { room.x };
        let (left, right) = rest.split_left_right_at_x(rest.left() + width);
        rest = right.with_min_x(right.left() + 2.0 * GRID);
        let mut pane = ui.new_child(UiBuilder::new().max_rect(left).id_salt("pane"));
        let around = Around { run: run.map(|(network, ..)| network), is_run, told: &told };
        if let Some(wish) = pane::show(&mut pane, &mut state.editor, &around) {
            state.editor.execute(wish, scene.actions, waker(ui.ctx()));
        }
        if !both {
            return;
        }
    } else {
        state.editor.writes = false;
    }
    let mut ui = ui.new_child(UiBuilder::new().max_rect(rest).id_salt("drawing"));
    let good = state.editor.good().filter(|_| edits && !is_run).cloned();
    // A text that is being changed back, or was just begun, may still be known as that of the run.
    let is_other = |spec: &NetworkSpec| run.is_none_or(|(network, ..)| spec.source_text() != network.source_text());
    let other = good.filter(|good| is_other(&good.spec));
    let drawn = match (&other, &program, run) {
        (Some(other), ..) => Some((&other.program, &other.spec, [].as_slice())),
        (None, Some(program), Some((network, ..))) => Some((program, network, told.as_slice())),
        _ => None,
    };
    let Some((program, network, told)) = drawn else { return };
    let note = match &other {
        Some(_) => Some("The text's network, which is not trained: no shares were measured."),
        None if row.is_none() || !told.is_empty() => None,
        None if network.is_infinite() => Some(
            "At infinite width the kernel is a recursion of expectations: no tensor has a part of its own to be measured.",
        ),
        None => Some("The kernel was not kept apart by tensors: there are too many probe images for that."),
    };
    if let Some(note) = note {
        ui.label(RichText::new(note).size(theme::SMALL).color(scene.tokens.weak));
    }
    Picture { program, network, told, task: state.task }.show(&mut ui, &mut state.block, chosen);
}
