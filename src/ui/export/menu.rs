//! Draws the list of export formats of a view or a study card, behind a quiet button in its header.

use egui::{Button, Popup, Ui};

use super::action::What;
use crate::ui::app::commands::UserCommand;
use crate::ui::kit::widgets::{Icon, quiet_button};

/// The chosen entry of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    Export(What),
    /// The light background of pictures, switched on or off.
    Light,
}

/// Draws the export button of the view with this title. `measured`: it has numbers; `light`: pictures have a light background.
pub fn menu(ui: &mut Ui, title: &str, measured: bool, mut light: bool) -> Option<Chosen> {
    let name = format!("Export {title}");
    let button = quiet_button(ui, Icon::Export, &name, "Save this view as a picture or as its numbers");
    let mut chosen = None;
    Popup::menu(&button).show(|ui| {
        ui.set_min_width(170.0);
        let mut entry = |ui: &mut Ui, text: &str, hover: &str, what: What, possible: bool| {
            let button = ui.add_enabled(possible, Button::new(text).frame(false)).on_hover_text(hover);
            if button.on_disabled_hover_text("Nothing has been measured yet").clicked() {
                chosen = Some(Chosen::Export(what));
                ui.close();
            }
        };
        let numbers = "The measured numbers that the view draws; of curves, those in the visible range";
        entry(ui, "Save as PNG", "A picture at twice the size of the screen", What::Png, true);
        entry(ui, "Save as SVG", "A drawing that stays sharp at any size", What::Svg, true);
        entry(ui, "Save numbers as CSV", numbers, What::Csv, measured);
        entry(ui, "Copy numbers", numbers, What::Copy, measured);
        ui.separator();
        let about = UserCommand::LightExports.about();
        if ui.checkbox(&mut light, about.label).on_hover_text(about.tooltip).changed() {
            chosen = Some(Chosen::Light);
        }
    });
    chosen
}
