//! What a user can do, once: name, explanation and key of each command.
//!
//! Buttons, tooltips, keys, the menu and the help page all read [`UserCommand::ALL`], so that they cannot disagree.

use egui::{Key, KeyboardShortcut, Modifiers};

/// A command with a name, for buttons and keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UserCommand {
    OpenRun,
    OpenKernels,
    Reopen,
    Runs,
    PauseResume,
    Step,
    SwitchTask,
    Restart,
    NewSeed,
    Stop,
    Fork,
    ExportWindow,
    ExportAnimation,
    CopyCommandLine,
    LightExports,
    CursorBack,
    CursorForward,
    Follow,
    Play,
    Loop,
    Mark,
    PreviousMark,
    NextMark,
    MomentA,
    MomentB,
    ZoomIn,
    ZoomOut,
    Enlarge,
    Wider,
    Narrower,
    Higher,
    Lower,
    ResetLayout,
    Undo,
    Redo,
    Palette,
    Theme,
    Presentation,
    ScaleUp,
    ScaleDown,
    ScaleReset,
    Page,
    Log,
    Tours,
    TourNext,
    TourBack,
    Help,
}

/// What a command is about: the menu and the help page are in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    File,
    Run,
    Time,
    Views,
    Settings,
    Window,
}

impl Group {
    pub const ALL: &'static [Self] = &[Self::File, Self::Run, Self::Time, Self::Views, Self::Settings, Self::Window];

    pub fn title(self) -> &'static str {
        match self {
            Self::File => "File",
            Self::Run => "Run",
            Self::Time => "Time",
            Self::Views => "Views",
            Self::Settings => "Settings",
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

const fn ctrl(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND, key)
}

const fn shift(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::SHIFT, key)
}

const fn ctrl_shift(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), key)
}

