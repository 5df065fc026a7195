//! Draws the task stream: the tasks, their classes, their order and their lengths.
//!
//! Tasks are moved by dragging their handle, by alt and an arrow key in their row, or by the two buttons; tasks that have begun
//! cannot move. The new order of the coming tasks is sent to a live run at once.

use std::ops::RangeInclusive;

use egui::{Color32, CursorIcon, Id, Key, Modifiers, Rect, RichText, Role, Sense, Stroke, Ui, Vec2, WidgetInfo, vec2};

use super::checked::needs_restart;
use super::classes;
use super::form::{Form, real, whole};
use crate::spec::{TaskKind, jaccard};
use crate::ui::app::actions::RunAction;
use crate::ui::kit::widgets::{Icon, IconButton, choose};
use crate::ui::kit::{theme, theme::ROW};
use crate::worker::Command;

pub fn show(ui: &mut Ui, form: &mut Form<'_>) {
    let kinds = [
        (TaskKind::Split, "split classes"),
        (TaskKind::Permuted, "permuted pixels"),
        (TaskKind::Rotated, "rotations"),
        (TaskKind::Frequency, "class frequencies"),
    ];
    form.choice(ui, "tasks.kind", "Kind", "How one task differs from the next", |spec| &mut spec.tasks.kind, &kinds);
    match form.draft.tasks.kind {
        TaskKind::Split => partition(ui, form),
        TaskKind::Permuted | TaskKind::Rotated => count(ui, form),
        TaskKind::Frequency => {}
    }
    list(ui, form);
    if form.draft.tasks.kind.splits() {
        form.row(
            ui,
            "tasks.overlap",
            "Overlap",
            "So many classes of each later task are those of task 1",
            |ui, form| {
                whole(ui, &mut form.draft.tasks.overlap, 0..=100);
                let classes = form.draft.tasks.split_classes();
                let similarity = classes.first().zip(classes.get(1)).and_then(|(a, b)| jaccard(a, b));
                let text = similarity.map_or_else(String::new, |similarity| format!(" · J {similarity:.2}"));
                ui.weak(format!("shared{text}"))
                    .on_hover_text("Classes shared; Jaccard similarity of the first two tasks, |D₀ ∩ D₁| / |D₀ ∪ D₁|");
            },
        );
    }
    if form.draft.tasks.kind.shifts_frequencies() {
        form.row(ui, "tasks.alpha", "Shift α", "0 leaves the proportions 9:1, 1 turns them into 1:9", |ui, form| {
            ui.spacing_mut().slider_width = (ui.available_width() - 58.0).max(40.0);
            ui.add(egui::Slider::new(&mut form.draft.tasks.alpha, 0.0..=1.0).max_decimals(2));
        });
    }
    let changes = form.draft.changes.len();
    if changes > 0 {
        ui.horizontal(|ui| {
            ui.label(RichText::new(format!("{changes} timed changes of a saved run")).size(theme::SMALL));
            if ui.small_button("Forget").clicked() {
                form.draft.changes.clear();
            }
        });
    }
}

/// Draws the ready-made partitions.
fn partition(ui: &mut Ui, form: &mut Form<'_>) {
    let classes = form.checked.shape.classes;
    form.row(ui, "tasks.partition", "Partition", "Divides all classes evenly; edit them below", |ui, form| {
        let split = |size: usize| {
            (0..classes).collect::<Vec<_>>().chunks(size.max(1)).map(<[usize]>::to_vec).collect::<Vec<_>>()
        };
        let sizes = [classes / 2, classes / 5, classes / 10, classes];
        let mut options: Vec<(usize, String)> = vec![(0, "own".to_owned())];
        for size in sizes.into_iter().filter(|&size| size > 0) {
            options.push((size, format!("{} × {size} classes", classes.div_ceil(size))));
        }
        let current = sizes.into_iter().find(|&size| size > 0 && split(size) == form.draft.tasks.classes).unwrap_or(0);
        let mut chosen = current;
        let names: Vec<(usize, &str)> = options.iter().map(|(size, name)| (*size, name.as_str())).collect();
        if choose(ui, "Partition", &mut chosen, &names) && chosen > 0 {
            form.draft.tasks.classes = split(chosen);
            form.draft.tasks.order.clear();
        }
        if IconButton::small(Icon::Plus, "Add a task").show(ui, ROW).clicked() {
            // The new task comes last, whatever the order of the others.
            let mut sequence = form.draft.tasks.sequence();
            form.draft.tasks.classes.push(Vec::new());
            sequence.push(form.draft.tasks.classes.len());
            form.draft.tasks.order = in_order(sequence);
        }
    });
}

