//! The page in a window that is too small for it: behind scroll bars, so that nothing is ever out of reach.

use egui::scroll_area::ScrollSource;
use egui::style::ScrollStyle;
use egui::{ScrollArea, Sense, Ui, UiBuilder, Vec2, vec2};

use super::App;
use super::commands::UserCommand;

/// Smaller than this the page does not become.
const LEAST: Vec2 = vec2(900.0, 540.0);

impl App {
    /// Draws everything. The wheel is the plots' also here.
    pub(crate) fn page(&mut self, ui: &mut Ui, available: &[UserCommand]) {
        let room = ui.available_size();
        if room.x >= LEAST.x && room.y >= LEAST.y {
            return self.layout(ui, available, false);
        }
        let bars = ScrollSource { scroll_bar: true, ..ScrollSource::NONE };
        // These are always seen; those within are as usual.
        let usual = std::mem::replace(&mut ui.spacing_mut().scroll, ScrollStyle::solid());
        ScrollArea::both().scroll_source(bars).show(ui, |ui| {
            ui.spacing_mut().scroll = usual;
            let (rect, _) = ui.allocate_exact_size(room.max(LEAST), Sense::hover());
            self.layout(&mut ui.new_child(UiBuilder::new().max_rect(rect)), available, false);
        });
    }
}
