//! Holds the appearance of the page's cards, and the card to be exported.

use egui::{Ui, Vec2};

use crate::ui::export::action::What;
use crate::ui::export::menu::{Chosen, menu};

/// Describes a card to be exported at its size on the page.
#[derive(Clone, Debug, PartialEq)]
pub struct CardExport {
    pub title: &'static str,
    pub size: Vec2,
    pub what: What,
}

/// Passes the window's settings to the cards of the page, and their requests back.
#[derive(Clone, Debug, PartialEq)]
pub struct Cards {
    /// Factor on the usual thickness of curves.
    pub thick: f32,
    /// True if exported pictures have a light ground.
    pub light: bool,
    /// The card to be exported.
    pub export: Option<CardExport>,
}

impl Default for Cards {
    fn default() -> Self {
        Self { thick: 1.0, light: true, export: None }
    }
}

impl Cards {
    /// Draws the button that exports the card with this title and size.
    pub fn export(&mut self, header: &mut Ui, title: &'static str, size: Vec2) {
        match menu(header, title, true, self.light) {
            Some(Chosen::Export(what)) => self.export = Some(CardExport { title, size, what }),
            Some(Chosen::Light) => self.light = !self.light,
            None => {}
        }
    }
}
