//! The few widgets that egui lacks: cards, small choosers, buttons with a drawn icon, and legends with values.
//!
//! Guarantees: each can be reached by keyboard and has a name for screen readers (and for tests).

use egui::{
    Align, Align2, Color32, ComboBox, FontId, Layout, Rect, Response, RichText, Role, Sense, Shape, Stroke, StrokeKind,
    Ui, UiBuilder, Vec2, WidgetInfo, pos2, vec2,
};

use super::actions::UserCommand;
use super::format;
use super::plot::{Style, Trace};
use super::theme::{self, GRID, ROW, Tokens};

/// A view's frame: where its choosers go (from the right) and where it is drawn.
pub struct Card {
    pub header: Ui,
    pub body: Ui,
}

/// Height of a card's header.
pub const HEADER: f32 = 20.0;
/// Gap between a card's edge and what is in it.
pub const PADDING: Vec2 = vec2(8.0, 6.0);

/// Draws an empty card with its title, unit and the `?` that explains it. `draw` puts the title where it belongs.
pub fn card_titled(ui: &mut Ui, rect: Rect, title: &str, unit: &str, help: &str, draw: impl FnOnce(&mut Ui)) -> Card {
    let tokens = Tokens::of(ui);
    ui.painter().rect(rect, 6.0, tokens.card, tokens.line(), StrokeKind::Inside);
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
    // In a narrow place the choosers are cut, not the title: it has the list by which the place is given another view.
    let room = rest.expand(4.0).with_min_x(rest.left());
    header.set_clip_rect(room.intersect(ui.clip_rect()));
    question(&mut header, title, help);
    let body = bottom.with_min_y(bottom.top() + 2.0);
    let mut body =
        ui.new_child(UiBuilder::new().max_rect(body).id_salt((title, "body")).layout(Layout::top_down(Align::Min)));
    body.set_clip_rect(rect.intersect(ui.clip_rect()));
    Card { header, body }
}

/// The `?` of a view: what is shown, by which formula, and where that comes from.
fn question(ui: &mut Ui, title: &str, help: &str) {
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(16.0), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("About {title}")));
    let tokens = Tokens::of(ui);
    let lit = response.hovered() || response.has_focus();
    let colour = if lit { tokens.accent } else { tokens.faint };
    ui.painter().circle_stroke(rect.center(), 7.0, Stroke::new(1.0, colour));
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

/// A sign as faint as the `?`, for what is seldom wanted.
pub fn quiet_button(ui: &mut Ui, icon: Icon, name: &str, hover: &str) -> Response {
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(16.0), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
    let tokens = Tokens::of(ui);
    let lit = response.hovered() || response.has_focus();
    let colour = if lit { tokens.accent } else { tokens.faint };
    paint_icon(ui, rect.shrink(2.0), icon, colour, tokens.card);
    response.on_hover_text(hover)
}

