//! Holds the tree of panes, rows and columns whose dividers can be dragged, and converts the layout to and from text.
//!
//! Guarantees: a view is in one pane only, and there is always at least one pane; until the user divides the window, the panes
//! have their usual proportions at every size; a stored layout is accepted whole or refused with a sentence.

use egui::{Rect, Vec2, pos2};
use egui_tiles::{Container, Linear, LinearDir, Shares, SimplificationOptions, Tile, TileId, Tiles, Tree};
use serde::{Deserialize, Serialize};

use super::View;
use crate::ui::kit::theme::GRID;

/// Gap between two panes.
pub const GAP: f32 = 1.5 * GRID;
/// Share of a row or column by which a key resizes a pane, and the least share of any pane.
const NUDGE: f32 = 0.04;
const LEAST: f32 = 0.1;
/// A stored layout nested deeper than this was not written by this program.
const DEEPEST: usize = 12;

/// The views of the usual layout, in reading order.
pub const USUAL: [View; 7] = {
    use View::*;
    [Gram, Velocity, Scale, Alignment, Spectrum, Waterfall, Accuracy]
};

/// Describes a part of the window: a view, or parts beside or below one another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its share of the room that it divides with its neighbours.
    share: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    view: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    beside: Vec<Self>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    below: Vec<Self>,
}

/// Describes a layout for a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// True if the user has divided the window; else the usual proportions apply.
    own: bool,
    /// The arrangement made by a preset.
    given: Vec<String>,
    window: Part,
}

impl Layout {
    /// Checks that the layout is valid.
    ///
    /// # Errors
    /// Returns a sentence about the part that is invalid.
    pub fn check(&self) -> Result<(), String> {
        PaneTree::of(self).map(drop)
    }
}

/// Holds the panes and the view in each.
#[derive(Clone)]
pub struct PaneTree {
    tree: Tree<View>,
    /// True if the user has divided the window.
    pub own: bool,
}

impl Default for PaneTree {
    fn default() -> Self {
        let mut tiles = Tiles::default();
        let [gram, velocity, scale, alignment, spectrum, waterfall, accuracy] =
            USUAL.map(|view| tiles.insert_pane(view));
        let pair = tiles.insert_horizontal_tile(vec![scale, alignment]);
        let right = tiles.insert_vertical_tile(vec![velocity, pair]);
        let upper = tiles.insert_horizontal_tile(vec![gram, right]);
        let lower = tiles.insert_horizontal_tile(vec![spectrum, waterfall, accuracy]);
        let root = tiles.insert_vertical_tile(vec![upper, lower]);
        Self { tree: Tree::new(id(), root, tiles), own: false }
    }
}

impl PaneTree {
    /// Returns an empty tree, which the grid holds while it draws the real one.
    pub fn empty() -> Self {
        Self { tree: Tree::empty(id()), own: false }
    }
}

fn id() -> egui::Id {
    egui::Id::unique("places")
}

impl PaneTree {
    /// Returns all panes in reading order, the large ones first if the layout is the usual one.
    pub fn panes(&self) -> Vec<(TileId, View)> {
        fn collect(tiles: &Tiles<View>, at: TileId, into: &mut Vec<(TileId, View)>) {
            match tiles.get(at) {
                Some(Tile::Pane(view)) => into.push((at, *view)),
                Some(Tile::Container(container)) => {
                    container.children().for_each(|&child| collect(tiles, child, into));
                }
                None => {}
            }
        }
        let mut all = Vec::new();
        if let Some(root) = self.tree.root() {
            collect(&self.tree.tiles, root, &mut all);
        }
        all
    }

    /// Returns the views in them, in reading order.
    pub fn views(&self) -> Vec<View> {
        self.panes().into_iter().map(|(_, view)| view).collect()
    }

    /// Puts a view into a pane; the view there before moves to the old pane of this one, if it had any.
    pub fn put(&mut self, place: TileId, view: View) {
        let Some(stood) = self.tree.tiles.get_pane(&place).copied() else { return };
        if let Some(other) = self.tree.tiles.find_pane(&view) {
            self.write(other, stood);
        }
        self.write(place, view);
    }

    /// Puts these views into the panes, in reading order.
    pub fn set(&mut self, views: &[View]) {
        for ((place, _), &view) in self.panes().into_iter().zip(views) {
            self.write(place, view);
        }
    }

    fn write(&mut self, place: TileId, view: View) {
        if let Some(Tile::Pane(stands)) = self.tree.tiles.get_mut(place) {
            *stands = view;
        }
    }

