//! Lays out the grid of panes and draws the views in them: the title of each pane is the menu that selects its view.
//!
//! Guarantees: a view is in one pane only, so that plots can be named after their view; a view chosen for an occupied pane
//! swaps places with the view there, so that one click hides nothing. One view can fill the window; all others keep their
//! places meanwhile.

use std::path::PathBuf;
use std::sync::Arc;

use egui::{Context, Pos2, Rect, RichText, Stroke, Ui, Vec2};
use egui_tiles::{Behavior, EditAction, LinearDir, ResizeState, TileId, Tiles, UiResponse};

use super::context::{Selection, ViewContext};
use super::layout::{GAP, Layout, PaneTree, USUAL, split_x, split_y};
use super::pane::{Pane, PaneAction};
use super::{States, View};
use crate::run::{Block, History, Snapshot};
use crate::spec::{DataShape, NetworkSpec};
use crate::ui::app::commands::UserCommand;
use crate::ui::export::action::ExportAction;
use crate::ui::kit::waker::waker;
use crate::ui::kit::widgets::set_paper;

/// Index of the pane that takes a view with no pane chosen for it: below the matrix, the least important one.
const SPARE: usize = 4;

/// Room for the names of classes at the left of a matrix.
const CLASS_NAMES: f32 = 40.0;

/// The most views of a presentation.
const PRESENTED: usize = 3;

/// Holds the panes of the window, the views in them, and the choices made there.
pub struct Grid {
    panes: PaneTree,
    /// The arrangement made by a preset, or the usual one; a layout that the user has not touched may be rearranged.
    given: Vec<View>,
    /// The view that fills the window.
    enlarged: Option<View>,
    /// The view that the pointer was last over, and the one that has the focus.
    pointed: Option<View>,
    focused: Option<View>,
    /// The view that was last put on screen by its name.
    brought: Option<View>,
    states: States,
    selection: Selection,
}

impl Default for Grid {
    fn default() -> Self {
        Self::of(States::default())
    }
}

impl Grid {
    /// Returns the usual layout with these views in it.
    fn of(states: States) -> Self {
        let panes = PaneTree::default();
        let given = panes.views();
        let selection = Selection::default();
        Self { panes, given, enlarged: None, pointed: None, focused: None, brought: None, states, selection }
    }

    /// Returns the view that has the focus, else the one that the pointer was last over, else the first.
    fn meant(&self) -> Option<View> {
        let views = self.panes.views();
        self.focused.or(self.pointed).filter(|view| views.contains(view)).or(views.first().copied())
    }

    /// Arranges the views that a preset names, the large panes first, and the usual ones in the remaining panes. If it names
    /// none, an arrangement made by the user stays.
    pub fn set_out(&mut self, views: &[View]) {
        let stand = self.panes.views();
        if views.is_empty() && stand != self.given {
            return;
        }
        let mut order: Vec<View> = Vec::with_capacity(stand.len());
        for &view in views.iter().chain(&USUAL).chain(&View::ALL) {
            if order.len() < stand.len() && !order.contains(&view) {
                order.push(view);
            }
        }
        self.panes.set(&order);
        self.given = order;
        self.enlarged = None;
    }

    /// Puts these views into the panes of the lowest row, from the left.
    pub fn arrange(&mut self, views: &[View]) {
        let panes = self.panes.panes();
        let lowest = panes.len().saturating_sub(views.len().max(3));
        views.iter().zip(&panes[lowest..]).for_each(|(&view, pane)| self.panes.put(pane.0, view));
        self.enlarged = None;
    }

    /// Puts a view on screen, if it is not. A view of several matrices takes the largest pane; the view there before stays on
    /// screen.
    pub fn bring(&mut self, view: View) {
        self.brought = Some(view);
        let panes = self.panes.panes();
        if !panes.iter().any(|pane| pane.1 == view)
            && let (Some(first), Some(spare)) = (panes.first(), panes.get(SPARE).or(panes.last()))
        {
            if view.is_large() {
                self.panes.put(spare.0, first.1);
                self.panes.put(first.0, view);
            } else {
                self.panes.put(spare.0, view);
            }
        }
        self.enlarged = self.enlarged.filter(|&enlarged| enlarged == view);
    }

