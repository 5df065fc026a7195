//! Compares two moments of the run: both kernels and their difference, both spectra, and the overlaps of their eigenvectors.
//!
//! Guarantees: everything drawn belongs to the two moments written beside it, even while others are being computed; A and B
//! share one colour range; the pointer is at the same pair of images in all three matrices.

mod panels;

use std::ops::Range;
use std::sync::Arc;

use egui::{RichText, Ui};

use super::context::{ViewContext, choose_block};
use super::pane::Pane;
use super::view::{Needs, ViewClass};
use crate::analysis::{Moment, MomentComparer, MomentComparison};
use crate::run::{Block, RunInfo};
use crate::ui::app::commands::UserCommand;
use crate::ui::kit::background_task::BackgroundTask;
use crate::ui::kit::data_table::{Cell, DataTable};
use crate::ui::kit::theme;
use crate::ui::playback::Which;
use crate::ui::views::moment_comparison::panels::{Panels, cells, numbers, spectra};

/// This view compares two moments of the run.
pub struct MomentComparisonView {
    comparisons: BackgroundTask<Key, [Moment; 2], Response>,
    /// The comparison shown last, until the next one is ready.
    found: Option<Response>,
    panels: Panels,
}

/// Identifies a comparison: rows, number of leading eigenvectors, and the steps of A and B.
type Key = (Range<usize>, usize, [u64; 2]);

/// Holds a comparison, or the reason why there is none.
type Response = Arc<Result<MomentComparison, String>>;

/// Number of comparisons that are kept.
const KEPT: usize = 4;

impl Default for MomentComparisonView {
    fn default() -> Self {
        Self { comparisons: BackgroundTask::new("two moments", KEPT), found: None, panels: Panels::default() }
    }
}

impl ViewClass for MomentComparisonView {
    const TITLE: &str = "Two moments";
    const HELP: &str = "Two moments of this run, A and B: move the time cursor and press A, then B. They keep their \
    kernels, even if the record drops these snapshots, and training continues. Above: K_A and K_B over one range of \
    colours, and K_B − K_A. Below: the eigenvalues of both by index, both axes logarithmic; ⟨u_i, w_j⟩², how much of \
    the j-th eigenvector of B is in the i-th of A (a bright diagonal: the same directions in the same order; equal \
    eigenvalues leave single vectors undetermined); and in numbers\n\
    ‖K_B − K_A‖/‖K_A‖, ‖K_B‖/‖K_A‖, S = 1 − CKA(K_A, K_B), centred, or debiased on fewer than 40 probes,\n\
    and for the spans of the first k eigenvectors, k the number of classes among the probes: their overlap ‖U′W‖²/k \
    (the mean cos² of their principal angles), and the largest angle. Point at a pair of images to see it in all \
    three.\n\
    Björck, Golub 1973 (principal angles); CKA: Kornblith et al. 2019 (1905.00414).";
    const NEEDS: Needs = Needs::Kernels;
    const ONE_LINE: f32 = 250.0;
    const LARGE: bool = true;

    fn show(&mut self, ui: &mut Ui, pane: &mut Pane<'_>, context: &mut ViewContext<'_>) {
        let mut card = pane.card(ui, "A and B");
        let block = &mut pane.selection.block;
        choose_block(&mut card.header, context, "Probes of the comparison", block);
        let ui = &mut card.body;
        let travel = context.travel;
        let Some(moments) = travel.marks.both() else {
            self.found = None;
            invite(ui, context);
            return;
        };
        let Some((rows, classes)) = context.info().and_then(|info| rows_of(info, *block)) else { return };
        let mut comparer = MomentComparer::default();
        let work = move |(rows, leading, _): &Key, moments: [Moment; 2]| {
            Arc::new(comparer.compare(rows.clone(), *leading, moments))
        };
        if let Err(err) = self.comparisons.start(ui.ctx(), work) {
            ui.label(format!("No thread can be started to compare kernels: {err}"));
            return;
        }
        let key = (rows, classes, moments.map(|moment| moment.step));
        let now = self.comparisons.get(&key, || moments.map(Clone::clone)).cloned();
        let busy = now.is_none();
        self.found = now.or(self.found.take());
        let Some(found) = self.found.clone() else {
            ui.label(RichText::new("Computing eigenvectors…").color(context.tokens.weak));
            return;
        };
        let found = match found.as_ref() {
            Ok(found) => found,
            Err(message) => {
                ui.label(RichText::new(message).color(context.tokens.warning));
                return;
            }
        };
        if let Some(table) = &mut context.table {
            write(table, found);
        }
        let [a, b, change, spectrum, overlap, rest] = cells(ui.available_rect_before_wrap());
        self.panels.matrices(ui, context, found, [a, b, change]);
        spectra(ui, context, found, spectrum);
        self.panels.overlaps(ui, context, found, overlap);
        numbers(ui, context, found, rest, busy);
    }

