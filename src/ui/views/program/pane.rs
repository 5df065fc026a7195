//! Draws the text of a network, the facts about each of its lines, the commands for it, and a sentence about the whole.

use std::sync::Arc;

use egui::{
    Align2, ComboBox, Frame, Galley, Label, Margin, Pos2, Rect, RichText, Role, ScrollArea, Sense, Stroke, StrokeKind,
    TextEdit, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};

use super::editor::{Editor, EditorAction};
use super::line_facts::{Margins, RunNetwork};
use super::text_layout;
use super::text_layout::Gap;
use crate::spec::text::{MOST_BYTES, NETWORKS};
use crate::ui::kit::format;
use crate::ui::kit::widgets::{Icon, IconButton};
use crate::ui::kit::{
    theme,
    theme::{GRID, ROW, Tokens},
};

/// Height of the column headings.
const HEAD: f32 = 15.0;
/// Margin between the text and the edges of its field.
const EDGE: i8 = 3;
/// Most lines of the sentence at the foot: in a high pane, in a low one.
const FOOT: [usize; 2] = [3, 1];
/// Below this height the text needs the room more.
const LOW: f32 = 280.0;

/// Draws the text into the remaining room; returns the user's request.
pub fn show(ui: &mut Ui, editor: &mut Editor, around: &RunNetwork<'_>) -> Option<EditorAction> {
    let mut wish = None;
    toolbar(ui, editor, around, &mut wish);
    if editor.typed.is_some() {
        typed(ui, editor, &mut wish);
    }
    let foot = foot(ui, editor);
    let height = (ui.available_height() - foot.size().y - GRID).max(40.0);
    code(ui, editor, around, height, &mut wish);
    let text = foot.text().to_owned();
    let response = ui.add(Label::new(foot));
    // With few lines the sentence may be cut.
    response.on_hover_text(text);
    wish
}

fn toolbar(ui: &mut Ui, editor: &Editor, around: &RunNetwork<'_>, wish: &mut Option<EditorAction>) {
    // A narrow pane uses two lines.
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(GRID, GRID / 2.0);
        let name = editor.name();
        let shown = RichText::new(if editor.is_edited() { format!("{name} •") } else { name }).size(theme::SMALL);
        let list = ComboBox::from_id_salt("begin from").selected_text(shown).width(96.0).height(420.0);
        let list = list.show_ui(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            for network in NETWORKS {
                // Titles are marked in a text.
                let about = format!("{}: {}", network.name, network.summary().replace('*', ""));
                if ui.selectable_label(false, RichText::new(about).size(theme::SMALL)).clicked() {
                    *wish = Some(EditorAction::Begin(network.name));
                    ui.close();
                }
            }
        });
        let _named = list.response.accessible_name("Begin from");
        let refusal = refusal(editor, around);
        let about = "Start a run of this network; Ctrl+Z outside the text restores the previous one";
        let apply = IconButton {
            icon: Icon::Play,
            text: "Apply",
            name: "Apply",
            hover: format!("{} (Ctrl+Enter)", refusal.unwrap_or(about)),
            enabled: refusal.is_none(),
            primary: refusal.is_none(),
        };
        if apply.show(ui, ROW).clicked() && refusal.is_none() {
            *wish = Some(EditorAction::Apply);
        }
        let mut button = |text: &str, hover: &str, action: EditorAction| {
            if ui.button(RichText::new(text).size(theme::SMALL)).on_hover_text(hover).clicked() {
                *wish = Some(action);
            }
        };
        if editor.is_edited() {
            button("Revert", "The text of the settings again", EditorAction::Revert);
        }
        button("Open…", "Open the text of a network, a .rhai file", EditorAction::Open);
        button("Save…", "Save the text as a file, which --set network.program=FILE takes", EditorAction::Save);
    });
}