    /// Toggles whether one view fills the window: the one that has the focus, else the one that the pointer was last over.
    pub fn enlarge_or_put_back(&mut self) {
        if self.enlarged.take().is_none() {
            self.enlarged = self.meant();
        }
    }

    /// Gives the focused or last hovered view more or less of the room that it shares with its neighbours, beside or below it.
    pub fn resize(&mut self, dir: LinearDir, more: bool) {
        if let Some(view) = self.meant() {
            self.panes.resize(view, dir, more);
        }
    }

    /// Returns the view that fills the window.
    pub fn enlarged(&self) -> Option<View> {
        self.enlarged
    }

    /// Restores the usual panes with the usual views.
    pub fn reset_layout(&mut self) {
        let usual = PaneTree::default();
        (self.given, self.panes) = (usual.views(), usual);
        (self.enlarged, self.pointed, self.focused) = (None, None, None);
    }

    /// Returns the views on screen, in reading order.
    pub fn on_screen(&self) -> Vec<View> {
        self.panes.views()
    }

    /// Returns the layout as text.
    pub fn layout(&self) -> Layout {
        self.panes.layout(&self.given)
    }

    /// Restores a layout from text.
    ///
    /// # Errors
    /// Returns a sentence about the part that is invalid; nothing is changed then.
    pub fn set_layout(&mut self, layout: &Layout) -> Result<(), String> {
        (self.panes, self.given) = PaneTree::of(layout)?;
        (self.enlarged, self.pointed, self.focused) = (None, None, None);
        Ok(())
    }

    /// Drops the previous run's state in all views, and keeps the user's choices.
    pub fn reset(&mut self) {
        self.states.reset();
    }

    /// Lets a view show its quantity in the way of this name; one that it does not have changes nothing.
    pub fn set_mode(&mut self, view: View, mode: &str) {
        if let Some(place) = view.modes().iter().position(|known| *known == mode) {
            self.states.set_mode(view, place);
        }
    }

    /// Resets each view to its usual choices.
    pub fn show_usual(&mut self) {
        self.states.show_usual();
        (self.selection.tensor, self.selection.block) = (None, Selection::default().block);
    }

    /// Saves the parts of the run that remain visible after another run replaces it.
    pub fn leave(&mut self, history: &History) {
        self.states.leave(history, &self.selection);
    }

    /// Drops textures, which belong to one egui context, before another one draws the views; drawing makes them again.
    pub fn forget_textures(&mut self) {
        self.states.forget_textures();
    }

    /// Copies the choices in the views, for a thread that draws an animation.
    pub fn choices(&self) -> Self {
        Self::of(self.states.choices())
    }

    /// Fixes the colour ranges over all frames of an animation of these snapshots.
    pub fn widen_over(&mut self, snapshots: &[Arc<Snapshot>], cancelled: impl Fn() -> bool) {
        self.states.gram.widen_over(snapshots, cancelled);
    }

    /// Passes on the settings of the window, whose network the editor of networks can change.
    pub fn follow(&mut self, network: &NetworkSpec, shape: &DataShape) {
        self.states.program.editor.follow(network, Some(shape));
    }

    /// Returns whether the text of the network has the keyboard, or had it until Esc was pressed.
    pub fn writes(&self) -> bool {
        self.states.program.editor.writes
    }

    /// Shows the text of the network beside its drawing.
    pub fn open_text(&mut self) {
        self.states.program.editor.open = true;
    }

