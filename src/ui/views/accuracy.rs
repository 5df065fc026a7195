//! Shows the network's performance on each task while it learns the next: accuracy, loss, and the accuracy matrix.

use egui::{Align2, Color32, FontId, Rect, Sense, Ui, pos2, vec2};

use super::context::ViewContext;
use super::pane::Pane;
use super::view::{Needs, ViewClass};
use crate::chart::curves::{accuracy, loss};
use crate::math::forgetting::forgetting;
use crate::run::{Ending, History, Row, RunState};
use crate::ui::kit::data_table::DataTable;
use crate::ui::kit::widgets::segments;
use crate::ui::kit::{theme, theme::Tokens};
use crate::ui::plot::{TimePlot, window};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Shown {
    #[default]
    Accuracy,
    Loss,
    Matrix,
}

/// This view shows accuracy, loss, and the accuracy matrix.
#[derive(Clone, Default)]
pub struct AccuracyView {
    shown: Shown,
}

impl ViewClass for AccuracyView {
    const TITLE: &str = "Accuracy";
    const HELP: &str = "Test accuracy on each task. Solid: among all classes; dashed: among the task's own classes \
                 (masked). Much of what looks like forgetting is a bias of the logits towards the new classes, and \
                 goes away when masked. Dotted, at each epoch's end: a linear probe, a ridge regression learnt anew \
                 from what the last layer sees of up to 50 training images of each of the task's classes (with \
                 intercept; the ridge is the mean square length of the centred features, and jitter is added only \
                 where it must be): where it stays high, the features still tell the classes apart and only the \
                 read-out forgot.\n\
                 “Matrix” has a row for each task finished and a column for each task tested; forgetting is the best \
                 accuracy a task ever had at a row minus its last.\n\
                 Chaudhry et al. 2018 (1801.10112).";
    const NEEDS: Needs = Needs::Network;
    const ONE_LINE: f32 = 300.0;
    const MODES: &[&str] = &["curves", "loss", "matrix"];

    fn set_mode(&mut self, place: usize) {
        self.shown = [Shown::Accuracy, Shown::Loss, Shown::Matrix][place];
    }

    fn show(&mut self, ui: &mut Ui, pane: &mut Pane<'_>, context: &mut ViewContext<'_>) {
        // A watched training has no other images.
        let mut card = pane.card(ui, if context.is_watched() { "on the probes" } else { "" });
        let kinds = [
            (
                Shown::Accuracy,
                "Curves",
                "Test accuracy: solid among all classes, dashed among the task's own, dotted of a linear probe",
            ),
            (Shown::Loss, "Loss", "Training loss (grey) and the loss on the test images of each task"),
            (Shown::Matrix, "Matrix", "Accuracy on each task after each task, and forgetting"),
        ];
        segments(&mut card.header, &mut self.shown, &kinds);
        let window = window(&card.body, context);
        let ui = &mut card.body;
        match self.shown {
            Shown::Accuracy => {
                let plot = TimePlot::of(context, accuracy(context.history), window);
                plot.legend_in(&mut card.header, |value| format!("{:.0} %", 100.0 * value));
                plot.show(ui, context, "accuracy");
            }
            Shown::Loss => {
                let plot = TimePlot::of(context, loss(context.history), window);
                plot.legend(&mut card.header);
                plot.show(ui, context, "loss");
            }
            Shown::Matrix => {
                let tasks = context.tasks();
                let history = context.history;
                if let Some(table) = &mut context.table {
                    write(table, &matrix_of(history), &tasks);
                }
                matrix(ui, context);
            }
        }
    }

    fn show_usual(&mut self) {
        *self = Self::default();
    }

    fn choices(&self) -> Self {
        self.clone()
    }
}

/// Holds a row of the accuracy matrix: the task that was trained, whether it has ended, and the accuracy on each task.
pub struct MatrixRow {
    pub task: usize,
    pub ended: bool,
    /// The accuracy on each task, in the order of their numbers.
    pub accuracy: Vec<f64>,
}

