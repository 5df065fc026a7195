//! Draws the kernel between one point of the circle and all others: before training, now, in earlier runs, and at infinite
//! width.
//!
//! Guarantees: the lines are rows of measured Grams, point by point, without fits; the first and last kernel of each restarted
//! run stay as faint lines, so that several seeds and widths can be compared.

use std::f64::consts::PI;

use egui::{Color32, RichText, Sense, Ui};
use egui_plot::{GridInput, GridMark, Line, LineStyle, PlotPoint, PlotPoints};

use super::context::{Selection, ViewContext, absent};
use super::pane::Pane;
use super::view::{Needs, ViewClass};
use crate::math::plane::Point;
use crate::paint::axes;
use crate::run::{History, circle, origin, profile};
use crate::ui::kit::format;
use crate::ui::kit::theme;
use crate::ui::kit::widgets::segments;

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

/// Describes one line of the plot.
struct CircleLine {
    name: &'static str,
    points: Vec<PlotPoint>,
    colour: Color32,
    width: f32,
    dashed: bool,
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
        let lines = lines(context, self, &points, from);
        if let Some(table) = &mut context.table {
            table.head(["curve", "angle", "value"]);
            for line in &lines {
                let name = if line.name.is_empty() { "run before" } else { line.name };
                line.points.iter().for_each(|at| table.row([name.into(), at.x.into(), at.y.into()]));
            }
        }
        let header = &mut card.header;
        legend(header, &lines);
        plot(&mut card.body, context, &lines, points[from]);
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

fn lines(context: &ViewContext<'_>, state: &CircleView, points: &[Point], from: usize) -> Vec<CircleLine> {
    let tokens = context.tokens;
    let drawn = |name, profile: &[(f64, f64)], colour, width, dashed| {
        let at_origin = profile.iter().min_by(|a, b| a.0.abs().total_cmp(&b.0.abs())).map_or(1.0, |point| point.1);
        let scale = if state.relative && at_origin != 0.0 { 1.0 / at_origin } else { 1.0 };
        let points = profile.iter().map(|&(angle, value)| PlotPoint::new(angle, scale * value)).collect();
        CircleLine { name, points, colour, width, dashed }
    };
    let mut lines = Vec::new();
    for run in &state.kept {
        lines.push(drawn("", &run.start, tokens.faint.gamma_multiply(0.6), 0.8, true));
        lines.push(drawn("", &run.end, tokens.faint, 0.8, false));
    }
    let of = |kernel: &[f64]| profile(kernel, points, from);
    if let Some(limit) = context.history.limit() {
        lines.push(drawn("n = ∞", &of(limit), tokens.text, 1.2, true));
    }
    if let Some(first) = context.history.snapshots().first() {
        lines.push(drawn("at the start", &of(&first.gram), tokens.task(1), 1.4, true));
    }
    if let Some(snapshot) = &context.snapshot {
        lines.push(drawn("now", &of(&snapshot.gram), tokens.task(2), 2.0, false));
    }
    lines
}

/// Draws names and colours of the lines, as far as there is room.
fn legend(ui: &mut Ui, lines: &[CircleLine]) {
    let rect = ui.available_rect_before_wrap();
    let weak = theme::Tokens::of(ui).weak;
    let painter = ui.painter().with_clip_rect(rect);
    let mut x = rect.left() + 6.0;
    for line in lines.iter().rev().filter(|line| !line.name.is_empty()) {
        let name = painter.layout_no_wrap(line.name.to_owned(), theme::note(), weak);
        let (width, y) = (name.size().x, rect.center().y);
        if x + 9.0 + width > rect.right() {
            break;
        }
        painter.circle_filled(egui::pos2(x + 3.0, y), 3.0, line.colour);
        painter.galley(egui::pos2(x + 9.0, y - name.size().y / 2.0), name, weak);
        x += 17.0 + width;
    }
}

fn plot(ui: &mut Ui, context: &ViewContext<'_>, lines: &[CircleLine], origin: Point) {
    let tokens = context.tokens;
    let values = || lines.iter().flat_map(|line| &line.points).map(|point| point.y);
    let (low, high) = values().fold((0.0f64, f64::NEG_INFINITY), |(low, high), y| (low.min(y), high.max(y)));
    let (low, high) = if high.is_finite() { format::settle_linear((low, high), 1e-9) } else { (0.0, 1.0) };
    let span = high - low;
    let height = ui.available_height();
    let angles = axes::bottom(tokens, true, angle);
    let axis = axes::left(tokens, (low, high), move |value| format::tick(value, span, false));
    let behind = ui.painter().add(egui::Shape::Noop);
    let shown = axes::bare(ui, "circle", height)
        .sense(Sense::hover())
        .custom_x_axes(vec![angles])
        .custom_y_axes(vec![axis])
        .x_grid_spacer(quarters)
        .y_grid_spacer(axes::spacer(false, axes::ticks_up(height)))
        .show(ui, |plot_ui| {
            plot_ui.set_plot_bounds_x(-1.02 * PI..=1.02 * PI);
            plot_ui.set_plot_bounds_y(low..=high);
            for (place, line) in lines.iter().enumerate() {
                let style = if line.dashed { LineStyle::Dashed { length: 4.0 } } else { LineStyle::Solid };
                let drawn = Line::new(line.name, PlotPoints::Borrowed(&line.points)).id(place).style(style);
                plot_ui.line(drawn.color(line.colour).width(context.thick * line.width).allow_hover(false));
            }
        });
    let frame = *shown.transform.frame();
    ui.painter().set(behind, egui::Shape::rect_filled(frame, 2.0, tokens.well));
    let degrees = origin[1].atan2(origin[0]).to_degrees();
    let text = format!("x₀ at {degrees:.0}° · γ");
    let at = frame.right_bottom() - egui::vec2(4.0, 1.0);
    ui.painter().text(at, egui::Align2::RIGHT_BOTTOM, text, theme::ticks(), tokens.weak);
}

/// Returns the marks −π, −π/2, 0, π/2, π.
fn quarters(_: GridInput) -> Vec<GridMark> {
    (-2..=2).map(|quarter| GridMark { value: f64::from(quarter) * PI / 2.0, step_size: PI }).collect()
}

fn angle(value: f64) -> String {
    match (value / (PI / 2.0)).round() as i32 {
        -2 => "−π",
        -1 => "−π/2",
        0 => "0",
        1 => "π/2",
        2 => "π",
        _ => "",
    }
    .to_owned()
}
