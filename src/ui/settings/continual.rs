//! Draws the strategy against forgetting, and the settings that the chosen one has.

use egui::Ui;

use super::form::{Form, real, whole};
use crate::spec::{Fisher, Selection, Strategy};

pub fn show(ui: &mut Ui, form: &mut Form<'_>) {
    let strategies = Strategy::ALL.map(|strategy| (strategy, strategy.words()));
    let help = form.draft.continual.strategy.help();
    let hover = format!("What is done while a task is trained so that the earlier ones are not forgotten.\n{help}");
    form.choice(ui, "continual.strategy", "Strategy", &hover, |spec| &mut spec.continual.strategy, &strategies);
    let strategy = form.draft.continual.strategy;
    match strategy {
        Strategy::None | Strategy::Joint => {}
        Strategy::Ewc => ewc(ui, form),
        Strategy::Si => {
            form.row(ui, "continual.si_c", "c", "Weight of the penalty", |ui, form| {
                real(ui, &mut form.draft.continual.si_c, 0.01);
            });
            let hover = "Bounds the importance of a weight that hardly moved";
            form.row(ui, "continual.si_xi", "ξ", hover, |ui, form| {
                real(ui, &mut form.draft.continual.si_xi, 1e-4);
            });
        }
        Strategy::Lwf => {
            form.row(ui, "continual.lwf_alpha", "α", "Weight of the distillation", |ui, form| {
                real(ui, &mut form.draft.continual.lwf_alpha, 0.01);
            });
            form.row(ui, "continual.lwf_temperature", "T", "Temperature of the distillation", |ui, form| {
                real(ui, &mut form.draft.continual.lwf_temperature, 0.01);
            });
        }
        Strategy::DerPlusPlus => {
            form.row(ui, "continual.der_alpha", "α", "Weight of the stored logits", |ui, form| {
                real(ui, &mut form.draft.continual.der_alpha, 0.01);
            });
            form.row(ui, "continual.der_beta", "β", "Weight of the stored labels", |ui, form| {
                real(ui, &mut form.draft.continual.der_beta, 0.01);
            });
        }
        Strategy::ExperienceReplay | Strategy::AGem => {}
    }
    if strategy.has_memory() {
        form.row(ui, "continual.memory", "Memory", "Images in the memory, of all tasks together", |ui, form| {
            whole(ui, &mut form.draft.continual.memory, 1..=60_000);
            ui.weak("images");
        });
        let hover = "Images that a step draws from the memory; 0 takes as many as the batch has";
        form.row(ui, "continual.memory_batch", "Draws", hover, |ui, form| {
            whole(ui, &mut form.draft.continual.memory_batch, 0..=60_000);
            ui.weak("images a step");
        });
    }
    if strategy.selects() {
        let selections = Selection::ALL.map(|selection| (selection, selection.words()));
        let hover =
            "Which images stay in a full memory: each seen so far with the same probability, or as many of each class";
        form.choice(ui, "continual.selection", "Keeps", hover, |spec| &mut spec.continual.selection, &selections);
    }
}

fn ewc(ui: &mut Ui, form: &mut Form<'_>) {
    form.row(ui, "continual.ewc_lambda", "λ", "Weight of the penalty", |ui, form| {
        real(ui, &mut form.draft.continual.ewc_lambda, 0.1);
    });
    let hover = "One penalty around the last task's weights, whose Fisher information is multiplied by γ when a task adds its \
                 own, in place of one for each task";
    form.row(ui, "continual.ewc_decay", "Online, γ", hover, |ui, form| {
        let mut given = form.draft.continual.ewc_decay.is_some();
        if ui.checkbox(&mut given, "").changed() {
            form.draft.continual.ewc_decay = given.then_some(1.0);
        }
        match &mut form.draft.continual.ewc_decay {
            Some(decay) => _ = real(ui, decay, 0.001),
            None => _ = ui.weak("off"),
        }
    });
    let hover = "Training images of a task on which its Fisher information is measured; 0 takes all";
    form.row(ui, "continual.ewc_images", "Measured on", hover, |ui, form| {
        whole(ui, &mut form.draft.continual.ewc_images, 0..=1_000_000);
        ui.weak("images");
    });
    let kinds = Fisher::ALL.map(|kind| (kind, kind.words()));
    let hover = "Whose gradients are squared: those of all labels, each by its probability, of the true labels, of these weighted \
                 by their probability, or of whole batches";
    form.choice(ui, "continual.ewc_fisher", "Gradients of", hover, |spec| &mut spec.continual.ewc_fisher, &kinds);
}
