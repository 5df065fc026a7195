//! Short words at the lower right that need no answer: what was done, or why it could not be, with the folder if there is one.
//!
//! Guarantees: nothing waits for them and they take no focus; an error or an offer stays until it is closed, all else goes by
//! itself after it could be read; there are never more than a few.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use egui::{Align, Align2, Area, Context, Frame, Label, Layout, Margin, Order, RichText, vec2};

use crate::run::harmless;
use crate::ui::app::actions::{Action, Actions};
use crate::ui::kit::theme::{GRID, Tokens};

/// So many at most; the oldest goes first.
const MOST: usize = 4;
/// How long one stays that tells of a success.
const STAY: Duration = Duration::from_secs(8);
const WIDTH: f32 = 340.0;

/// One of them.
#[derive(Clone, Debug)]
pub struct Toast {
    pub text: String,
    pub is_error: bool,
    /// Whether it is there until it is closed.
    pub stays: bool,
    /// To be opened from here.
    pub folder: Option<PathBuf>,
    /// What else can be done about it.
    pub buttons: Vec<(&'static str, Action)>,
}

impl Toast {
    /// Something was done.
    pub fn done(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_error: false, stays: false, folder: None, buttons: Vec::new() }
    }

    /// Something that the user may want to look at, and not within seconds.
    pub fn offer(text: impl Into<String>) -> Self {
        Self { stays: true, ..Self::done(text) }
    }

    /// Something could not be done.
    pub fn failed(text: impl Into<String>) -> Self {
        Self { is_error: true, stays: true, ..Self::done(text) }
    }

    /// The same, with a folder to open.
    #[must_use]
    pub fn with_folder(self, folder: &Path) -> Self {
        Self { folder: Some(folder.to_owned()), ..self }
    }

    /// The same, with something to be done about it; the button closes it.
    #[must_use]
    pub fn with_button(mut self, label: &'static str, action: Action) -> Self {
        self.buttons.push((label, action));
        self
    }

    fn says_the_same(&self, other: &Self) -> bool {
        (&self.text, self.is_error, &self.folder) == (&other.text, other.is_error, &other.folder)
    }
}

/// Those that are shown.
#[derive(Default)]
pub struct Toasts(Vec<(Toast, Instant)>);

impl Toasts {
    pub fn say(&mut self, mut toast: Toast) {
        // It may name a file of somebody else's.
        toast.text = harmless(&toast.text);
        if toast.is_error {
            log::warn!("{}", toast.text);
        }
        // The same word twice is one word that was said later.
        self.0.retain(|(known, _)| !known.says_the_same(&toast));
        self.0.push((toast, Instant::now()));
        if self.0.len() > MOST {
            self.0.remove(0);
        }
    }

    /// What is shown, the newest last.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(toast, _)| toast.text.as_str())
    }

    pub fn show(&mut self, ctx: &Context, actions: &mut Actions) {
        self.0.retain(|(toast, since)| toast.stays || since.elapsed() < STAY);
        if self.0.is_empty() {
            return;
        }
        let going = self.0.iter().filter(|(toast, _)| !toast.stays);
        if let Some(left) = going.map(|(_, since)| STAY.saturating_sub(since.elapsed())).min() {
            ctx.request_repaint_after(left.max(Duration::from_millis(100)));
        }
        let tokens = Tokens::in_theme(ctx.global_style().visuals.dark_mode);
        let mut closed = None;
        Area::new(egui::Id::unique("toasts"))
            .order(Order::Foreground)
            // Above the strip of time, whose buttons are wanted most.
            .anchor(Align2::RIGHT_BOTTOM, vec2(-12.0, -96.0))
            .show(ctx, |ui| {
                ui.set_width(WIDTH);
                for (place, (toast, _)) in self.0.iter().enumerate() {
                    let line = if toast.is_error { egui::Stroke::new(1.0, tokens.error) } else { tokens.line() };
                    let frame =
                        Frame::new().fill(tokens.card).stroke(line).corner_radius(6).inner_margin(Margin::same(10));
                    frame.show(ui, |ui| {
                        ui.set_width(WIDTH - 20.0);
                        let colour = if toast.is_error { tokens.error } else { tokens.text };
                        ui.add(Label::new(RichText::new(&toast.text).color(colour)).wrap());
                        // A row, and not all the height that there is.
                        let row = vec2(ui.available_width(), ui.spacing().interact_size.y);
                        ui.allocate_ui_with_layout(row, Layout::right_to_left(Align::Center), |ui| {
                            ui.spacing_mut().item_spacing.x = GRID;
                            if ui.small_button("Close").clicked() {
                                closed = Some(place);
                            }
                            if let Some(folder) = &toast.folder
                                && ui.small_button("Open folder").on_hover_text(folder.display().to_string()).clicked()
                            {
                                actions.push(Action::Reveal(folder.clone()));
                            }
                            for (label, action) in &toast.buttons {
                                if ui.small_button(*label).clicked() {
                                    actions.push(action.clone());
                                    closed = Some(place);
                                }
                            }
                        });
                    });
                    ui.add_space(GRID);
                }
            });
        if let Some(place) = closed {
            self.0.remove(place);
        }
    }
}
