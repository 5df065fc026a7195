//! Defines every colour, size and gap of the window and of figures in one place, for the light and the dark theme.
//!
//! Guarantees: views take colours from [`Tokens`] only, so that a theme applies completely; there is one accent, and the colours
//! of tasks come from one colour-blind-safe set, so that no colour has two meanings.

use egui::{Color32, CornerRadius, FontFamily, FontId, Margin, Stroke, TextStyle, Theme, Vec2, Visuals};

use crate::chart::palette::{Colour, Ink, task_colour, value_colour};

/// The colours of one theme by purpose.
#[derive(Debug)]
pub struct Tokens {
    pub dark: bool,
    /// The background of the window.
    pub ground: Color32,
    /// The background of views and panels.
    pub card: Color32,
    /// The background of plots and text fields.
    pub well: Color32,
    /// Thin separators.
    pub hairline: Color32,
    /// Grid lines in plots.
    pub grid: Color32,
    pub text: Color32,
    /// Labels, ticks and units.
    pub weak: Color32,
    /// Curves and text that are not current: references, planned tasks.
    pub faint: Color32,
    pub accent: Color32,
    /// The accent as a background.
    pub accent_ground: Color32,
    /// Text and icons on the accent itself.
    pub on_accent: Color32,
    pub warning: Color32,
    pub error: Color32,
    /// The time cursor in all views.
    pub cursor: Color32,
    /// Entries of a matrix that are NaN.
    pub nan: Color32,
    /// Strings, numbers and built-in functions in the text of a network.
    pub quote: Color32,
    pub number: Color32,
    pub function: Color32,
}

const LIGHT: Tokens = Tokens {
    dark: false,
    ground: Color32::from_rgb(0xf1, 0xf2, 0xf4),
    card: Color32::from_rgb(0xff, 0xff, 0xff),
    well: Color32::from_rgb(0xfb, 0xfb, 0xfc),
    hairline: Color32::from_rgb(0xe0, 0xe2, 0xe6),
    grid: Color32::from_rgb(0xe9, 0xeb, 0xee),
    text: Color32::from_rgb(0x1d, 0x21, 0x27),
    weak: Color32::from_rgb(0x4b, 0x53, 0x5e),
    faint: Color32::from_rgb(0xa4, 0xab, 0xb5),
    accent: Color32::from_rgb(0x4f, 0x46, 0xc8),
    accent_ground: Color32::from_rgb(0xe7, 0xe6, 0xfa),
    on_accent: Color32::WHITE,
    warning: Color32::from_rgb(0x94, 0x5b, 0x00),
    error: Color32::from_rgb(0xb4, 0x23, 0x18),
    cursor: Color32::from_rgb(0x1d, 0x21, 0x27),
    nan: Color32::from_rgb(0xe8, 0x5d, 0x9c),
    quote: Color32::from_rgb(0x1f, 0x6b, 0x45),
    number: Color32::from_rgb(0x8f, 0x4a, 0x12),
    function: Color32::from_rgb(0x15, 0x5f, 0x8f),
};

const DARK: Tokens = Tokens {
    dark: true,
    ground: Color32::from_rgb(0x0f, 0x11, 0x15),
    card: Color32::from_rgb(0x17, 0x1a, 0x20),
    well: Color32::from_rgb(0x12, 0x15, 0x1a),
    hairline: Color32::from_rgb(0x2a, 0x2f, 0x38),
    grid: Color32::from_rgb(0x22, 0x26, 0x2e),
    text: Color32::from_rgb(0xe8, 0xea, 0xee),
    weak: Color32::from_rgb(0xab, 0xb3, 0xbf),
    faint: Color32::from_rgb(0x5c, 0x65, 0x72),
    accent: Color32::from_rgb(0x9c, 0x97, 0xf5),
    accent_ground: Color32::from_rgb(0x2c, 0x2a, 0x55),
    on_accent: Color32::from_rgb(0x10, 0x0f, 0x2b),
    warning: Color32::from_rgb(0xf0, 0xb4, 0x4c),
    error: Color32::from_rgb(0xf4, 0x7c, 0x6e),
    cursor: Color32::from_rgb(0xf2, 0xf4, 0xf7),
    nan: Color32::from_rgb(0xe8, 0x5d, 0x9c),
    quote: Color32::from_rgb(0x8f, 0xce, 0xa5),
    number: Color32::from_rgb(0xe8, 0xb8, 0x85),
    function: Color32::from_rgb(0x86, 0xc3, 0xea),
};

