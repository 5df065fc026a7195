//! The last line of the window: what runs on what, how fast, at what cost; warnings at the right.

use egui::{Align, Layout, RichText, Ui};

use super::format;
use super::meters::{FrameTimes, Memory};
use super::scene::Scene;
use super::theme;
use crate::record::Note;

pub fn show(ui: &mut Ui, scene: &Scene<'_>, frames: &FrameTimes, memory: &Memory) {
    let tokens = scene.tokens;
    ui.horizontal_centered(|ui| {
        ui.spacing_mut().item_spacing.x = 12.0;
        let entry = |ui: &mut Ui, text: String, hover: &str| {
            ui.label(RichText::new(text).size(theme::SMALL).color(tokens.weak)).on_hover_text(hover);
        };
        if let Some(info) = scene.info() {
            entry(ui, info.device.clone(), "Where the tensors live");
            entry(ui, format!("{} parameters", format::count(info.parameters)), "All trainable parameters");
        }
        let progress = scene.history.progress();
        if progress.step > 0 {
            let text = format!("{:.0} steps/s", progress.steps_per_second);
            entry(ui, text, "Steps per second of training alone, without kernels and pace");
        }
        snapshot(ui, scene);
        if let Some(milliseconds) = frames.median() {
            entry(
                ui,
                format!("frame {milliseconds:.1} ms"),
                "CPU time of a frame of this window, median of the last 120",
            );
        }
        if let Some(bytes) = memory.bytes() {
            let kept = format::bytes(scene.history.snapshot_bytes());
            entry(ui, format::bytes(bytes), &format!("Memory of the whole program; snapshots hold {kept}"));
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| notes(ui, scene));
    });
}

/// What a snapshot takes, in parts.
fn snapshot(ui: &mut Ui, scene: &Scene<'_>) {
    let Some(row) = scene.history.rows().last() else { return };
    let cost = row.cost;
    let milliseconds = |seconds: f64| format!("{:.1} ms", 1000.0 * seconds);
    let total = cost.kernel_seconds + cost.eigen_seconds + cost.metrics_seconds + cost.evaluation_seconds;
    let share = 100.0 * scene.history.progress().kernel_share;
    let text = format!("snapshot {:.0} ms ({share:.0} %)", 1000.0 * total);
    let label = ui.label(RichText::new(text).size(theme::SMALL).color(scene.tokens.weak));
    label.on_hover_ui(|ui| {
        ui.label("The last snapshot, and the share of the working time that snapshots take");
        egui::Grid::new("snapshot parts").show(ui, |ui| {
            let parts = [
                ("Kernel", cost.kernel_seconds),
                ("Eigenvalues", cost.eigen_seconds),
                ("Metrics", cost.metrics_seconds),
                ("Test images", cost.evaluation_seconds),
            ];
            for (name, seconds) in parts {
                ui.label(name);
                ui.monospace(milliseconds(seconds));
                ui.end_row();
            }
        });
    });
}

/// The newest note; all of them under the pointer.
fn notes(ui: &mut Ui, scene: &Scene<'_>) {
    let notes = scene.history.notes();
    let Some(last) = notes.iter().rev().find(|note| note.warning).or(notes.last()) else { return };
    let tokens = scene.tokens;
    let colour = |note: &Note| if note.warning { tokens.warning } else { tokens.weak };
    let text = if notes.len() > 1 { format!("{}  (+{})", last.message, notes.len() - 1) } else { last.message.clone() };
    let label = egui::Label::new(RichText::new(text).size(theme::SMALL).color(colour(last))).truncate();
    ui.add(label).on_hover_ui(|ui| {
        for note in notes.iter().rev().take(20) {
            ui.label(RichText::new(format!("epoch {:.2}  {}", note.epoch, note.message)).color(colour(note)));
        }
    });
}