/// A small drop-down list; returns whether the choice changed.
pub fn choose<T: PartialEq + Copy>(ui: &mut Ui, name: &str, chosen: &mut T, options: &[(T, &str)]) -> bool {
    let current = options.iter().find(|option| option.0 == *chosen).map_or("", |option| option.1);
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

/// A row of words of which one is chosen.
pub fn segments<T: PartialEq + Copy>(ui: &mut Ui, chosen: &mut T, options: &[(T, &str, &str)]) -> bool {
    let before = *chosen;
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

/// Names and values at the cursor of the traces, in what is left of a header.
pub fn legend(ui: &mut Ui, traces: &[Trace], log: bool, show: impl Fn(f64) -> String) {
    let tokens = Tokens::of(ui);
    let rect = ui.available_rect_before_wrap();
    let painter = ui.painter().with_clip_rect(rect);
    let mut x = rect.left() + 6.0;
    for trace in traces
        .iter()
        .rev()
        .filter(|trace| !trace.name.is_empty() && trace.style == Style::Solid && trace.colour.a() == 255)
    {
        let value = trace.now.map(|now| if log { 10f64.powf(now) } else { now });
        let name = painter.layout_no_wrap(trace.name.clone(), theme::note(), tokens.weak);
        let value = painter.layout_no_wrap(value.map_or_else(String::new, &show), FontId::monospace(10.5), tokens.text);
        let width = 9.0 + name.size().x + 3.0 + value.size().x + 8.0;
        if x + width - 8.0 > rect.right() {
            break;
        }
        let y = rect.center().y;
        painter.circle_filled(pos2(x + 3.0, y), 3.0, trace.colour);
        let (name_size, value_size) = (name.size(), value.size());
        painter.galley(pos2(x + 9.0, y - name_size.y / 2.0), name, tokens.weak);
        painter.galley(pos2(x + 12.0 + name_size.x, y - value_size.y / 2.0), value, tokens.text);
        x += width;
    }
}

/// From this width on a header has room for two choosers and a legend.
pub const HEADER_WIDTH: f32 = 500.0;

/// Names of the traces, small, in as many lines as they need: where the header has no room.
pub fn names_below<'a>(ui: &mut Ui, traces: impl Iterator<Item = &'a Trace>) {
    let weak = Tokens::of(ui).weak;
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(7.0, 1.0);
        ui.spacing_mut().interact_size.y = 11.0;
        for trace in traces {
            let galley = ui.painter().layout_no_wrap(trace.name.clone(), FontId::proportional(9.5), weak);
            let size = galley.size();
            let (rect, _) = ui.allocate_exact_size(vec2(8.0 + size.x, size.y), Sense::hover());
            ui.painter().circle_filled(rect.left_center() + vec2(3.0, 0.0), 3.0, trace.colour);
            ui.painter().galley(rect.min + vec2(8.0, 0.0), galley, weak);
        }
    });
}

/// [`legend`] with plain numbers.
pub fn number_legend(ui: &mut Ui, traces: &[Trace], log: bool) {
    legend(ui, traces, log, format::number);
}

/// A drawn sign; fonts differ too much for these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    Play,
    Pause,
    Step,
    Restart,
    Dice,
    Stop,
    Next,
    Moon,
    Sun,
    Help,
    Larger,
    Up,
    Down,
    Plus,
    Cross,
    Folder,
    Beside,
    Below,
    Enlarge,
    PutBack,
}

/// A button with a sign and, if not empty, a word. The name is what a screen reader says.
pub struct IconButton<'a> {
    pub icon: Icon,
    pub text: &'a str,
    pub name: &'a str,
    pub hover: String,
    pub enabled: bool,
    pub primary: bool,
}

impl<'a> IconButton<'a> {
    /// The button of a command, without a word.
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

