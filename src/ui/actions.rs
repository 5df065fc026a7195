//! What a user can do, once: name, explanation and key of each command, and the list of wishes of a frame.
//!
//! Functions that draw push [`Action`]s and change nothing; `App` carries them out in one place, between frames. Buttons,
//! tooltips, keys and the help page all read [`UserCommand::ALL`], so that they cannot disagree.

use std::path::PathBuf;

use egui::{Key, KeyboardShortcut, Modifiers};

use super::opening::RunWish;
use super::study::Wish;
use super::toasts::Toast;
use crate::spec::Preset;
use crate::worker::Command;

/// A command with a name, for buttons and keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UserCommand {
    OpenRun,
    OpenKernels,
    Runs,
    PauseResume,
    Step,
    SwitchTask,
    Restart,
    NewSeed,
    Stop,
    Fork,
    CursorBack,
    CursorForward,
    Follow,
    ZoomIn,
    ZoomOut,
    Theme,
    Presentation,
    Page,
    Help,
}

/// What a command is about: the menu and the help page are in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    File,
    Run,
    Time,
    Window,
}

impl Group {
    pub const ALL: &'static [Self] = &[Self::File, Self::Run, Self::Time, Self::Window];

    pub fn title(self) -> &'static str {
        match self {
            Self::File => "File",
            Self::Run => "Run",
            Self::Time => "Time",
            Self::Window => "Window",
        }
    }

    /// Its commands.
    pub fn commands(self) -> impl Iterator<Item = UserCommand> {
        UserCommand::ALL.iter().copied().filter(move |command| command.group() == self)
    }
}

/// How a command is called and reached.
#[derive(Clone, Copy, Debug)]
pub struct About {
    pub label: &'static str,
    pub tooltip: &'static str,
    pub key: KeyboardShortcut,
}

const fn key(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::NONE, key)
}

const CTRL_O: KeyboardShortcut = KeyboardShortcut::new(Modifiers::COMMAND, Key::O);
const CTRL_SHIFT_O: KeyboardShortcut = KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::O);

impl UserCommand {
    pub const ALL: &'static [Self] = &[
        Self::OpenRun,
        Self::OpenKernels,
        Self::Runs,
        Self::PauseResume,
        Self::Step,
        Self::SwitchTask,
        Self::Restart,
        Self::NewSeed,
        Self::Stop,
        Self::Fork,
        Self::CursorBack,
        Self::CursorForward,
        Self::Follow,
        Self::ZoomIn,
        Self::ZoomOut,
        Self::Theme,
        Self::Presentation,
        Self::Page,
        Self::Help,
    ];

    /// Name, explanation and key.
    pub fn about(self) -> About {
        let (label, tooltip, key) = match self {
            Self::OpenRun => ("Open run…", "Open the folder of a run or of a study", CTRL_O),
            Self::OpenKernels => {
                ("Open kernels…", "Open kernels that another program has measured: an .npz", CTRL_SHIFT_O)
            }
            Self::Runs => {
                ("Runs beside this one", "Name, hide, show and close the runs that lie over this one", key(Key::U))
            }
            Self::PauseResume => ("Pause", "Pause training, or let it go on", key(Key::Space)),
            Self::Step => ("Step", "While paused: train on one mini-batch", key(Key::S)),
            Self::SwitchTask => ("Switch task now", "End this task here and begin the next one", key(Key::T)),
            Self::Restart => ("Restart", "Begin again with these settings and the same seed", key(Key::R)),
            Self::NewSeed => ("New seed", "Begin again with these settings and another seed", key(Key::N)),
            Self::Stop => ("Stop", "End the run; what was measured stays", key(Key::X)),
            Self::Fork => ("Fork", "Keep the run as it is and let other futures go on from it", key(Key::F)),
            Self::CursorBack => ("Previous snapshot", "Move the time cursor one snapshot back", key(Key::ArrowLeft)),
            Self::CursorForward => ("Next snapshot", "Move the time cursor one snapshot on", key(Key::ArrowRight)),
            Self::Follow => ("Follow", "Show the whole run and always its newest snapshot", key(Key::End)),
            Self::ZoomIn => ("Zoom in", "Show a shorter stretch of time", key(Key::Plus)),
            Self::ZoomOut => ("Zoom out", "Show a longer stretch of time", key(Key::Minus)),
            Self::Theme => ("Theme", "Change between light and dark", key(Key::D)),
            Self::Presentation => ("Larger text", "Enlarge everything for the back row, or go back", key(Key::P)),
            Self::Page => ("Run or study", "Show the studies, or the run again; both go on", key(Key::G)),
            Self::Help => ("Help", "Keys, and what the views mean", key(Key::F1)),
        };
        About { label, tooltip, key }
    }

    /// What it is about.
    pub fn group(self) -> Group {
        match self {
            Self::OpenRun | Self::OpenKernels | Self::Runs => Group::File,
            Self::PauseResume
            | Self::Step
            | Self::SwitchTask
            | Self::Restart
            | Self::NewSeed
            | Self::Stop
            | Self::Fork => Group::Run,
            Self::CursorBack | Self::CursorForward | Self::Follow | Self::ZoomIn | Self::ZoomOut => Group::Time,
            Self::Theme | Self::Presentation | Self::Page | Self::Help => Group::Window,
        }
    }

    /// Explanation and key in one line.
    pub fn hover(self, ctx: &egui::Context) -> String {
        let about = self.about();
        format!("{} ({})", about.tooltip, ctx.format_shortcut(&about.key))
    }
}