impl Tokens {
    /// Returns the tokens of the theme in which `ui` is drawn.
    pub fn of(ui: &egui::Ui) -> &'static Self {
        Self::in_theme(ui.visuals().dark_mode)
    }

    /// Returns the tokens of the dark or the light theme.
    pub fn in_theme(dark: bool) -> &'static Self {
        if dark { &DARK } else { &LIGHT }
    }

    /// Returns the colour of a task (number from 1), legible as a line on this theme's plot background.
    pub fn task(&self, number: usize) -> Color32 {
        let [r, g, b] = task_colour(number);
        let colour = Color32::from_rgb(r, g, b);
        let bright = (3 * u32::from(r) + 6 * u32::from(g) + u32::from(b)) / 10;
        match (self.dark, bright) {
            (true, 180..) => colour,
            (true, _) => colour.lerp_to_gamma(Color32::WHITE, 0.22),
            // Yellow is invisible on white; if it is darkened less, people with protanopia confuse it with orange.
            (false, 180..) => colour.lerp_to_gamma(Color32::BLACK, 0.4),
            (false, _) => colour.lerp_to_gamma(Color32::BLACK, 0.06),
        }
    }

    /// Returns a colour of a chart.
    pub fn ink(&self, ink: impl Into<Ink>) -> Color32 {
        let Ink { colour, strength } = ink.into();
        let colour = match colour {
            Colour::Text => self.text,
            Colour::Weak => self.weak,
            Colour::Faint => self.faint,
            Colour::Warning => self.warning,
            Colour::Task(number) => self.task(number),
            Colour::Between(one, other) => self.task(one).lerp_to_gamma(self.task(other), 0.5),
            Colour::Rgb([r, g, b]) => Color32::from_rgb(r, g, b),
            Colour::Value { place, count } => {
                let [r, g, b] = value_colour(place, count, self.dark);
                Color32::from_rgb(r, g, b)
            }
            Colour::Layer { place, count } => self.layer(place, count),
        };
        if strength < 1.0 { colour.gamma_multiply(strength) } else { colour }
    }

    /// Returns the colour of layer `place` of `count`: from the images (dark) to the logits (bright), within the range that is
    /// visible on this theme's plot background.
    pub fn layer(&self, place: usize, count: usize) -> Color32 {
        let part = place as f64 / count.saturating_sub(1).max(1) as f64;
        let (low, high) = if self.dark { (0.3, 1.0) } else { (0.0, 0.82) };
        let colour = colorous::VIRIDIS.eval_continuous(low + part * (high - low));
        Color32::from_rgb(colour.r, colour.g, colour.b)
    }

    /// Returns the colour of a task as a background behind curves.
    pub fn band(&self, number: usize, planned: bool) -> Color32 {
        let strength = match (self.dark, planned) {
            (false, false) => 0.085,
            (false, true) => 0.035,
            (true, false) => 0.14,
            (true, true) => 0.06,
        };
        self.task(number).gamma_multiply(strength)
    }

    /// Returns the stroke of a thin separator.
    pub fn line(&self) -> Stroke {
        Stroke::new(1.0, self.hairline)
    }
}

/// The unit of which every gap is a multiple, in points.
pub const GRID: f32 = 4.0;
/// Text sizes: ticks and notes; body text; titles of views; the program's name.
pub const SMALL: f32 = 11.0;
pub const BODY: f32 = 12.5;
pub const TITLE: f32 = 13.5;
pub const HEADING: f32 = 16.0;
/// Height of buttons and fields.
pub const ROW: f32 = 20.0;

/// Returns the font of numbers in plots, with digits of equal width.
pub fn ticks() -> FontId {
    FontId::new(9.5, FontFamily::Monospace)
}

/// Returns the font of notes in plots.
pub fn note() -> FontId {
    FontId::new(SMALL, FontFamily::Proportional)
}

