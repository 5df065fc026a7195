//! Draws the left part of the study page: the choice of study, its values and seeds, its folder, its errors, its runs, and the
//! button that starts or ends it.

use egui::{Align, ComboBox, DragValue, Layout, Panel, ProgressBar, RichText, TextEdit, Ui, vec2};

use super::action::StudyAction;
use super::draft::{Draft, Which};
use super::{Busy, StudyPage, list};
use crate::spec::{STUDIES, Spec, lab_before, values_text};
use crate::ui::app::action_queue::Actions;
use crate::ui::kit::format;
use crate::ui::kit::widgets::{BAR_BUTTON, Icon, IconButton};
use crate::ui::kit::{
    theme,
    theme::{GRID, ROW, Tokens},
};
use crate::ui::settings::checked::ASSUMED_FLOPS;

/// Width of the labels.
const LABEL: f32 = 64.0;

pub fn show(ui: &mut Ui, page: &mut StudyPage, actions: &mut Actions, run: &Spec, flops: Option<f64>) {
    let frame = egui::Frame::new().inner_margin(egui::Margin { left: 0, right: 0, top: 6, bottom: 0 });
    Panel::bottom("study foot").frame(frame).resizable(false).show_separator_line(false).show(ui, |ui| {
        foot(ui, page, actions, flops);
    });
    ui.spacing_mut().item_spacing.y = 3.0;
    // A running study is shown as it was started.
    ui.add_enabled_ui(!page.is_running(), |ui| fields(ui, page, actions, run));
    problems(ui, page);
    ui.add_space(GRID);
    ui.separator();
    list::show(ui, page, actions);
}

fn fields(ui: &mut Ui, page: &mut StudyPage, actions: &mut Actions, run: &Spec) {
    let tokens = Tokens::of(ui);
    let weak = |text: String| RichText::new(text).size(theme::SMALL).color(tokens.weak);
    if which(ui, &mut page.draft) {
        page.base = run.clone();
    }
    ui.label(weak(page.draft.about().to_owned()));
    ui.label(weak(images(&page.draft, &page.base)));
    if page.is_stale(run) {
        ui.horizontal(|ui| {
            ui.label(weak("The run page has other settings by now.".to_owned()));
            if ui.small_button("Take them").on_hover_text("Another study: it needs its own folder").clicked() {
                page.base = run.clone();
            }
        });
    }
    ui.add_space(GRID);
    let draft = &mut page.draft;
    row(ui, "Varies", "The setting that differs between the runs: any key of the run file", |ui| {
        if draft.which == Which::Own {
            axis(ui, &mut draft.axis, &page.base);
        } else {
            ui.label(RichText::new(&draft.axis).monospace());
        }
    });
    if let Some(values) = &mut draft.values {
        row(ui, "Values", "Its values, separated by commas, as they stand in a run file", |ui| {
            ui.add(TextEdit::singleline(values).desired_width(ui.available_width()));
        });
    }
    variants(ui, draft);
    row(ui, "Seeds", "Each value is run with each of these, separated by commas", |ui| {
        ui.add(TextEdit::singleline(&mut draft.seeds).desired_width(ui.available_width()));
    });
    row(ui, "At once", "Runs at a time; never more than memory holds", |ui| {
        ui.add(DragValue::new(&mut draft.at_once).range(1..=64).speed(0.1));
        ui.weak("runs");
    });
    let usual = draft.folder(&page.base).display().to_string();
    row(
        ui,
        "Folder",
        "The folder of the study, with a run folder for each run, study.csv and summary.csv; finished runs are not \
        repeated",
        |ui| {
            let mut text = draft.folder.clone().unwrap_or(usual);
            let width = ui.available_width() - ROW - 8.0;
            if ui.add(TextEdit::singleline(&mut text).desired_width(width)).changed() {
                draft.folder = Some(text);
            }
            if IconButton::small(Icon::Folder, "Choose the study's folder…").show(ui, ROW).clicked() {
                actions.push(StudyAction::ChooseFolder);
            }
        },
    );
}

