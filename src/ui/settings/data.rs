//! Settings of the images.

use egui::{TextEdit, Ui};

use super::form::{Form, whole};
use crate::spec::Source;
use crate::ui::actions::Action;
use crate::ui::theme::ROW;
use crate::ui::widgets::{Icon, IconButton};

pub fn show(ui: &mut Ui, form: &mut Form<'_>) {
    let sources = [
        (Source::FashionMnistSmall, "Fashion-MNIST, small"),
        (Source::Idx, "IDX folder"),
        (Source::Cifar10, "CIFAR-10 folder"),
        (Source::Cifar100, "CIFAR-100 folder"),
    ];
    form.choice(
        ui,
        "data.source",
        "Source",
        "The small set is inside the program",
        |spec| &mut spec.data.source,
        &sources,
    );
    if form.draft.data.source != Source::FashionMnistSmall {
        form.row(ui, "data.path", "Folder", "With the files of this data set", |ui, form| {
            let path = form.draft.data.path.clone().unwrap_or_default();
            let mut text = path.display().to_string();
            let width = ui.available_width() - ROW - 8.0;
            if ui.add(TextEdit::singleline(&mut text).desired_width(width).hint_text("path")).changed() {
                form.draft.data.path = (!text.is_empty()).then(|| text.into());
            }
            if IconButton::small(Icon::Folder, "Choose a folder…").show(ui, ROW).clicked() {
                form.actions.push(Action::ChooseFolder);
            }
        });
    }
    let per_class = |ui: &mut Ui, value: &mut usize| {
        whole(ui, value, 0..=100_000);
        ui.weak(if *value == 0 { "per class: all" } else { "per class" });
    };
    form.row(ui, "data.per_class", "Training", "Training images kept of each class; 0 keeps all", |ui, form| {
        per_class(ui, &mut form.draft.data.per_class);
    });
    form.row(ui, "data.test_per_class", "Test", "Test images kept of each class; 0 keeps all", |ui, form| {
        per_class(ui, &mut form.draft.data.test_per_class);
    });
    form.row(
        ui,
        "data.standardise",
        "Standardise",
        "Subtract the mean and divide by the deviation, per channel",
        |ui, form| {
            ui.checkbox(&mut form.draft.data.standardise, "");
        },
    );
}
