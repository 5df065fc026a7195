//! Draws the kernel between one point of the circle and all others: before training, now, in earlier runs, and at infinite
//! width.
//!
//! Guarantees: the lines are rows of measured Grams, point by point, without fits; the first and last kernel of each restarted
//! run stay as faint lines, so that several seeds and widths can be compared.

use egui::{Align2, RichText, Ui, vec2};

use super::context::{Selection, ViewContext, absent};
use super::pane::Pane;
use super::view::{Needs, ViewClass};
use crate::chart::panel::{Entry, Sign};
use crate::chart::plane::{Profile, profiles};
use crate::math::plane::Point;
use crate::paint::panel::{Look, paint};
use crate::run::{History, circle, origin, profile};
use crate::ui::kit::theme;
use crate::ui::kit::widgets::segments;
use crate::ui::plot::legend::legend;
use crate::ui::plot::readout;

/// Largest number of earlier runs that are kept.
const KEPT: usize = 12;

/// The message in place of an empty view.
const ABSENT: &str = "On a circle the kernel is a curve: Θ between one point and all others, by the angle between \
                them. This run is not on the circle; the preset is.";

/// This view shows the kernel of a run on the circle by the angle between two points.
#[derive(Default)]
pub struct CircleView {
    /// True if values are divided by Θ(x₀, x₀).
    relative: bool,
    kept: Vec<EarlierRun>,
}

/// Holds the kernels of an earlier run.
struct EarlierRun {
    start: Vec<(f64, f64)>,
    end: Vec<(f64, f64)>,
}

impl ViewClass for CircleView {
    const TITLE: &str = "Circle";
    const HELP: &str = "For runs on the circle: the kernel Θ(x₀, x(γ)) between one probe x₀ and all others by the \
                 angle γ from x₀, at the first snapshot (dashed) and at the cursor (solid); in the text's colour, \
                 where there is one, at infinite width. x₀ is the probe nearest to (1, 0), or the one chosen by a \
                 click on its row in the kernel. Restart with another seed or width: the first and the last kernel of \
                 each run before stay as faint lines. The wider, the nearer to one another and to the limit, and the \
                 less training moves them.\n\
                 Jacot, Gabriel, Hongler 2018 (1806.07572), figure 1.";
    const NEEDS: Needs = Needs::Run;
    const ONE_LINE: f32 = 330.0;

    fn show(&mut self, ui: &mut Ui, pane: &mut Pane<'_>, context: &mut ViewContext<'_>) {
        let mut card = pane.card(ui, "Θ(x₀, x(γ))");
        let Some(points) = context.info().and_then(circle) else {
            return absent(&mut card.body, context, ABSENT, Some("circle"));
        };
        let scales = [(false, "Θ", "The kernel itself"), (true, "over Θ(x₀, x₀)", "Its shape alone, without its size")];
        segments(&mut card.header, &mut self.relative, &scales);
        if !self.kept.is_empty() {
            let text = RichText::new("forget").size(theme::SMALL);
            let button = card.header.button(text).on_hover_text("Forget the runs before");
            if button.clicked() {
                self.kept.clear();
            }
            _ = button.accessible_name("Forget the runs before on the circle");
        }
        let from = pane.selection.probe.filter(|&row| row < points.len()).unwrap_or_else(|| origin(&points));
        let shown = shown(context, self, &points, from);
        if let Some(table) = &mut context.table {
            table.head(["curve", "angle", "value"]);
            for Profile { name, line } in &shown {
                let name = if name.is_empty() { "run before" } else { name };
                line.points().for_each(|(angle, value)| table.row([name.into(), angle.into(), value.into()]));
            }
        }
        let panel = profiles(shown);
        let dotted = |entry: &Entry| (Entry { sign: Sign::Dot, ..entry.clone() }, None);
        let entries: Vec<_> = panel.legend.iter().rev().map(dotted).collect();
        legend(&mut card.header, &entries);
        let ui = &mut card.body;
        let painted = paint(ui, "circle", &panel, &Look::of_view(context.thick, true));
        readout::of_panel(ui, &painted, &panel, |angle| format!("γ = {angle:.0}°"));
        let [x, y] = points[from];
        let text = format!("x₀ at {:.0}° · γ", y.atan2(x).to_degrees());
        let at = painted.transform.frame.right_bottom() - vec2(4.0, 1.0);
        ui.painter().text(at, Align2::RIGHT_BOTTOM, text, theme::ticks(), context.tokens.weak);
    }

    fn leave(&mut self, history: &History, selection: &Selection) {
        let Some(points) = history.info().and_then(|info| circle(info)) else { return };
        let from = selection.probe.filter(|&row| row < points.len()).unwrap_or_else(|| origin(&points));
        let snapshots = history.snapshots();
        let (Some(first), Some(last)) = (snapshots.first(), snapshots.last()) else { return };
        let [start, end] = [first, last].map(|snapshot| profile(&snapshot.gram, &points, from));
        if self.kept.len() == KEPT {
            self.kept.remove(0);
        }
        self.kept.push(EarlierRun { start, end });
    }
}

/// Returns the profiles of earlier runs, of the limit, and of this run's first kernel and that at the cursor.
fn shown(context: &ViewContext<'_>, state: &CircleView, points: &[Point], from: usize) -> Vec<Profile> {
    let scaled = |profile: &[(f64, f64)]| -> Vec<(f64, f64)> {
        let at_origin = profile.iter().min_by(|a, b| a.0.abs().total_cmp(&b.0.abs())).map_or(1.0, |point| point.1);
        let scale = if state.relative && at_origin != 0.0 { 1.0 / at_origin } else { 1.0 };
        profile.iter().map(|&(angle, value)| (angle, scale * value)).collect()
    };
    let of = |kernel: &[f64]| scaled(&profile(kernel, points, from));
    let earlier = |run: &EarlierRun| {
        [Profile::of_earlier(true, scaled(&run.start)), Profile::of_earlier(false, scaled(&run.end))]
    };
    let own = [
        context.history.limit().map(|limit| Profile::of_limit(of(limit))),
        context.history.snapshots().first().map(|first| Profile::of_start(of(&first.gram))),
        context.snapshot.as_ref().map(|snapshot| Profile::of_moment("now", of(&snapshot.gram))),
    ];
    state.kept.iter().flat_map(earlier).chain(own.into_iter().flatten()).collect()
}