/// Draws the list of studies; returns whether another one was chosen.
fn which(ui: &mut Ui, draft: &mut Draft) -> bool {
    let list =
        ComboBox::from_id_salt("study").selected_text(draft.name()).width(ui.available_width() - 16.0).height(460.0);
    let mut chosen = None;
    let shown = list.show_ui(ui, |ui| {
        ui.set_min_width(330.0);
        let found = (draft.which == Which::Found).then_some(Which::Found);
        let choices = found.into_iter().chain([Which::Own]).chain((0..STUDIES.len()).map(Which::Ready));
        for which in choices {
            let (name, about) = (which.name(), which.about());
            if let Some(lab) = lab_before(name) {
                ui.add_space(GRID);
                ui.label(RichText::new(lab).strong());
            }
            ui.scope(|ui| {
                if ui.selectable_label(draft.which == which, name).clicked() {
                    chosen = Some(which);
                }
                ui.label(RichText::new(about).size(theme::SMALL).weak());
            });
        }
    });
    let _named = shown.response.accessible_name("Which study");
    let other = chosen.filter(|which| *which != draft.which);
    if let Some(which) = other {
        *draft = Draft { at_once: draft.at_once, ..Draft::new(which) };
    }
    other.is_some()
}

/// Describes the images that the runs train on.
fn images(draft: &Draft, run: &Spec) -> String {
    let name = run.data.source.words();
    match draft.which {
        Which::Own => format!("All other settings and the images ({name}) are those of the run page."),
        Which::Found => "All settings are those of the folder.".to_owned(),
        Which::Ready(_) if draft.borrows_data(run) => {
            format!("Images: {name}, as on the run page; all other settings are the study's.")
        }
        Which::Ready(place) if STUDIES[place].spec().data.source.is_synthetic() => {
            "The study samples its own data.".to_owned()
        }
        Which::Ready(place) if STUDIES[place].spec().data.source.plane().is_some() => {
            "The study has its own points of the plane.".to_owned()
        }
        Which::Ready(_) if run.data.source.plane().is_some() => {
            "Images: Fashion-MNIST, small. Choose others on the run page, and the study takes them.".to_owned()
        }
        Which::Ready(_) => format!("Images: {name}. Choose others on the run page, and the study takes them."),
    }
}

/// Draws the field of a key, typed or chosen.
fn axis(ui: &mut Ui, axis: &mut String, base: &Spec) {
    // The width excludes the button beside it, or the panel would grow by it.
    let width = ui.available_width() - 48.0;
    ui.add(TextEdit::singleline(axis).desired_width(width));
    let list = ComboBox::from_id_salt("axis").selected_text("").width(18.0);
    let shown = list.show_ui(ui, |ui| {
        // The list offers the keys that the ready-made studies vary.
        let mut keys: Vec<String> =
            STUDIES.iter().filter_map(|study| study.spec().study).map(|study| study.axis).collect();
        keys.extend(["training.batch", "training.momentum", "kernel.probes_per_class"].map(str::to_owned));
        keys.extend(base.network.declared().iter().map(|declared| format!("network.{}", declared.name)));
        keys.retain(|key| key.contains('.'));
        keys.sort();
        keys.dedup();
        for key in keys {
            if ui.selectable_label(*axis == key, &key).clicked() {
                *axis = key;
            }
        }
    });
    let _named = shown.response.accessible_name("Settings to vary");
}

/// Draws the variants of a study: the points of its axis, or series along it.
fn variants(ui: &mut Ui, draft: &mut Draft) {
    for (variant, wanted) in &mut draft.variants {
        let mut sets = if variant.set.is_empty() { "nothing".to_owned() } else { variant.set.join("\n") };
        if !variant.values.is_empty() {
            sets += &format!("\nIts own values: {}", values_text(&variant.values));
        }
        ui.horizontal(|ui| {
            ui.add_space(LABEL + GRID);
            ui.checkbox(wanted, &variant.name).on_hover_text(format!("Sets {sets}"));
        });
    }
}

/// Draws a label and the field that it names.
fn row(ui: &mut Ui, label: &str, hover: &str, add: impl FnOnce(&mut Ui)) {
    ui.horizontal(|ui| {
        ui.set_min_height(ROW);
        let text = RichText::new(label).color(Tokens::of(ui).weak);
        let id = ui.allocate_ui_with_layout(vec2(LABEL, ROW), Layout::left_to_right(Align::Center), |ui| {
            ui.set_min_width(LABEL);
            ui.label(text).on_hover_text(hover).id
        });
        ui.label_inputs_by(id.inner, add);
    });
}