impl UserCommand {
    pub const ALL: &'static [Self] = &[
        Self::OpenRun,
        Self::OpenKernels,
        Self::Reopen,
        Self::Runs,
        Self::ExportWindow,
        Self::ExportAnimation,
        Self::CopyCommandLine,
        Self::LightExports,
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
        Self::Play,
        Self::Loop,
        Self::Mark,
        Self::PreviousMark,
        Self::NextMark,
        Self::MomentA,
        Self::MomentB,
        Self::ZoomIn,
        Self::ZoomOut,
        Self::Enlarge,
        Self::Wider,
        Self::Narrower,
        Self::Higher,
        Self::Lower,
        Self::ResetLayout,
        Self::Undo,
        Self::Redo,
        Self::Palette,
        Self::Theme,
        Self::Presentation,
        Self::ScaleUp,
        Self::ScaleDown,
        Self::ScaleReset,
        Self::Page,
        Self::Log,
        Self::Tours,
        Self::TourNext,
        Self::TourBack,
        Self::Help,
    ];

    /// Name, explanation and key.
    pub fn about(self) -> About {
        let (label, tooltip, key) = match self {
            Self::ExportWindow => (
                "Export window as PNG",
                "Save a picture of the window; light for print, unless that is switched off",
                ctrl_shift(Key::S),
            ),
            Self::ExportAnimation => (
                "Export animation",
                "Save the kernel at each snapshot, beside the curves, as a GIF; everything goes on meanwhile",
                ctrl(Key::G),
            ),
            Self::CopyCommandLine => (
                "Copy as command line",
                "Copy the line that repeats this run, or study, without a window",
                ctrl_shift(Key::C),
            ),
            Self::LightExports => (
                "Light background for exports",
                "Pictures and animations have the light colours whatever the window has, for print",
                key(Key::I),
            ),
            Self::OpenRun => ("Open run…", "Open the folder of a run or of a study", ctrl(Key::O)),
            Self::OpenKernels => {
                ("Open kernels…", "Open kernels that another program has measured: an .npz", ctrl_shift(Key::O))
            }
            Self::Reopen => {
                ("Reopen run", "Open again what was open last, also in a window before", ctrl_shift(Key::T))
            }
            Self::Runs => {
                ("Runs beside this one", "Name, hide, show and close the runs that lie over this one", key(Key::U))
            }
            Self::PauseResume => {
                ("Pause", "Pause training, let it go on, or begin a run where none goes on", key(Key::Space))
            }
            Self::Step => ("Step", "While paused: train on one mini-batch", key(Key::S)),
            Self::SwitchTask => ("Switch task now", "End this task here and begin the next one", key(Key::T)),
            Self::Restart => ("Restart", "Begin again with these settings and the same seed", key(Key::R)),
            Self::NewSeed => ("New seed", "Begin again with these settings and another seed", key(Key::N)),
            Self::Stop => ("Stop", "End the run; what was measured stays", key(Key::X)),
            Self::Fork => ("Fork", "Keep the run as it is and let other futures go on from it", key(Key::F)),
            Self::CursorBack => ("Previous snapshot", "Move the time cursor one snapshot back", key(Key::ArrowLeft)),
            Self::CursorForward => ("Next snapshot", "Move the time cursor one snapshot on", key(Key::ArrowRight)),
            Self::Follow => ("Follow", "Show the whole run and always its newest snapshot", key(Key::End)),
            Self::Play => ("Play", "Let the time cursor run over the past, or stop it; training goes on", key(Key::K)),
            Self::Loop => ("Loop", "Play round and round: what is in view, from A to B, or not at all", key(Key::O)),
            Self::Mark => ("Mark", "Mark the moment at the time cursor, or remove its mark", key(Key::M)),
            Self::PreviousMark => ("Previous mark", "Move the time cursor back to the mark before", key(Key::Comma)),
            Self::NextMark => ("Next mark", "Move the time cursor on to the next mark", key(Key::Period)),
            Self::MomentA => ("Moment A", "Compare the moment at the time cursor as A, or no more", key(Key::A)),
            Self::MomentB => ("Moment B", "Compare the moment at the time cursor as B, or no more", key(Key::B)),
            Self::ZoomIn => ("Zoom in", "Show a shorter stretch of time", key(Key::Plus)),
            Self::ZoomOut => ("Zoom out", "Show a longer stretch of time", key(Key::Minus)),
            Self::Enlarge => {
                ("Enlarge view", "Give the window to the view under the pointer, or put it back", key(Key::Z))
            }
            Self::Wider => ("Wider view", "Move the divider beside the view under the pointer", shift(Key::ArrowRight)),
            Self::Narrower => {
                ("Narrower view", "Move the divider beside the view under the pointer", shift(Key::ArrowLeft))
            }
            Self::Higher => ("Higher view", "Move the divider below the view under the pointer", shift(Key::ArrowDown)),
            Self::Lower => ("Lower view", "Move the divider below the view under the pointer", shift(Key::ArrowUp)),
            Self::ResetLayout => {
                ("Reset layout", "Put the usual views back into places of the usual size", shift(Key::Z))
            }
            Self::Undo => ("Undo settings", "Take back the last change of the settings", ctrl(Key::Z)),
            Self::Redo => ("Redo settings", "Make the change again that was taken back", ctrl_shift(Key::Z)),
            Self::Palette => ("Commands", "Find a command, a preset or a view by typing", ctrl(Key::P)),
            Self::Theme => ("Theme", "Light, dark, or as the system has it", key(Key::D)),
            Self::Presentation => {
                ("Presentation", "Large type and thick lines for the back row, without settings; or back", key(Key::P))
            }
            Self::ScaleUp => ("Larger", "Draw everything a tenth larger", ctrl(Key::Plus)),
            Self::ScaleDown => ("Smaller", "Draw everything a tenth smaller", ctrl(Key::Minus)),
            Self::ScaleReset => ("Usual size", "Draw everything at 100 %", ctrl(Key::Num0)),
            Self::Page => ("Run or study", "Show the studies, or the run again; both go on", key(Key::G)),
            Self::Log => {
                let key = KeyboardShortcut::new(Modifiers::COMMAND, Key::L);
                ("Log", "Open the folder with the log, crash reports and autosaved runs", key)
            }
            Self::Tours => {
                ("Lessons", "Guided steps through real runs, which wait for what happens in them", key(Key::L))
            }
            Self::TourNext => {
                ("Next step of the lesson", "Go on, once what the lesson waits for has come", key(Key::Enter))
            }
            Self::TourBack => ("Previous step of the lesson", "Read the step before again", key(Key::Backspace)),
            Self::Help => ("Help", "Keys, and what the views mean", key(Key::F1)),
        };
        About { label, tooltip, key }
    }

    /// What it is about.
    pub fn group(self) -> Group {
        match self {
            Self::OpenRun
            | Self::OpenKernels
            | Self::Reopen
            | Self::Runs
            | Self::ExportWindow
            | Self::ExportAnimation
            | Self::CopyCommandLine
            | Self::LightExports => Group::File,
            Self::PauseResume
            | Self::Step
            | Self::SwitchTask
            | Self::Restart
            | Self::NewSeed
            | Self::Stop
            | Self::Fork => Group::Run,
            Self::CursorBack
            | Self::CursorForward
            | Self::Follow
            | Self::Play
            | Self::Loop
            | Self::Mark
            | Self::PreviousMark
            | Self::NextMark
            | Self::MomentA
            | Self::MomentB
            | Self::ZoomIn
            | Self::ZoomOut => Group::Time,
            Self::Enlarge | Self::Wider | Self::Narrower | Self::Higher | Self::Lower | Self::ResetLayout => {
                Group::Views
            }
            Self::Undo | Self::Redo => Group::Settings,
            Self::Palette
            | Self::Theme
            | Self::Presentation
            | Self::ScaleUp
            | Self::ScaleDown
            | Self::ScaleReset
            | Self::Page
            | Self::Log
            | Self::Tours
            | Self::TourNext
            | Self::TourBack
            | Self::Help => Group::Window,
        }
    }

    /// Keys beside the one that is shown: what other programs have, and what is typed without shift.
    pub fn also(self) -> Option<KeyboardShortcut> {
        match self {
            Self::ZoomIn => Some(key(Key::Equals)),
            Self::Help => Some(key(Key::Questionmark)),
            Self::Redo => Some(ctrl(Key::Y)),
            Self::Palette => Some(ctrl_shift(Key::P)),
            Self::ScaleUp => Some(ctrl(Key::Equals)),
            _ => None,
        }
    }

    /// Whether it opens what takes letters: those that are typed after it are meant for that.
    pub(crate) fn asks_for_text(self) -> bool {
        matches!(self, Self::Palette | Self::OpenRun | Self::OpenKernels)
    }

    /// Explanation and key in one line.
    pub fn hover(self, ctx: &egui::Context) -> String {
        let about = self.about();
        format!("{} ({})", about.tooltip, ctx.format_shortcut(&about.key))
    }
}
