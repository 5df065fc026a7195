//! Draws the card that tells how a training in PyTorch is watched: six lines to copy, and where to go from there.

use egui::{Align2, Context, Frame, Key, Label, Margin, RichText, Window, vec2};

use super::SIX_LINES;
use crate::ui::app::action_queue::Actions;
use crate::ui::app::actions::ShellAction;
use crate::ui::app::commands::UserCommand;
use crate::ui::kit::theme::{GRID, SMALL, Tokens};
use crate::ui::shell::toast::Toast;

/// The title of the card, and the text of the buttons that show it.
pub const TITLE: &str = "Watch my training";

/// Draws the card if it is open.
pub fn show(ctx: &Context, is_open: &mut bool, actions: &mut Actions) {
    if !*is_open {
        return;
    }
    if ctx.input(|input| input.key_pressed(Key::Escape)) {
        *is_open = false;
        return;
    }
    let tokens = Tokens::in_theme(ctx.global_style().visuals.dark_mode);
    let mut opens = false;
    let window = Window::new(TITLE).open(is_open).collapsible(false).resizable(false);
    let width = (ctx.content_rect().width() - 80.0).min(720.0);
    window.anchor(Align2::CENTER_CENTER, vec2(0.0, 0.0)).show(ctx, |ui| {
        ui.set_width(width);
        ui.spacing_mut().item_spacing.y = 2.0 * GRID;
        ui.add(Label::new("Any PyTorch module, while your own script trains it: the exact kernel of every saved step.").wrap());
        let frame = Frame::new().fill(tokens.well).stroke(tokens.line()).corner_radius(4);
        frame.inner_margin(Margin::symmetric(10, 8)).show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            let code = RichText::new(SIX_LINES.trim_end()).monospace().size(SMALL).color(tokens.text);
            ui.add(Label::new(code).selectable(true).extend());
        });
        ui.horizontal(|ui| {
            let copy = ui.button("Copy the six lines").on_hover_text("Into the script that trains your model");
            if copy.clicked() {
                ctx.copy_text(SIX_LINES.to_owned());
                actions.push(ShellAction::Say(Toast::done("Copied: six lines for your script")));
            }
            let open = ui.button("Open the folder…").on_hover_text(UserCommand::OpenRun.hover(ctx));
            opens = open.clicked();
        });
        let text = "Start the script, then open the folder “watched” here, drop it on the window, or type kernelscope watch \
                    watched. Steps appear as they are saved; they are measured here, so that the script waits only for its \
                    own file. Pairs of steps have a velocity, and the first step of another task is a switch.";
        ui.add(Label::new(RichText::new(text).size(SMALL).color(tokens.weak)).wrap());
    });
    if opens {
        *is_open = false;
        actions.user(UserCommand::OpenRun);
    }
}
