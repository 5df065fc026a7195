//! Draws the messages at the lower right that need no response: results and errors.
//!
//! Guarantees: messages block nothing and take no focus; an error or an offer stays until it is closed, all others disappear
//! after a reading time; only a few are shown at once.

use std::time::{Duration, Instant};

use egui::{Align, Align2, Area, Context, Frame, Label, Layout, Margin, Order, RichText, vec2};

use super::toast::{Toast, ToastButton};
use crate::run::harmless;
use crate::ui::app::action_queue::Actions;
use crate::ui::app::actions::ShellAction;
use crate::ui::kit::theme::{GRID, Tokens};
use crate::ui::overlays::action::OverlayAction;

/// Most messages at once; the oldest is removed first.
const MOST: usize = 4;
/// Time for which a message of success is shown.
const STAY: Duration = Duration::from_secs(8);
const WIDTH: f32 = 340.0;

/// The messages that are shown.
#[derive(Default)]
pub struct Toasts(Vec<(Toast, Instant)>);

impl Toasts {
    pub fn say(&mut self, mut toast: Toast) {
        // The text may contain a file name from another user.
        toast.text = harmless(&toast.text);
        if toast.is_error {
            log::warn!("{}", toast.text);
        }
        // A repeated message replaces the earlier one.
        self.0.retain(|(known, _)| !known.says_the_same(&toast));
        self.0.push((toast, Instant::now()));
        if self.0.len() > MOST {
            self.0.remove(0);
        }
    }

    /// Returns the texts that are shown, the newest last.
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
            // They are placed above the timeline, whose buttons must stay reachable.
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
                        // The size is one row; otherwise the layout would take all available height.
                        let row = vec2(ui.available_width(), ui.spacing().interact_size.y);
                        ui.allocate_ui_with_layout(row, Layout::right_to_left(Align::Center), |ui| {
                            ui.spacing_mut().item_spacing.x = GRID;
                            if ui.small_button("Close").clicked() {
                                closed = Some(place);
                            }
                            if let Some(folder) = &toast.folder
                                && ui.small_button("Open folder").on_hover_text(folder.display().to_string()).clicked()
                            {
                                actions.push(ShellAction::Reveal(folder.clone()));
                            }
                            for (label, button) in &toast.buttons {
                                if ui.small_button(*label).clicked() {
                                    match button {
                                        ToastButton::Reveal(path) => actions.push(ShellAction::Reveal(path.clone())),
                                        ToastButton::Open(run) => {
                                            actions.push(OverlayAction::Open(vec![run.clone()]));
                                        }
                                    }
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