    /// Reads a file with the text of a network, and shows it.
    ///
    /// # Errors
    /// When there is no thread to read it.
    pub fn open_file(&mut self, ctx: &Context, path: PathBuf) -> std::io::Result<()> {
        self.bring(View::Program);
        self.open_text();
        self.states.program.editor.open_file(path, waker(ctx))
    }

    /// Lays all panes out in the remaining rectangle, and draws the views in them; `light` gives exported pictures a light
    /// ground.
    pub fn show(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>, light: bool) {
        if let Block::Task(number) = self.selection.block
            && context.info().is_some_and(|info| number > info.tasks.len())
        {
            self.selection.block = Selection::default().block;
        }
        // The tree is moved out meanwhile: drawing it needs mutable access to the rest of the grid.
        let mut panes = std::mem::replace(&mut self.panes, PaneTree::empty());
        let focus = focus(ui);
        let mut drawing = Drawing { context, grid: self, request: None, divided: false, focus, light };
        if let Some(view) = drawing.grid.enlarged {
            let rect = ui.available_rect_before_wrap().round();
            let pane = panes.panes().into_iter().find(|pane| pane.1 == view).map(|pane| pane.0);
            let request = drawing.draw(ui, rect, view, true);
            drawing.request = pane.zip(request);
        } else {
            drawing.grid.focused = None;
            panes.fit(ui.available_rect_before_wrap());
            panes.show(ui, &mut drawing);
        }
        let Drawing { request, divided, .. } = drawing;
        panes.own |= divided;
        if let Some((pane, PaneRequest { view, action, size })) = request {
            match action {
                PaneAction::Show(title) => {
                    if let Some(view) = View::titled(title) {
                        self.enlarged = self.enlarged.map(|_| view);
                        panes.put(pane, view);
                    }
                }
                PaneAction::Enlarge => self.enlarged = Some(view),
                PaneAction::PutBack => self.enlarged = None,
                PaneAction::Split(dir) => panes.split(pane, dir),
                PaneAction::Close => panes.close(pane),
                PaneAction::Export(what) => {
                    context.actions.push(ExportAction::View { title: view.title(), size, what });
                }
                PaneAction::Light => context.actions.user(UserCommand::LightExports),
            }
        }
        self.panes = panes;
    }

    /// Returns the views of a presentation: the enlarged one alone, else the first three on screen, of which the last gives way
    /// to the one that a lesson is about, or that was brought on screen last.
    fn presented(&self, lesson: Option<View>) -> Vec<View> {
        if let Some(view) = self.enlarged {
            return vec![view];
        }
        let mut views = self.panes.views();
        views.truncate(PRESENTED);
        if let (Some(wanted), Some(last)) =
            (lesson.or(self.brought).filter(|view| !views.contains(view)), views.last_mut())
        {
            *last = wanted;
        }
        views
    }

    /// Lays out up to three views in the remaining rectangle without their controls: one large, the others beside it.
    pub fn present(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>, lesson: Option<View>) {
        let views = self.presented(lesson);
        let rect = ui.available_rect_before_wrap().round();
        // A matrix needs no more width than height, and the names of its classes beside it.
        let (left, right) = split_x(rect, (rect.height() + CLASS_NAMES).min(0.48 * rect.width()));
        let (upper, lower) = split_y(right, ((right.height() - GAP) / 2.0).round());
        let places = match views.len() {
            1 => vec![rect],
            2 => vec![left, right],
            _ => vec![left, upper, lower],
        };
        let shown: Vec<(Rect, View)> = places.into_iter().zip(views).collect();
        for &(rect, view) in &shown {
            if ui.rect_contains_pointer(rect) {
                self.pointed = Some(view);
            }
        }
        self.draw_on_paper(ui, context, &shown);
    }

    /// Draws one view at the size of the ui, for a picture of it.
    pub fn show_on_paper(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>, view: View) {
        let rect = ui.available_rect_before_wrap();
        self.draw_on_paper(ui, context, &[(rect, view)]);
    }

