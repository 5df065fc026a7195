//! How the cards of the page look, and which of them is to be exported.

use egui::{Ui, Vec2};

use crate::ui::export::action::What;
use crate::ui::export::menu::{Chosen, menu};

/// A card to be exported, as large as it stands on the page.
#[derive(Clone, Debug, PartialEq)]
pub struct CardExport {
    pub title: &'static str,
    pub size: Vec2,
    pub what: What,
}

/// What the window tells the cards of the page, and what they ask.
#[derive(Clone, Debug, PartialEq)]
pub struct Cards {
    /// How much thicker curves are than usual.
    pub thick: f32,
    /// Whether exported pictures have a light ground.
    pub light: bool,
    /// What is to be exported.
    pub asked: Option<CardExport>,
}

impl Default for Cards {
    fn default() -> Self {
        Self { thick: 1.0, light: true, asked: None }
    }
}

impl Cards {
    /// Draws the sign by which the card with this title, of this size, is exported.
    pub fn export(&mut self, header: &mut Ui, title: &'static str, size: Vec2) {
        match menu(header, title, true, self.light) {
            Some(Chosen::Export(what)) => self.asked = Some(CardExport { title, size, what }),
            Some(Chosen::Light) => self.light = !self.light,
            None => {}
        }
    }
}