/// Installs both themes in the context; the preference decides which one is shown (by default the system's).
pub fn install(ctx: &egui::Context) {
    // Symbols such as ‖ and ∝ are in the monospace font only.
    let mut fonts = egui::FontDefinitions::default();
    if let Some(family) = fonts.families.get_mut(&FontFamily::Proportional) {
        family.insert(1, "Hack".to_owned());
    }
    ctx.set_fonts(fonts);
    for (theme, tokens) in [(Theme::Light, &LIGHT), (Theme::Dark, &DARK)] {
        ctx.set_visuals_of(theme, visuals(tokens));
        ctx.style_mut_of(theme, |style| {
            style.text_styles = [
                (TextStyle::Small, FontId::new(SMALL, FontFamily::Proportional)),
                (TextStyle::Body, FontId::new(BODY, FontFamily::Proportional)),
                (TextStyle::Button, FontId::new(BODY, FontFamily::Proportional)),
                (TextStyle::Monospace, FontId::new(11.5, FontFamily::Monospace)),
                (TextStyle::Heading, FontId::new(HEADING, FontFamily::Proportional)),
            ]
            .into();
            let spacing = &mut style.spacing;
            spacing.item_spacing = Vec2::new(GRID, GRID);
            spacing.button_padding = Vec2::new(6.0, 2.0);
            spacing.interact_size = Vec2::new(28.0, ROW);
            spacing.window_margin = Margin::same(12);
            spacing.menu_margin = Margin::same(6);
            spacing.indent = 12.0;
            spacing.icon_width = 14.0;
            spacing.icon_width_inner = 8.0;
            spacing.slider_rail_height = 4.0;
            spacing.combo_width = 40.0;
            spacing.tooltip_width = 340.0;
            spacing.scroll.floating = true;
            style.interaction.tooltip_delay = 0.35;
            style.interaction.selectable_labels = false;
            // Only data moves, and an idle window requests no frames.
            style.animation_time = 0.0;
        });
    }
}

fn visuals(tokens: &Tokens) -> Visuals {
    let mut visuals = if tokens.dark { Visuals::dark() } else { Visuals::light() };
    visuals.panel_fill = tokens.card;
    visuals.window_fill = tokens.card;
    visuals.window_stroke = tokens.line();
    visuals.window_corner_radius = CornerRadius::same(8);
    visuals.menu_corner_radius = CornerRadius::same(6);
    visuals.extreme_bg_color = tokens.well;
    visuals.faint_bg_color = tokens.ground;
    visuals.code_bg_color = tokens.ground;
    visuals.weak_text_color = Some(tokens.weak);
    visuals.warn_fg_color = tokens.warning;
    visuals.error_fg_color = tokens.error;
    visuals.hyperlink_color = tokens.accent;
    visuals.selection.bg_fill = tokens.accent_ground;
    visuals.selection.stroke = Stroke::new(1.0, tokens.accent);
    visuals.slider_trailing_fill = true;
    visuals.striped = false;
    visuals.indent_has_left_vline = false;

    let radius = CornerRadius::same(4);
    let field = if tokens.dark { Color32::from_rgb(0x24, 0x29, 0x32) } else { Color32::from_rgb(0xf0, 0xf1, 0xf4) };
    let hover = if tokens.dark { Color32::from_rgb(0x2f, 0x35, 0x40) } else { Color32::from_rgb(0xe6, 0xe8, 0xec) };
    let widgets = &mut visuals.widgets;
    for (state, fill, text) in [
        (&mut widgets.noninteractive, tokens.card, tokens.text),
        (&mut widgets.inactive, field, tokens.text),
        (&mut widgets.hovered, hover, tokens.text),
        (&mut widgets.active, tokens.accent_ground, tokens.text),
        (&mut widgets.open, hover, tokens.text),
    ] {
        state.bg_fill = fill;
        state.weak_bg_fill = fill;
        state.bg_stroke = Stroke::NONE;
        state.fg_stroke = Stroke::new(1.0, text);
        state.corner_radius = radius;
        state.expansion = 0.0;
    }
    widgets.noninteractive.bg_stroke = tokens.line();
    // The focus ring is visible, because everything can be reached by keyboard.
    widgets.hovered.bg_stroke = Stroke::new(1.0, tokens.faint);
    widgets.active.bg_stroke = Stroke::new(1.0, tokens.accent);
    visuals
}
