//! Draws the settings of the images.

use egui::{TextEdit, Ui};

use super::form::{Form, whole};
use crate::spec::{Loss, MOST_PICTURE_SIDE, MOST_SAMPLES, Source, Spacing, Spec, Target, TaskKind};
use crate::ui::app::actions::SettingsAction;
use crate::ui::kit::theme::ROW;
use crate::ui::kit::widgets::{Icon, IconButton};

pub fn show(ui: &mut Ui, form: &mut Form<'_>) {
    let sources = Source::ALL.map(|source| (source, source.words()));
    let before = form.draft.data.source;
    form.choice(
        ui,
        "data.source",
        "Source",
        "The small set is embedded in the program; points of the plane have two classes, synthetic samples have a \
         number as target, and both need an MLP",
        |spec| &mut spec.data.source,
        &sources,
    );
    let after = form.draft.data.source;
    if (after.plane(), after.is_synthetic()) != (before.plane(), before.is_synthetic()) {
        other_classes(form.draft);
    }
    if form.draft.data.source.needs_folder() {
        form.row(ui, "data.path", "Folder", "With the files of this data set, or one above it", |ui, form| {
            let path = form.draft.data.path.clone().unwrap_or_default();
            let mut text = path.display().to_string();
            let width = ui.available_width() - ROW - 8.0;
            if ui.add(TextEdit::singleline(&mut text).desired_width(width).hint_text("path")).changed() {
                form.draft.data.path = (!text.is_empty()).then(|| text.into());
            }
            if IconButton::small(Icon::Folder, "Choose a folder…").show(ui, ROW).clicked() {
                form.actions.push(SettingsAction::ChooseFolder);
            }
        });
    }
    if form.draft.data.source.is_synthetic() {
        drawn(ui, form);
        return;
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
        "data.samples",
        "Samples",
        "So many of them, chosen anew by each seed; 0 takes all. One task only",
        |ui, form| {
            whole(ui, &mut form.draft.data.samples, 0..=MOST_SAMPLES);
            ui.weak(if form.draft.data.samples == 0 { "all" } else { "in all" });
        },
    );
    let hover =
        "One output says −1 for the lower half of the classes and 1 for the upper one; learnt with the squared error";
    form.row(ui, "data.binary", "One output", hover, |ui, form| {
        ui.checkbox(&mut form.draft.data.binary, "");
    });
    if form.draft.data.source.has_side() {
        let hover =
            "Each picture is resized until its shorter side has so many pixels, and cut to a square around its centre";
        form.row(ui, "data.side", "Side", hover, |ui, form| {
            whole(ui, &mut form.draft.data.side, 1..=MOST_PICTURE_SIDE);
            ui.weak("pixels");
        });
    }
    form.row(
        ui,
        "data.shrink",
        "Shrink",
        "Squares of this many pixels a side are replaced by their mean; 1 leaves images unchanged",
        |ui, form| {
            whole(ui, &mut form.draft.data.shrink, 1..=16);
            ui.weak("× smaller");
        },
    );
    form.row(
        ui,
        "data.standardise",
        "Standardise",
        "Subtract the mean and divide by the deviation of all classes' training images, per channel",
        |ui, form| {
            ui.checkbox(&mut form.draft.data.standardise, "");
        },
    );
    if form.draft.data.standardise {
        let hover = "Take mean and deviation from the first task's training images only, so that no task sees those of later ones";
        form.row(ui, "data.standardise_first", "By the first task", hover, |ui, form| {
            ui.checkbox(&mut form.draft.data.standardise_first, "");
        });
    }
}

/// Resets the settings that do not fit the new data: images and points have different classes, and a disk has its own number of
/// grid probes.
fn other_classes(spec: &mut Spec) {
    let usual = Spec::default();
    (spec.tasks.kind, spec.tasks.order, spec.tasks.overlap) = (TaskKind::Split, Vec::new(), 0);
    spec.data.shrink = 1;
    let points = spec.data.source.plane().is_some() || spec.data.source.is_synthetic();
    (spec.data.samples, spec.data.binary) = (0, false);
    if spec.data.source.is_synthetic() {
        spec.training.loss = Loss::Mse;
        spec.network = spec.network.with_other_program("mlp", None);
    }
    spec.tasks.classes = if points { vec![vec![0, 1]] } else { usual.tasks.classes };
    spec.kernel.probes_per_class = if spec.data.source.has_grid() { 72 } else { usual.kernel.probes_per_class };
}

/// Draws the settings of samples that are generated at random.
fn drawn(ui: &mut Ui, form: &mut Form<'_>) {
    if !form.draft.data.source.is_power_law() {
        let targets = [Target::He1, Target::He2, Target::He3, Target::He4, Target::Product, Target::Staircase];
        let targets = targets.map(|target| (target, target.words()));
        let hover = "What is to be learnt, with mean 0 and variance 1";
        form.choice(ui, "data.target", "Target", hover, |spec| &mut spec.data.target, &targets);
        form.row(ui, "data.dimension", "Inputs", "D: the sphere has the radius √D", |ui, form| {
            whole(ui, &mut form.draft.data.dimension, 3..=1000);
        });
    } else {
        form.row(
            ui,
            "data.exponent",
            "Exponent",
            "The power of frequency k falls as k to the minus this",
            |ui, form| {
                ui.add(egui::DragValue::new(&mut form.draft.data.exponent).range(1.01..=20.0).speed(0.05));
            },
        );
        let spacings = [(Spacing::Random, "random"), (Spacing::Stratified, "stratified"), (Spacing::Even, "even")];
        let hover = "The positions of the training samples: random, one in each of n arcs, or evenly spaced";
        form.choice(ui, "data.spacing", "Spacing", hover, |spec| &mut spec.data.spacing, &spacings);
    }
    form.row(ui, "data.samples", "Training", "Samples to train on, drawn anew by each seed; 0 is 1024", |ui, form| {
        whole(ui, &mut form.draft.data.samples, 0..=MOST_SAMPLES);
        ui.weak("samples");
    });
    let hover = "Half of the test samples: as many are drawn again";
    form.row(ui, "data.test_per_class", "Test", hover, |ui, form| {
        whole(ui, &mut form.draft.data.test_per_class, 1..=MOST_SAMPLES / 2);
        ui.weak("× 2");
    });
}
