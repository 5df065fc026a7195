//! Turns keys into wishes.

use egui::{KeyboardShortcut, Modifiers};

use super::actions::Actions;
use super::commands::UserCommand;

/// Turns keys into wishes, those of commands that can be carried out now. Keys belong to a field while one has the focus.
pub fn heed(ctx: &egui::Context, actions: &mut Actions, available: &[UserCommand]) {
    let writes = ctx.text_edit_focused();
    let focused = ctx.memory(|memory| memory.focused().is_some());
    // Those with more modifiers first: a plain key must not take theirs.
    let modifiers = |command: &UserCommand| {
        let Modifiers { alt, shift, command, .. } = command.about().key.modifiers;
        [alt, shift, command].into_iter().filter(|&held| held).count()
    };
    let mut commands = UserCommand::ALL.to_vec();
    commands.sort_by_key(|command| (*command != UserCommand::Palette, std::cmp::Reverse(modifiers(command))));
    for command in commands {
        let available = available.contains(&command);
        // A focused button or slider has these keys for itself.
        let taken = matches!(
            command,
            UserCommand::PauseResume | UserCommand::CursorBack | UserCommand::CursorForward | UserCommand::TourNext
        );
        // What cannot be done now still keeps its combination: ctrl, shift and Z must not become ctrl and Z.
        if (writes && command != UserCommand::Palette) || (focused && taken) || (!available && modifiers(&command) == 0)
        {
            continue;
        }
        let down = pressed(ctx, &command.about().key) | command.also().is_some_and(|key| pressed(ctx, &key));
        if down && available {
            actions.user(command);
            if command == UserCommand::Palette {
                // What was typed after it, in a slow frame, was meant for the palette.
                return;
            }
        }
    }
}

/// Whether the keys went down. A plain one without ctrl, alt or ⌘; shift is needed to type some of them.
fn pressed(ctx: &egui::Context, shortcut: &KeyboardShortcut) -> bool {
    ctx.input_mut(|input| {
        if shortcut.modifiers != Modifiers::NONE {
            return input.consume_shortcut(shortcut);
        }
        let plain =
            !(input.modifiers.ctrl || input.modifiers.alt || input.modifiers.command || input.modifiers.mac_cmd);
        plain
            && (input.consume_key(Modifiers::NONE, shortcut.logical_key)
                || input.consume_key(Modifiers::SHIFT, shortcut.logical_key))
    })
}
