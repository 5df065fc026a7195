//! Turns keys into actions, and delivers each key to the widget that it was typed for.
//!
//! Guarantee: a slow window may receive several keys in one frame. Input typed after a key or a press that opens a field, closes
//! one or moves the focus waits for the next frame, so that it is neither lost nor taken as a command.

use std::time::Duration;

use egui::{Context, Event, Key, KeyboardShortcut, Modifiers};

use super::action_queue::Actions;
use super::commands::UserCommand;

/// Typed input that waits for a frame in which its recipient is known.
#[derive(Debug, Default)]
pub struct PendingInput {
    events: Vec<Event>,
    /// Whether it was typed for a file dialog that has not appeared yet.
    for_dialog: bool,
}

/// The state of a file dialog, which decides where letters go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialogState {
    /// There is no dialog.
    None,
    /// The dialog was requested just now.
    Asked,
    /// This system has no dialog, and a text field takes the path instead.
    Field,
}

impl PendingInput {
    /// Gives this frame the waiting and the new input, up to the first key or press that may change the recipient of keys.
    pub fn distribute(&mut self, ctx: &Context, dialog: DialogState, writes: bool) {
        let mut waiting = std::mem::take(&mut self.events);
        if std::mem::take(&mut self.for_dialog) && dialog == DialogState::None {
            // The dialog has opened: input typed before it appeared is discarded.
            waiting.clear();
        }
        let later = ctx.input_mut(|input| {
            let mut all = waiting;
            all.append(&mut input.events);
            let text = |event: &Event| matches!(event, Event::Text(_) | Event::Paste(_));
            if dialog == DialogState::Asked && !writes && all.iter().any(text) {
                let (later, now) = all.into_iter().partition(|event| is_typed(event) && !goes_past_dialog(event));
                input.events = now;
                self.for_dialog = true;
                return later;
            }
            let cut = all.iter().position(|event| decides(event, writes)).map_or(all.len(), |place| place + 1);
            let rest = all.split_off(cut);
            // Key releases alone need not wait, as they have no recipient.
            let waits = |event: &Event| is_typed(event) && !matches!(event, Event::Key { pressed: false, .. });
            let (later, now) =
                if rest.iter().any(waits) { rest.into_iter().partition(is_typed) } else { (Vec::new(), rest) };
            all.extend(now);
            input.events = all;
            later
        });
        self.events = later;
        if self.for_dialog {
            ctx.request_repaint_after(Duration::from_millis(50));
        } else if !self.events.is_empty() {
            ctx.request_repaint();
        }
    }
}

/// Returns whether an event comes from the keyboard.
fn is_typed(event: &Event) -> bool {
    matches!(event, Event::Key { .. } | Event::Text(_) | Event::Paste(_) | Event::Ime(_) | Event::Copy | Event::Cut)
}

/// Returns whether this key is for the window even while a file dialog is opening.
fn goes_past_dialog(event: &Event) -> bool {
    match event {
        Event::Key { key, modifiers, .. } => *key == Key::Escape || modifiers.command || modifiers.ctrl,
        _ => false,
    }
}

/// Returns whether the event may change the recipient of later keys; `writes`: whether a field has the keyboard now.
fn decides(event: &Event, writes: bool) -> bool {
    match event {
        // A press may move the focus.
        Event::PointerButton { pressed: true, .. } => true,
        Event::Key { key, pressed: true, modifiers, .. } => match key {
            Key::Enter | Key::Escape | Key::Tab => true,
            // It presses a button that has the focus.
            Key::Space => !writes,
            _ => {
                let is = |shortcut: &KeyboardShortcut| {
                    *key == shortcut.logical_key && modifiers.matches_logically(shortcut.modifiers)
                };
                let mut all = UserCommand::ALL.iter().filter(|command| command.asks_for_text());
                all.any(|command| is(&command.about().key) || command.also().is_some_and(|key| is(&key)))
            }
        },
        _ => false,
    }
}

/// Turns keys into actions of the available commands. Keys belong to a field while it has the focus, or is about to have it
/// (`writes`).
pub fn dispatch(ctx: &Context, actions: &mut Actions, available: &[UserCommand], writes: bool) {
    let writes = writes || ctx.text_edit_focused();
    let focused = ctx.memory(|memory| memory.focused().is_some());
    // Keys with more modifiers come first, as a plain key would match them too.
    let modifiers = |command: &UserCommand| {
        let Modifiers { alt, shift, command, .. } = command.about().key.modifiers;
        [alt, shift, command].into_iter().filter(|&held| held).count()
    };
    let mut commands = UserCommand::ALL.to_vec();
    commands.sort_by_key(|command| std::cmp::Reverse(modifiers(command)));
    for command in commands {
        let available = available.contains(&command);
        // A focused button or slider uses these keys itself.
        let taken = matches!(
            command,
            UserCommand::PauseResume | UserCommand::CursorBack | UserCommand::CursorForward | UserCommand::NextStep
        );
        // An unavailable command still consumes its combination: ctrl, shift and Z must not become ctrl and Z.
        if (writes && command != UserCommand::Palette) || (focused && taken) || (!available && modifiers(&command) == 0)
        {
            continue;
        }
        let down = pressed(ctx, &command.about().key) | command.also().is_some_and(|key| pressed(ctx, &key));
        if down && available {
            actions.user(command);
        }
    }
}

/// Returns whether the shortcut was pressed. A plain key needs ctrl, alt and ⌘ to be up; shift is allowed, as some keys
/// need it.
fn pressed(ctx: &Context, shortcut: &KeyboardShortcut) -> bool {
    ctx.input_mut(|input| {
        if shortcut.modifiers != Modifiers::NONE {
            return input.consume_shortcut(shortcut);
        }
        // The modifiers are those of the press itself; by the end of the frame others may be held.
        let is = |event: &Event| match event {
            Event::Key { key, pressed: true, modifiers, .. } => {
                let held = modifiers.ctrl || modifiers.alt || modifiers.command || modifiers.mac_cmd;
                *key == shortcut.logical_key && !held
            }
            _ => false,
        };
        let before = input.events.len();
        input.events.retain(|event| !is(event));
        input.events.len() < before
    })
}
