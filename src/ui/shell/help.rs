//! Shows the help page: keys and gestures, and the meaning of each view, from the same lists as the rest of the window.

use egui::{Align2, Context, Grid, Key, RichText, ScrollArea, Window, vec2};

use crate::diagnostics::VERSION;
use crate::ui::app::commands::Group;
use crate::ui::kit::theme;
use crate::ui::study::PanelKind;
use crate::ui::views::View;

const GESTURES: [(&str, &str); 15] = [
    ("Drop run folders or .npz files", "Open them; the first is shown if no run is training"),
    ("Drop the folder of a training", "Watch what kernelscope.Watch writes into it"),
    ("Drag in a plot or on the timeline", "Move the time cursor; training continues"),
    ("Wheel", "Move along the run"),
    ("Ctrl and wheel, or pinch", "Zoom in time"),
    ("Drag with the right button", "Show this stretch"),
    ("Double click", "Follow the run again"),
    ("Title of a view", "Show another view in its place; enlarge, split or close the place"),
    ("Double click on the head of a view", "Enlarge it, or put it back (Esc, too)"),
    ("Drag between two views", "Make one larger; a double click makes both alike"),
    ("Alt and ↑ or ↓ in a row of the tasks", "Move the task; its handle can be dragged, too"),
    ("Click on a mark of the timeline", "Go there; with the right button: remove it"),
    ("Arrow beside the ? of a view", "Save it as a picture or its numbers, or copy these"),
    ("Point at the kernel", "The value and its two images"),
    ("Click on the kernel", "Choose the probe of this row for trajectories and the circle"),
];

pub fn show(ctx: &Context, open: &mut bool) {
    if !*open {
        return;
    }
    if ctx.input(|input| input.key_pressed(Key::Escape)) {
        *open = false;
        return;
    }
    let size = ctx.content_rect().size();
    let window = Window::new("Help")
        .open(open)
        .collapsible(false)
        .resizable(false)
        .anchor(Align2::CENTER_CENTER, vec2(0.0, 0.0));
    window.fixed_size(vec2((size.x - 80.0).min(980.0), (size.y - 120.0).min(640.0))).show(ctx, |ui| {
        ui.columns_const(|[left, right]| {
            // A small screen cannot show all keys: each side scrolls separately, and the window keeps its size.
            ScrollArea::vertical().id_salt("help keys").auto_shrink(false).show(left, |ui| {
                ui.label(RichText::new("Keys").size(theme::TITLE));
                Grid::new("keys").spacing(vec2(16.0, 4.0)).show(ui, |ui| {
                    for command in Group::ALL.iter().flat_map(|group| group.commands()) {
                        let about = command.about();
                        ui.monospace(ui.ctx().format_shortcut(&about.key));
                        ui.label(about.label).on_hover_text(about.tooltip);
                        ui.end_row();
                    }
                });
                ui.add_space(12.0);
                ui.label(RichText::new("Mouse").size(theme::TITLE));
                for (gesture, effect) in GESTURES {
                    ui.label(gesture);
                    ui.label(RichText::new(effect).size(theme::SMALL).weak());
                }
                ui.add_space(12.0);
                ui.label(RichText::new(format!("Kernelscope {VERSION}")).size(theme::SMALL).weak());
            });
            right.label(RichText::new("Views").size(theme::TITLE));
            ScrollArea::vertical().auto_shrink(false).show(right, |ui| {
                for view in View::ALL {
                    ui.label(RichText::new(view.title()).strong());
                    ui.label(RichText::new(view.help()).size(theme::SMALL));
                    ui.add_space(8.0);
                }
                ui.label(RichText::new("Panels of a study").size(theme::TITLE));
                for panel in PanelKind::SWITCH.into_iter().chain(PanelKind::RUN) {
                    ui.label(RichText::new(panel.title()).strong());
                    ui.label(RichText::new(panel.help()).size(theme::SMALL));
                    ui.add_space(8.0);
                }
            });
        });
    });
}