    /// Draws a frame of an animation: the kernel with the curves beside it.
    pub fn show_frame(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>) {
        let rect = ui.available_rect_before_wrap().shrink(GAP);
        let (left, right) = split_x(rect, (rect.height() - 52.0 + 36.0).min(rect.width() * 0.5));
        let third = ((right.height() - 2.0 * GAP) / 3.0).round();
        let (upper, below) = split_y(right, third);
        let (middle, lower) = split_y(below, third);
        let views = [(left, View::Gram), (upper, View::Velocity), (middle, View::Scale), (lower, View::Accuracy)];
        self.draw_on_paper(ui, context, &views);
    }

    fn draw_on_paper(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>, views: &[(Rect, View)]) {
        set_paper(ui.ctx(), true);
        for &(rect, view) in views {
            let mut pane = Pane::on_paper(rect, view.about(), &mut self.selection);
            draw(ui, view, &mut pane, context, &mut self.states);
        }
        set_paper(ui.ctx(), false);
    }
}

/// Returns the position of the widget that has the focus.
fn focus(ui: &Ui) -> Option<Pos2> {
    let focused = ui.memory(|memory| memory.focused())?;
    Some(ui.ctx().read_response(focused)?.rect.center())
}

/// Draws the view of a pane, or the reason why it is empty.
fn draw(ui: &mut Ui, view: View, pane: &mut Pane<'_>, context: &mut ViewContext<'_>, states: &mut States) {
    if let Some(text) = context.info().and_then(|info| view.refusal(&info.origin)) {
        let mut card = pane.card(ui, "");
        card.body.label(RichText::new(text).color(context.tokens.weak));
        return;
    }
    states.show(view, ui, pane, context);
}

/// Holds the user's request to the pane of a view.
struct PaneRequest {
    view: View,
    action: PaneAction,
    size: Vec2,
}

/// Draws the panes for egui_tiles.
struct Drawing<'a, 'b> {
    context: &'a mut ViewContext<'b>,
    grid: &'a mut Grid,
    /// The request made to a pane.
    request: Option<(TileId, PaneRequest)>,
    /// True if a divider was dragged.
    divided: bool,
    focus: Option<Pos2>,
    /// True if exported pictures have a light ground.
    light: bool,
}

impl Drawing<'_, '_> {
    fn draw(&mut self, ui: &mut Ui, rect: Rect, view: View, enlarged: bool) -> Option<PaneRequest> {
        let Grid { states, selection, pointed, focused, .. } = &mut *self.grid;
        let (light, measured) = (self.light, !self.context.history.rows().is_empty());
        let about = view.about();
        let mut pane = Pane { rect, about, enlarged, paper: false, measured, light, action: None, selection };
        draw(ui, view, &mut pane, self.context, states);
        let action = pane.action;
        if ui.rect_contains_pointer(rect) {
            *pointed = Some(view);
        }
        if self.focus.is_some_and(|at| rect.contains(at)) {
            *focused = Some(view);
        }
        Some(PaneRequest { view, action: action?, size: rect.size() })
    }
}

impl Behavior<View> for Drawing<'_, '_> {
    fn pane_ui(&mut self, ui: &mut Ui, pane: TileId, view: &mut View) -> UiResponse {
        // Rounded to whole points, so that hairlines stay sharp wherever a divider was dragged.
        let rect = ui.max_rect().round();
        if let Some(request) = self.draw(ui, rect, *view, false) {
            self.request = Some((pane, request));
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

    /// Dividers are invisible gaps until they are hovered.
    fn resize_stroke(&self, _: &egui::Style, state: ResizeState) -> Stroke {
        match state {
            ResizeState::Idle => Stroke::NONE,
            ResizeState::Hovering => Stroke::new(1.0, self.context.tokens.faint),
            ResizeState::Dragging => Stroke::new(2.0, self.context.tokens.accent),
        }
    }

    fn on_edit(&mut self, edit: EditAction) {
        self.divided |= edit == EditAction::TileResized;
    }
}
