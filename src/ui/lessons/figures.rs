//! Figures in the text of a lesson: `{ratio}` is that figure of the run, `{before.ratio}` that of the run before it.
//!
//! Guarantee: a figure is the one of the tables, by its name there; one that cannot be told is an ellipsis, never a guess.

use crate::run::History;
use crate::ui::kit::format;

/// The text with its figures, and whether all of them are known.
pub fn fill(text: &str, run: Option<&History>, before: Option<&History>) -> (String, bool) {
    let mut filled = String::with_capacity(text.len() + 16);
    let (mut rest, mut complete) = (text, true);
    while let Some((plain, (name, after))) =
        rest.split_once('{').and_then(|(plain, rest)| Some((plain, rest.split_once('}')?)))
    {
        let (history, name) = name.strip_prefix("before.").map_or((run, name), |name| (before, name));
        let value = history.and_then(|history| history.figure(name)).filter(|value| value.is_finite());
        complete &= value.is_some();
        filled += plain;
        filled += &value.map_or_else(|| "…".to_owned(), |value| in_words(name, value));
        rest = after;
    }
    (filled + rest, complete)
}

/// A figure as it is written into a sentence.
fn in_words(name: &str, value: f64) -> String {
    let is_share = name.starts_with("accuracy") || matches!(name, "dip" | "kernel_drift" | "kernel_error");
    match name {
        _ if name.ends_with("ratio") => format!("×{}", format::times(value)),
        _ if is_share && value < 0.0995 => format!("{:.1} %", 100.0 * value),
        _ if is_share => format!("{:.0} %", 100.0 * value),
        _ => format::number(value),
    }
}
