//! What stands in the places: each shows the view that its title names, and the title is the list of all.
//!
//! Guarantees: a view stands in one place only, so that plots need no other name than their view's; a view chosen where
//! another stands changes places with it, so that nothing that was on screen is lost to one click. One view can have the
//! window for itself; all others are then where they were.

use egui::{Pos2, Rect, RichText, Stroke, Ui};
use egui_tiles::{Behavior, EditAction, LinearDir, ResizeState, TileId, Tiles, UiResponse};

use super::context::Scene;
use super::layout::{GAP, Layout, Places, USUAL};
use super::pane::{Slot, Wish};
use super::{BlockChoice, View, ViewState};
use super::{
    accuracy, alignment, circle, coupling, disk, distances, forks, gram, layers, ledger, logits, modes,
    moment_comparison, optimiser, prediction, program, run_comparison, scale, spectrum, trajectories, velocity,
    waterfall,
};
use crate::run::Block;
use crate::ui::app::commands::UserCommand;
use crate::ui::export::action::ExportAction;

/// The place, counted from 0, into which a view is put that nobody gave one: below the matrix, with the least of the story.
const SPARE: usize = 4;

/// Which view stands in which place.
pub(super) struct Slots {
    places: Places,
    /// As a preset has set them out, or as they are usual: what the user has not touched may be set out anew.
    given: Vec<View>,
    /// The view that has the window for itself.
    enlarged: Option<View>,
    /// The view that the pointer was last over, and the one with the focus in it.
    pointed: Option<View>,
    focused: Option<View>,
}

impl Default for Slots {
    fn default() -> Self {
        let places = Places::default();
        Self { given: places.views(), places, enlarged: None, pointed: None, focused: None }
    }
}

impl Slots {
    /// The view with the focus in it, else the one that the pointer was last over, else the first.
    fn meant(&self) -> Option<View> {
        let views = self.places.views();
        self.focused.or(self.pointed).filter(|view| views.contains(view)).or(views.first().copied())
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
        let stand = self.slots.places.views();
        if views.is_empty() && stand != self.slots.given {
            return;
        }
        let mut order: Vec<View> = Vec::with_capacity(stand.len());
        for &view in views.iter().chain(&USUAL).chain(&View::ALL) {
            if order.len() < stand.len() && !order.contains(&view) {
                order.push(view);
            }
        }
        self.slots.places.set(&order);
        self.slots.given = order;
        self.slots.enlarged = None;
    }

    /// Puts these views into the places of the lowest row, from the left.
    pub fn arrange(&mut self, views: &[View]) {
        let places = self.slots.places.all();
        let lowest = places.len().saturating_sub(views.len().max(3));
        views.iter().zip(&places[lowest..]).for_each(|(&view, place)| self.slots.places.put(place.0, view));
        self.slots.enlarged = None;
    }

    /// Puts a view on screen, if it is not. One of several matrices needs the largest place; what stood there stays on screen.
    pub fn bring(&mut self, view: View) {
        let places = self.slots.places.all();
        if !places.iter().any(|place| place.1 == view)
            && let (Some(first), Some(spare)) = (places.first(), places.get(SPARE).or(places.last()))
        {
            if matches!(view, View::Compare | View::Beside) {
                self.slots.places.put(spare.0, first.1);
                self.slots.places.put(first.0, view);
            } else {
                self.slots.places.put(spare.0, view);
            }
        }
        self.slots.enlarged = self.slots.enlarged.filter(|&enlarged| enlarged == view);
    }

    /// Gives the window to the view that is meant: that with the focus in it, else to the one that the pointer was last over; or puts it back.
    pub fn enlarge_or_put_back(&mut self) {
        let slots = &mut self.slots;
        if slots.enlarged.take().is_none() {
            slots.enlarged = slots.meant();
        }
    }

    /// Gives the view that is meant more or less of the room that it shares with its neighbours, beside or below it.
    pub fn resize(&mut self, dir: LinearDir, more: bool) {
        if let Some(view) = self.slots.meant() {
            self.slots.places.resize(view, dir, more);
        }
    }

    /// The view that has the window for itself.
    pub fn enlarged(&self) -> Option<View> {
        self.slots.enlarged
    }

    /// Brings back the usual places with the usual views.
    pub fn reset_layout(&mut self) {
        self.slots = Slots::default();
    }

    /// What stands on screen, in reading order.
    pub fn on_screen(&self) -> Vec<View> {
        self.slots.places.views()
    }

    /// Where the views stand, in words.
    pub fn layout(&self) -> Layout {
        self.slots.places.layout(&self.slots.given)
    }

    /// Lets the views stand as these words say.
    ///
    /// # Errors
    /// A sentence about what in them cannot be; nothing is changed then.
    pub fn set_layout(&mut self, layout: &Layout) -> Result<(), String> {
        let (places, given) = Places::of(layout)?;
        self.slots = Slots { places, given, ..Slots::default() };
        Ok(())
    }
}

