//! The curves of other runs in a plot: the run before, faint, and those that were opened, each in its own colour.

use super::Runs;
use super::overlay_raster::MANY;
use crate::run::{Block, MAX_ROWS};
use crate::ui::plot::series_cache::{Key, Window};
use crate::ui::plot::{Style, Trace};
use crate::ui::views::context::ViewContext;

impl Trace {
    /// The curves of the run before and of all runs that lie over this one, of one task's probes.
    pub fn of_others(scene: &ViewContext<'_>, key: impl Fn(Block) -> Key, window: Window) -> Vec<Self> {
        let mut traces: Vec<Self> = Self::faint(scene, key(Block::Task(1)), window).into_iter().collect();
        let (cursor, dark) = (scene.cursor, scene.tokens.dark);
        let Runs { list, lit, block, .. } = scene.runs;
        let key = key(*block);
        // Of many the whole curves go into a picture, whatever stretch is in view: zooming costs the window nothing.
        let many = list.iter().filter(|overlay| !overlay.hidden).count() > MANY;
        let whole = Window { from: f64::NEG_INFINITY, to: f64::INFINITY, pixels: MAX_ROWS };
        // The first ones on top, as the tasks are.
        for overlay in list.iter().rev().filter(|overlay| !overlay.hidden || *lit == Some(overlay.id)) {
            let (colour, broken) = overlay.ink(dark);
            let name = overlay.name.as_str();
            let is_lit = *lit == Some(overlay.id);
            let seen = window;
            let window = if many && !is_lit { whole } else { window };
            let trace = Self::of((&overlay.drawn, &overlay.curves), name, key, (window, cursor), colour);
            traces.push(Self {
                width: if is_lit { 2.6 } else { 1.2 },
                style: if broken { Style::Dashed } else { Style::Solid },
                over: !is_lit,
                span: overlay.curves.span(key, seen),
                ..trace
            });
        }
        traces
    }
}
