//! Shows the network as an editable text and as its tensor program. The text, if shown, is at the left; at the right are the
//! forward pass line by line, the backward pass as its mirror, and between the two every parameter tensor with its share of the
//! kernel. A click on a tensor chooses it for the views of the kernel and its velocity.
//!
//! Guarantees: the drawing shows the network of the run, not of the settings, until its text is changed; then it shows the
//! text's network, or the last valid one, without shares. A share is the one measured at the cursor; if none was measured, the
//! view says why. No frame waits for a text to be read.

mod drawing;
mod editor;
mod explanations;
mod files;
mod layout;
mod line_facts;
mod pane;
mod reader;
mod text_layout;

use std::sync::Arc;

use egui::{RichText, Ui, UiBuilder};

use self::drawing::ProgramDrawing;
use self::editor::Editor;
use super::context::{ViewContext, choose_task};
use super::pane::{Pane, PaneAction};
use super::view::{Needs, ViewClass};
use crate::run::{Origin, TensorMetrics};
use crate::spec::{NetworkSpec, Program};
use crate::ui::kit::waker::waker;
use crate::ui::kit::{theme, theme::GRID};
use crate::ui::views::program::line_facts::RunNetwork;

/// From this size on, text and drawing fit side by side.
const BOTH: f32 = 640.0;
const HIGH: f32 = 230.0;
/// The text's part of the width beside the drawing, and the most that its lines need.
const TEXT: f32 = 0.66;
const LONGEST: f32 = 940.0;

/// This view shows the network as a text and as its tensor program.
pub struct ProgramView {
    task: usize,
    /// The block that is shown if there is no room for all.
    block: usize,
    /// The network described last, for images and logits of these sizes.
    described: Option<(NetworkSpec, [usize; 3], usize, Arc<Program>)>,
    pub(super) editor: Editor,
}

impl Default for ProgramView {
    fn default() -> Self {
        Self { task: 1, block: 0, described: None, editor: Editor::default() }
    }
}

