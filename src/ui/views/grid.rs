//! The grid of panes and the views in them: the title of each pane is the menu that selects its view.
//!
//! Guarantees: a view stands in one pane only, so that plots need no other name than their view's; a view chosen where
//! another stands changes places with it, so that nothing that was on screen is lost to one click. One view can have the
//! window for itself; all others are then where they were.

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

/// The pane, counted from 0, into which a view is put that nobody gave one: below the matrix, with the least of the story.
const SPARE: usize = 4;

/// The panes of the window, the views in them, and what is chosen there.
pub struct Grid {
    panes: PaneTree,
    /// As a preset has set them out, or as they are usual: what the user has not touched may be set out anew.
    given: Vec<View>,
    /// The view that has the window for itself.
    enlarged: Option<View>,
    /// The view that the pointer was last over, and the one with the focus in it.
    pointed: Option<View>,
    focused: Option<View>,
    states: States,
    selection: Selection,
}

impl Default for Grid {
    fn default() -> Self {
        Self::of(States::default())
    }
}

impl Grid {
    /// The usual layout with these views in it.
    fn of(states: States) -> Self {
        let panes = PaneTree::default();
        let given = panes.views();
        let selection = Selection::default();
        Self { panes, given, enlarged: None, pointed: None, focused: None, states, selection }
    }

    /// The view with the focus in it, else the one that the pointer was last over, else the first.
    fn meant(&self) -> Option<View> {
        let views = self.panes.views();
        self.focused.or(self.pointed).filter(|view| views.contains(view)).or(views.first().copied())
    }

    /// Sets out the views that a preset names, the large panes first, and the usual ones in those that are left. Where it names
    /// none, an order that the user has made stays.
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

    /// Puts a view on screen, if it is not. One of several matrices needs the largest pane; what stood there stays on screen.
    pub fn bring(&mut self, view: View) {
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

    /// Gives the window to the view that is meant: that with the focus in it, else to the one that the pointer was last over; or puts it back.
    pub fn enlarge_or_put_back(&mut self) {
        if self.enlarged.take().is_none() {
            self.enlarged = self.meant();
        }
    }

    /// Gives the view that is meant more or less of the room that it shares with its neighbours, beside or below it.
    pub fn resize(&mut self, dir: LinearDir, more: bool) {
        if let Some(view) = self.meant() {
            self.panes.resize(view, dir, more);
        }
    }

    /// The view that has the window for itself.
    pub fn enlarged(&self) -> Option<View> {
        self.enlarged
    }

    /// Brings back the usual panes with the usual views.
    pub fn reset_layout(&mut self) {
        let usual = PaneTree::default();
        (self.given, self.panes) = (usual.views(), usual);
        (self.enlarged, self.pointed, self.focused) = (None, None, None);
    }

    /// What stands on screen, in reading order.
    pub fn on_screen(&self) -> Vec<View> {
        self.panes.views()
    }

    /// Where the views stand, in words.
    pub fn layout(&self) -> Layout {
        self.panes.layout(&self.given)
    }

    /// Lets the views stand as these words say.
    ///
    /// # Errors
    /// A sentence about what in them cannot be; nothing is changed then.
    pub fn set_layout(&mut self, layout: &Layout) -> Result<(), String> {
        (self.panes, self.given) = PaneTree::of(layout)?;
        (self.enlarged, self.pointed, self.focused) = (None, None, None);
        Ok(())
    }

    /// Forgets in all views what belonged to the run before, and keeps what the user chose.
    pub fn reset(&mut self) {
        self.states.reset();
    }

    /// Shows in each view what it usually shows.
    pub fn show_usual(&mut self) {
        self.states.show_usual();
        (self.selection.tensor, self.selection.block) = (None, Selection::default().block);
    }

    /// Keeps what is to be seen of a run that another takes the place of.
    pub fn leave(&mut self, history: &History) {
        self.states.leave(history, &self.selection);
    }

    /// Lets go of textures, which belong to one egui context, before another one draws the views; they are made again when they
    /// are drawn.
    pub fn forget_textures(&mut self) {
        self.states.forget_textures();
    }

    /// What is chosen in the views, for a thread that draws an animation.
    pub fn choices(&self) -> Self {
        Self::of(self.states.choices())
    }

    /// Has colours mean the same in all frames of an animation of these snapshots.
    pub fn widen_over(&mut self, snapshots: &[Arc<Snapshot>], cancelled: impl Fn() -> bool) {
        self.states.gram.widen_over(snapshots, cancelled);
    }

    /// Takes note of the settings of the window, whose network the editor of networks can write.
    pub fn follow(&mut self, network: &NetworkSpec, shape: &DataShape) {
        self.states.program.editor.follow(network, Some(shape));
    }

    /// Whether the text of the network has the keys, or had them until Esc took them.
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

    /// Lays all panes out in the rectangle that is left, and draws the views in them; `light` says whether exported pictures have
    /// a light ground.
    pub fn show(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>, light: bool) {
        if let Block::Task(number) = self.selection.block
            && context.info().is_some_and(|info| number > info.tasks.len())
        {
            self.selection.block = Selection::default().block;
        }
        // The tree is taken out meanwhile: drawing it needs the rest of the grid.
        let mut panes = std::mem::replace(&mut self.panes, PaneTree::empty());
        let focus = focus(ui);
        let mut drawing = Drawing { context, grid: self, asked: None, divided: false, focus, light };
        if let Some(view) = drawing.grid.enlarged {
            let rect = ui.available_rect_before_wrap().round();
            let pane = panes.panes().into_iter().find(|pane| pane.1 == view).map(|pane| pane.0);
            let asked = drawing.draw(ui, rect, view, true);
            drawing.asked = pane.map(|pane| (pane, asked));
        } else {
            drawing.grid.focused = None;
            panes.fit(ui.available_rect_before_wrap());
            panes.show(ui, &mut drawing);
        }
        let Drawing { asked, divided, .. } = drawing;
        panes.own |= divided;
        if let Some((pane, asked)) = asked {
            if self.enlarged.is_some() {
                self.enlarged = Some(asked.view);
            }
            panes.put(pane, asked.view);
            match asked.action {
                Some(PaneAction::Enlarge) => self.enlarged = Some(asked.view),
                Some(PaneAction::PutBack) => self.enlarged = None,
                Some(PaneAction::Split(dir)) => panes.split(pane, dir),
                Some(PaneAction::Close) => panes.close(pane),
                Some(PaneAction::Export(what)) => {
                    context.actions.push(ExportAction::View { title: asked.view.title(), size: asked.size, what });
                }
                Some(PaneAction::Light) => context.actions.user(UserCommand::LightExports),
                None => {}
            }
        }
        self.panes = panes;
    }

    /// Draws one view, as large as the ui, for a picture of it.
    pub fn show_on_paper(&mut self, ui: &mut Ui, context: &mut ViewContext<'_>, view: View) {
        let rect = ui.available_rect_before_wrap();
        self.draw_on_paper(ui, context, &[(rect, view)]);
    }

    /// Draws the frame of an animation: the kernel, and beside it the curves.
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
            draw(ui, &mut Pane::on_paper(rect, view, &mut self.selection), context, &mut self.states);
        }
        set_paper(ui.ctx(), false);
    }
}

