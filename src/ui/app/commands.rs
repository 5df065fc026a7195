//! Declares the list of user commands: each is declared once, with its name, explanation, key, action and condition.
//!
//! Buttons, tooltips, keys, the menu, the palette and the help page all read [`UserCommand::ALL`], so that they cannot disagree.

use egui::{Key, KeyboardShortcut, Modifiers};
use egui_tiles::LinearDir;
use strum::{IntoStaticStr, VariantArray};

use super::actions::{Action, RunAction, SettingsAction, ShellAction, ViewAction};
use crate::ui::export::action::ExportAction;
use crate::ui::lessons::action::LessonAction;
use crate::ui::overlays::action::OverlayAction;
use crate::ui::playback::Which;
use crate::ui::playback::action::PlaybackAction;
use crate::ui::study::action::StudyAction;

/// The topic of a command; the menu and the help page list topics in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
pub enum Group {
    File,
    Run,
    Time,
    Views,
    Settings,
    Window,
}

impl Group {
    pub const ALL: &'static [Self] = Self::VARIANTS;

    pub fn title(self) -> &'static str {
        self.into()
    }

    /// Returns its commands.
    pub fn commands(self) -> impl Iterator<Item = UserCommand> {
        UserCommand::ALL.iter().copied().filter(move |command| command.group() == self)
    }
}

/// Name, explanation and key of a command.
#[derive(Clone, Copy, Debug)]
pub struct About {
    pub label: &'static str,
    pub tooltip: &'static str,
    pub key: KeyboardShortcut,
}

/// The condition under which a command can be carried out; `command_availability` evaluates it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Always,
    /// Something that was open has been closed and can be reopened.
    SomethingWasClosed,
    /// There are snapshots for an animation, and none is being made.
    AnimationIsPossible,
    /// The settings have no problems.
    Startable,
    /// The settings have no problems, and no training of another program is shown.
    OwnStartable,
    /// A run is live, or could be started.
    LiveOrStartable,
    /// No training of another program is shown.
    NotWatched,
    Paused,
    /// A planned task has not begun yet.
    TaskToCome,
    /// A run is live and no stop was requested.
    Stoppable,
    AnySnapshot,
    /// There is a snapshot, and no presentation, which has the key for itself.
    AnySnapshotAtTheDesk,
    Presenting,
    SeveralSnapshots,
    MarkBefore,
    MarkAfter,
    /// There is more than one view on screen.
    SeveralViews,
    SettingsChanged,
    /// A change of the settings has been undone and can be redone.
    SettingsTakenBack,
    LogExists,
    LessonCanGoOn,
    LessonCanGoBack,
}

impl When {
    /// Returns whether it never holds together with the other, so that commands with these conditions can share a key.
    pub fn excludes(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::Presenting, Self::AnySnapshotAtTheDesk) | (Self::AnySnapshotAtTheDesk, Self::Presenting)
        )
    }
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

/// Declares the commands, by topic: `Name: "label", "explanation", key, does action, when condition;`. `or` adds a second key,
/// for one that other programs use or that needs no shift.
macro_rules! commands {
    ($($group:ident {$(
        $name:ident: $label:literal, $tooltip:literal, $key:expr, $(or $also:expr,)? does $action:expr, when $when:ident;
    )*})*) => {
        /// A command with a name, for buttons and keys.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum UserCommand {
            $($($name,)*)*
        }

        impl UserCommand {
            pub const ALL: &'static [Self] = &[$($(Self::$name,)*)*];

            /// Returns its name, explanation and key.
            pub fn about(self) -> About {
                let (label, tooltip, key) = match self {
                    $($(Self::$name => ($label, $tooltip, $key),)*)*
                };
                About { label, tooltip, key }
            }

            /// Returns its topic.
            pub fn group(self) -> Group {
                match self {
                    $($(Self::$name => Group::$group,)*)*
                }
            }

            /// Returns its second key, if it has one.
            pub fn also(self) -> Option<KeyboardShortcut> {
                match self {
                    $($($(Self::$name => Some($also),)?)*)*
                    _ => None,
                }
            }

            /// Returns what it does.
            pub(crate) fn action(self) -> Action {
                match self {
                    $($(Self::$name => $action.into(),)*)*
                }
            }

            /// Returns the condition under which it can be carried out.
            pub fn when(self) -> When {
                match self {
                    $($(Self::$name => When::$when,)*)*
                }
            }
        }
    };
}

