//! Shows the last line of the window: device, speed and cost of the run; warnings at the right.

use egui::{Align, Layout, RichText, Ui};

use crate::run::{Note, Origin};
use crate::ui::kit::format;
use crate::ui::kit::perf_stats::{FrameTimes, Memory};
use crate::ui::kit::theme;
use crate::ui::views::context::ViewContext;

/// Draws the status bar; `film` is the progress of an animation. Returns whether the user cancels the animation.
pub fn show(ui: &mut Ui, scene: &ViewContext<'_>, frames: &FrameTimes, memory: &Memory, film: Option<f32>) -> bool {
    let tokens = scene.tokens;
    let mut cancel = false;
    ui.horizontal_centered(|ui| {
        ui.spacing_mut().item_spacing.x = 12.0;
        let entry = |ui: &mut Ui, text: String, hover: &str| {
            ui.label(RichText::new(text).size(theme::SMALL).color(tokens.weak)).on_hover_text(hover);
        };
        if let Some(info) = scene.info() {
            // Only the part before the colon is shown, unless that cuts a bracketed reason in two; the tooltip has the rest.
            let whole = |text: &str| text.matches('(').count() == text.matches(')').count();
            let words = info.origin.words();
            let short = words.split_once(": ").map(|(which, _)| which).filter(|which| whole(which));
            let short = short.unwrap_or(words);
            let about = match info.origin {
                Origin::Trained { .. } => format!("Where the tensors live: {words}"),
                Origin::Imported | Origin::Watched => format!("Where the kernels are from: {words}"),
            };
            entry(ui, short.to_owned(), &about);
            if info.spec.network.is_infinite() {
                entry(
                    ui,
                    "infinitely wide".to_owned(),
                    "There are no weights: outputs follow the infinite-width kernel",
                );
            } else if info.parameters > 0 {
                entry(ui, format!("{} parameters", format::count(info.parameters)), "All trainable parameters");
            }
            let continual = &info.spec.continual;
            if continual.strategy.is_any() {
                entry(ui, continual.label(), continual.strategy.help());
            }
        }
        let progress = scene.history.progress();
        if progress.steps_per_second > 0.0 {
            let text = format!("{:.0} steps/s", progress.steps_per_second);
            entry(ui, text, "Steps per second of training alone, without kernels and pace");
        }
        passed_over(ui, scene);
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
        if let Some(part) = film {
            let text = RichText::new(format!("animation {:.0} %", 100.0 * part)).size(theme::SMALL);
            ui.label(text.color(tokens.accent)).on_hover_text("The animation that is being saved");
            let button = ui.small_button("Cancel").on_hover_text("Give the animation up; no file is left");
            cancel = button.clicked();
            _ = button.accessible_name("Cancel the animation");
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| notes(ui, scene));
    });
    cancel
}

/// Draws how many steps of a watched training were not measured, and how far behind the newest one the measuring is.
fn passed_over(ui: &mut Ui, scene: &ViewContext<'_>) {
    let (history, tokens) = (scene.history, scene.tokens);
    if !scene.is_watched() {
        return;
    }
    let mut entry = |text: String, hover: &str| {
        ui.label(RichText::new(text).size(theme::SMALL).color(tokens.weak)).on_hover_text(hover);
    };
    let progress = history.progress();
    if progress.step < progress.planned_steps {
        let text = format!("step {} of {}", format::count(progress.step), format::count(progress.planned_steps));
        entry(text, "The newest step that is measured, and the newest one in the folder");
    }
    let text = match history.passed_over() {
        0 => return,
        1 => "1 step passed over".to_owned(),
        count => format!("{} steps passed over", format::count(count)),
    };
    let about = "Saved steps that were not measured: more came than there was time for, or their files could not be used. \
                 Restart measures every one";
    entry(text, about);
}

/// Draws the cost of a snapshot: how long training waited for it, and the parts of that time.
fn snapshot(ui: &mut Ui, scene: &ViewContext<'_>) {
    let Some(row) = scene.history.rows().last() else { return };
    let cost = row.cost;
    // A recording may omit the times, or contain zeros.
    if cost.held_up() + cost.beside() == 0.0 {
        return;
    }
    let share = 100.0 * scene.history.progress().kernel_share;
    let text = match scene.is_watched() {
        // The training waits for nothing here.
        true => format!("snapshot {:.0} ms", 1000.0 * (cost.held_up() + cost.beside())),
        false => format!("snapshot {:.0} ms ({share:.0} %)", 1000.0 * cost.held_up()),
    };
    let label = ui.label(RichText::new(text).size(theme::SMALL).color(scene.tokens.weak));
    label.on_hover_ui(|ui| {
        ui.label(match scene.is_watched() {
            true => "The time that the last snapshot took here; the training waits for nothing",
            false => "The last snapshot, and the share of the time for which training waits for it",
        });
        egui::Grid::new("snapshot parts").show(ui, |ui| {
            let mut line = |name: RichText, seconds: f64| {
                ui.label(name);
                ui.monospace(format!("{:>7.1} ms", 1000.0 * seconds));
                ui.end_row();
            };
            let mut group = |name: &str, total: f64, parts: &[(&str, Option<f64>)]| {
                line(RichText::new(name).strong(), total);
                for (name, seconds) in parts {
                    line(RichText::new(format!("    {name}")), seconds.unwrap_or(0.0));
                }
            };
            let held_up = [
                ("Kernel of the probe images", cost.kernel_seconds),
                ("Test images through the network", cost.evaluation_seconds),
                ("Waiting for the analysis", cost.waiting_seconds),
            ];
            let beside = [
                ("Eigenvalues", cost.eigen_seconds),
                ("Velocity, distances, alignment, accuracy", cost.metrics_seconds),
            ];
            let [first, second] = match scene.is_watched() {
                true => ["Measuring", "Analysis"],
                false => ["Training waits", "Analysis, while training continues"],
            };
            group(first, cost.held_up(), &held_up);
            group(second, cost.beside(), &beside);
        });
    });
}

/// Draws the newest note, with all notes in the tooltip.
fn notes(ui: &mut Ui, scene: &ViewContext<'_>) {
    let notes = scene.history.notes();
    let Some(last) = notes.iter().rev().find(|note| note.warning).or(notes.last()) else { return };
    let tokens = scene.tokens;
    let colour = |note: &Note| if note.warning { tokens.warning } else { tokens.weak };
    let text = if notes.len() > 1 { format!("{}  (+{})", last.message, notes.len() - 1) } else { last.message.clone() };
    let label = egui::Label::new(RichText::new(text).size(theme::SMALL).color(colour(last))).truncate();
    ui.add(label).on_hover_ui(|ui| {
        for note in notes.iter().rev().take(20) {
            ui.label(RichText::new(format!("{}  {}", scene.moment(note.epoch), note.message)).color(colour(note)));
        }
    });
}
