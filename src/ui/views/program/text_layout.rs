//! Colours the text of a network and lays it out line by line, with room under a line that has an error.

use std::sync::Arc;

use egui::text::{LayoutJob, TextFormat};
use egui::{Color32, FontId, Galley, Ui};

use crate::spec::text::MOST_BYTES;
use crate::ui::kit::highlight::{Kind, pieces};
use crate::ui::kit::theme::Tokens;

/// Describes extra room under a line.
#[derive(Clone, Copy)]
pub struct Gap {
    /// The number of the line, from 0.
    pub line: usize,
    pub height: f32,
}

/// Lays the text out without wrapping lines.
pub fn galley(ui: &Ui, text: &str, gap: Option<Gap>) -> Arc<Galley> {
    let job = job(text, Tokens::of(ui));
    let galley = ui.painter().layout_job(job);
    let Some(gap) = gap else { return galley };
    let mut galley = Arc::unwrap_or_clone(galley);
    galley.rows.iter_mut().skip(gap.line + 1).for_each(|row| row.pos.y += gap.height);
    galley.rect.max.y += gap.height;
    galley.mesh_bounds.max.y += gap.height;
    Arc::new(galley)
}

/// Returns the font of the text.
fn font() -> FontId {
    FontId::monospace(12.0)
}

fn job(text: &str, tokens: &Tokens) -> LayoutJob {
    let mut job = LayoutJob { text: text.to_owned(), keep_trailing_whitespace: true, ..LayoutJob::default() };
    // A text beyond the reader's limit is also too long to be coloured in every frame.
    let pieces = if text.len() > MOST_BYTES { vec![(0..text.len(), Kind::Plain)] } else { pieces(text) };
    for (bytes, kind) in pieces {
        let mut format = TextFormat::simple(font(), colour(tokens, kind));
        format.italics = kind == Kind::Comment;
        job.sections.push(egui::text::LayoutSection {
            leading_space: 0.0,
            byte_range: bytes.start.into()..bytes.end.into(),
            format,
        });
    }
    job.wrap.max_width = f32::INFINITY;
    job
}

fn colour(tokens: &Tokens, kind: Kind) -> Color32 {
    match kind {
        Kind::Comment => tokens.weak,
        Kind::Quote => tokens.quote,
        Kind::Number => tokens.number,
        Kind::Word => tokens.accent,
        Kind::Function => tokens.function,
        Kind::Plain => tokens.text,
    }
}