commands! {
File {
    OpenRun: "Open run…",
        "Open the folder of a run, of a study, of a module or of a training to watch",
        ctrl(Key::O), does OverlayAction::AskForFolder, when Always;
    OpenKernels: "Open kernels…",
        "Open kernels that another program has measured: an .npz",
        ctrl_shift(Key::O), does OverlayAction::AskForArchive, when Always;
    WatchTraining: "Watch my training",
        "Six lines for a script in PyTorch, with which its kernel is shown here while it trains",
        key(Key::W), does ShellAction::ToggleWatchCard, when Always;
    Reopen: "Reopen run",
        "Open what was open last, also in an earlier session",
        ctrl_shift(Key::T), does OverlayAction::Reopen, when SomethingWasClosed;
    Runs: "Runs beside this one",
        "Name, hide, show and close the runs that lie over this one",
        key(Key::U), does OverlayAction::ToggleList, when Always;
    ExportWindow: "Export window as PNG",
        "Save a picture of the window; light for print, unless that is switched off",
        ctrl_shift(Key::S), does ExportAction::Window, when Always;
    ExportAnimation: "Export animation",
        "Save the kernel at each snapshot, beside the curves, as a GIF, in the background",
        ctrl(Key::G), does ExportAction::Animation, when AnimationIsPossible;
    CopyCommandLine: "Copy as command line",
        "Copy the line that repeats this run, or study, without a window",
        ctrl_shift(Key::C), does ExportAction::CommandLine, when Always;
    LightExports: "Light background for exports",
        "Pictures and animations always have the light theme, for print",
        key(Key::I), does ExportAction::ToggleLight, when Always;
}
Run {
    PauseResume: "Pause",
        "Pause or resume training, or start a run",
        key(Key::Space), does RunAction::PauseOrResume, when LiveOrStartable;
    Step: "Step",
        "While paused: train on one mini-batch",
        key(Key::S), does RunAction::Step, when Paused;
    SwitchTask: "Switch task now",
        "End this task here and begin the next one",
        key(Key::T), does RunAction::SwitchTask, when TaskToCome;
    Restart: "Restart",
        "Begin again with these settings and the same seed",
        key(Key::R), does RunAction::Start, when Startable;
    NewSeed: "New seed",
        "Start again with these settings and another seed",
        key(Key::N), does RunAction::NewSeed, when OwnStartable;
    Stop: "Stop",
        "End the run; its measurements are kept",
        key(Key::X), does RunAction::Stop, when Stoppable;
    Fork: "Fork",
        "Keep the run as it is and let other futures go on from it",
        key(Key::F), does RunAction::Fork, when NotWatched;
}
Time {
    CursorBack: "Previous snapshot",
        "Move the time cursor one snapshot back",
        key(Key::ArrowLeft), does PlaybackAction::Step { forward: false }, when Always;
    CursorForward: "Next snapshot",
        "Move the time cursor one snapshot on",
        key(Key::ArrowRight), does PlaybackAction::Step { forward: true }, when Always;
    Follow: "Follow",
        "Show the whole run and always its newest snapshot",
        key(Key::End), does PlaybackAction::Follow, when Always;
    Play: "Play",
        "Play or stop the recorded past; training continues",
        key(Key::K), does PlaybackAction::Play, when SeveralSnapshots;
    Loop: "Loop",
        "Repeat playback: over the visible range, from A to B, or not at all",
        key(Key::O), does PlaybackAction::Loop, when Always;
    Mark: "Mark",
        "Mark the moment at the time cursor, or remove its mark",
        key(Key::M), does PlaybackAction::Mark, when AnySnapshot;
    PreviousMark: "Previous mark",
        "Move the time cursor back to the mark before",
        key(Key::Comma), does PlaybackAction::PreviousMark, when MarkBefore;
    NextMark: "Next mark",
        "Move the time cursor on to the next mark",
        key(Key::Period), does PlaybackAction::NextMark, when MarkAfter;
    MomentA: "Moment A",
        "Compare the moment at the time cursor as A, or no more",
        key(Key::A), does PlaybackAction::Choose(Which::A), when AnySnapshot;
    MomentB: "Moment B",
        "Compare the moment at the time cursor as B, or no more",
        key(Key::B), does PlaybackAction::Choose(Which::B), when AnySnapshotAtTheDesk;
    ZoomIn: "Zoom in",
        "Show a shorter stretch of time",
        key(Key::Plus), or key(Key::Equals), does PlaybackAction::ZoomAtCursor(1.5), when Always;
    ZoomOut: "Zoom out",
        "Show a longer stretch of time",
        key(Key::Minus), does PlaybackAction::ZoomAtCursor(1.0 / 1.5), when Always;
}
Views {
    Enlarge: "Enlarge view",
        "Give the window to the view under the pointer, or put it back",
        key(Key::Z), does ViewAction::Enlarge, when Always;
    Wider: "Wider view",
        "Move the divider next to the view under the pointer",
        shift(Key::ArrowRight), does ViewAction::Resize(LinearDir::Horizontal, true), when SeveralViews;
    Narrower: "Narrower view",
        "Move the divider next to the view under the pointer",
        shift(Key::ArrowLeft), does ViewAction::Resize(LinearDir::Horizontal, false), when SeveralViews;
    Higher: "Higher view",
        "Move the divider below the view under the pointer",
        shift(Key::ArrowDown), does ViewAction::Resize(LinearDir::Vertical, true), when SeveralViews;
    Lower: "Lower view",
        "Move the divider below the view under the pointer",
        shift(Key::ArrowUp), does ViewAction::Resize(LinearDir::Vertical, false), when SeveralViews;
    ResetLayout: "Reset layout",
        "Put the usual views back into places of the usual size",
        shift(Key::Z), does ViewAction::ResetLayout, when Always;
}
Settings {
    Undo: "Undo settings",
        "Take back the last change of the settings",
        ctrl(Key::Z), does SettingsAction::Undo, when SettingsChanged;
    Redo: "Redo settings",
        "Make the change again that was taken back",
        ctrl_shift(Key::Z), or ctrl(Key::Y), does SettingsAction::Redo, when SettingsTakenBack;
}
Window {
    Palette: "Commands",
        "Find a command, a preset or a view by typing",
        ctrl(Key::P), or ctrl_shift(Key::P), does ShellAction::TogglePalette, when Always;
    Theme: "Theme",
        "Light, dark, or as the system has it",
        key(Key::D), does ShellAction::NextTheme, when Always;
    Presentation: "Presentation",
        "The whole screen for up to three views in large type, without settings; or back",
        key(Key::P), or key(Key::F11), does ShellAction::TogglePresentation, when Always;
    Blank: "Black screen",
        "In the presentation, nothing but black; or back",
        key(Key::B), does ShellAction::ToggleBlank, when Presenting;
    ScaleUp: "Larger",
        "Draw everything a tenth larger",
        ctrl(Key::Plus), or ctrl(Key::Equals), does ShellAction::ScaleBy(1.0), when Always;
    ScaleDown: "Smaller",
        "Draw everything a tenth smaller",
        ctrl(Key::Minus), does ShellAction::ScaleBy(-1.0), when Always;
    ScaleReset: "Usual size",
        "Draw everything at 100 %",
        ctrl(Key::Num0), does ShellAction::ResetScale, when Always;
    Page: "Run or study",
        "Show the studies, or the run again; both go on",
        key(Key::G), does StudyAction::Toggle, when Always;
    Log: "Log",
        "Open the folder with the log, crash reports and autosaved runs",
        ctrl(Key::L), does ShellAction::RevealLog, when LogExists;
    Lessons: "Lessons",
        "Guided steps through real runs, which wait for what happens in them",
        key(Key::L), does LessonAction::ToggleList, when Always;
    NextStep: "Next step of the lesson",
        "Go on, once what the lesson waits for has come",
        key(Key::Enter), or key(Key::PageDown), does LessonAction::Next, when LessonCanGoOn;
    PreviousStep: "Previous step of the lesson",
        "Read the step before again",
        key(Key::Backspace), or key(Key::PageUp), does LessonAction::Back, when LessonCanGoBack;
    Help: "Help",
        "Keys, and what the views mean",
        key(Key::F1), or key(Key::Questionmark), does ShellAction::ToggleHelp, when Always;
}}

impl UserCommand {
    /// Returns whether the command opens a text field, so that letters typed after it belong to that field.
    pub(crate) fn asks_for_text(self) -> bool {
        matches!(self, Self::Palette | Self::OpenRun | Self::OpenKernels)
    }

    /// Returns the explanation and the key in one line.
    pub fn hover(self, ctx: &egui::Context) -> String {
        let about = self.about();
        format!("{} ({})", about.tooltip, ctx.format_shortcut(&about.key))
    }
}