    /// Divides a pane in two; the new one shows the first view that is not on screen. Does nothing if all are on screen.
    pub fn split(&mut self, place: TileId, dir: LinearDir) {
        let on_screen = self.views();
        let Some(view) = View::ALL.into_iter().find(|view| !on_screen.contains(view)) else { return };
        let tiles = &mut self.tree.tiles;
        let new = tiles.insert_pane(view);
        let parent = tiles.parent_of(place);
        match parent.and_then(|parent| tiles.get_mut(parent)) {
            Some(Tile::Container(Container::Linear(row))) if row.dir == dir => {
                let at = row.children.iter().position(|&child| child == place).unwrap_or(0);
                row.children.insert(at + 1, new);
                let half = row.shares[place] / 2.0;
                row.shares.set_share(place, half);
                row.shares.set_share(new, half);
            }
            _ => {
                let pair = tiles.insert_container(Linear::new(dir, vec![place, new]));
                match parent.and_then(|parent| tiles.get_mut(parent)) {
                    Some(Tile::Container(container)) => _ = container.replace_child(place, pair),
                    _ => self.tree.root = Some(pair),
                }
            }
        }
        self.own = true;
    }

    /// Gives a view more or less of the nearest row or column around it. Does nothing if there is none, or if a neighbour would
    /// be left without room.
    pub fn resize(&mut self, view: View, dir: LinearDir, more: bool) {
        let tiles = &mut self.tree.tiles;
        let mut child = tiles.find_pane(&view);
        while let Some(place) = child {
            let parent = tiles.parent_of(place);
            if let Some(Tile::Container(Container::Linear(row))) = parent.and_then(|parent| tiles.get_mut(parent))
                && row.dir == dir
                && row.children.len() > 1
            {
                let total: f32 = row.children.iter().map(|&child| row.shares[child]).sum();
                let before = row.shares[place] / total;
                let after = before + if more { NUDGE } else { -NUDGE };
                let share = |shares: &Shares, child: TileId| {
                    if child == place { after } else { shares[child] / total * (1.0 - after) / (1.0 - before) }
                };
                if row.children.iter().all(|&child| share(&row.shares, child) >= LEAST) {
                    let shares: Vec<(TileId, f32)> =
                        row.children.iter().map(|&child| (child, share(&row.shares, child))).collect();
                    shares.into_iter().for_each(|(child, share)| row.shares.set_share(child, share));
                    self.own = true;
                }
                return;
            }
            child = parent;
        }
    }

    /// Gives the room of a pane to its neighbours; the last one stays.
    pub fn close(&mut self, place: TileId) {
        if self.panes().len() > 1 {
            self.tree.remove_recursively(place);
            self.tree.simplify(&SimplificationOptions::default());
            self.own = true;
        }
    }

    /// Restores the usual proportions in this rectangle, unless the user has changed them.
    pub fn fit(&mut self, rect: Rect) {
        if !self.own
            && let Some(root) = self.tree.root()
        {
            share(&mut self.tree.tiles, root, &mut usual(rect).into_iter());
        }
    }

    /// Draws all panes.
    pub fn show(&mut self, ui: &mut egui::Ui, behaviour: &mut impl egui_tiles::Behavior<View>) {
        self.tree.ui(behaviour, ui);
    }

    /// Converts the layout to its stored form, with the arrangement made by a preset.
    pub fn layout(&self, given: &[View]) -> Layout {
        let window = self.tree.root().and_then(|root| words(&self.tree.tiles, root, 1.0, self.own));
        let window = window.unwrap_or(Part { share: 1.0, view: None, beside: Vec::new(), below: Vec::new() });
        Layout { own: self.own, given: given.iter().map(|view| view.title().to_owned()).collect(), window }
    }

    /// Converts a stored layout back, with the arrangement made by a preset.
    ///
    /// # Errors
    /// Returns a sentence about the part that is invalid.
    pub fn of(layout: &Layout) -> Result<(Self, Vec<View>), String> {
        let mut tiles = Tiles::default();
        let root = read(&layout.window, &mut tiles, 0)?;
        let given = layout.given.iter().map(|title| view(title)).collect::<Result<_, _>>()?;
        let mut places = Self { tree: Tree::new(id(), root, tiles), own: true };
        // The usual proportions apply to the usual panes only.
        places.own = layout.own || places.shape() != Self::default().shape();
        Ok((places, given))
    }

    /// Describes the structure of the panes, independent of their views and sizes.
    fn shape(&self) -> String {
        fn shape(part: &Part) -> String {
            let of = |parts: &[Part]| parts.iter().map(shape).collect::<String>();
            format!("({}|{})", of(&part.beside), of(&part.below))
        }
        shape(&self.layout(&[]).window)
    }
}

