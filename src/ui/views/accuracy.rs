//! What the network knows of each task while it learns the next: accuracy, loss, and the accuracy matrix.

use egui::{Align2, Color32, FontId, Rect, Sense, Ui, pos2, vec2};

use super::context::Scene;
use super::pane::Slot;
use super::tables;
use crate::math::forgetting::forgetting;
use crate::run::{Block, Ending, History, Row, RunState};
use crate::ui::kit::widgets::{legend, number_legend, segments};
use crate::ui::kit::{theme, theme::Tokens};
use crate::ui::plot::series_cache::{Key, Source, Window};
use crate::ui::plot::{Style, TimePlot, Trace, time_plot, window};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Shown {
    #[default]
    Accuracy,
    Loss,
    Matrix,
}

/// Kept between frames.
#[derive(Clone, Default)]
pub struct AccuracyState {
    shown: Shown,
}

pub fn show(ui: &mut Ui, slot: &mut Slot, scene: &mut Scene<'_>, state: &mut AccuracyState) {
    let mut card = slot.card(ui, "");
    let kinds = [
        (
            Shown::Accuracy,
            "Curves",
            "Test accuracy: solid among all classes, dashed among the task's own, dotted of a linear probe",
        ),
        (Shown::Loss, "Loss", "Training loss (grey) and the loss on the test images of each task"),
        (Shown::Matrix, "Matrix", "Accuracy on each task after each task, and forgetting"),
    ];
    segments(&mut card.header, &mut state.shown, &kinds);
    let window = window(&card.body, scene);
    let ui = &mut card.body;
    let height = ui.available_height();
    let header = card.header.available_rect_before_wrap();
    let left = &mut card.header.new_child(egui::UiBuilder::new().max_rect(header));
    match state.shown {
        Shown::Accuracy => {
            let traces = accuracies(scene, window);
            legend(left, &traces, false, |value| format!("{:.0} %", 100.0 * value));
            let plot =
                TimePlot { id: "accuracy", log: false, limits: Some((0.0, 1.04)), least: 1.0, ticks: true, height };
            time_plot(ui, scene, &plot, &traces, &[]);
        }
        Shown::Loss => {
            let traces = losses(scene, window);
            number_legend(left, &traces, true);
            let plot = TimePlot { id: "loss", log: true, limits: None, least: 0.7, ticks: true, height };
            time_plot(ui, scene, &plot, &traces, &[]);
        }
        Shown::Matrix => {
            let tasks = scene.tasks();
            let history = scene.history;
            if let Some(sheet) = &mut scene.sheet {
                tables::accuracy(sheet, &matrix_of(history), &tasks);
            }
            matrix(ui, scene);
        }
    }
}

fn accuracies(scene: &mut Scene<'_>, window: Window) -> Vec<Trace> {
    let of = |block| Key { source: Source::Accuracy(number(block)), log: false };
    let mut traces = Trace::of_others(scene, of, window);
    for &task in scene.tasks().iter().rev() {
        let colour = scene.tokens.task(task);
        let probe = Key { source: Source::Probe(task), log: false };
        let mut dotted =
            Trace::new(scene, format!("task {task}, linear probe"), probe, window, colour.gamma_multiply(0.9));
        (dotted.style, dotted.width, dotted.now) = (Style::Dotted, 1.0, None);
        traces.push(dotted);
        let masked = Key { source: Source::Masked(task), log: false };
        let mut dashed =
            Trace::new(scene, format!("task {task}, own classes"), masked, window, colour.gamma_multiply(0.8));
        (dashed.style, dashed.width, dashed.now) = (Style::Dashed, 1.0, None);
        traces.push(dashed);
        traces.push(Trace::new(
            scene,
            task.to_string(),
            Key { source: Source::Accuracy(task), log: false },
            window,
            colour,
        ));
    }
    traces
}

/// The task that stands for a block.
fn number(block: Block) -> usize {
    if let Block::Task(number) = block { number } else { 1 }
}

fn losses(scene: &mut Scene<'_>, window: Window) -> Vec<Trace> {
    let grey = scene.tokens.faint;
    let mut train = Trace::new(scene, "training", Key { source: Source::TrainLoss, log: true }, window, grey);
    train.width = 1.0;
    train.now = None;
    let of = |block| Key { source: Source::TestLoss(number(block)), log: true };
    let mut traces = Trace::of_others(scene, of, window);
    traces.push(train);
    for &task in scene.tasks().iter().rev() {
        let colour = scene.tokens.task(task);
        traces.push(Trace::new(
            scene,
            task.to_string(),
            Key { source: Source::TestLoss(task), log: true },
            window,
            colour,
        ));
    }
    traces
}

/// A row of the accuracy matrix: the task that was trained, whether it has ended, and the accuracy on each task.
pub struct MatrixRow {
    pub task: usize,
    pub ended: bool,
    /// In order of task number.
    pub accuracy: Vec<f64>,
}

/// The accuracy matrix as far as the run went: a row per task that ended, and where things stand at the end of the record.
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

/// How much of each task but the last was forgotten, with its number.
fn lost(matrix: &[MatrixRow]) -> Vec<(usize, f64)> {
    // The definition wants columns in the order of training.
    let order: Vec<usize> = matrix.iter().map(|row| row.task).collect();
    let of =
        |row: &MatrixRow| order.iter().map(|task| row.accuracy.get(task - 1).copied().unwrap_or(f64::NAN)).collect();
    let columns: Vec<Vec<f64>> = matrix.iter().map(of).collect();
    order.iter().copied().zip(forgetting(&columns)).collect()
}

fn matrix(ui: &mut Ui, scene: &Scene<'_>) {
    let matrix = matrix_of(scene.history);
    let tasks = scene.tasks();
    let rect = ui.available_rect_before_wrap();
    let tokens = scene.tokens;
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
