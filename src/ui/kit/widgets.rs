//! Provides the few widgets that egui lacks: cards, small choosers, and icon buttons.
//!
//! Guarantees: each can be reached by keyboard and has a name for screen readers (and for tests).

use egui::{
    Align, Align2, Color32, ComboBox, FontId, Layout, Rect, Response, RichText, Role, Sense, Stroke, StrokeKind, Ui,
    UiBuilder, Vec2, WidgetInfo, pos2, vec2,
};

pub use super::icons::Icon;
use super::icons::paint_icon;
use super::theme;
use super::theme::{GRID, ROW, Tokens};
use crate::ui::app::commands::UserCommand;

/// The frame of a view: the place of its choosers (from the right) and the area of its content.
pub struct Card {
    pub header: Ui,
    pub body: Ui,
}

/// Height of a card's header.
pub const HEADER: f32 = 20.0;
/// Gap between a card's edge and its content.
pub const PADDING: Vec2 = vec2(8.0, 6.0);

/// The title of the card that is outlined.
#[derive(Clone, PartialEq, Eq)]
struct Pointed(String);

fn pointed() -> egui::Id {
    egui::Id::unique("the card that is pointed at")
}

/// Outlines the card of this title, and no other, in this frame, on whatever page it is.
pub fn point_at(ctx: &egui::Context, title: Option<&str>) {
    let title = title.map(str::to_lowercase).unwrap_or_default();
    ctx.data_mut(|data| data.insert_temp(pointed(), Pointed(title)));
}

/// Draws an empty card with its title, its unit and, if `help` is not empty, a `?`. `draw` draws the title in its place.
pub fn card_titled(ui: &mut Ui, rect: Rect, title: &str, unit: &str, help: &str, draw: impl FnOnce(&mut Ui)) -> Card {
    let tokens = Tokens::of(ui);
    let pointed = ui.data(|data| data.get_temp(pointed())) == Some(Pointed(title.to_lowercase()));
    let line = if pointed { Stroke::new(2.0, tokens.accent) } else { tokens.line() };
    ui.painter().rect(rect, 6.0, tokens.card, line, StrokeKind::Inside);
    let inner = rect.shrink2(PADDING);
    let (top, bottom) = inner.split_top_bottom_at_y(inner.top() + HEADER);
    let mut header = ui.new_child(
        UiBuilder::new().max_rect(top).id_salt((title, "header")).layout(Layout::left_to_right(Align::Center)),
    );
    header.spacing_mut().item_spacing.x = GRID;
    header.scope(draw);
    if !unit.is_empty() {
        header.label(RichText::new(unit).size(theme::SMALL).color(tokens.weak));
    }
    let rest = header.available_rect_before_wrap();
    let mut header = ui.new_child(
        UiBuilder::new().max_rect(rest).id_salt((title, "choosers")).layout(Layout::right_to_left(Align::Center)),
    );
    header.spacing_mut().item_spacing.x = GRID;
    header.spacing_mut().interact_size.y = 18.0;
    header.spacing_mut().button_padding = vec2(5.0, 1.0);
    // In a narrow place the choosers are cut, not the title, which contains the list of other views.
    let room = rest.expand(4.0).with_min_x(rest.left());
    header.set_clip_rect(room.intersect(ui.clip_rect()));
    if !help.is_empty() {
        question(&mut header, title, help);
    }
    let body = bottom.with_min_y(bottom.top() + 2.0);
    let mut body =
        ui.new_child(UiBuilder::new().max_rect(body).id_salt((title, "body")).layout(Layout::top_down(Align::Min)));
    body.set_clip_rect(rect.intersect(ui.clip_rect()));
    Card { header, body }
}

/// Size of a quiet button: the smallest that can be hit, since a narrow place has choosers beside it.
const QUIET: Vec2 = Vec2::splat(14.0);

/// Draws the `?` of a view, which explains its content, its formula and the source.
fn question(ui: &mut Ui, title: &str, help: &str) {
    let (rect, response) = ui.allocate_exact_size(QUIET, Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("About {title}")));
    let tokens = Tokens::of(ui);
    let lit = response.hovered() || response.has_focus();
    let colour = if lit { tokens.accent } else { tokens.faint };
    ui.painter().circle_stroke(rect.center(), 6.5, Stroke::new(1.0, colour));
    ui.painter().text(rect.center(), Align2::CENTER_CENTER, "?", FontId::proportional(10.5), colour);
    let show = |ui: &mut Ui| {
        ui.set_max_width(340.0);
        ui.label(RichText::new(title).size(theme::TITLE));
        ui.label(help);
    };
    if response.has_focus() {
        response.show_tooltip_ui(show);
    } else {
        response.on_hover_ui(show);
    }
}

