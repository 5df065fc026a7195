//! Settings of the images.

use egui::{TextEdit, Ui};

use super::form::{Form, whole};
use crate::spec::{Source, Spec, TaskKind};
use crate::ui::actions::Action;
use crate::ui::theme::ROW;
use crate::ui::widgets::{Icon, IconButton};

pub fn show(ui: &mut Ui, form: &mut Form<'_>) {
    let sources = [
        (Source::FashionMnistSmall, "Fashion-MNIST, small"),
        (Source::Idx, "IDX folder"),
        (Source::Cifar10, "CIFAR-10 folder"),
        (Source::Cifar100, "CIFAR-100 folder"),
        (Source::Circle, "points of a circle"),
        (Source::Disk, "points of a disk"),
    ];
    let before = form.draft.data.source;
    form.choice(
        ui,
        "data.source",
        "Source",
        "The small set is inside the program; points of the plane have two classes and take an MLP",
        |spec| &mut spec.data.source,
        &sources,
    );
    if form.draft.data.source.plane() != before.plane() {
        other_classes(form.draft);
    }
    if form.draft.data.source.needs_folder() {
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
    let plane = form.draft.data.source.plane();
    let nothing = if plane.is_some() { "per class: as usual" } else { "per class: all" };
    let per_class = |ui: &mut Ui, value: &mut usize| {
        whole(ui, value, 0..=100_000);
        ui.weak(if *value == 0 { nothing } else { "per class" });
    };
    let [training, test] = match plane {
        Some(_) => ["Training points of each class, beside the probes", "Test points of each class"],
        None => ["Training images kept of each class; 0 keeps all", "Test images kept of each class; 0 keeps all"],
    };
    form.row(ui, "data.per_class", "Training", training, |ui, form| {
        per_class(ui, &mut form.draft.data.per_class);
    });
    form.row(ui, "data.test_per_class", "Test", test, |ui, form| {
        per_class(ui, &mut form.draft.data.test_per_class);
    });
    if plane.is_some() {
        return;
    }
    form.row(
        ui,
        "data.shrink",
        "Shrink",
        "Squares of so many pixels a side become their mean; 1 keeps images as they are",
        |ui, form| {
            whole(ui, &mut form.draft.data.shrink, 1..=16);
            ui.weak("× smaller");
        },
    );
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

/// Images and points have different classes, and the grid of a disk its own number of probes: what could not start begins anew.
fn other_classes(spec: &mut Spec) {
    let usual = Spec::default();
    (spec.tasks.kind, spec.tasks.order, spec.tasks.overlap) = (TaskKind::Split, Vec::new(), 0);
    spec.data.shrink = 1;
    spec.tasks.classes = if spec.data.source.plane().is_some() { vec![vec![0, 1]] } else { usual.tasks.classes };
    spec.kernel.probes_per_class = if spec.data.source == Source::Disk { 72 } else { usual.kernel.probes_per_class };
}
