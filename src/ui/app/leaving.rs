//! The end of the window: what is still to be written when it is closed.
//!
//! Guarantee: a file that was asked for is finished before the window goes, or the user has said twice that it need not be.

use std::time::{Duration, Instant};

use egui::{Context, ViewportCommand};

use super::App;
use super::session::Session;
use crate::ui::shell::toasts::Toast;

impl App {
    /// The window closes: the run is let go of, and what of its folder is still to be written gets this long.
    /// Pictures that were drawn are finished in that time, too.
    pub fn leave(&mut self, at_most: Duration) {
        let patience = Instant::now() + at_most;
        let closing = self.session.as_mut().and_then(Session::retire);
        self.exports.finish(at_most).iter().for_each(|sentence| log::warn!("{sentence}"));
        if let Some(closing) = closing {
            closing.wait(patience.saturating_duration_since(Instant::now()));
        }
    }

    /// A window that is closed while files are being made stays until they are whole; closed again it goes at once.
    pub(crate) fn close_when_saved(&mut self, ctx: &Context) {
        let (asked, saves) = (ctx.input(|input| input.viewport().close_requested()), self.exports.is_busy());
        if asked && saves && !self.closing {
            self.closing = true;
            ctx.send_viewport_cmd(ViewportCommand::CancelClose);
            let text =
                "What is being saved is not yet whole: the window closes when it is; close it again to give it up";
            self.toasts.say(Toast::offer(text));
        } else if self.closing && !saves {
            self.closing = false;
            ctx.send_viewport_cmd(ViewportCommand::Close);
        }
    }
}