fn count(ui: &mut Ui, form: &mut Form<'_>) {
    form.row(ui, "tasks.count", "Tasks", "How many", |ui, form| {
        if whole(ui, &mut form.draft.tasks.count, 1..=64).changed() {
            form.draft.tasks.order.clear();
        }
    });
    if form.draft.tasks.kind.rotates_images() {
        form.row(ui, "tasks.angle", "Angle", "Each task is turned so much further than the one before", |ui, form| {
            ui.add(egui::DragValue::new(&mut form.draft.tasks.angle).suffix("°").speed(1.0));
        });
    }
}

/// A change of the list that is carried out after it was drawn.
enum Edit {
    Move { from: usize, to: usize },
    Remove(usize),
}

/// Draws the tasks in the order in which they are trained.
fn list(ui: &mut Ui, form: &mut Form<'_>) {
    let sequence = form.draft.tasks.sequence();
    // Tasks are locked by the run's stream; the draft of another stream is not locked.
    let begun = match form.session {
        Some(session) if session.is_live() && !needs_restart(form.draft, &session.spec) => {
            session.history.tasks().len()
        }
        _ => 0,
    };
    let mut edit = None;
    let mut rects: Vec<Rect> = Vec::new();
    let mut dragged = None;
    for (place, &task) in sequence.iter().enumerate() {
        let row = ui.scope(|ui| task_row(ui, form, place, task, begun, sequence.len()));
        let allowed = begun..=sequence.len().saturating_sub(1);
        edit = moved_by_key(ui, row.response.rect, task, (place, allowed)).or(edit);
        rects.push(row.response.rect);
        edit = row.inner.0.or(edit);
        if let Some(pos) = row.inner.1 {
            dragged = Some((place, pos));
        }
    }
    for key in ["tasks.classes", "tasks.order", "tasks.epochs", "tasks.steps"] {
        form.problems(ui, key);
    }
    if let Some((from, handle)) = dragged {
        edit = drag(ui, form, &rects, from, handle, begun).or(edit);
    }
    match edit {
        Some(Edit::Move { from, to }) => reorder(form, sequence, from, to),
        Some(Edit::Remove(task)) => {
            // The others keep their order, and each task keeps its length.
            let tasks = &mut form.draft.tasks;
            let place = sequence.iter().position(|&other| other == task);
            if let Some(place) = place {
                take_out(&mut tasks.epochs, place);
                take_out(&mut tasks.steps, place);
            }
            tasks.classes.remove(task - 1);
            let left = sequence.into_iter().filter(|&other| other != task);
            tasks.order = in_order(left.map(|other| if other > task { other - 1 } else { other }).collect());
        }
        None => {}
    }
}

/// Moves the focused task by alt and an arrow key; the focus moves with it.
fn moved_by_key(ui: &Ui, row: Rect, task: usize, places: (usize, RangeInclusive<usize>)) -> Option<Edit> {
    let (from, allowed) = places;
    let focused = ui.memory(|memory| memory.focused())?;
    if !row.contains(ui.ctx().read_response(focused)?.rect.center()) || !allowed.contains(&from) {
        return None;
    }
    let pressed = |key: Key| ui.input_mut(|input| input.consume_key(Modifiers::ALT, key));
    let to = if pressed(Key::ArrowUp) {
        from.checked_sub(1)?
    } else if pressed(Key::ArrowDown) {
        from + 1
    } else {
        return None;
    };
    ui.memory_mut(|memory| memory.request_focus(handle_id(task)));
    allowed.contains(&to).then_some(Edit::Move { from, to })
}

