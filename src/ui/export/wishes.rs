//! What leaves a run: the names of its files, its animation, and the line that repeats it.

use egui::Context;

use super::animation::Reel;
use super::{name_of, slug};
use crate::ui::app::App;
use crate::ui::app::session::Session;
use crate::ui::app::update::waker;
use crate::ui::shell::toasts::Toast;

/// What files of the run that is shown are called: after what was opened, else after its preset. All presets are looked at, which is
/// not for every frame.
pub fn file_name(session: Option<&Session>) -> String {
    match session.map(|session| (session, &session.opened)) {
        Some((_, Some(opened))) => slug(&opened.name),
        Some((session, None)) => name_of(&session.spec).to_owned(),
        None => "kernelscope".to_owned(),
    }
}

impl App {
    pub(in crate::ui) fn animate(&mut self, ctx: &Context) {
        let history = self.history().clone();
        let name = file_name(self.session.as_ref());
        let theme = self.exports.theme(ctx.theme());
        let reel = Reel { stem: format!("{name}-animation"), history, views: self.views.for_film(), theme };
        if let Some(toast) = self.exports.animate(reel, waker(ctx)) {
            self.toasts.say(toast);
        }
    }

    /// Of the run as it went, live changes included; of the settings where there is none.
    pub(in crate::ui) fn copy_command_line(&mut self, ctx: &Context) {
        let spec = if self.study.shown {
            self.study.draft.spec(&self.draft).map_err(|problem| format!("{}: {}", problem.field, problem.message))
        } else {
            Ok(self.history().spec_as_it_went().unwrap_or_else(|| self.draft.clone()))
        };
        let too_large = || "The settings cannot be said in a line: a number is too large for a run file".to_owned();
        let folder = self.study.shown.then(|| self.study.folder().to_owned());
        self.toasts.say(match spec.and_then(|spec| spec.command_line(folder.as_deref()).ok_or_else(too_large)) {
            Ok(line) => {
                let toast = Toast::done(format!("Copied: {line}"));
                ctx.copy_text(line);
                toast
            }
            Err(message) => Toast::failed(message),
        });
    }
}
