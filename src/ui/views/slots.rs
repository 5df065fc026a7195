//! Where the views stand: seven places, each of which shows the view that its title names, and the title is the list of all.
//!
//! Guarantees: a view stands in one place only, so that plots need no other name than their view's; a view chosen where
//! another stands changes places with it, so that nothing that was on screen is lost to one click.

use egui::{Color32, ComboBox, Rect, RichText, Ui, Vec2, pos2, vec2};

use super::{BlockChoice, View, ViewState};
use super::{
    accuracy, alignment, beside, circle, coupling, disk, distances, forks, gram, layers, ledger, logits, modes,
    optimiser, prediction, program, scale, spectrum, trajectories, velocity, waterfall,
};
use crate::record::Block;
use crate::ui::scene::Scene;
use crate::ui::theme::{self, GRID};
use crate::ui::widgets::{Card, card_titled};

/// How many places there are.
const PLACES: usize = 7;
/// Narrower than this a slot has no room for units and the lesser choosers.
const ROOMY: f32 = 380.0;

/// What stands where until somebody says otherwise.
const USUAL: [View; PLACES] = {
    use View::*;
    [Gram, Velocity, Scale, Alignment, Spectrum, Waterfall, Accuracy]
};

/// Which view stands in which place.
pub(super) struct Slots {
    views: [View; PLACES],
    /// As a preset has set them out, or as they are usual: what the user has not touched may be set out anew.
    given: [View; PLACES],
}

impl Default for Slots {
    fn default() -> Self {
        Self { views: USUAL, given: USUAL }
    }
}

impl Slots {
    /// Puts a view into a place; the one that stood there goes where this one was, if it was anywhere.
    fn put(&mut self, place: usize, view: View) {
        if let Some(other) = self.views.iter().position(|&stands| stands == view) {
            self.views.swap(place, other);
        } else {
            self.views[place] = view;
        }
    }
}

impl View {
    /// Whether it shows what only a run of ours tells: settings, weights, outputs, images. Kernels alone do not do.
    pub fn needs_run(self) -> bool {
        use View::*;
        matches!(
            self,
            Accuracy
                | Forks
                | Prediction
                | Ledger
                | Layers
                | Logits
                | Program
                | Trajectories
                | Modes
                | Circle
                | Disk
                | Optimiser
        )
    }
}

impl ViewState {
    /// Sets out the views that a preset names, the large places first, and the usual ones in those that are left. Where it names
    /// none, an order that the user has made stays.
    pub fn set_out(&mut self, views: &[View]) {
        if views.is_empty() && self.slots.views != self.slots.given {
            return;
        }
        let mut order: Vec<View> = Vec::with_capacity(PLACES);
        for &view in views.iter().chain(&USUAL) {
            if order.len() < PLACES && !order.contains(&view) {
                order.push(view);
            }
        }
        self.slots.views.copy_from_slice(&order);
        self.slots.given = self.slots.views;
    }

    /// Puts these views into the places of the lowest row, from the left.
    pub fn arrange(&mut self, views: &[View]) {
        views.iter().zip(4..PLACES).for_each(|(&view, place)| self.slots.put(place, view));
    }

    /// Puts a view on screen, if it is not: below the matrix, where there is room and the least of the story.
    pub fn bring(&mut self, view: View) {
        if !self.slots.views.contains(&view) {
            self.slots.put(4, view);
        }
    }
}

/// A place while a view draws itself in it.
pub(super) struct Slot {
    rect: Rect,
    /// What stands here from the next frame on.
    view: View,
}

impl Slot {
    /// Whether there is room for units and the lesser choosers.
    pub fn roomy(&self) -> bool {
        self.rect.width() >= ROOMY
    }

    /// The card of the view that stands here, with its title to choose another by.
    pub fn card(&mut self, ui: &mut Ui, unit: &str) -> Card {
        let (view, unit) = (self.view, if self.roomy() { unit } else { "" });
        card_titled(ui, self.rect, view.title(), unit, view.help(), |ui| self.title(ui))
    }

    fn title(&mut self, ui: &mut Ui) {
        let title = self.view.title();
        let visuals = ui.visuals_mut();
        // A title first, a list second: no frame until it is pointed at.
        visuals.widgets.inactive.weak_bg_fill = Color32::TRANSPARENT;
        ui.spacing_mut().button_padding = vec2(0.0, 1.0);
        (ui.spacing_mut().icon_width, ui.spacing_mut().icon_spacing) = (8.0, 2.0);
        let text = RichText::new(title).size(theme::TITLE);
        let list = ComboBox::from_id_salt("view").selected_text(text).width(0.0).height(540.0);
        let shown = list.show_ui(ui, |ui| {
            // All of them at once: a list gets no more than half of the window's height.
            ui.spacing_mut().button_padding = vec2(6.0, 0.0);
            ui.spacing_mut().item_spacing.y = 0.0;
            ui.spacing_mut().interact_size.y = 18.0;
            for view in View::ALL {
                ui.selectable_value(&mut self.view, view, view.title());
            }
        });
        let _named = shown.response.accessible_name(format!("View: {title}"));
    }
}

