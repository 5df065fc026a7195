//! Defines the appearance of the whole window: theme, scale, and the presentation mode for a lecture hall.
//!
//! Guarantees: the values saved for the next start are the user's choice, not those of a presentation; leaving the presentation
//! restores the earlier scale.

use egui::{Context, Theme, ThemePreference, ViewportCommand, vec2};

use super::theme;

/// Factor by which curves are thicker in a presentation, in addition to its scale.
const THICK: f32 = 1.6;
/// The space that a presentation is laid out in, in points: at its height the labels of ticks have 22 of 720 lines of a
/// projector, and its width is enough for the bar and two views side by side.
pub const STAGE: egui::Vec2 = vec2(640.0, 390.0);
/// The largest scale of a presentation: a picture of 2160 lines.
const MOST: f32 = 6.0;
/// Allowed scales; beyond them the buttons that reset the scale could not be reached.
pub const SCALES: std::ops::RangeInclusive<f32> = 0.5..=3.0;

/// The parts of theme and presentation that egui does not store itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Appearance {
    /// The scale before the presentation, while one is active, and the window's unscaled size for which it was chosen.
    before: Option<(f32, egui::Vec2)>,
    /// Whether the screen is black.
    blank: bool,
    /// Whether the theme is installed.
    installed: bool,
}

impl Appearance {
    /// Installs the theme in the first frame.
    pub fn install(&mut self, ctx: &Context) {
        if !self.installed {
            theme::install(ctx);
            self.installed = true;
            // The style of this pass was created before; the next pass uses the new one.
            ctx.request_repaint();
        }
    }

    /// Returns whether this is presentation mode: larger text and lines.
    pub fn presents(&self) -> bool {
        self.before.is_some()
    }

    /// Returns the factor by which curves are thicker than usual.
    pub fn thick(&self) -> f32 {
        if self.presents() { THICK } else { 1.0 }
    }

    /// Begins or ends the presentation, on the whole screen, at the scale that its height allows.
    pub fn present(&mut self, ctx: &Context) {
        self.blank = false;
        match self.before.take() {
            Some((scale, _)) => ctx.set_zoom_factor(scale),
            None => self.enlarge(ctx, ctx.zoom_factor()),
        }
        ctx.send_viewport_cmd(ViewportCommand::Fullscreen(self.presents()));
    }

    /// Returns whether the screen of a presentation is black.
    pub fn is_blank(&self) -> bool {
        self.blank
    }

    /// Makes the screen of a presentation black, or shows it again.
    pub fn toggle_blank(&mut self) {
        self.blank = self.presents() && !self.blank;
    }

    /// Adapts the scale of a presentation when the window changes its size.
    pub fn keep_presenting(&mut self, ctx: &Context) {
        if let Some((scale, size)) = self.before
            && (size - unscaled(ctx)).length() > 2.0
        {
            self.enlarge(ctx, scale);
        }
    }

    fn enlarge(&mut self, ctx: &Context, scale: f32) {
        let size = unscaled(ctx);
        let room = (size / STAGE).min_elem();
        ctx.set_zoom_factor(room.clamp(scale.max(1.15), MOST));
        self.before = Some((scale, size));
    }

    /// Returns the scale outside presentations.
    pub fn scale(&self, ctx: &Context) -> f32 {
        self.before.map_or_else(|| ctx.zoom_factor(), |(scale, _)| scale)
    }
}

/// Returns the size of the window at a scale of 1.
fn unscaled(ctx: &Context) -> egui::Vec2 {
    ctx.content_rect().size() * ctx.zoom_factor()
}

/// Changes the scale by this many tenths.
pub fn scale_by(ctx: &Context, tenths: f32) {
    let scale = ((10.0 * ctx.zoom_factor()).round() + tenths) / 10.0;
    ctx.set_zoom_factor(scale.clamp(*SCALES.start(), *SCALES.end()));
}

/// The themes to choose from, with their names.
pub const THEMES: [(ThemePreference, &str, &str); 3] = [
    (ThemePreference::System, "System", "As the system has it, also when that changes"),
    (ThemePreference::Light, "Light", "Dark on light, for bright rooms and print"),
    (ThemePreference::Dark, "Dark", "Light on dark"),
];

/// Returns the next theme of the cycle, which begins with the one that is not shown, so that the change is visible at once.
pub fn next_theme(ctx: &Context) -> ThemePreference {
    let of = |theme: Theme| if theme == Theme::Dark { ThemePreference::Dark } else { ThemePreference::Light };
    let other = |theme: Theme| if theme == Theme::Dark { Theme::Light } else { Theme::Dark };
    let (preference, fallback) = ctx.options(|options| (options.theme_preference, options.fallback_theme));
    let system = ctx.system_theme().unwrap_or(fallback);
    if preference == ThemePreference::System {
        of(other(system))
    } else if preference == of(system) {
        ThemePreference::System
    } else {
        of(system)
    }
}
