//! Draws the list of overlaid runs, with colour, name, visibility and actions of each, and opens files that are dropped on the
//! window.

use egui::{
    Align, Align2, Context, FontId, Key, Label, LayerId, Layout, Order as Layer, RichText, ScrollArea, Sense, TextEdit,
    Ui, Window, vec2,
};

use super::action::OverlayAction;
use super::{Overlay, Overlays, RecentPath};
use crate::run::Block;
use crate::ui::app::action_queue::Actions;
use crate::ui::app::commands::UserCommand;
use crate::ui::app::session::Session;
use crate::ui::kit::format;
use crate::ui::kit::widgets::{Icon, IconButton, choose};
use crate::ui::kit::{
    theme,
    theme::{GRID, Tokens},
};

const WIDTH: f32 = 420.0;

/// Opens files that are dropped on the window, and shows a hint while they hover over it.
pub fn take_drops(ctx: &Context, actions: &mut Actions) {
    let (dropped, hovers) = ctx.input(|input| {
        let paths = input.raw.dropped_files.iter().map(|file| file.path().to_owned());
        (paths.collect::<Vec<_>>(), !input.raw.hovered_files.is_empty())
    });
    if !dropped.is_empty() {
        actions.push(OverlayAction::Open(dropped));
    }
    if hovers {
        let tokens = Tokens::in_theme(ctx.global_style().visuals.dark_mode);
        let painter = ctx.layer_painter(LayerId::new(Layer::Foreground, egui::Id::unique("drop")));
        let rect = ctx.content_rect();
        painter.rect_filled(rect, 0.0, tokens.ground.gamma_multiply(0.8));
        let text =
            "Drop folders of runs, studies, modules or trainings, .npz archives of kernels or .rhai texts of networks";
        painter.text(rect.center(), Align2::CENTER_CENTER, text, FontId::proportional(20.0), tokens.text);
    }
}

pub fn show(ctx: &Context, runs: &mut Overlays, session: Option<&Session>, actions: &mut Actions) {
    runs.lit = None;
    let wants_path = std::mem::take(&mut runs.wants_path);
    if !runs.open {
        return;
    }
    let writes = ctx.text_edit_focused() || egui::Popup::is_any_open(ctx);
    if !writes && ctx.input(|input| input.key_pressed(Key::Escape)) {
        runs.open = false;
        return;
    }
    let mut open = true;
    let window = Window::new("Runs beside this one").open(&mut open).collapsible(true).resizable(false);
    let at = vec2(-12.0, 48.0);
    window.default_width(WIDTH).pivot(Align2::RIGHT_TOP).default_pos(ctx.content_rect().right_top() + at).show(
        ctx,
        |ui| {
            ui.set_width(WIDTH);
            inside(ui, (runs, wants_path), session, actions);
        },
    );
    runs.open &= open;
}

fn inside(ui: &mut Ui, (runs, wants_path): (&mut Overlays, bool), session: Option<&Session>, actions: &mut Actions) {
    let tokens = Tokens::of(ui);
    let weak = |text: String| RichText::new(text).size(theme::SMALL).color(tokens.weak);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = GRID;
        for (command, text) in [(UserCommand::OpenRun, "Open run…"), (UserCommand::OpenKernels, "Open kernels…")] {
            if ui.button(text).on_hover_text(command.hover(ui.ctx())).clicked() {
                actions.user(command);
            }
        }
        let all = runs.list().iter().all(|overlay| overlay.hidden);
        if !runs.list().is_empty() {
            let text = if all { "Show all curves" } else { "Hide all curves" };
            if ui.button(text).clicked() {
                runs.list_mut().iter_mut().for_each(|overlay| overlay.hidden = !all);
            }
            if ui.button("Close all").on_hover_text("Remove all of them from the list; no file is deleted").clicked() {
                actions.push(OverlayAction::CloseAll);
            }
        }
    });
    let field = TextEdit::singleline(&mut runs.typed).hint_text("or the path of a folder or an .npz, and Enter");
    let id = ui.scope_id().with("path");
    if wants_path {
        ui.memory_mut(|memory| memory.request_focus(id));
    }
    let field = ui.add(field.id(id).desired_width(f32::INFINITY)).accessible_name("Path to open");
    if field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter)) && !runs.typed.trim().is_empty() {
        actions.push(OverlayAction::Open(vec![std::mem::take(&mut runs.typed).trim().into()]));
    }
    opening(ui, runs, actions);
    if runs.list().is_empty() {
        let text =
            "No run is drawn over this one. Open run folders or .npz archives of kernels, or drop them on the window.";
        ui.add(Label::new(weak(text.to_owned())).wrap());
    } else {
        whose(ui, runs, session);
        let height = (24.0 * runs.list().len() as f32).min(ui.ctx().content_rect().height() - 320.0).max(72.0);
        ScrollArea::vertical().max_height(height).auto_shrink([false, true]).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            // The scroll bar would cover the buttons at the right.
            ui.set_max_width(ui.available_width() - 12.0);
            let (mut lit, mut beside) = (None, runs.compared);
            for overlay in runs.list_mut() {
                if line(ui, overlay, &mut beside, actions) {
                    lit = Some(overlay.id);
                }
            }
            (runs.lit, runs.compared) = (lit, beside);
        });
    }
    closed(ui, runs, session, actions);
}

