//! How the whole window looks: theme, scale, and the presentation for the back row.
//!
//! Guarantees: what is kept for the next start is what the user chose, not what a presentation made of it; leaving the
//! presentation brings back the scale from before.

use egui::{Context, Theme, ThemePreference, vec2};

use super::theme;

/// SeriesCache are so much thicker in a presentation, beside what its scale does.
const THICK: f32 = 1.6;
/// What the views need without settings beside them, in points: the window's least size less the panel.
const NEEDED: egui::Vec2 = vec2(980.0, 610.0);
/// A scale beyond these would leave nothing to press it back with.
pub const SCALES: std::ops::RangeInclusive<f32> = 0.5..=3.0;

/// Theme and presentation, as far as egui does not keep them itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Appearance {
    /// The scale before the presentation, while one is on, and the window's size at a scale of 1 for which it was made.
    before: Option<(f32, egui::Vec2)>,
    /// Whether the window has its theme.
    installed: bool,
}

impl Appearance {
    /// Gives the window its theme, in the first frame.
    pub fn install(&mut self, ctx: &Context) {
        if !self.installed {
            theme::install(ctx);
            self.installed = true;
            // The style of this pass was made before; the next one has it.
            ctx.request_repaint();
        }
    }

    /// Whether this is presentation mode: larger text and lines.
    pub fn presents(&self) -> bool {
        self.before.is_some()
    }

    /// Returns how much thicker curves are than usual.
    pub fn thick(&self) -> f32 {
        if self.presents() { THICK } else { 1.0 }
    }

    /// Begins or ends the presentation: as large as the window has room for.
    pub fn present(&mut self, ctx: &Context) {
        match self.before.take() {
            Some((scale, _)) => ctx.set_zoom_factor(scale),
            None => self.enlarge(ctx, ctx.zoom_factor()),
        }
    }

    /// A presentation stays as large as the window has room for, also when that becomes another size.
    pub fn keep_presenting(&mut self, ctx: &Context) {
        if let Some((scale, size)) = self.before
            && (size - unscaled(ctx)).length() > 2.0
        {
            self.enlarge(ctx, scale);
        }
    }

    fn enlarge(&mut self, ctx: &Context, scale: f32) {
        let size = unscaled(ctx);
        let room = (size / NEEDED).min_elem();
        ctx.set_zoom_factor(room.clamp(scale.max(1.15), *SCALES.end()));
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

/// Draws everything so many tenths larger, or smaller.
pub fn scale_by(ctx: &Context, tenths: f32) {
    let scale = ((10.0 * ctx.zoom_factor()).round() + tenths) / 10.0;
    ctx.set_zoom_factor(scale.clamp(*SCALES.start(), *SCALES.end()));
}

/// The choices of a theme, and how they are called.
pub const THEMES: [(ThemePreference, &str, &str); 3] = [
    (ThemePreference::System, "System", "As the system has it, also when that changes"),
    (ThemePreference::Light, "Light", "Dark on light, for bright rooms and print"),
    (ThemePreference::Dark, "Dark", "Light on dark"),
];

/// Returns the next theme of the circle. It begins with the one that is not shown, so that a change can be seen at once.
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