/// A wish of the user; carried out between frames.
#[derive(Clone, Debug)]
pub enum Action {
    User(UserCommand),
    /// Start a run of what the settings say, with their seed.
    Start,
    /// Take the settings of a preset and start it.
    Load(&'static Preset),
    /// Tell the run; it acts between two steps.
    Live(Command),
    /// Put the time cursor there.
    Seek(f64),
    /// Move the stretch in view, in epochs.
    Pan(f64),
    /// Zoom in time about an epoch.
    Zoom {
        about: f64,
        factor: f64,
    },
    /// Show this stretch.
    Show(f64, f64),
    /// Choose a folder for the data.
    ChooseFolder,
    /// Let the settings be those of the run again.
    Revert,
    /// Hide the banner.
    Dismiss,
    /// On the study page.
    Study(Wish),
    /// Forget the run that is shown faintly.
    ForgetReference,
    /// Tell the user something that needs no answer.
    Tell(Toast),
    /// Show this folder in the system's file manager.
    Reveal(PathBuf),
    /// Let go of one of the futures of a fork, by its place.
    RemoveFuture(usize),
    /// Open these folders and archives.
    Open(Vec<PathBuf>),
    /// With a run of the list.
    Runs(RunWish),
}

/// The wishes of one frame, in order.
#[derive(Debug, Default)]
pub struct Actions(Vec<Action>);

impl Actions {
    pub fn push(&mut self, action: Action) {
        self.0.push(action);
    }

    pub fn user(&mut self, command: UserCommand) {
        self.0.push(Action::User(command));
    }

    /// Takes all of them.
    pub fn take(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.0)
    }
}

/// Turns keys into wishes, those of commands that can be carried out now. Keys belong to a field while one has the focus.
pub fn keys(ctx: &egui::Context, actions: &mut Actions, available: &[UserCommand]) {
    if ctx.text_edit_focused() {
        return;
    }
    let focused = ctx.memory(|memory| memory.focused().is_some());
    // Those with most modifiers first: a plainer key must not take theirs.
    let mut commands = available.to_vec();
    commands.sort_by_key(|command| {
        let held = command.about().key.modifiers;
        (held == Modifiers::NONE, !held.shift)
    });
    for command in commands {
        // A focused button or slider has these keys for itself.
        let taken = matches!(command, UserCommand::PauseResume | UserCommand::CursorBack | UserCommand::CursorForward);
        if focused && taken {
            continue;
        }
        let mut shortcuts = vec![command.about().key];
        match command {
            UserCommand::ZoomIn => shortcuts.push(key(Key::Equals)),
            UserCommand::Help => shortcuts.push(key(Key::Questionmark)),
            _ => {}
        }
        if shortcuts.iter().any(|shortcut| pressed(ctx, shortcut)) {
            actions.user(command);
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
