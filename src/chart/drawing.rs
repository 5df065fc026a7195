//! Draws panels of curves over the epochs, or over a study's axis: task bands in the background, switch lines, curves, the
//! spread of runs, and the numbers at spikes and dips.

use plotters::prelude::{
    ChartBuilder, Circle, DashedLineSeries, ErrorBar, LineSeries, PathElement, Polygon, Rectangle, Text, TextStyle,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, FontFamily, FontStyle, RGBColor, ShapeStyle};

use super::backend::{Area, Backend, Drawn, FAMILY, Failure};
use super::curves::{Across, End, Panel};
use super::palette::task_colour;
use super::scale::Scale;

/// Sizes of text, in units.
pub(crate) const TITLE: i32 = 22;
pub(crate) const LABEL: i32 = 17;
const MARK: i32 = 20;

pub(crate) const INK: RGBColor = RGBColor(40, 40, 40);
const GRID: RGBColor = RGBColor(225, 225, 225);

pub(crate) fn rgb([red, green, blue]: [u8; 3]) -> RGBColor {
    RGBColor(red, green, blue)
}

pub(crate) fn text<B: Backend>(size: i32, colour: RGBColor, h: HPos, v: VPos) -> TextStyle<'static> {
    let font = (FontFamily::Name(FAMILY), f64::from(size * B::UNIT), FontStyle::Normal);
    TextStyle { color: colour.to_backend_color(), ..TextStyle::from(font) }.pos(Pos::new(h, v))
}

/// Draws the panels below each other.
pub(crate) fn draw<B: Backend>(root: &Area<B>, panels: &[Panel], across: &Across) -> Drawn<B> {
    // Below each other they have one margin, as wide as the longest words at a line's end.
    let style = text::<B>(LABEL, INK, HPos::Left, VPos::Center);
    let ends = panels.iter().flat_map(|panel| &panel.ends);
    let widths =
        ends.map(|end| root.estimate_text_size(&end.text, &style).map(|size| wide::<B>(size.0) + 10 * B::UNIT));
    let room = widths.collect::<Result<Vec<i32>, _>>()?.into_iter().max().unwrap_or(0);
    let scales: Vec<Scale> = panels.iter().map(up).collect();
    let sides = Sides::of(root, &across.x, &scales, room)?;
    for ((panel, y), area) in panels.iter().zip(scales).zip(root.split_evenly((panels.len().max(1), 1))) {
        draw_panel(&area, panel, across, y, &sides)?;
    }
    Ok(())
}

/// Returns the range of a panel's y axis: all values, and room for the texts at its marks.
fn up(panel: &Panel) -> Scale {
    let spread = panel.spreads.iter().flat_map(|spread| spread.points.iter().flat_map(|point| point.1));
    let curves = panel.curves.iter().flat_map(|curve| curve.points.iter().map(|point| point.1));
    let dots = panel.dots.iter().flat_map(|dots| dots.points.iter().map(|point| point.1));
    let marked = panel.marks.iter().map(|mark| if panel.log { 2.0 * mark.at.1 } else { mark.at.1 });
    match panel.fixed {
        Some((low, high)) => Scale::exact(low, high),
        None => Scale::of(curves.chain(spread).chain(dots).chain(marked), panel.log),
    }
}

/// The room at the sides of all panels of a figure, in pixels, so that no label of a tick is cut and the panels line up.
struct Sides {
    left: i32,
    right: i32,
    /// The part of `right` that words at the ends of lines have.
    ends: i32,
}

impl Sides {
    fn of<B: Backend>(root: &Area<B>, x: &Scale, up: &[Scale], ends: i32) -> Result<Self, Failure<B>> {
        let style = text::<B>(LABEL, INK, HPos::Left, VPos::Center);
        let width = |label: String| Ok::<i32, Failure<B>>(wide::<B>(root.estimate_text_size(&label, &style)?.0));
        let (mut left, mut right) = (86 * B::UNIT, 20 * B::UNIT + ends);
        for scale in up {
            for &tick in scale.ticks() {
                left = left.max(width(scale.label(tick))? + 44 * B::UNIT);
            }
        }
        // The last label stands half beyond its tick, which may be at the very end.
        if let Some(&last) = x.ticks().last() {
            right = right.max(width(x.label(last))? / 2 + 4 * B::UNIT);
        }
        Ok(Self { left, right, ends })
    }
}

/// Returns the greatest width a text of this width in our font may take: an SVG viewer substitutes its own font.
fn wide<B: Backend>(measured: u32) -> i32 {
    (measured as f32 * B::OTHER_FONTS).ceil() as i32
}