/// Shows the destination of the dragged task, and moves it when it is dropped.
fn drag(ui: &Ui, form: &Form<'_>, rects: &[Rect], from: usize, handle: Dragged, begun: usize) -> Option<Edit> {
    let before = rects.iter().filter(|rect| rect.center().y < handle.y).count().max(begun);
    let to = if before > from { before - 1 } else { before };
    if handle.released {
        return (to != from).then_some(Edit::Move { from, to });
    }
    let first = rects.first()?;
    let y = rects.get(before).map_or_else(|| rects[rects.len() - 1].bottom() + 1.0, |rect| rect.top() - 1.0);
    ui.painter().hline(first.x_range(), y, Stroke::new(2.0, form.tokens.accent));
    None
}

/// Removes the length at this place from a list; the last one stays, as it applies to all further tasks.
fn take_out<T>(lengths: &mut Vec<T>, place: usize) {
    if place < lengths.len() && lengths.len() > 1 {
        lengths.remove(place);
    }
}

/// Returns an order as settings store it: empty if it is ascending.
fn in_order(sequence: Vec<usize>) -> Vec<usize> {
    if sequence.iter().copied().eq(1..=sequence.len()) { Vec::new() } else { sequence }
}

fn reorder(form: &mut Form<'_>, mut sequence: Vec<usize>, from: usize, to: usize) {
    let task = sequence.remove(from);
    sequence.insert(to, task);
    let restart = form.session.is_none_or(|session| needs_restart(form.draft, &session.spec));
    form.draft.tasks.order = in_order(sequence.clone());
    if let Some(session) = form.session
        && !restart
    {
        let begun = session.history.tasks();
        let upcoming: Vec<usize> =
            sequence.into_iter().filter(|task| begun.iter().all(|start| start.task != *task)).collect();
        form.actions.push(RunAction::Send(Command::SetUpcoming(upcoming)));
    }
}

#[derive(Clone, Copy)]
struct Dragged {
    y: f32,
    released: bool,
}

/// Draws handle, number, length and buttons, and the classes below them.
fn task_row(
    ui: &mut Ui,
    form: &mut Form<'_>,
    place: usize,
    task: usize,
    begun: usize,
    count: usize,
) -> (Option<Edit>, Option<Dragged>) {
    let mut edit = None;
    let mut dragged = None;
    let locked = place < begun;
    ui.horizontal(|ui| {
        ui.set_min_height(ROW);
        ui.spacing_mut().item_spacing.x = 3.0;
        dragged = handle(ui, form, task, locked);
        badge(ui, form.tokens.task(task), task);
        let word = form.session.and_then(|session| {
            let info = session.history.info()?;
            (info.spec.tasks.classes == form.draft.tasks.classes && info.spec.tasks.kind == form.draft.tasks.kind)
                .then_some(())?;
            info.tasks.get(task - 1).map(|info| info.name.clone())
        });
        let room = ui.available_width() - 146.0;
        let name = word.unwrap_or_else(|| {
            form.draft.tasks.classes.get(task - 1).map_or(String::new(), |own| format!("{} classes", own.len()))
        });
        ui.allocate_ui_with_layout(vec2(room.max(20.0), ROW), egui::Layout::left_to_right(egui::Align::Center), |ui| {
            ui.set_min_width(room.max(20.0));
            ui.add(egui::Label::new(RichText::new(&name).size(theme::SMALL).color(form.tokens.weak)).truncate());
        });
        length(ui, form, place, task);
        let up = IconButton::small(Icon::Up, "").enabled(!locked && place > begun);
        let name = format!("Move task {task} earlier");
        if (IconButton { name: &name, hover: name.clone(), ..up }).show(ui, 18.0).clicked() {
            edit = Some(Edit::Move { from: place, to: place - 1 });
        }
        let name = format!("Move task {task} later");
        let down = IconButton::small(Icon::Down, "").enabled(!locked && place + 1 < count);
        if (IconButton { name: &name, hover: name.clone(), ..down }).show(ui, 18.0).clicked() {
            edit = Some(Edit::Move { from: place, to: place + 1 });
        }
        let name = format!("Remove task {task}");
        let removable = form.draft.tasks.kind.splits() && count > 1;
        let remove = IconButton::small(Icon::Cross, "").enabled(removable);
        if (IconButton { name: &name, hover: name.clone(), ..remove }).show(ui, 18.0).clicked() {
            edit = Some(Edit::Remove(task));
        }
    });
    if form.draft.tasks.kind.lists_classes() {
        classes::show(ui, form, task);
    }
    (edit, dragged)
}

