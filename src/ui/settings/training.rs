//! Draws the settings of the training; learning rate and pace take effect at once.

use egui::Ui;

use super::form::{Form, real, whole};
use crate::spec::{Loss, Optimiser, Schedule};
use crate::ui::app::commands::UserCommand;
use crate::ui::kit::theme::ROW;
use crate::ui::kit::widgets::{Icon, IconButton};
use crate::worker::Command;

pub fn show(ui: &mut Ui, form: &mut Form<'_>) {
    form.row(ui, "training.rate", "Rate η", "Learning rate; takes effect immediately", |ui, form| {
        if real(ui, &mut form.draft.training.rate, 1e-6).changed() {
            form.live(Command::SetRate(form.draft.training.rate));
        }
        if form.draft.effective_rate(1.0) != 1.0 {
            let reaches = form.draft.effective_rate(form.draft.training.rate);
            ui.weak(format!("→ {}", crate::ui::kit::format::number(reaches)))
                .on_hover_text("What reaches the optimiser");
        }
    });
    let losses = [(Loss::CrossEntropy, "cross-entropy"), (Loss::Mse, "squared error")];
    form.choice(ui, "training.loss", "Loss", "What training makes small", |spec| &mut spec.training.loss, &losses);
    let optimisers = Optimiser::ALL.map(|optimiser| (optimiser, optimiser.words()));
    form.choice(
        ui,
        "training.optimiser",
        "Optimiser",
        "How a gradient becomes a step",
        |spec| &mut spec.training.optimiser,
        &optimisers,
    );
    form.row(ui, "training.batch", "Batch", "Images per step", |ui, form| {
        whole(ui, &mut form.draft.training.batch, 1..=100_000);
    });
    let hover = "The number of images stored of each earlier task; each batch gets as many of them as it has new images; 0 is \
         off";
    form.row(ui, "training.replay", "Replay", hover, |ui, form| {
        whole(ui, &mut form.draft.training.replay, 0..=60_000);
        ui.weak("per earlier task");
    });
    let hover = "The loss sees only the logits of classes that can be in the batch";
    form.row(ui, "training.masked", "Mask logits", hover, |ui, form| {
        ui.checkbox(&mut form.draft.training.masked, "");
        ui.weak("of absent classes");
    });
    super::continual::show(ui, form);
    form.row(ui, "training.momentum", "Momentum", "Of SGD and RMSprop; the others have their own", |ui, form| {
        real(ui, &mut form.draft.training.momentum, 0.005);
    });
    let hover = "Pull of the weights towards 0: with AdamW and Lion apart from the gradient, else as a part of it";
    form.row(ui, "training.weight_decay", "Weight decay", hover, |ui, form| {
        real(ui, &mut form.draft.training.weight_decay, 1e-5);
    });
    if !form.draft.network.parametrisation.is_ntk() {
        let hover = "The lazy regime of Reactivation, by a summary of the paper: η = rate · this / width";
        form.row(ui, "training.rate_width", "η ∝ 1/width", hover, |ui, form| {
            let mut given = form.draft.training.rate_width.is_some();
            if ui.checkbox(&mut given, "").changed() {
                form.draft.training.rate_width = given.then_some(form.draft.network.nominal());
            }
            match &mut form.draft.training.rate_width {
                Some(width) => _ = whole(ui, width, 1..=1_000_000),
                None => _ = ui.weak("off"),
            }
        });
    }
    more(ui, form);
    form.row(ui, "seed", "Seed", "Draws weights, batches and permutations; Restart keeps it", |ui, form| {
        ui.add(egui::DragValue::new(&mut form.draft.seed).speed(0.1).update_while_editing(false));
        let enabled = form.checked.problems.is_empty();
        let button = IconButton { name: "Draw a new seed", ..IconButton::of(ui, UserCommand::NewSeed, Icon::Dice) };
        if button.enabled(enabled).show(ui, ROW).clicked() {
            form.actions.user(UserCommand::NewSeed);
        }
    });
    form.row(
        ui,
        "window.pace",
        "Pace",
        "Epochs per second in this window; takes effect immediately and changes no result",
        |ui, form| {
            let pace = &mut form.draft.window.pace;
            let before = *pace;
            ui.spacing_mut().slider_width = (ui.available_width() - 66.0).max(40.0);
            let slider = egui::Slider::new(pace, 0.0..=10.0)
                .logarithmic(true)
                .smallest_positive(0.05)
                .clamping(egui::SliderClamping::Never)
                .custom_formatter(|value, _| if value == 0.0 { "full".to_owned() } else { format!("{value:.2}/s") })
                .custom_parser(|text| {
                    if text.trim() == "full" { Some(0.0) } else { text.trim_end_matches("/s").trim().parse().ok() }
                });
            ui.add(slider);
            if *pace != before {
                form.live(Command::SetPace(form.draft.window.pace));
            }
        },
    );
}