/// Returns why the text cannot be applied now.
fn refusal(editor: &Editor, around: &RunNetwork<'_>) -> Option<&'static str> {
    match editor.candidate() {
        Some(network) if around.run == Some(&network) => Some("The run has this network already"),
        Some(_) => None,
        None if editor.error().is_some() => Some("This text is no network: the error is shown under its line"),
        None => Some("The text is being read"),
    }
}

/// Draws the field for the path of a file, if the system has no file dialog.
fn typed(ui: &mut Ui, editor: &mut Editor, wish: &mut Option<EditorAction>) {
    let Some(path) = &mut editor.typed else { return };
    ui.horizontal(|ui| {
        let label = ui.label(RichText::new("Path").size(theme::SMALL));
        let width = (ui.available_width() - 130.0).max(60.0);
        ui.add(TextEdit::singleline(path).desired_width(width).hint_text("my/net.rhai")).labelled_by(label.id);
        let small = |text: &str| RichText::new(text).size(theme::SMALL);
        if ui.button(small("Open it")).clicked() {
            *wish = Some(EditorAction::OpenTyped);
        }
        if ui.button(small("Save it")).clicked() {
            *wish = Some(EditorAction::SaveTyped);
        }
    });
}

/// Describes the text as a whole in one sentence.
fn foot(ui: &Ui, editor: &Editor) -> Arc<Galley> {
    let tokens = Tokens::of(ui);
    let (text, colour) = match (editor.network(), editor.error()) {
        (_, Some(error)) => (format!("No network: {error}"), tokens.error),
        (Some(network), None) => {
            let parameters: f64 = network.parameters();
            let counted = match network.spec.is_infinite() {
                true => "infinitely wide".to_owned(),
                false => format!("{} parameters", format::count(parameters as u64)),
            };
            let limit = match &network.refusal {
                Some((why, _)) => format!("No infinite-width limit: {why}"),
                None => "It has an infinite-width limit.".to_owned(),
            };
            let lines = network.program.lines.len();
            (
                format!("{} · {lines} lines as a program · {counted}. {limit}", network.spec.activation.words()),
                tokens.weak,
            )
        }
        (None, None) => ("The text is being read.".to_owned(), tokens.weak),
    };
    let mut job = egui::text::LayoutJob::simple(text, theme::note(), colour, ui.available_width());
    job.wrap.max_rows = FOOT[usize::from(ui.available_height() < LOW)];
    ui.painter().layout_job(job)
}

fn code(ui: &mut Ui, editor: &mut Editor, around: &RunNetwork<'_>, height: f32, wish: &mut Option<EditorAction>) {
    let tokens = Tokens::of(ui);
    let (outer, _) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    ui.painter().rect(outer, 3.0, tokens.well, tokens.line(), StrokeKind::Inside);
    let margins = Margins::of(outer.width(), around.is_run && !around.tensor_metrics.is_empty());
    margins.head(ui, outer.with_max_y(outer.top() + HEAD));
    let field = Rect::from_min_max(pos2(outer.left(), outer.top() + HEAD), outer.max).shrink(1.0);
    let mut inner = ui.new_child(UiBuilder::new().max_rect(field).id_salt("text"));
    inner.set_clip_rect(field.intersect(ui.clip_rect()));
    ScrollArea::vertical().id_salt("text").auto_shrink(false).show(&mut inner, |ui| {
        lines(ui, editor, around, &margins, field.height(), wish);
    });
}

fn lines(
    ui: &mut Ui,
    editor: &mut Editor,
    around: &RunNetwork<'_>,
    margins: &Margins,
    height: f32,
    wish: &mut Option<EditorAction>,
) {
    let tokens = Tokens::of(ui);
    let count = editor.text.split('\n').count();
    let gutter = 8.0 + 6.0 * count.to_string().len().max(2) as f32;
    let width = (ui.available_width() - gutter - margins.width()).max(60.0);
    let wrong = editor.error().and_then(|error| Some((error.line?.min(count), error.message.clone())));
    let wrong = wrong.map(|(line, message)| {
        let galley = ui.painter().layout(message.clone(), theme::note(), tokens.error, (width - 12.0).max(60.0));
        (line, message, galley)
    });
    let gap = wrong.as_ref().map(|(line, _, galley)| Gap { line: line - 1, height: galley.size().y + 5.0 });
    let natural = text_layout::galley(ui, &editor.text, gap).size().x;
    if editor.writes && ui.input_mut(|input| input.consume_key(egui::Modifiers::COMMAND, egui::Key::Enter)) {
        *wish = refusal(editor, around).is_none().then_some(EditorAction::Apply);
    }
    let top = ui.cursor().min;
    let out = ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = 0.0;
        ui.add_space(gutter);
        let scroll = ScrollArea::horizontal().id_salt("line").max_width(width).auto_shrink([false, true]);
        let shown = scroll.show(ui, |ui| {
            let mut layouter =
                |ui: &Ui, text: &dyn egui::TextBuffer, _: f32| text_layout::galley(ui, text.as_str(), gap);
            let size = vec2(width.max(natural + 12.0), (height - 2.0).max(20.0));
            let field = TextEdit::multiline(&mut editor.text).id(Editor::id()).layouter(&mut layouter);
            let frame = Frame::new().inner_margin(Margin::same(EDGE));
            field.frame(frame).min_size(size).desired_width(f32::INFINITY).cursor_at_end(false).show(ui)
        });
        shown.inner
    });
    let out = out.inner;
    let _named = out.response.response.clone().accessible_name("Text of the program");
    editor.writes = out.response.response.has_focus();
    if out.response.response.changed() {
        after_change(ui, editor, &out);
    }
    let clip = ui.clip_rect();
    for (place, row) in out.galley.rows.iter().enumerate() {
        let y = out.galley_pos.y + row.pos.y;
        let rect = Rect::from_min_max(pos2(top.x, y), pos2(clip.right(), y + row.row.size.y));
        if !rect.intersects(clip) {
            continue;
        }
        let line = place + 1;
        let is_wrong = wrong.as_ref().is_some_and(|(wrong, ..)| *wrong == line);
        let colour = if is_wrong { tokens.error } else { tokens.faint };
        let at = pos2(top.x + gutter - 6.0, rect.center().y);
        ui.painter().text(at, Align2::RIGHT_CENTER, line, theme::ticks(), colour);
        margins.row(ui, rect, line, editor, around);
    }
    if let Some((line, message, galley)) = wrong {
        let Some(row) = out.galley.rows.get(line - 1) else { return };
        let at = pos2(top.x + gutter + f32::from(EDGE), out.galley_pos.y + row.pos.y + row.row.size.y + 1.0);
        paint_error(ui, at, &message, galley);
    }
}

