//! The window as one picture.

use super::{brief, file_name, slug};
use crate::ui::app::App;
use crate::ui::app::commands::UserCommand;

impl App {
    /// Draws the window once more, without pointer and open lists, where a picture is made of it. Plots know how wide their axes
    /// are, and letters are laid out, only after a pass; these have frames of their own, so that none takes long.
    pub(in crate::ui) fn export_window(&mut self, ctx: &egui::Context, available: &[UserCommand], pass: u8) {
        let (size, theme) = (ctx.content_rect().size(), self.exports.theme(ctx.theme()));
        let mut darkroom = self.exports.darkroom_like(ctx.memory(Clone::clone));
        self.views.forget_textures();
        let plate = darkroom.develop_again(size, theme, |ui| self.layout(ui, available, true));
        self.views.forget_textures();
        ctx.request_repaint();
        if pass > 1 {
            return self.exports.rehearsed(darkroom);
        }
        let stem = match self.session() {
            _ if self.study.shown => slug(&format!("{}-study", self.study.draft.name())),
            Some(session) => {
                let epoch = brief(self.clock.cursor(&session.history));
                format!("{}-window-epoch-{epoch}", file_name(Some(session)))
            }
            None => "kernelscope-window".to_owned(),
        };
        self.exports.take_window(darkroom, plate, theme, stem);
    }
}
