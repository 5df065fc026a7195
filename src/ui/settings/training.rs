//! Draws the settings of the training; learning rate and pace take effect at once.

use egui::Ui;

use super::form::{Form, real, whole};
use crate::spec::{Loss, Optimiser};
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
    let optimisers = [(Optimiser::Sgd, "SGD"), (Optimiser::Adam, "Adam")];
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
    form.row(ui, "training.momentum", "Momentum", "SGD only", |ui, form| {
        real(ui, &mut form.draft.training.momentum, 0.005);
    });
    form.row(ui, "training.weight_decay", "Weight decay", "Pull of the weights towards 0", |ui, form| {
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