fn draw_panel<B: Backend>(area: &Area<B>, panel: &Panel, across: &Across, y: Scale, sides: &Sides) -> Drawn<B> {
    let unit = B::UNIT;
    area.draw_text(panel.title, &text::<B>(TITLE, INK, HPos::Left, VPos::Center), (16 * unit, 22 * unit))?;
    draw_legend(area, panel)?;

    let x = across.x.clone();
    let (left, right) = x.ends();
    let mut chart = ChartBuilder::on(area)
        .margin_top(62 * unit)
        .margin_right(sides.right)
        .margin_bottom(6 * unit)
        .margin_left(8 * unit)
        .x_label_area_size(48 * unit)
        .y_label_area_size(sides.left)
        .build_cartesian_2d(x, y.clone())?;

    let (bottom, top) = y.ends();
    for &(from, to, task) in &across.bands {
        let colour = rgb(task_colour(task)).mix(0.10).filled();
        chart.draw_series([Rectangle::new([(from, bottom), (to, top)], colour)])?;
    }
    chart
        .configure_mesh()
        .light_line_style(ShapeStyle::from(&GRID.mix(0.0)))
        .bold_line_style(ShapeStyle::from(&GRID).stroke_width(unit as u32))
        .axis_style(ShapeStyle::from(&INK).stroke_width(unit as u32))
        .label_style(text::<B>(LABEL, INK, HPos::Center, VPos::Center))
        .axis_desc_style(text::<B>(LABEL, INK, HPos::Center, VPos::Center))
        .x_desc(across.name.as_str())
        .y_desc(panel.y)
        .y_label_offset(B::DROP * unit)
        .set_all_tick_mark_size(4 * unit)
        .draw()?;

    for &switch in &across.lines {
        let line = [(switch, bottom), (switch, top)];
        chart.draw_series([PathElement::new(line, INK.mix(0.6).stroke_width(unit as u32))])?;
    }
    for spread in &panel.spreads {
        let colour = rgb(spread.colour);
        let shown: Vec<_> = spread.points.iter().filter(|point| point.1.iter().all(|&value| y.shows(value))).collect();
        if spread.ribbon {
            let there = shown.iter().map(|point| (point.0, point.1[2]));
            let back = shown.iter().rev().map(|point| (point.0, point.1[0]));
            chart.draw_series([Polygon::new(there.chain(back).collect::<Vec<_>>(), colour.mix(0.15).filled())])?;
        } else {
            let bar = |&&(x, [low, mean, high]): &&(f64, [f64; 3])| {
                ErrorBar::new_vertical(x, low, mean, high, colour.stroke_width(unit as u32), 8 * unit as u32)
            };
            chart.draw_series(shown.iter().map(bar))?;
        }
    }
    for curve in &panel.curves {
        let width = if curve.thin { unit } else { 2 * unit } as u32;
        let points = curve.points.iter().copied().filter(|point| y.shows(point.1));
        let style = rgb(curve.colour).stroke_width(width);
        if curve.broken {
            chart.draw_series(DashedLineSeries::new(points, 8 * unit as u32, 5 * unit as u32, style))?;
        } else {
            chart.draw_series(LineSeries::new(points, style))?;
        }
    }
    for dots in &panel.dots {
        let style = if dots.full { rgb(dots.colour).filled() } else { rgb(dots.colour).stroke_width(unit as u32) };
        let shown = dots.points.iter().copied().filter(|point| y.shows(point.1));
        chart.draw_series(shown.map(|point| Circle::new(point, 3 * unit, style)))?;
    }
    for guide in &panel.guides {
        let (x0, y0) = guide.from;
        let last = across.x.ticks().last().copied().unwrap_or(right);
        // Down to where it would leave the panel.
        let end = last.min(x0 * (bottom / y0).powf(1.0 / guide.slope));
        let line = [(x0, y0), (end, y0 * (end / x0).powf(guide.slope))];
        let style = INK.mix(0.35).stroke_width(unit as u32);
        chart.draw_series(DashedLineSeries::new(line, 2 * unit as u32, 4 * unit as u32, style))?;
        let text = text::<B>(LABEL, INK, HPos::Right, VPos::Bottom);
        let label = plotters::element::EmptyElement::at(line[1]) + Text::new(guide.name, (-6 * unit, -4 * unit), text);
        chart.draw_series([label])?;
    }
    // Each at its height, moved as little as lines of text need.
    let height = |end: &&End| chart.plotting_area().map_coordinate(&(right, end.at)).1 - area.get_base_pixel().1;
    let mut ends: Vec<(i32, &End)> = panel.ends.iter().map(|end| (height(&end), end)).collect();
    ends.sort_by_key(|end| end.0);
    let lowest = area.dim_in_pixel().1 as i32 - 60 * unit;
    let mut least = i32::MIN;
    let count = ends.len() as i32;
    for (place, (y, end)) in ends.into_iter().enumerate() {
        let line = 19 * unit;
        let y = y.max(least).min(lowest - (count - 1 - place as i32) * line);
        least = y + line;
        let style = text::<B>(LABEL, rgb(end.colour), HPos::Left, VPos::Center);
        let x = area.dim_in_pixel().0 as i32 - 20 * unit - sides.ends + 8 * unit;
        area.draw_text(&end.text, &style, (x, y + B::DROP * unit))?;
    }
    for &(from, to, task) in &across.bands {
        // No name where it does not fit.
        if (to - from) * 9.0 > right - left {
            let style = text::<B>(LABEL, rgb(task_colour(task)), HPos::Center, VPos::Bottom);
            let name = format!("training task {task}");
            let short = if (to - from) * 5.0 > right - left { name } else { format!("task {task}") };
            let at = chart.plotting_area().map_coordinate(&((from + to) / 2.0, top));
            let origin = area.get_base_pixel();
            area.draw_text(&short, &style, (at.0 - origin.0, at.1 - origin.1 - 3 * unit))?;
        }
    }
    for mark in &panel.marks {
        let colour = rgb(mark.colour);
        let size = area.estimate_text_size(&mark.text, &text::<B>(MARK, colour, HPos::Left, VPos::Top))?;
        let size = (wide::<B>(size.0) + 7 * unit, size.1 as i32 + 7 * unit);
        let (origin, (_, rows)) = (area.get_base_pixel(), chart.plotting_area().get_pixel_range());
        let at = chart.plotting_area().map_coordinate(&mark.at);
        // To the left where the picture ends, and on the other side of its point where the panel does.
        let right = at.0 - origin.0 + size.0 <= area.dim_in_pixel().0 as i32;
        let (fits_above, fits_below) = (at.1 - size.1 >= rows.start, at.1 + size.1 <= rows.end);
        let above = if mark.above { fits_above || !fits_below } else { fits_above && !fits_below };
        let (h, dx) = if right { (HPos::Left, 7 * unit) } else { (HPos::Right, -7 * unit) };
        let (v, dy) = if above { (VPos::Bottom, -7 * unit) } else { (VPos::Top, 7 * unit) };
        chart.draw_series([Circle::new(mark.at, 4 * unit, colour.filled())])?;
        let style = text::<B>(MARK, colour, h, v);
        let label = plotters::element::EmptyElement::at(mark.at) + Text::new(mark.text.clone(), (dx, dy), style);
        chart.draw_series([label])?;
    }
    Ok(())
}