/// The settings that stand folded together: most runs leave them as they are.
const FOLDED: [&str; 10] = [
    "training.schedule",
    "training.warmup",
    "training.restart",
    "training.final_share",
    "training.step_epochs",
    "training.step_factor",
    "training.average",
    "training.clip",
    "training.smoothing",
    "training.patience",
];

/// Draws the settings that most runs leave as they are, folded; unfolded where one of them has a problem.
fn more(ui: &mut Ui, form: &mut Form<'_>) {
    let has_problem = form.checked.problems.iter().any(|problem| FOLDED.contains(&&*problem.field));
    let header = egui::CollapsingHeader::new("Schedule, averaging, clipping").id_salt("more of training");
    let header = if has_problem { header.open(Some(true)) } else { header };
    header.show_unindented(ui, |ui| {
        schedule(ui, form);
        let hover = "The gradients of so many batches are averaged before each step: as many steps, with less noise";
        form.row(ui, "training.average", "Averaged", hover, |ui, form| {
            whole(ui, &mut form.draft.training.average, 1..=1000);
            ui.weak("batches a step");
        });
        let hover =
            "Largest norm of the gradient of all parameters together; a longer one is shortened to it; 0 is off";
        form.row(ui, "training.clip", "Clip at norm", hover, |ui, form| {
            real(ui, &mut form.draft.training.clip, 0.01);
        });
        let hover =
            "Label smoothing ε of the cross-entropy: the target of a class is 1 − ε, and ε is spread over all classes";
        form.row(ui, "training.smoothing", "Smoothing", hover, |ui, form| {
            real(ui, &mut form.draft.training.smoothing, 0.005);
        });
        let hover =
            "Early stopping: a task ends when the loss on its probes has not fallen for so many epochs; 0 is off";
        form.row(ui, "training.patience", "Patience", hover, |ui, form| {
            real(ui, &mut form.draft.training.patience, 0.05);
            ui.weak("epochs");
        });
    });
}

/// Draws the schedule of the rate, and the settings that it uses.
fn schedule(ui: &mut Ui, form: &mut Form<'_>) {
    let all = Schedule::ALL.map(|schedule| (schedule, schedule.key()));
    let hover = "How the rate changes from step to step, by PyTorch's formulas (LinearLR, CosineAnnealingLR, StepLR, \
         OneCycleLR); takes effect immediately";
    let before = form.draft.training.schedule;
    form.choice(ui, "training.schedule", "Schedule", hover, |spec| &mut spec.training.schedule, &all);
    let chosen = form.draft.training.schedule;
    if chosen != before {
        form.live(Command::SetSchedule(chosen));
    }
    let hover = "Epochs in which the rate rises in a straight line to η before the schedule begins; takes effect immediately. \
         At a switch it tells a spike of larger steps from one of other features";
    form.row(ui, "training.warmup", "Warm-up", hover, |ui, form| {
        if real(ui, &mut form.draft.training.warmup, 0.05).changed() {
            form.live(Command::SetWarmup(form.draft.training.warmup));
        }
        ui.weak("epochs");
    });
    if !form.draft.training.has_constant_rate() {
        let hover = "Schedule and warm-up begin anew with each task; else they span the whole run once";
        form.row(ui, "training.restart", "Anew", hover, |ui, form| {
            ui.checkbox(&mut form.draft.training.restart, "");
            ui.weak("with each task");
        });
    }
    if chosen.has_end() {
        let hover = "What is left of the rate at the end, as a share of η";
        form.row(ui, "training.final_share", "Final share", hover, |ui, form| {
            real(ui, &mut form.draft.training.final_share, 0.005);
        });
    }
    if chosen.has_steps() {
        let hover = "Epochs between two falls of the rate";
        form.row(ui, "training.step_epochs", "Falls every", hover, |ui, form| {
            let mut epochs = form.draft.training.epochs_between_falls();
            if real(ui, &mut epochs, 0.05).changed() {
                form.draft.training.step_epochs = Some(epochs);
            }
            ui.weak("epochs");
        });
        form.row(ui, "training.step_factor", "By a factor", "The factor of each fall", |ui, form| {
            let mut factor = form.draft.training.factor_of_falls();
            if real(ui, &mut factor, 0.005).changed() {
                form.draft.training.step_factor = Some(factor);
            }
        });
    }
}
