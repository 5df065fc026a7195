//! Draws the parts of the window around the views: bars, timeline, messages, dialogs.

pub(crate) mod banner;
pub mod command_palette;
pub(crate) mod folder_dialog;
pub(crate) mod help;
pub(crate) mod status_bar;
pub(crate) mod timeline;
pub(crate) mod toast;
pub mod toasts;
pub(crate) mod top_bar;

use egui::{Context, ViewportCommand};

use super::app::commands::UserCommand;
use super::app::shortcuts::PendingInput;
use super::kit::perf_stats::PerfStats;
use super::shell::command_palette::CommandPalette;
use super::shell::toast::Toast;
use super::shell::toasts::Toasts;

/// The state of the window that belongs to no page: messages, palette, help, pending keys, and closing.
#[derive(Default)]
pub struct Shell {
    pub toasts: Toasts,
    pub palette: CommandPalette,
    /// Whether the help page is open.
    pub help: bool,
    /// Whether the card about watching a training is open.
    pub watch_card: bool,
    /// Whether the banner was closed.
    pub banner_dismissed: bool,
    /// Keys and text that have not been delivered yet.
    pub pending_input: PendingInput,
    /// The last command that was carried out.
    pub last_command: Option<UserCommand>,
    /// Whether the window closes once all files are written.
    closing: bool,
    pub stats: PerfStats,
}

impl Shell {
    /// Shows messages at the lower right.
    pub fn say(&mut self, toasts: impl IntoIterator<Item = Toast>) {
        toasts.into_iter().for_each(|toast| self.toasts.say(toast));
    }

    /// Keeps a window that is closed while files are being written (`saves`) open until they are complete; a second close takes
    /// effect at once.
    pub fn close_when_saved(&mut self, ctx: &Context, saves: bool) {
        let requested = ctx.input(|input| input.viewport().close_requested());
        if requested && saves && !self.closing {
            self.closing = true;
            ctx.send_viewport_cmd(ViewportCommand::CancelClose);
            let text = "A file is still being saved: the window closes when it is complete; close it again to discard the \
                 file";
            self.toasts.say(Toast::offer(text));
        } else if self.closing && !saves {
            self.closing = false;
            ctx.send_viewport_cmd(ViewportCommand::Close);
        }
    }
}
