//! Draws the classes of a task: a cell to toggle for each where there are few, otherwise a text field with a list.

use egui::{Color32, Role, Sense, Stroke, Ui, WidgetInfo, vec2};

use super::form::Form;

/// Draws the classes below the task's row.
pub fn show(ui: &mut Ui, form: &mut Form<'_>, task: usize) {
    let info = form.session.and_then(|session| session.history.info());
    let known = info.filter(|info| {
        let (shown, data) = (&info.spec.data, &form.draft.data);
        shown.source == data.source && (!data.source.needs_folder() || shown.path == data.path)
    });
    let names = known.map(|info| info.class_names.clone()).unwrap_or_default();
    let all = form.checked.shape.classes.max(names.len());
    // The number of classes of a folder of IDX files is known only after it was read.
    if all > 20 || (form.draft.data.source.has_unknown_classes() && names.is_empty()) {
        class_text(ui, form, task);
        return;
    }
    // In a later task the first few are replaced by classes of task 1.
    let replaced = if task > 1 { form.draft.tasks.overlap } else { 0 };
    let Some(own) = form.draft.tasks.classes.get_mut(task - 1) else { return };
    let tokens = form.tokens;
    ui.horizontal(|ui| {
        ui.add_space(13.0);
        ui.spacing_mut().item_spacing.x = 2.0;
        let width = ((ui.available_width() - 2.0 * all as f32) / all as f32).min(20.0);
        for class in 0..all {
            let (rect, response) = ui.allocate_exact_size(vec2(width, 15.0), Sense::click());
            let name = names.get(class).cloned().unwrap_or_else(|| class.to_string());
            let place = own.iter().position(|&other| other == class);
            let has = place.is_some();
            let gone = place.is_some_and(|place| place < replaced);
            response.widget_info(|| {
                WidgetInfo::selected(Role::CheckBox, true, has, format!("Task {task} has class {class}"))
            });
            if response.clicked() {
                if has {
                    own.retain(|&other| other != class);
                } else {
                    own.push(class);
                    own.sort_unstable();
                }
            }
            let colour = tokens.task(task);
            let fill = match (has, gone, tokens.dark) {
                (false, ..) => tokens.ground,
                (true, true, _) => colour.gamma_multiply(0.2),
                (true, false, dark) => colour.gamma_multiply(if dark { 0.55 } else { 0.75 }),
            };
            let edge = if response.hovered() || response.has_focus() { tokens.accent } else { Color32::TRANSPARENT };
            ui.painter().rect(rect, 3.0, fill, Stroke::new(1.0, edge), egui::StrokeKind::Inside);
            let ink = match (has && !gone, tokens.dark) {
                (true, false) => Color32::WHITE,
                (true, true) => tokens.text,
                (false, _) => tokens.faint,
            };
            ui.painter().text(
                rect.center(),
                egui::Align2::CENTER_CENTER,
                class.to_string(),
                egui::FontId::proportional(10.0),
                ink,
            );
            let effect = match (has, gone) {
                (true, true) => "replaced by a class of task 1, because of the overlap",
                (true, false) => "click to take it out",
                (false, _) => "click to put it in",
            };
            response.on_hover_text(format!("{name}: {effect}"));
        }
    });
}

/// Draws the classes as text, such as `0-9, 12`.
fn class_text(ui: &mut Ui, form: &mut Form<'_>, task: usize) {
    let Some(own) = form.draft.tasks.classes.get_mut(task - 1) else { return };
    let id = ui.scope_id().with(("classes", task));
    let mut text = ui.data(|data| data.get_temp::<String>(id)).unwrap_or_else(|| ranges(own));
    let response = ui.add(
        egui::TextEdit::singleline(&mut text)
            .desired_width(ui.available_width() - 8.0)
            .hint_text("classes, as 0-9, 12"),
    );
    let response = response.accessible_name(format!("Classes of task {task}"));
    if response.changed()
        && let Some(classes) = parse_ranges(&text)
    {
        *own = classes;
    }
    if response.has_focus() {
        ui.data_mut(|data| data.insert_temp(id, text));
    } else {
        ui.data_mut(|data| data.remove::<String>(id));
    }
}

/// Formats a list of classes: 0, 1, 2, 5 → `0-2, 5`.
fn ranges(classes: &[usize]) -> String {
    let mut parts: Vec<(usize, usize)> = Vec::new();
    for &class in classes {
        match parts.last_mut() {
            Some(part) if part.1 + 1 == class => part.1 = class,
            _ => parts.push((class, class)),
        }
    }
    let text = parts.iter().map(|(from, to)| if from == to { from.to_string() } else { format!("{from}-{to}") });
    text.collect::<Vec<_>>().join(", ")
}

/// Parses a list of classes: `0-2, 5` → 0, 1, 2, 5; returns `None` while the text is incomplete.
fn parse_ranges(text: &str) -> Option<Vec<usize>> {
    let mut classes = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to): (usize, usize) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
        (from <= to && to < 10_000).then_some(())?;
        classes.extend(from..=to);
    }
    Some(classes)
}