/// Where the widget with the focus is.
fn focus(ui: &Ui) -> Option<Pos2> {
    let focused = ui.memory(|memory| memory.focused())?;
    Some(ui.ctx().read_response(focused)?.rect.center())
}

/// Draws the view of a pane in it, or says why there is nothing of it to draw.
fn draw(ui: &mut Ui, pane: &mut Pane<'_>, context: &mut ViewContext<'_>, states: &mut States) {
    if context.is_elsewhere() && pane.view.needs_run() {
        let mut card = pane.card(ui, "");
        let text = "These kernels come from elsewhere: what this view shows is told only by a run of Kernelscope.";
        card.body.label(RichText::new(text).color(context.tokens.weak));
        return;
    }
    states.show(ui, pane, context);
}

/// What the user asked of a pane: the view to be shown from now on, and what is to be done.
struct Asked {
    view: View,
    action: Option<PaneAction>,
    size: Vec2,
}

/// Draws the panes for egui_tiles.
struct Drawing<'a, 'b> {
    context: &'a mut ViewContext<'b>,
    grid: &'a mut Grid,
    /// What was asked of a pane.
    asked: Option<(TileId, Asked)>,
    /// Whether a divider was dragged.
    divided: bool,
    focus: Option<Pos2>,
    /// Whether exported pictures have a light ground.
    light: bool,
}

impl Drawing<'_, '_> {
    fn draw(&mut self, ui: &mut Ui, rect: Rect, view: View, enlarged: bool) -> Asked {
        let Grid { states, selection, pointed, focused, .. } = &mut *self.grid;
        let (light, measured) = (self.light, !self.context.history.rows().is_empty());
        let mut pane = Pane { rect, view, enlarged, paper: false, measured, light, action: None, selection };
        draw(ui, &mut pane, self.context, states);
        if ui.rect_contains_pointer(rect) {
            *pointed = Some(view);
        }
        if self.focus.is_some_and(|at| rect.contains(at)) {
            *focused = Some(view);
        }
        Asked { view: pane.view, action: pane.action, size: rect.size() }
    }
}

impl Behavior<View> for Drawing<'_, '_> {
    fn pane_ui(&mut self, ui: &mut Ui, pane: TileId, view: &mut View) -> UiResponse {
        // On whole points, so that hairlines stay sharp however a divider was dragged.
        let rect = ui.max_rect().round();
        let asked = self.draw(ui, rect, *view, false);
        if asked.view != *view || asked.action.is_some() {
            self.asked = Some((pane, asked));
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
            ResizeState::Hovering => Stroke::new(1.0, self.context.tokens.faint),
            ResizeState::Dragging => Stroke::new(2.0, self.context.tokens.accent),
        }
    }

    fn on_edit(&mut self, edit: EditAction) {
        self.divided |= edit == EditAction::TileResized;
    }
}
