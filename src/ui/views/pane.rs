//! Frames a view while it draws itself in a pane: the card whose title is the menu of views, the list of exports, and the
//! commands of the pane.

use egui::{Align, Color32, ComboBox, Grid, Layout, Rect, RichText, Sense, Ui, UiBuilder, vec2};
use egui_tiles::LinearDir;

use super::context::Selection;
use crate::ui::app::commands::UserCommand;
use crate::ui::export::action::What;
use crate::ui::export::menu::{Chosen, menu};
use crate::ui::kit::theme;
use crate::ui::kit::widgets::{Card, HEADER, Icon, IconButton, PADDING, card_titled, quiet_button};

/// Below this width a pane has no room for units and the lesser choosers.
const ROOMY: f32 = 380.0;

/// Says what the card of a view shows of it.
#[derive(Clone, Copy)]
pub(super) struct About {
    pub title: &'static str,
    pub help: &'static str,
    /// The width below which title and choosers do not fit in one line.
    pub one_line: f32,
    /// The titles of all views in the order of menus.
    pub titles: &'static [&'static str],
}

/// Names what the user did with a pane.
#[derive(Clone, Copy)]
pub(super) enum PaneAction {
    /// Show the view of this title from the next frame on.
    Show(&'static str),
    Enlarge,
    PutBack,
    Split(LinearDir),
    Close,
    Export(What),
    /// Give exported pictures a light ground, or that of the window.
    Light,
}

/// Holds a pane while a view draws itself in it.
pub(super) struct Pane<'a> {
    pub rect: Rect,
    /// The view in the pane.
    pub about: About,
    /// True if the pane fills the window.
    pub enlarged: bool,
    /// True if this is a picture to be exported, which has no controls.
    pub paper: bool,
    /// Tells whether there are numbers to export, and whether pictures have a light ground.
    pub measured: bool,
    pub light: bool,
    pub action: Option<PaneAction>,
    /// Choices made in one view that apply to several.
    pub selection: &'a mut Selection,
}

impl<'a> Pane<'a> {
    /// Returns a pane of an exported picture.
    pub fn on_paper(rect: Rect, about: About, selection: &'a mut Selection) -> Self {
        Self { rect, about, enlarged: false, paper: true, measured: false, light: false, action: None, selection }
    }

    /// Returns whether there is room for units and the lesser choosers.
    pub fn roomy(&self) -> bool {
        self.rect.width() >= ROOMY
    }

    /// Draws the card of the pane's view, whose title is the menu of views.
    pub fn card(&mut self, ui: &mut Ui, unit: &str) -> Card {
        let (About { title, help, one_line, .. }, unit) = (self.about, if self.roomy() { unit } else { "" });
        if self.paper {
            let text = RichText::new(title).size(theme::TITLE);
            return card_titled(ui, self.rect, title, unit, "", |ui| _ = ui.label(text));
        }
        let head = self.rect.with_max_y(self.rect.top() + PADDING.y + HEADER);
        // Placed below title and choosers in depth, and not focusable: those have their own focus.
        let head = ui.interact(head, ui.scope_id().with((title, "head")), Sense::CLICK);
        if head.double_clicked() {
            self.action = Some(if self.enlarged { PaneAction::PutBack } else { PaneAction::Enlarge });
        }
        let mut card = card_titled(ui, self.rect, title, unit, help, |ui| self.title(ui));
        self.exports(&mut card.header);
        if self.enlarged {
            let key = ui.ctx().format_shortcut(&UserCommand::Enlarge.about().key);
            let (name, hover) = (format!("Put back {title}"), format!("Put the view back ({key} or Esc)"));
            if quiet_button(&mut card.header, Icon::PutBack, &name, &hover).clicked() {
                self.action = Some(PaneAction::PutBack);
            }
        }
        if self.rect.width() < one_line {
            // The choosers get a line of their own: clipped ones could not be pressed.
            let line = vec2(card.body.available_width(), HEADER);
            let (line, _) = card.body.allocate_exact_size(line, Sense::hover());
            let of = UiBuilder::new().max_rect(line).id_salt((title, "line"));
            let mut header = ui.new_child(of.layout(Layout::right_to_left(Align::Center)));
            *header.spacing_mut() = card.header.spacing().clone();
            card.header = header;
        }
        card
    }

    /// Draws the list of the view's export formats.
    fn exports(&mut self, ui: &mut Ui) {
        match menu(ui, self.about.title, self.measured, self.light) {
            Some(Chosen::Export(what)) => self.action = Some(PaneAction::Export(what)),
            Some(Chosen::Light) => self.action = Some(PaneAction::Light),
            None => {}
        }
    }

    /// Draws the commands of the pane in one line below the list of views.
    fn actions(&mut self, ui: &mut Ui) {
        let entries = [
            (Icon::Enlarge, "Enlarge this view", PaneAction::Enlarge),
            (Icon::Beside, "Split side by side", PaneAction::Split(LinearDir::Horizontal)),
            (Icon::Below, "Split one above the other", PaneAction::Split(LinearDir::Vertical)),
            (Icon::Cross, "Close this place", PaneAction::Close),
        ];
        ui.add_space(2.0);
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = theme::GRID;
            for (icon, name, action) in entries {
                if IconButton::small(icon, name).show(ui, 18.0).clicked() {
                    self.action = Some(action);
                }
            }
        });
    }

    fn title(&mut self, ui: &mut Ui) {
        let About { title, titles, .. } = self.about;
        let visuals = ui.visuals_mut();
        // It looks like a title first and a list second: no frame until it is hovered.
        visuals.widgets.inactive.weak_bg_fill = Color32::TRANSPARENT;
        ui.spacing_mut().button_padding = vec2(0.0, 1.0);
        (ui.spacing_mut().icon_width, ui.spacing_mut().icon_spacing) = (8.0, 2.0);
        let text = RichText::new(title).size(theme::TITLE);
        let list = ComboBox::from_id_salt("view").selected_text(text).width(0.0).height(540.0);
        let shown = list.show_ui(ui, |ui| {
            // All views at once, in two columns: a list gets at most half of the window's height.
            ui.spacing_mut().button_padding = vec2(6.0, 0.0);
            ui.spacing_mut().item_spacing.y = 0.0;
            ui.spacing_mut().interact_size.y = 18.0;
            let half = titles.len().div_ceil(2);
            Grid::new("views").num_columns(2).spacing(vec2(8.0, 0.0)).show(ui, |ui| {
                for row in 0..half {
                    for &other in [titles.get(row), titles.get(row + half)].into_iter().flatten() {
                        if ui.selectable_label(other == title, other).clicked() && other != title {
                            self.action = Some(PaneAction::Show(other));
                        }
                    }
                    ui.end_row();
                }
            });
            if !self.enlarged {
                self.actions(ui);
            }
        });
        let _named = shown.response.accessible_name(format!("View: {title}"));
    }
}