/// Draws the error of a line under it.
fn paint_error(ui: &Ui, at: Pos2, message: &str, galley: Arc<Galley>) {
    let tokens = Tokens::of(ui);
    let rect = Rect::from_min_size(at, galley.size() + vec2(8.0, 2.0));
    ui.painter().rect_filled(rect, 2.0, tokens.card);
    ui.painter().line_segment([rect.left_top(), rect.left_bottom()], Stroke::new(2.0, tokens.error));
    ui.painter().galley(at + vec2(6.0, 1.0), galley, tokens.error);
    let response = ui.interact(rect, ui.scope_id().with("wrong"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, message));
}

/// Indents a new line like the one before it, and limits the text to the length that can be read.
fn after_change(ui: &Ui, editor: &mut Editor, out: &egui::text_edit::TextEditOutput) {
    const MOST: usize = 4 * MOST_BYTES;
    if editor.text.len() > MOST {
        let end = editor.text.floor_char_boundary(MOST);
        editor.text.truncate(end);
        return;
    }
    let entered = ui.input(|input| input.key_pressed(egui::Key::Enter) && input.modifiers.is_none());
    let Some(range) = out.cursor_range.filter(|range| entered && range.is_empty()) else { return };
    let index = usize::from(range.primary.index);
    let byte = editor.text.char_indices().nth(index).map_or(editor.text.len(), |(byte, _)| byte);
    let Some(before) = editor.text[..byte].strip_suffix('\n') else { return };
    let last = before.rsplit('\n').next().unwrap_or_default();
    let mut indent: String = last.chars().take_while(|letter| *letter == ' ').collect();
    if last.trim_end().ends_with('{') {
        indent += "    ";
    }
    if !indent.is_empty() {
        editor.text.insert_str(byte, &indent);
        let mut state = out.state.clone();
        let cursor = egui::text::CCursor::new(index + indent.len());
        state.cursor.set_char_range(Some(egui::text::CCursorRange::one(cursor)));
        state.store(ui.ctx(), Editor::id());
    }
}