/// Lays all places out in the rectangle that is left, and draws what stands in them.
pub fn grid(ui: &mut Ui, scene: &mut Scene<'_>, state: &mut ViewState, light: bool) {
    if let BlockChoice(Block::Task(number)) = state.block
        && scene.info().is_some_and(|info| number > info.tasks.len())
    {
        state.block = BlockChoice::default();
    }
    // The places are taken out meanwhile: a view may hold all other state.
    let mut places = std::mem::replace(&mut state.slots.places, Places::lent());
    let mut drawing = Drawing { scene, state, asked: None, divided: false, focus: focus(ui), light };
    if let Some(view) = drawing.state.slots.enlarged {
        let rect = ui.available_rect_before_wrap().round();
        let place = places.all().into_iter().find(|place| place.1 == view).map(|place| place.0);
        let slot = drawing.draw(ui, rect, view, true);
        drawing.asked = place.map(|place| (place, slot));
    } else {
        drawing.state.slots.focused = None;
        places.fit(ui.available_rect_before_wrap());
        places.show(ui, &mut drawing);
    }
    let Drawing { asked, divided, .. } = drawing;
    places.own |= divided;
    if let Some((place, slot)) = asked {
        if state.slots.enlarged.is_some() {
            state.slots.enlarged = Some(slot.view);
        }
        places.put(place, slot.view);
        match slot.wish {
            Some(Wish::Enlarge) => state.slots.enlarged = Some(slot.view),
            Some(Wish::PutBack) => state.slots.enlarged = None,
            Some(Wish::Split(dir)) => places.split(place, dir),
            Some(Wish::Close) => places.close(place),
            Some(Wish::Export(what)) => {
                scene.actions.push(ExportAction::View { title: slot.view.title(), size: slot.rect.size(), what });
            }
            Some(Wish::Light) => scene.actions.user(UserCommand::LightExports),
            None => {}
        }
    }
    state.slots.places = places;
}

/// Where the widget with the focus is.
fn focus(ui: &Ui) -> Option<Pos2> {
    let focused = ui.memory(|memory| memory.focused())?;
    Some(ui.ctx().read_response(focused)?.rect.center())
}

/// Draws what stands in the places.
struct Drawing<'a, 'b> {
    scene: &'a mut Scene<'b>,
    state: &'a mut ViewState,
    /// What was asked of a place.
    asked: Option<(TileId, Slot)>,
    /// Whether a divider was dragged.
    divided: bool,
    focus: Option<Pos2>,
    /// Whether exported pictures have a light ground.
    light: bool,
}

impl Drawing<'_, '_> {
    fn draw(&mut self, ui: &mut Ui, rect: Rect, view: View, enlarged: bool) -> Slot {
        let measured = !self.scene.history.rows().is_empty();
        let mut slot = Slot { rect, view, enlarged, paper: false, measured, light: self.light, wish: None };
        show(ui, &mut slot, self.scene, self.state);
        if ui.rect_contains_pointer(rect) {
            self.state.slots.pointed = Some(view);
        }
        if self.focus.is_some_and(|at| rect.contains(at)) {
            self.state.slots.focused = Some(view);
        }
        slot
    }
}

impl Behavior<View> for Drawing<'_, '_> {
    fn pane_ui(&mut self, ui: &mut Ui, place: TileId, view: &mut View) -> UiResponse {
        // On whole points, so that hairlines stay sharp however a divider was dragged.
        let rect = ui.max_rect().round();
        let slot = self.draw(ui, rect, *view, false);
        if slot.view != *view || slot.wish.is_some() {
            self.asked = Some((place, slot));
        }
        UiResponse::None
    }

    fn tab_title_for_pane(&mut self, view: &View) -> egui::WidgetText {
        view.title().into()
    }

    fn is_tile_draggable(&self, _: &Tiles<View>, _: TileId) -> bool {
        false
    }

    fn gap_width(&self, _: &egui::Style) -> f32 {
        GAP
    }

    fn min_size(&self) -> f32 {
        96.0
    }

    /// Dividers are the gaps themselves, until they are pointed at.
    fn resize_stroke(&self, _: &egui::Style, state: ResizeState) -> Stroke {
        match state {
            ResizeState::Idle => Stroke::NONE,
            ResizeState::Hovering => Stroke::new(1.0, self.scene.tokens.faint),
            ResizeState::Dragging => Stroke::new(2.0, self.scene.tokens.accent),
        }
    }

    fn on_edit(&mut self, edit: EditAction) {
        self.divided |= edit == EditAction::TileResized;
    }
}

/// Draws the view of a place in it.
pub(super) fn show(ui: &mut Ui, slot: &mut Slot, scene: &mut Scene<'_>, state: &mut ViewState) {
    if scene.is_elsewhere() && slot.view.needs_run() {
        let mut card = slot.card(ui, "");
        let text = "These kernels come from elsewhere: what this view shows is told only by a run of Kernelscope.";
        card.body.label(RichText::new(text).color(scene.tokens.weak));
        return;
    }
    match slot.view {
        View::Beside => run_comparison::show(ui, slot, scene, &mut state.beside),
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
        View::Compare => moment_comparison::show(ui, slot, scene, &mut state.compare, &mut state.block.0),
        View::Trajectories => trajectories::show(ui, slot, scene, &mut state.trajectories, &mut state.probe),
        View::Modes => modes::show(ui, slot, scene, &mut state.modes),
        View::Circle => circle::show(ui, slot, scene, &mut state.circle, state.probe),
        View::Disk => disk::show(ui, slot, scene, &mut state.disk),
        View::Program => program::show(ui, slot, scene, &mut state.program, &mut state.tensor),
        View::Optimiser => optimiser::show(ui, slot, scene, &mut state.optimiser),
    }
}