/// Draws what is being opened, and a button to cancel it.
fn opening(ui: &mut Ui, runs: &Overlays, actions: &mut Actions) {
    let Some(loader) = runs.loader.as_ref().filter(|loader| loader.waiting() > 0) else { return };
    ui.horizontal(|ui| {
        ui.spinner();
        let text = match &loader.measuring {
            Some((name, done, all)) => format!("{name}: {done} of {all} kernels measured"),
            None => format!("Opening {}…", loader.waiting()),
        };
        ui.label(text);
        if ui.small_button("Stop opening").clicked() {
            actions.push(OverlayAction::StopOpening);
        }
    });
}

/// Draws the choice of the probes whose curves are shown.
fn whose(ui: &mut Ui, runs: &mut Overlays, session: Option<&Session>) {
    let tasks = session.and_then(|session| session.history.info()).map_or(1, |info| info.tasks.len());
    let names: Vec<String> = (1..=tasks).map(|task| format!("Task {task}")).collect();
    let mut options = vec![(Block::All, "All probes")];
    options.extend(names.iter().enumerate().map(|(place, name)| (Block::Task(place + 1), name.as_str())));
    ui.horizontal(|ui| {
        ui.label(RichText::new("Their curves are of the probes of").size(theme::SMALL));
        choose(ui, "Probes of the other runs", &mut runs.block, &options);
    });
}

/// Draws one run; returns whether the pointer is over it.
fn line(ui: &mut Ui, overlay: &mut Overlay, beside: &mut Option<u64>, actions: &mut Actions) -> bool {
    let tokens = Tokens::of(ui);
    let (colour, broken) = overlay.ink(tokens.dark);
    let row = ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = GRID;
        let (rect, _) = ui.allocate_exact_size(vec2(20.0, theme::ROW), Sense::hover());
        let stroke = egui::Stroke::new(2.5, if overlay.hidden { tokens.faint } else { colour });
        let ends = [rect.left_center(), rect.right_center()];
        if broken {
            ui.painter().extend(egui::Shape::dashed_line(&ends, stroke, 4.0, 3.0));
        } else {
            ui.painter().line_segment(ends, stroke);
        }
        let mut seen = !overlay.hidden;
        let name = overlay.name.clone();
        let check = ui.checkbox(&mut seen, "").on_hover_text("Whether its curves are drawn");
        let _named = check.accessible_name(format!("Curves of {name}"));
        overlay.hidden = !seen;
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = GRID;
            if IconButton::small(Icon::Cross, &format!("Close {name}")).show(ui, 18.0).clicked() {
                actions.push(OverlayAction::Close(overlay.id));
            }
            let show = ui
                .small_button("Show")
                .on_hover_text("Show it in all views; the run shown now joins this list and, if it is training, ends");
            let _named = show.clone().accessible_name(format!("Show {name}"));
            if show.clicked() {
                actions.push(OverlayAction::Show(overlay.id));
            }
            let chosen = *beside == Some(overlay.id);
            let button = egui::Button::selectable(chosen, RichText::new("Beside").size(theme::SMALL));
            let button = ui.add(button).on_hover_text("Its kernel beside that of the run, in the view “Two runs”");
            let _named = button.clone().accessible_name(format!("{name} beside"));
            if button.clicked() {
                *beside = (!chosen).then_some(overlay.id);
                if !chosen {
                    actions.push(OverlayAction::ShowBeside);
                }
            }
            let rows = overlay.history.rows().len();
            ui.label(RichText::new(format::count(rows as u64)).size(theme::SMALL).color(tokens.weak))
                .on_hover_text("Snapshots");
            if let Some(words) = overlay.time.words() {
                ui.label(RichText::new("by steps").size(theme::SMALL).color(tokens.weak)).on_hover_text(words);
            }
            let field = TextEdit::singleline(&mut overlay.name).desired_width(ui.available_width() - 8.0);
            let field = ui.add(field);
            let _named = field.clone().accessible_name(format!("Name of run {}", overlay.id + 1));
            if let Some(path) = &overlay.path {
                field.on_hover_text(path.display().to_string());
            }
        });
    });
    ui.rect_contains_pointer(row.response.rect)
}

/// Draws the recent places, to be opened again.
fn closed(ui: &mut Ui, runs: &Overlays, session: Option<&Session>, actions: &mut Actions) {
    let mut closed = runs.closed(session).peekable();
    if closed.peek().is_none() {
        return;
    }
    ui.separator();
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new("Open again").size(theme::SMALL).color(Tokens::of(ui).weak));
        for RecentPath { name, path, autosaved } in closed {
            let about = if *autosaved { "Autosaved: of each window the last three runs are kept" } else { "" };
            let about = format!("{}\n{about}", path.display());
            let button = ui.small_button(name).on_hover_text(about.trim_end());
            let _named = button.clone().accessible_name(format!("Reopen {name}"));
            if button.clicked() {
                actions.push(OverlayAction::Open(vec![path.clone()]));
            }
        }
    });
}
