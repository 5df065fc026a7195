//! Two moments of the run against one another: both kernels and their difference, both spectra, and which eigenvectors of the
//! one are in the other.
//!
//! Guarantees: everything drawn belongs to the two moments written beside it, also while others are being computed; A and B
//! share one range of colours; the pointer is at the same pair of images in all three matrices.

pub(crate) mod panels;
pub mod worker;

use std::ops::Range;

use egui::{RichText, Ui};

use super::choosers::choose_block;
use super::context::Scene;
use super::distances;
use super::pane::Slot;
use super::tables;
use crate::run::{Block, RunInfo};
use crate::ui::app::commands::UserCommand;
use crate::ui::kit::theme;
use crate::ui::playback::Which;
use crate::ui::views::moment_comparison::panels::{Pictures, cells, numbers, spectra};
use crate::ui::views::moment_comparison::worker::{Found, TwoMoments};

/// What stands behind the question mark.
pub const HELP: &str = "Two moments of this run, A and B: move the time cursor and press A, then B. They keep their kernels, whatever the record \
    thins away, and training goes on. Above: K_A and K_B over one range of colours, and K_B − K_A. Below: the eigenvalues of \
    both by index, both axes logarithmic; ⟨u_i, w_j⟩², how much of the j-th eigenvector of B is in the i-th of A (a bright diagonal: \
    the same directions in the same order; equal eigenvalues leave single vectors undetermined); and in numbers\n\
    ‖K_B − K_A‖/‖K_A‖, ‖K_B‖/‖K_A‖, S = 1 − CKA(K_A, K_B), centred,\n\
    and for the spans of the first k eigenvectors, k the number of classes among the probes: what they share, \
    ‖U′W‖²/k (the mean cos² of their principal angles), and the largest angle. Point at a pair of images to see it in all three.\n\
    Björck, Golub 1973 (principal angles); CKA: Kornblith et al. 2019 (1905.00414).";

/// Kept between frames.
#[derive(Default)]
pub struct CompareState {
    /// The thread, once two moments were compared.
    thread: Option<TwoMoments>,
    /// What was last found, shown until the next is.
    found: Option<Found>,
    pictures: Pictures,
}

impl CompareState {
    pub fn forget_textures(&mut self) {
        self.pictures.forget_textures();
    }

    pub fn reset(&mut self) {
        self.thread.iter_mut().for_each(TwoMoments::reset);
        self.found = None;
        self.pictures.forget_textures();
    }
}

pub(super) fn show(ui: &mut Ui, slot: &mut Slot, scene: &mut Scene<'_>, state: &mut CompareState, block: &mut Block) {
    let mut card = slot.card(ui, "A and B");
    choose_block(&mut card.header, scene, "Probes of the comparison", block);
    let ui = &mut card.body;
    let travel = scene.travel;
    let Some(moments) = travel.marks.both() else {
        state.found = None;
        invite(ui, scene);
        return;
    };
    let Some((rows, classes)) = scene.info().and_then(|info| rows_of(info, *block)) else { return };
    if state.thread.is_none() {
        let ctx = ui.ctx().clone();
        match TwoMoments::start(move || ctx.request_repaint()) {
            Ok(thread) => state.thread = Some(thread),
            Err(err) => {
                ui.label(format!("No thread can be started to compare kernels: {err}"));
                return;
            }
        }
    }
    let Some(thread) = &mut state.thread else { return };
    let now = thread.of(moments, &rows, classes);
    let busy = now.is_none();
    state.found = now.or(state.found.take());
    let Some(found) = state.found.clone() else {
        ui.label(RichText::new("Computing eigenvectors…").color(scene.tokens.weak));
        return;
    };
    let found = match found.as_ref() {
        Ok(found) => found,
        Err(message) => {
            ui.label(RichText::new(message).color(scene.tokens.warning));
            return;
        }
    };
    if let Some(sheet) = &mut scene.sheet {
        tables::two_moments(sheet, found);
    }
    let [a, b, change, spectrum, overlap, rest] = cells(ui.available_rect_before_wrap());
    state.pictures.matrices(ui, scene, found, [a, b, change]);
    spectra(ui, scene, found, spectrum);
    state.pictures.overlaps(ui, scene, found, overlap);
    numbers(ui, scene, found, rest, busy);
}

/// The rows of a block, and how many classes its probes have.
fn rows_of(info: &RunInfo, block: Block) -> Option<(Range<usize>, usize)> {
    let rows = match block {
        Block::All => 0..info.probes.len(),
        Block::Task(task) => distances::rows_of(info, task)?,
    };
    let classes: std::collections::BTreeSet<usize> =
        info.probes[rows.clone()].iter().map(|probe| probe.label).collect();
    Some((rows, classes.len()))
}

/// What to do until there are two moments.
fn invite(ui: &mut Ui, scene: &mut Scene<'_>) {
    ui.add_space(theme::GRID);
    let marks = &scene.travel.marks;
    let chosen = Which::BOTH.into_iter().find_map(|which| Some((which, marks.moment(which)?)));
    let (text, missing) = match chosen {
        None => {
            let text = "Two moments of the run are compared here: their kernels, spectra and eigenvectors. Move the time \
                        cursor to the first one and press A; training goes on.";
            (text.to_owned(), Which::A)
        }
        Some((which, moment)) => {
            let missing = if which == Which::A { Which::B } else { Which::A };
            let text = format!(
                "{} is {}. Now move the time cursor to another moment (a drag, or the arrows) and press {}.",
                which.letter(),
                scene.moment(moment.epoch),
                missing.letter()
            );
            (text, missing)
        }
    };
    ui.label(RichText::new(text).color(scene.tokens.weak));
    let Some(snapshot) = &scene.snapshot else { return };
    let command = if missing == Which::A { UserCommand::MomentA } else { UserCommand::MomentB };
    let text = format!("{} as {}", scene.moment(snapshot.row.epoch), missing.letter());
    let text = text[..1].to_uppercase() + &text[1..];
    if ui.button(text).on_hover_text(command.hover(ui.ctx())).clicked() {
        scene.actions.user(command);
    }
}
