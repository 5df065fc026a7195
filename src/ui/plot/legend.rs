//! Draws legends of plots: names and values of curves in the remaining room of a header, or names in lines below it.

use egui::{Align2, FontId, Rect, Sense, Ui, pos2, vec2};

use crate::chart::panel::Entry;
use crate::paint::panel::sign;
use crate::ui::kit::theme;
use crate::ui::kit::theme::Tokens;

/// Half the length of the line before a name.
const HALF: f32 = 4.0;

/// Draws names, and values at the cursor, in the remaining room of a header: without values if these do not fit,
/// and with the number of omitted names if the names do not fit.
pub fn legend(ui: &mut Ui, named: &[(Entry, Option<String>)]) {
    legend_within(ui, ui.available_rect_before_wrap(), named);
}

/// Draws the same into this room; returns where the names end.
pub fn legend_within(ui: &Ui, rect: Rect, named: &[(Entry, Option<String>)]) -> f32 {
    let tokens = Tokens::of(ui);
    let painter = ui.painter().with_clip_rect(rect);
    let (left, room) = (rect.left() + 6.0, rect.width() - 6.0 + 8.0);
    // No name is narrower than this, so most names of a hundred runs need no layout to be found too wide.
    let most = (room / 22.0).max(0.0) as usize + 1;
    let (all, named) = (named.len(), &named[..most.min(named.len())]);
    let entry = |(entry, now): &(Entry, Option<String>), valued: bool| {
        let now = now.clone().filter(|_| valued);
        let name = painter.layout_no_wrap(entry.name.clone(), theme::note(), tokens.weak);
        let value = painter.layout_no_wrap(now.unwrap_or_default(), FontId::monospace(10.5), tokens.text);
        let width = 9.0 + name.size().x + if value.is_empty() { 0.0 } else { 3.0 + value.size().x } + 8.0;
        (name, value, width)
    };
    let mut entries: Vec<_> = named.iter().map(|named| entry(named, false)).collect();
    let wide = |entries: &[_]| entries.iter().map(|(_, _, width): &(_, _, f32)| width).sum::<f32>();
    let more = if wide(&entries) <= room { 0.0 } else { 26.0 };
    // Names take precedence over values; values are drawn for the first traces, as far as there is room.
    for (place, named) in named.iter().enumerate() {
        let valued = entry(named, true);
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
        let Entry { sign: drawn, ink, .. } = named[place].0;
        painter.add(sign(drawn, pos2(x + 3.0, y), HALF, tokens.ink(ink)));
        let (name_size, value_size) = (name.size(), value.size());
        painter.galley(pos2(x + 9.0, y - name_size.y / 2.0), name, tokens.weak);
        painter.galley(pos2(x + 12.0 + name_size.x, y - value_size.y / 2.0), value, tokens.text);
        x += width;
    }
    x
}

/// Width from which a header has room for two choosers and a legend.
pub const HEADER_WIDTH: f32 = 500.0;

/// Draws names in small type, in as many lines as they need, if the header has no room.
pub fn names_below(ui: &mut Ui, entries: impl Iterator<Item = Entry>) {
    let tokens = Tokens::of(ui);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(7.0, 1.0);
        ui.spacing_mut().interact_size.y = 11.0;
        for entry in entries {
            let galley = ui.painter().layout_no_wrap(entry.name, FontId::proportional(9.5), tokens.weak);
            let size = galley.size();
            let (rect, _) = ui.allocate_exact_size(vec2(8.0 + size.x, size.y), Sense::hover());
            ui.painter().add(sign(entry.sign, rect.left_center() + vec2(3.0, 0.0), HALF, tokens.ink(entry.ink)));
            ui.painter().galley(rect.min + vec2(8.0, 0.0), galley, tokens.weak);
        }
    });
}
