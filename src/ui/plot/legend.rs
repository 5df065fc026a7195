//! Draws legends of time plots: names and values of the traces in the remaining room of a header, or names in lines below it.

use egui::{Align2, FontId, Sense, Stroke, Ui, pos2, vec2};

use super::{Style, Trace};
use crate::ui::kit::theme::Tokens;
use crate::ui::kit::{format, theme};

/// Draws names and values of the traces at the cursor in the remaining room of a header: without values if these do not fit,
/// and with the number of omitted traces if the names do not fit.
pub fn legend(ui: &mut Ui, traces: &[Trace], log: bool, show: impl Fn(f64) -> String) {
    let tokens = Tokens::of(ui);
    let rect = ui.available_rect_before_wrap();
    let painter = ui.painter().with_clip_rect(rect);
    let is_named = |trace: &&Trace| {
        let drawn = trace.style == Style::Solid || trace.over;
        drawn && !trace.name.is_empty() && trace.colour.a() == 255 && !trace.visible.pieces.is_empty()
    };
    let (left, room) = (rect.left() + 6.0, rect.width() - 6.0 + 8.0);
    // No name is narrower than this, so most names of a hundred runs need no layout to be found too wide.
    let most = (room / 22.0).max(0.0) as usize + 1;
    let all = traces.iter().filter(is_named).count();
    let named: Vec<&Trace> = traces.iter().rev().filter(is_named).take(most).collect();
    let entry = |trace: &Trace, valued: bool| {
        let now = trace.now.filter(|_| valued).map(|now| show(if log { 10f64.powf(now) } else { now }));
        let name = painter.layout_no_wrap(trace.name.clone(), theme::note(), tokens.weak);
        let value = painter.layout_no_wrap(now.unwrap_or_default(), FontId::monospace(10.5), tokens.text);
        let width = 9.0 + name.size().x + if value.is_empty() { 0.0 } else { 3.0 + value.size().x } + 8.0;
        (name, value, width)
    };
    let mut entries: Vec<_> = named.iter().map(|trace| entry(trace, false)).collect();
    let wide = |entries: &[_]| entries.iter().map(|(_, _, width): &(_, _, f32)| width).sum::<f32>();
    let more = if wide(&entries) <= room { 0.0 } else { 26.0 };
    // Names take precedence over values; values are drawn for the first traces, as far as there is room.
    for (place, trace) in named.iter().enumerate() {
        let valued = entry(trace, true);
        if wide(&entries) - entries[place].2 + valued.2 > room {
            break;
        }
        entries[place] = valued;
    }
    let (mut x, y) = (left, rect.center().y);
    for (place, (name, value, width)) in entries.into_iter().enumerate() {
        if x + width > left + room - more {
            let text = format!("+{}", all - place);
            if room > more + 20.0 {
                painter.text(pos2(x, y), Align2::LEFT_CENTER, text, theme::note(), tokens.weak);
            }
            break;
        }
        let trace = named[place];
        if trace.over {
            let ends = [pos2(x - 1.0, y), pos2(x + 7.0, y)];
            let stroke = Stroke::new(2.0, trace.colour);
            if trace.style == Style::Dashed {
                painter.extend(egui::Shape::dashed_line(&ends, stroke, 3.0, 2.0));
            } else {
                painter.line_segment(ends, stroke);
            }
        } else {
            painter.circle_filled(pos2(x + 3.0, y), 3.0, trace.colour);
        }
        let (name_size, value_size) = (name.size(), value.size());
        painter.galley(pos2(x + 9.0, y - name_size.y / 2.0), name, tokens.weak);
        painter.galley(pos2(x + 12.0 + name_size.x, y - value_size.y / 2.0), value, tokens.text);
        x += width;
    }
}

/// Width from which a header has room for two choosers and a legend.
pub const HEADER_WIDTH: f32 = 500.0;

/// Draws the names of the traces in small type, in as many lines as they need, if the header has no room.
pub fn names_below<'a>(ui: &mut Ui, traces: impl Iterator<Item = &'a Trace>) {
    let weak = Tokens::of(ui).weak;
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(7.0, 1.0);
        ui.spacing_mut().interact_size.y = 11.0;
        for trace in traces {
            let galley = ui.painter().layout_no_wrap(trace.name.clone(), FontId::proportional(9.5), weak);
            let size = galley.size();
            let (rect, _) = ui.allocate_exact_size(vec2(8.0 + size.x, size.y), Sense::hover());
            ui.painter().circle_filled(rect.left_center() + vec2(3.0, 0.0), 3.0, trace.colour);
            ui.painter().galley(rect.min + vec2(8.0, 0.0), galley, weak);
        }
    });
}

/// Draws [`legend`] with plain numbers.
pub fn number_legend(ui: &mut Ui, traces: &[Trace], log: bool) {
    legend(ui, traces, log, format::number);
}