fn view(title: &str) -> Result<View, String> {
    View::titled(title).ok_or_else(|| format!("there is no view “{title}”"))
}

fn words(tiles: &Tiles<View>, at: TileId, share: f32, own: bool) -> Option<Part> {
    // Four digits resolve less than a pixel.
    let share = (1e4 * f64::from(share)).round().max(1.0) / 1e4;
    let mut part = Part { share, view: None, beside: Vec::new(), below: Vec::new() };
    match tiles.get(at)? {
        Tile::Pane(view) => part.view = Some(view.title().to_owned()),
        Tile::Container(Container::Linear(row)) => {
            let total: f32 = row.children.iter().map(|&child| row.shares[child]).sum();
            let share = |child| if own { row.shares[child] / total } else { 1.0 };
            let parts = row.children.iter().filter_map(|&child| words(tiles, child, share(child), own)).collect();
            match row.dir {
                LinearDir::Horizontal => part.beside = parts,
                LinearDir::Vertical => part.below = parts,
            }
        }
        Tile::Container(_) => return None,
    }
    Some(part)
}

fn read(part: &Part, tiles: &mut Tiles<View>, depth: usize) -> Result<TileId, String> {
    let (dir, parts) = match (&part.view, &part.beside[..], &part.below[..]) {
        (Some(title), [], []) => {
            let view = view(title)?;
            return match tiles.find_pane(&view) {
                Some(_) => Err(format!("“{title}” is in two places")),
                None => Ok(tiles.insert_pane(view)),
            };
        }
        (None, parts @ [_, ..], []) => (LinearDir::Horizontal, parts),
        (None, [], parts @ [_, ..]) => (LinearDir::Vertical, parts),
        _ => return Err("a part is neither a view nor parts beside or below one another".to_owned()),
    };
    if depth > DEEPEST {
        return Err("there are too many parts in parts".to_owned());
    }
    let mut row = Linear::new(dir, Vec::new());
    for part in parts {
        let child = read(part, tiles, depth + 1)?;
        if !(1e-4..=1e6).contains(&part.share) {
            return Err(format!("a share is {}", part.share));
        }
        row.add_child(child);
        row.shares.set_share(child, part.share as f32);
    }
    Ok(tiles.insert_container(row))
}

/// Sets the shares that place the panes below this tile in these rectangles; returns the area that they cover.
fn share(tiles: &mut Tiles<View>, at: TileId, rects: &mut impl Iterator<Item = Rect>) -> Rect {
    let children = match tiles.get(at) {
        Some(Tile::Container(container)) => container.children_vec(),
        _ => return rects.next().unwrap_or(Rect::NOTHING),
    };
    let covered: Vec<Rect> = children.iter().map(|&child| share(tiles, child, rects)).collect();
    if let Some(Tile::Container(Container::Linear(row))) = tiles.get_mut(at) {
        for (&child, rect) in children.iter().zip(&covered) {
            let extent = if row.dir == LinearDir::Horizontal { rect.width() } else { rect.height() };
            row.shares.set_share(child, extent.max(1.0));
        }
    }
    covered.into_iter().fold(Rect::NOTHING, Rect::union)
}

/// Returns the usual panes: a square one, a wide one, two below that, and a row of three.
fn usual(rect: Rect) -> [Rect; 7] {
    // Gram, velocity and λ_max are the main views and get two thirds.
    let bottom = ((rect.height() - GAP) * 0.34).round();
    let top = rect.height() - GAP - bottom;
    // The matrix is square; its card is as wide as it is high, minus the header and the colour bar.
    let most = rect.width() * 0.42;
    let square = (top - 52.0).max(220.0).min(most);
    let left = square + 36.0;

    let upper = Rect::from_min_size(rect.min, Vec2::new(rect.width(), top));
    let (first, right) = split_x(upper, left);
    let (wide, below) = split_y(right, ((top - GAP) * 0.54).round());
    let (third, fourth) = split_x(below, (below.width() - GAP) / 2.0);
    let lower = Rect::from_min_max(pos2(rect.left(), rect.bottom() - bottom), rect.max);
    let (fifth, rest) = split_x(lower, left);
    let (sixth, last) = split_x(rest, (rest.width() - GAP) / 2.0);
    [first, wide, third, fourth, fifth, sixth, last]
}

pub(super) fn split_x(rect: Rect, left: f32) -> (Rect, Rect) {
    let x = (rect.left() + left).round();
    (rect.with_max_x(x), rect.with_min_x(x + GAP))
}

pub(super) fn split_y(rect: Rect, top: f32) -> (Rect, Rect) {
    let y = (rect.top() + top).round();
    (rect.with_max_y(y), rect.with_min_y(y + GAP))
}