/// The legend at the right of the title's line: in full, else its last words (the numbers of the tasks), else, where even
/// these do not fit, none, because the bands show the colours too.
fn draw_legend<B: Backend>(area: &Area<B>, panel: &Panel) -> Drawn<B> {
    let unit = B::UNIT;
    let style = text::<B>(LABEL, INK, HPos::Left, VPos::Center);
    let entries = || panel.curves.iter().filter_map(|curve| Some((curve.colour, curve.label.as_deref()?)));
    let full: Vec<([u8; 3], &str)> = entries().collect();
    let short: Vec<([u8; 3], &str)> = entries().map(|(colour, label)| (colour, last_word(label))).collect();
    let right = area.dim_in_pixel().0 as i32 - 20 * unit;
    let title = area.estimate_text_size(panel.title, &text::<B>(TITLE, INK, HPos::Left, VPos::Center))?.0 as i32;
    let room = right - title - 40 * unit;
    for legend in [full, short] {
        let widths = legend.iter().map(|(_, label)| area.estimate_text_size(label, &style).map(|size| size.0 as i32));
        let widths: Vec<i32> = widths.collect::<Result<_, _>>()?;
        if widths.iter().map(|width| width + 42 * unit).sum::<i32>() > room {
            continue;
        }
        let (mut x, y) = (right, 23 * unit);
        for ((colour, label), width) in legend.into_iter().zip(widths).rev() {
            x -= width;
            area.draw_text(label, &style, (x, y + B::DROP * unit))?;
            let line = vec![(x - 26 * unit, y), (x - 6 * unit, y)];
            area.draw(&PathElement::new(line, rgb(colour).stroke_width(3 * unit as u32)))?;
            x -= 42 * unit;
        }
        return Ok(());
    }
    Ok(())
}

fn last_word(label: &str) -> &str {
    label.rsplit(' ').next().unwrap_or(label)
}