impl ProgramView {
    fn describe(&mut self, context: &ViewContext<'_>) -> Option<Arc<Program>> {
        let info = context.info()?;
        let network = &info.spec.network;
        let (image, classes) = match info.origin {
            Origin::Trained { .. } | Origin::Imported => (info.image, info.readout().count()),
            // Probes may be of fewer classes than there are outputs. A network of ours has its sizes in the weights.
            Origin::Watched => {
                let outputs = context.history.snapshots().iter().find_map(|snapshot| snapshot.outputs.as_ref());
                (network.exported_for()?, outputs?.network.len() / info.probes.len().max(1))
            }
        };
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

impl ViewClass for ProgramView {
    const TITLE: &str = "Program";
    const HELP: &str = "The network as its tensor program (NETSOR⊤: variables, matrix products, nonlinearities), line \
                 by line; dashed, the backward pass goes through the same lines with their transposed derivatives (′). \
                 The kernel is a sum over the parameter tensors,\n\
                 K = Σ_W K_W, K_W(x,x′) = (1/C) Σ_c ⟨∂f_c(x)/∂W, ∂f_c(x′)/∂W⟩,\n\
                 and of each matrix, K_W = (Gram of what it reads going forward) ∘ (Gram of ∂f/∂ of what it writes, \
                 going backward), over all its uses and the places of an image: so each stands between the two passes. \
                 Filled, and in percent: its share tr K_W/tr K on one task's probes, at the cursor. Click on a tensor: \
                 the views of the kernel and its velocity then show its part, too. The velocity has no value where the \
                 centred K_W is nothing but rounding (the last bias moves all images alike). Gains and biases of \
                 LayerNorm are fixed in the NTK parametrisation.\n\
                 “Edit” shows the text that wrote it, beside each line what the line gives, its parameters, its share, \
                 and ∞ where it has an infinite-width limit (– where not: point at it). Change it, or begin from \
                 another; “Apply” starts the run, and undo (Ctrl+Z outside the text) restores the previous network. \
                 While the text differs from the run's, its own network is drawn. Theory also asks that the read-out \
                 is drawn anew and that no matrix is used with its transpose.\n\
                 Yang 2020 (2006.14548), the canonical decomposition; Yang & Littwin 2021 (2105.03703).";
    const NEEDS: Needs = Needs::Network;
    const ONE_LINE: f32 = 250.0;

    fn show(&mut self, ui: &mut Ui, pane: &mut Pane<'_>, context: &mut ViewContext<'_>) {
        let mut card = pane.card(ui, "tr Θ_W/tr Θ");
        choose_task(&mut card.header, context, "Probes of the program", &mut self.task);
        let room = card.body.available_size();
        let both = room.x >= BOTH && room.y >= HIGH;
        let edits = !context.paper && !context.is_watched() && {
            let edit = card.header.selectable_label(self.editor.open, RichText::new("Edit").size(theme::SMALL));
            if edit.on_hover_text("Read and write the network as a text").clicked() {
                self.editor.open ^= true;
                if self.editor.open && !both && !pane.enlarged {
                    pane.action = Some(PaneAction::Enlarge);
                }
            }
            self.editor.open
        };
        let program = self.describe(context);
        let run = self
            .described
            .as_ref()
            .filter(|_| program.is_some())
            .map(|(network, image, classes, _)| (network, *image, *classes));
        let ui = &mut card.body;
        let row = context.snapshot.as_ref().map(|snapshot| snapshot.row.clone());
        let tensor_metrics: Vec<TensorMetrics> =
            row.iter().flat_map(|row| row.tensors.iter().filter(|tensor| tensor.task == self.task)).cloned().collect();
        if let Some(table) = &mut context.table {
            table.head(["tensor", "task", "share"]);
            for metrics in &tensor_metrics {
                table.row([(*metrics.tensor).into(), metrics.task.into(), metrics.share.into()]);
            }
        }
        let is_run = run.is_some_and(|(network, ..)| self.editor.is_text_of(network));
        let mut rest = ui.available_rect_before_wrap();
        if edits {
            self.editor.poll(context.actions);
            self.editor.read(ui.ctx(), run);
            let width = if both { (TEXT * room.x).min(LONGEST) } else { room.x };
            let (left, right) = rest.split_left_right_at_x(rest.left() + width);
            rest = right.with_min_x(right.left() + 2.0 * GRID);
            let mut field = ui.new_child(UiBuilder::new().max_rect(left).id_salt("pane"));
            let around = RunNetwork { run: run.map(|(network, ..)| network), is_run, tensor_metrics: &tensor_metrics };
            if let Some(wish) = pane::show(&mut field, &mut self.editor, &around) {
                self.editor.execute(wish, context.actions, waker(ui.ctx()));
            }
            if !both {
                return;
            }
        } else {
            self.editor.writes = false;
        }
        let mut ui = ui.new_child(UiBuilder::new().max_rect(rest).id_salt("drawing"));
        let good = self.editor.good().filter(|_| edits && !is_run).cloned();
        // A text that is being changed back, or was just begun, may still count as that of the run.
        let is_other = |spec: &NetworkSpec| run.is_none_or(|(network, ..)| spec.source_text() != network.source_text());
        let other = good.filter(|good| is_other(&good.spec));
        let drawn = match (&other, &program, run) {
            (Some(other), ..) => Some((&other.program, &other.spec, [].as_slice())),
            (None, Some(program), Some((network, ..))) => Some((program, network, tensor_metrics.as_slice())),
            _ => None,
        };
        let Some((program, network, tensor_metrics)) = drawn else {
            if context.is_watched() && row.is_some() {
                let text = "The text of this network has no sizes, which are those of the saved weights: export the module \
                            with kernelscope.export to see its program.";
                ui.label(RichText::new(text).color(context.tokens.weak));
            }
            return;
        };
        let note = match &other {
            Some(_) => Some("The text's network, which is not trained: no shares were measured."),
            None if row.is_none() || !tensor_metrics.is_empty() => None,
            None if network.is_infinite() => Some(
                "At infinite width the kernel is a recursion of expectations: no tensor has a part of its own to be measured.",
            ),
            None => Some("The kernels of single tensors were not stored: there are too many probe images."),
        };
        if let Some(note) = note {
            ui.label(RichText::new(note).size(theme::SMALL).color(context.tokens.weak));
        }
        ProgramDrawing { program, network, tensor_metrics, task: self.task }.show(
            &mut ui,
            &mut self.block,
            &mut pane.selection.tensor,
        );
    }
}