/// Returns the id of a handle, which contains its task, so that the focus moves with it.
fn handle_id(task: usize) -> Id {
    Id::unique(("handle of task", task))
}

/// Draws six dots to drag the task by.
fn handle(ui: &mut Ui, form: &Form<'_>, task: usize, locked: bool) -> Option<Dragged> {
    let sense = if locked { Sense::hover() } else { Sense::click_and_drag() };
    let (_, rect) = ui.allocate_space(vec2(10.0, ROW));
    let response = ui.interact(rect, handle_id(task), sense);
    response.widget_info(|| WidgetInfo::labeled(Role::Unknown, !locked, format!("Handle of task {task}")));
    let colour = match (locked, response.has_focus()) {
        (true, _) => form.tokens.hairline,
        (false, true) => form.tokens.accent,
        (false, false) => form.tokens.faint,
    };
    for (x, y) in [(-2.0, -4.0), (2.0, -4.0), (-2.0, 0.0), (2.0, 0.0), (-2.0, 4.0), (2.0, 4.0)] {
        ui.painter().circle_filled(rect.center() + vec2(x, y), 1.0, colour);
    }
    let text = if locked {
        "This task has begun and stays where it is"
    } else {
        "Drag to change the order; Alt and ↑ or ↓ move it, too"
    };
    if response.clicked() {
        response.request_focus();
    }
    let response = response.on_hover_text(text);
    if locked {
        return None;
    }
    let response = response.on_hover_and_drag_cursor(CursorIcon::Grab);
    let pos = response.interact_pointer_pos()?;
    (response.dragged() || response.drag_stopped()).then_some(Dragged { y: pos.y, released: response.drag_stopped() })
}

fn badge(ui: &mut Ui, colour: Color32, task: usize) {
    let (rect, _) = ui.allocate_exact_size(Vec2::splat(16.0), Sense::hover());
    ui.painter().circle_filled(rect.center(), 7.5, colour);
    let dark = Color32::from_rgb(0x10, 0x12, 0x16);
    let luma = 0.3 * f32::from(colour.r()) + 0.59 * f32::from(colour.g()) + 0.11 * f32::from(colour.b());
    let text = if luma > 140.0 { dark } else { Color32::WHITE };
    ui.painter().text(
        rect.center(),
        egui::Align2::CENTER_CENTER,
        task.to_string(),
        egui::FontId::proportional(theme::SMALL),
        text,
    );
}

/// Draws the length in epochs (or steps) of the task at this place.
fn length(ui: &mut Ui, form: &mut Form<'_>, place: usize, task: usize) {
    let tasks = &mut form.draft.tasks;
    ui.name_inputs(format!("Length of task {task}"), |ui| {
        ui.spacing_mut().interact_size.x = 44.0;
        if tasks.steps.is_empty() {
            let mut epochs = tasks.epochs_at(place);
            if real(ui, &mut epochs, 0.05).on_hover_text("Epochs").changed() {
                let last = tasks.epochs.last().copied().unwrap_or(epochs);
                while tasks.epochs.len() <= place {
                    tasks.epochs.push(last);
                }
                tasks.epochs[place] = epochs;
            }
            ui.weak("ep");
        } else {
            let last = tasks.steps.last().copied().unwrap_or(1);
            let mut steps = tasks.steps.get(place).copied().unwrap_or(last);
            if ui.add(egui::DragValue::new(&mut steps).range(1..=1_000_000_000u64)).on_hover_text("Steps").changed() {
                while tasks.steps.len() <= place {
                    tasks.steps.push(last);
                }
                tasks.steps[place] = steps;
            }
            ui.weak("st");
        }
    });
}