    fn reset(&mut self) {
        self.comparisons.reset();
        self.found = None;
        self.panels.forget_textures();
    }

    fn forget_textures(&mut self) {
        self.panels.forget_textures();
    }
}

/// Returns the rows of a block, and the number of classes of its probes.
fn rows_of(info: &RunInfo, block: Block) -> Option<(Range<usize>, usize)> {
    let rows = match block {
        Block::All => 0..info.probes.len(),
        Block::Task(task) => info.rows_of(task)?,
    };
    let classes: std::collections::BTreeSet<usize> =
        info.probes[rows.clone()].iter().map(|probe| probe.label).collect();
    Some((rows, classes.len()))
}

/// Draws instructions until two moments are chosen.
fn invite(ui: &mut Ui, context: &mut ViewContext<'_>) {
    ui.add_space(theme::GRID);
    let marks = &context.travel.marks;
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
                context.moment(moment.epoch),
                missing.letter()
            );
            (text, missing)
        }
    };
    ui.label(RichText::new(text).color(context.tokens.weak));
    let Some(snapshot) = &context.snapshot else { return };
    let command = if missing == Which::A { UserCommand::MomentA } else { UserCommand::MomentB };
    let text = format!("{} as {}", context.moment(snapshot.row.epoch), missing.letter());
    let text = text[..1].to_uppercase() + &text[1..];
    if ui.button(text).on_hover_text(command.hover(ui.ctx())).clicked() {
        context.actions.user(command);
    }
}

/// Writes two moments: each entry of their kernels, each eigenvalue, each overlap, and the numbers below them.
fn write(table: &mut DataTable, found: &MomentComparison) {
    table.head(["what", "row", "column", "A", "B", "value"]);
    let n = found.rows.len();
    let [a, b] = &found.grams;
    for (at, (&before, &after)) in a.iter().zip(b.iter()).enumerate() {
        let (row, column) = (at / n.max(1), at % n.max(1));
        table.row(["kernel".into(), row.into(), column.into(), before.into(), after.into(), (after - before).into()]);
    }
    let [a, b] = &found.eigenvalues;
    for (rank, (&before, &after)) in a.iter().rev().zip(b.iter().rev()).enumerate() {
        let rank = Cell::from(rank + 1);
        table.row([
            "eigenvalue".into(),
            rank,
            Cell::from(None::<f64>),
            before.into(),
            after.into(),
            (after - before).into(),
        ]);
    }
    for (at, &overlap) in found.overlaps.iter().enumerate() {
        let (i, j) = (at / found.vectors.max(1) + 1, at % found.vectors.max(1) + 1);
        table.row([
            "overlap".into(),
            i.into(),
            j.into(),
            Cell::from(None::<f64>),
            Cell::from(None::<f64>),
            overlap.into(),
        ]);
    }
    let numbers = [
        ("drift", found.drift),
        ("scale", found.scale),
        ("distance", found.distance),
        ("shared", found.shared),
        ("largest angle", found.angle),
    ];
    for (name, value) in numbers {
        table.row([
            name.into(),
            Cell::from(None::<f64>),
            Cell::from(None::<f64>),
            Cell::from(None::<f64>),
            Cell::from(None::<f64>),
            value.into(),
        ]);
    }
}