/// Lays all places out in the rectangle that is left, and draws what stands in them.
pub fn grid(ui: &mut Ui, scene: &mut Scene<'_>, state: &mut ViewState) {
    if let BlockChoice(Block::Task(number)) = state.block
        && scene.info().is_some_and(|info| number > info.tasks.len())
    {
        state.block = BlockChoice::default();
    }
    let rects = places(ui.available_rect_before_wrap());
    let views = state.slots.views;
    for (place, (rect, view)) in rects.into_iter().zip(views).enumerate() {
        let mut slot = Slot { rect, view };
        show(ui, &mut slot, scene, state);
        if slot.view != view {
            state.slots.put(place, slot.view);
        }
    }
}

fn show(ui: &mut Ui, slot: &mut Slot, scene: &mut Scene<'_>, state: &mut ViewState) {
    if scene.is_elsewhere() && slot.view.needs_run() {
        let mut card = slot.card(ui, "");
        let text = "These kernels come from elsewhere: what this view shows is told only by a run of Kernelscope.";
        card.body.label(RichText::new(text).color(scene.tokens.weak));
        return;
    }
    match slot.view {
        View::Beside => beside::show(ui, slot, scene, &mut state.beside),
        View::Gram => gram::show(ui, slot, scene, &mut state.gram, (&mut state.tensor, &mut state.probe)),
        View::Velocity => velocity::show(ui, slot, scene, &mut state.velocity, state.tensor.as_deref()),
        View::Scale => scale::show(ui, slot, scene, &mut state.scale),
        View::Alignment => alignment::show(ui, slot, scene, &mut state.alignment),
        View::Spectrum => spectrum::show(ui, slot, scene, &mut state.block.0),
        View::Waterfall => waterfall::show(ui, slot, scene, &mut state.waterfall, &mut state.block.0),
        View::Accuracy => accuracy::show(ui, slot, scene, &mut state.accuracy),
        View::Forks => forks::show(ui, slot, scene, &mut state.forks),
        View::Prediction => prediction::show(ui, slot, scene, &mut state.prediction),
        View::Ledger => ledger::show(ui, slot, scene, &mut state.ledger),
        View::Layers => layers::show(ui, slot, scene, &mut state.layers),
        View::Logits => logits::show(ui, slot, scene, &mut state.logits),
        View::Coupling => coupling::show(ui, slot, scene, &mut state.coupling),
        View::Distances => distances::show(ui, slot, scene, &mut state.distances),
        View::Trajectories => trajectories::show(ui, slot, scene, &mut state.trajectories, &mut state.probe),
        View::Modes => modes::show(ui, slot, scene, &mut state.modes),
        View::Circle => circle::show(ui, slot, scene, &mut state.circle, state.probe),
        View::Disk => disk::show(ui, slot, scene, &mut state.disk),
        View::Program => program::show(ui, slot, scene, &mut state.program, &mut state.tensor),
        View::Optimiser => optimiser::show(ui, slot, scene, &mut state.optimiser),
    }
}

/// The places: a square one, a wide one, two below that, and a row of three.
fn places(rect: Rect) -> [Rect; PLACES] {
    let gap = 1.5 * GRID;
    // Gram, velocity and λ_max tell the story and get two thirds.
    let bottom = ((rect.height() - gap) * 0.34).round();
    let top = rect.height() - gap - bottom;
    // The matrix is square; its card is as wide as it is high, less what the header and the colour bar take.
    let square = (top - 52.0).clamp(220.0, rect.width() * 0.42);
    let left = square + 36.0;

    let upper = Rect::from_min_size(rect.min, Vec2::new(rect.width(), top));
    let (first, right) = split_x(upper, left, gap);
    let (wide, below) = split_y(right, ((top - gap) * 0.54).round(), gap);
    let (third, fourth) = split_x(below, (below.width() - gap) / 2.0, gap);
    let lower = Rect::from_min_max(pos2(rect.left(), rect.bottom() - bottom), rect.max);
    let (fifth, rest) = split_x(lower, left, gap);
    let (sixth, last) = split_x(rest, (rest.width() - gap) / 2.0, gap);
    [first, wide, third, fourth, fifth, sixth, last]
}

fn split_x(rect: Rect, left: f32, gap: f32) -> (Rect, Rect) {
    let x = (rect.left() + left).round();
    (rect.with_max_x(x), rect.with_min_x(x + gap))
}

fn split_y(rect: Rect, top: f32, gap: f32) -> (Rect, Rect) {
    let y = (rect.top() + top).round();
    (rect.with_max_y(y), rect.with_min_y(y + gap))
}