/// Draws an icon button as faint as the `?`, for rare actions.
pub fn quiet_button(ui: &mut Ui, icon: Icon, name: &str, hover: &str) -> Response {
    let (rect, response) = ui.allocate_exact_size(QUIET, Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
    let tokens = Tokens::of(ui);
    let lit = response.hovered() || response.has_focus();
    let colour = if lit { tokens.accent } else { tokens.faint };
    paint_icon(ui, rect.shrink(1.0), icon, colour, tokens.card);
    response.on_hover_text(hover)
}

fn paper() -> egui::Id {
    egui::Id::unique("paper")
}

/// Sets whether the following is drawn for a picture, in which a chooser shows only the chosen value.
pub fn set_paper(ctx: &egui::Context, is_paper: bool) {
    ctx.data_mut(|data| data.insert_temp(paper(), is_paper));
}

/// Draws the chosen value as text if this is a picture; returns whether it is.
fn on_paper(ui: &mut Ui, chosen: &str) -> bool {
    let is_paper = ui.data(|data| data.get_temp(paper())).unwrap_or(false);
    if is_paper && !chosen.is_empty() {
        ui.label(RichText::new(chosen).size(theme::SMALL).color(Tokens::of(ui).weak));
    }
    is_paper
}

/// Draws a checkbox; in a picture its label, if it is checked.
pub fn tick(ui: &mut Ui, ticked: &mut bool, words: &str, hover: &str) {
    if !on_paper(ui, if *ticked { words } else { "" }) {
        ui.checkbox(ticked, words).on_hover_text(hover);
    }
}

/// Draws a small drop-down list; returns whether the choice changed.
pub fn choose<T: PartialEq + Copy>(ui: &mut Ui, name: &str, chosen: &mut T, options: &[(T, &str)]) -> bool {
    let current = options.iter().find(|option| option.0 == *chosen).map_or("", |option| option.1);
    if on_paper(ui, current) {
        return false;
    }
    let before = *chosen;
    let list = ComboBox::from_id_salt(name).selected_text(RichText::new(current).size(theme::SMALL)).height(420.0);
    let shown = list.show_ui(ui, |ui| {
        for (value, text) in options {
            ui.selectable_value(chosen, *value, *text);
        }
    });
    let _named = shown.response.accessible_name(name);
    *chosen != before
}

/// Draws a row of words of which one is chosen.
pub fn segments<T: PartialEq + Copy>(ui: &mut Ui, chosen: &mut T, options: &[(T, &str, &str)]) -> bool {
    let before = *chosen;
    let current = options.iter().find(|option| option.0 == before).map_or("", |option| option.1);
    if on_paper(ui, current) {
        return false;
    }
    let mut add = |ui: &mut Ui, (value, text, hover): &(T, &str, &str)| {
        let response =
            ui.selectable_label(*chosen == *value, RichText::new(*text).size(theme::SMALL)).on_hover_text(*hover);
        if response.clicked() {
            *chosen = *value;
        }
    };
    ui.spacing_mut().item_spacing.x = 1.0;
    if ui.layout().main_dir() == egui::Direction::RightToLeft {
        options.iter().rev().for_each(|option| add(ui, option));
    } else {
        options.iter().for_each(|option| add(ui, option));
    }
    ui.spacing_mut().item_spacing.x = GRID;
    *chosen != before
}

/// Height of the buttons in the bar at the top.
pub const BAR_BUTTON: f32 = ROW + GRID;

/// A button with an icon and, if not empty, a word. Screen readers use its name.
pub struct IconButton<'a> {
    pub icon: Icon,
    pub text: &'a str,
    pub name: &'a str,
    pub hover: String,
    pub enabled: bool,
    pub primary: bool,
}

impl<'a> IconButton<'a> {
    /// Creates the button of a command, without a word.
    pub fn of(ui: &Ui, command: UserCommand, icon: Icon) -> Self {
        Self {
            icon,
            text: "",
            name: command.about().label,
            hover: command.hover(ui.ctx()),
            enabled: true,
            primary: false,
        }
    }

    pub fn small(icon: Icon, name: &'a str) -> Self {
        Self { icon, text: "", name, hover: name.to_owned(), enabled: true, primary: false }
    }

    pub fn text(self, text: &'a str) -> Self {
        Self { text, ..self }
    }

    pub fn enabled(self, enabled: bool) -> Self {
        Self { enabled, ..self }
    }

    /// Draws the button at this height.
    pub fn show(self, ui: &mut Ui, height: f32) -> Response {
        let galley = (!self.text.is_empty()).then(|| {
            ui.painter().layout_no_wrap(self.text.to_owned(), FontId::proportional(theme::BODY), Color32::PLACEHOLDER)
        });
        let words = galley.as_ref().map_or(0.0, |galley| galley.size().x + 6.0);
        let padding = if galley.is_some() { 8.0 } else { (height - 12.0) / 2.0 };
        let size = vec2(12.0 + words + 2.0 * padding, height);
        let sense = if self.enabled { Sense::click() } else { Sense::hover() };
        let (rect, response) = ui.allocate_exact_size(size, sense);
        response.widget_info(|| WidgetInfo::labeled(Role::Button, self.enabled, self.name));
        if ui.is_rect_visible(rect) {
            let tokens = Tokens::of(ui);
            let look = ui.style().interact(&response);
            let (fill, colour) = match (self.enabled, self.primary) {
                (false, _) => (ui.visuals().widgets.inactive.bg_fill.gamma_multiply(0.5), tokens.faint),
                (true, true) => (tokens.accent, tokens.on_accent),
                (true, false) => (look.bg_fill, tokens.text),
            };
            ui.painter().rect(
                rect,
                4.0,
                fill,
                if self.enabled { look.bg_stroke } else { Stroke::NONE },
                StrokeKind::Inside,
            );
            let square = Rect::from_min_size(pos2(rect.left() + padding, rect.center().y - 6.0), Vec2::splat(12.0));
            paint_icon(ui, square, self.icon, colour, fill);
            if let Some(galley) = galley {
                let at = pos2(square.right() + 6.0, rect.center().y - galley.size().y / 2.0);
                ui.painter().galley_with_override_text_color(at, galley, colour);
            }
        }
        response.on_hover_text(self.hover)
    }
}