fn problems(ui: &mut Ui, page: &StudyPage) {
    let tokens = Tokens::of(ui);
    if page.is_running() {
        return;
    }
    let messages = page.plan.problems.iter().map(|problem| problem.message.as_str()).chain(page.refusal.as_deref());
    for message in messages.take(3) {
        ui.label(RichText::new(message).size(theme::SMALL).color(tokens.error));
    }
}

/// Draws the cost, the progress, and the button.
fn foot(ui: &mut Ui, page: &StudyPage, actions: &mut Actions, flops: Option<f64>) {
    let tokens = Tokens::of(ui);
    let small = |text: String| RichText::new(text).size(theme::SMALL).color(tokens.weak);
    let running = page.is_running();
    if let Some(opened) = page.opened().filter(|opened| running || opened.progress.share() > 0.0) {
        let (done, all) =
            (opened.states.iter().filter(|state| matches!(state, super::State::Ended(_))).count(), opened.states.len());
        let left = opened.progress.seconds_left().filter(|_| running);
        let left = left.map_or_else(String::new, |seconds| format!(", about {} left", format::duration(seconds)));
        ui.add(ProgressBar::new(opened.progress.share() as f32).desired_height(6.0).fill(tokens.accent));
        ui.label(small(format!("{done} of {all} runs{left}")));
    }
    if !running && page.plan.study.is_some() && !page.is_complete() {
        cost(ui, page, flops);
    }
    ui.horizontal(|ui| {
        let begun = page.opened().is_some_and(|opened| opened.progress.share() > 0.0);
        let (icon, text, hover, enabled) = match &page.work {
            Some((Busy::Running, _)) => {
                (Icon::Stop, "Cancel", "End the runs in progress; finished runs are kept", true)
            }
            Some((Busy::Cancelling, _)) => (Icon::Stop, "Cancelling…", "Until the runs in progress have ended", false),
            _ if page.is_complete() => (Icon::Play, "All done", "Add values or seeds to go on", false),
            _ if begun => (Icon::Play, "Start study", "Do the runs that are left", page.can_start()),
            _ => (Icon::Play, "Start study", "Do all runs, several at a time", page.can_start()),
        };
        let button =
            IconButton { icon, text, name: text, hover: hover.to_owned(), enabled, primary: enabled && !running };
        if button.show(ui, BAR_BUTTON).clicked() && enabled {
            actions.push(if running { StudyAction::Cancel } else { StudyAction::Start });
        }
    });
    // A foot that has grown gets its room in the next frame only.
    let (id, height) = (ui.scope_id().with("height"), ui.min_rect().height());
    if ui.data(|data| data.get_temp(id)) != Some(height) {
        ui.data_mut(|data| data.insert_temp(id, height));
        ui.ctx().request_repaint();
    }
}

/// Draws the cost of the remaining runs.
fn cost(ui: &mut Ui, page: &StudyPage, flops: Option<f64>) {
    let tokens = Tokens::of(ui);
    let (runs, work) = page.opened().map_or((page.plan.runs.len(), page.plan.work), |opened| {
        let (done, all) = opened.progress.done();
        (all - done, opened.progress.work_left())
    });
    let at_once = page.draft.at_once.max(1);
    // Runs in parallel are each about as fast as one alone, as long as there are cores for them.
    let alone = flops.unwrap_or(ASSUMED_FLOPS) * at_once.min(runs.max(1)) as f64;
    let speed = page.speed.unwrap_or(alone);
    let seconds = work / speed;
    let memory = page.plan.bytes.saturating_mul(at_once.min(runs) as u64);
    let text = format!(
        "{runs} runs to do, {at_once} at once · about {} · {}",
        format::duration(seconds),
        format::bytes(memory)
    );
    let known = match (page.speed, flops) {
        (Some(_), _) => "measured in the last study",
        (None, Some(_)) => "the speed of the live run, for each of those at once",
        (None, None) => "an assumption, before anything was measured",
    };
    let hover = format!(
        "Estimate: {work:.1e} floating-point operations, overhead counted as such, at {:.0} GFLOP/s ({known}); memory \
         of the largest run, times those at once",
        speed / 1e9
    );
    ui.label(RichText::new(text).size(theme::SMALL).color(tokens.weak)).on_hover_text(hover);
}