/// Returns the accuracy matrix of the run so far: a row per ended task, and one for the end of the record.
pub fn matrix_of(history: &History) -> Vec<MatrixRow> {
    let finished = matches!(history.state(), RunState::Ended(Ending::Finished { .. }));
    let rows = history.rows();
    let last = rows.last().filter(|row| !row.at_switch);
    let ends = rows.iter().filter(|row| row.at_switch).chain(last).filter(|row| !row.accuracy.is_empty());
    let row = |row: &Row| MatrixRow {
        task: row.task,
        ended: row.at_switch || finished,
        accuracy: row.accuracy.iter().map(|accuracy| accuracy.accuracy.unwrap_or(f64::NAN)).collect(),
    };
    ends.map(row).collect()
}

/// Returns how much of each task but the last was forgotten, with its number.
fn lost(matrix: &[MatrixRow]) -> Vec<(usize, f64)> {
    // The definition needs columns in the order of training.
    let order: Vec<usize> = matrix.iter().map(|row| row.task).collect();
    let of =
        |row: &MatrixRow| order.iter().map(|task| row.accuracy.get(task - 1).copied().unwrap_or(f64::NAN)).collect();
    let columns: Vec<Vec<f64>> = matrix.iter().map(of).collect();
    order.iter().copied().zip(forgetting(&columns)).collect()
}

fn matrix(ui: &mut Ui, context: &ViewContext<'_>) {
    let matrix = matrix_of(context.history);
    let tasks = context.tasks();
    let rect = ui.available_rect_before_wrap();
    let tokens = context.tokens;
    if matrix.is_empty() {
        ui.painter().text(rect.center(), Align2::CENTER_CENTER, "No task measured yet", theme::note(), tokens.faint);
        return;
    }
    let left = 56.0;
    let (top, bottom) = (16.0, 20.0);
    let cell = vec2(
        ((rect.width() - left) / tasks.len() as f32).min(96.0),
        ((rect.height() - top - bottom) / matrix.len() as f32).min(40.0),
    );
    let painter = ui.painter();
    for (column, task) in tasks.iter().enumerate() {
        let at = pos2(rect.left() + left + (column as f32 + 0.5) * cell.x, rect.top() + top / 2.0);
        painter.text(at, Align2::CENTER_CENTER, format!("on {task}"), theme::note(), tokens.task(*task));
    }
    for (place, row) in matrix.iter().enumerate() {
        let y = rect.top() + top + place as f32 * cell.y;
        let text = if row.ended { format!("after {}", row.task) } else { format!("in {}", row.task) };
        let colour = tokens.task(row.task);
        painter.text(
            pos2(rect.left() + left - 8.0, y + cell.y / 2.0),
            Align2::RIGHT_CENTER,
            text,
            theme::note(),
            colour,
        );
        for (column, &accuracy) in row.accuracy.iter().enumerate() {
            let field = Rect::from_min_size(pos2(rect.left() + left + column as f32 * cell.x, y), cell).shrink(1.0);
            paint_cell(ui, field, accuracy, tokens);
        }
    }
    let lost: Vec<String> =
        lost(&matrix).iter().map(|(task, lost)| format!("task {task}: {:.0} %", 100.0 * lost)).collect();
    let text = if lost.is_empty() {
        "Forgetting is counted from the first switch".to_owned()
    } else {
        format!("Forgotten of {}", lost.join(", "))
    };
    painter.text(rect.left_bottom(), Align2::LEFT_BOTTOM, text, theme::note(), tokens.weak);
    ui.allocate_rect(rect, Sense::hover());
}

fn paint_cell(ui: &Ui, field: Rect, accuracy: f64, tokens: &Tokens) {
    let strength = 0.08 + 0.62 * accuracy.clamp(0.0, 1.0) as f32;
    ui.painter().rect_filled(field, 2.0, tokens.accent.gamma_multiply(strength));
    let strong = strength > 0.42 && !tokens.dark;
    let colour = if strong { Color32::WHITE } else { tokens.text };
    let text = format!("{:.0} %", 100.0 * accuracy);
    ui.painter().text(field.center(), Align2::CENTER_CENTER, text, FontId::monospace(10.5), colour);
}

/// Writes a row per task that was trained, a column per task that was tested.
fn write(table: &mut DataTable, matrix: &[MatrixRow], tasks: &[usize]) {
    let columns = tasks.iter().map(|task| format!("on {task}"));
    table.head(["task", "ended"].map(str::to_owned).into_iter().chain(columns));
    for row in matrix {
        let ended = if row.ended { "yes" } else { "no" };
        let values = row.accuracy.iter().map(|&value| value.into());
        table.row([row.task.into(), ended.into()].into_iter().chain(values));
    }
}