    /// Draws it at this height.
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

/// Draws a sign into a square of 12 points.
pub fn paint_icon(ui: &Ui, rect: Rect, icon: Icon, colour: Color32, ground: Color32) {
    let painter = ui.painter();
    let at = |x: f32, y: f32| rect.min + vec2(x, y) * (rect.width() / 12.0);
    let fill = |points: Vec<egui::Pos2>| Shape::convex_polygon(points, colour, Stroke::NONE);
    let stroke = Stroke::new(1.4, colour);
    match icon {
        Icon::Play => {
            painter.add(fill(vec![at(2.5, 1.0), at(11.0, 6.0), at(2.5, 11.0)]));
        }
        Icon::Pause => {
            painter.rect_filled(Rect::from_min_max(at(2.5, 1.5), at(5.0, 10.5)), 0.5, colour);
            painter.rect_filled(Rect::from_min_max(at(7.0, 1.5), at(9.5, 10.5)), 0.5, colour);
        }
        Icon::Step => {
            painter.add(fill(vec![at(1.5, 1.5), at(8.0, 6.0), at(1.5, 10.5)]));
            painter.rect_filled(Rect::from_min_max(at(8.5, 1.5), at(10.5, 10.5)), 0.5, colour);
        }
        Icon::Next => {
            painter.add(fill(vec![at(0.5, 2.0), at(6.0, 6.0), at(0.5, 10.0)]));
            painter.add(fill(vec![at(6.0, 2.0), at(11.5, 6.0), at(6.0, 10.0)]));
        }
        Icon::Stop => {
            painter.rect_filled(Rect::from_min_max(at(2.0, 2.0), at(10.0, 10.0)), 1.0, colour);
        }
        Icon::Restart => {
            let arc = (0..=20).map(|step| {
                let angle = -0.6 + step as f32 * 5.2 / 20.0;
                rect.center() + vec2(angle.cos(), angle.sin()) * 4.4
            });
            painter.add(Shape::line(arc.collect(), stroke));
            painter.add(fill(vec![at(7.2, 4.6), at(11.8, 4.8), at(10.8, 0.4)]));
        }
        Icon::Dice => {
            painter.rect_stroke(Rect::from_min_max(at(1.0, 1.0), at(11.0, 11.0)), 2.0, stroke, StrokeKind::Inside);
            for (x, y) in [(3.8, 3.8), (8.2, 8.2), (6.0, 6.0), (8.2, 3.8), (3.8, 8.2)] {
                painter.circle_filled(at(x, y), 1.0, colour);
            }
        }
        Icon::Moon => {
            painter.circle_filled(at(6.0, 6.0), 5.0, colour);
            painter.circle_filled(at(8.4, 4.4), 4.2, ground);
        }
        Icon::Sun => {
            painter.circle_filled(at(6.0, 6.0), 2.6, colour);
            for ray in 0..8 {
                let angle = ray as f32 * std::f32::consts::FRAC_PI_4;
                let direction = vec2(angle.cos(), angle.sin());
                painter.line_segment([rect.center() + direction * 4.0, rect.center() + direction * 5.8], stroke);
            }
        }
        Icon::Help => {
            painter.text(rect.center(), Align2::CENTER_CENTER, "?", FontId::proportional(14.0), colour);
        }
        Icon::Larger => {
            painter.text(at(3.2, 7.4), Align2::CENTER_CENTER, "A", FontId::proportional(9.0), colour);
            painter.text(at(8.4, 5.8), Align2::CENTER_CENTER, "A", FontId::proportional(14.0), colour);
        }
        Icon::Up => {
            painter.add(Shape::line(vec![at(2.5, 8.0), at(6.0, 4.0), at(9.5, 8.0)], stroke));
        }
        Icon::Down => {
            painter.add(Shape::line(vec![at(2.5, 4.0), at(6.0, 8.0), at(9.5, 4.0)], stroke));
        }
        Icon::Plus => {
            painter.line_segment([at(6.0, 2.0), at(6.0, 10.0)], stroke);
            painter.line_segment([at(2.0, 6.0), at(10.0, 6.0)], stroke);
        }
        Icon::Cross => {
            painter.line_segment([at(2.8, 2.8), at(9.2, 9.2)], stroke);
            painter.line_segment([at(9.2, 2.8), at(2.8, 9.2)], stroke);
        }
        Icon::Beside | Icon::Below => {
            painter.rect_stroke(Rect::from_min_max(at(1.0, 1.5), at(11.0, 10.5)), 1.5, stroke, StrokeKind::Inside);
            let line = if icon == Icon::Beside { [at(6.0, 2.0), at(6.0, 10.0)] } else { [at(1.5, 6.0), at(10.5, 6.0)] };
            painter.line_segment(line, stroke);
        }
        Icon::Enlarge => {
            painter.add(Shape::line(vec![at(7.0, 1.5), at(10.5, 1.5), at(10.5, 5.0)], stroke));
            painter.add(Shape::line(vec![at(5.0, 10.5), at(1.5, 10.5), at(1.5, 7.0)], stroke));
        }
        Icon::PutBack => {
            painter.add(Shape::line(vec![at(1.5, 5.0), at(5.0, 5.0), at(5.0, 1.5)], stroke));
            painter.add(Shape::line(vec![at(10.5, 7.0), at(7.0, 7.0), at(7.0, 10.5)], stroke));
        }
        Icon::Folder => {
            let outline = vec![at(1.0, 10.0), at(1.0, 2.5), at(4.5, 2.5), at(5.8, 4.0), at(11.0, 4.0), at(11.0, 10.0)];
            painter.add(Shape::closed_line(outline, stroke));
        }
    }
}

/// Height of the buttons in the bar at the top.
pub const BAR_BUTTON: f32 = ROW + GRID;
