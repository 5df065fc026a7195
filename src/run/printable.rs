//! Makes names that come from files safe to show in a terminal, a window or a message.

use std::fmt::Write as _;

/// The largest number of letters that are shown of a foreign name.
const MOST: usize = 100;

/// Returns a name or text from a foreign file in a form that is safe to show: no character controls a terminal or changes
/// the direction of writing, and a long text is cut in the middle.
///
/// Control characters are written as Rust writes them (`\u{1b}`), so that two names that differ are shown to differ.
pub fn printable(text: &str) -> String {
    let count = text.chars().count();
    let mut shown = String::new();
    for (place, letter) in text.chars().enumerate() {
        if count > MOST && place == MOST / 2 {
            shown.push('…');
        }
        if count > MOST && place >= MOST / 2 && place < count - MOST / 2 {
            continue;
        }
        if is_unsafe(letter) {
            let _ = write!(shown, "{}", letter.escape_unicode());
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// Returns a text that may contain foreign names in a form that is safe to show: like [`printable`], but uncut, and with
/// spaces for line ends and tabs.
pub fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' | '\r' | '\t' => shown.push(' '),
            letter if is_unsafe(letter) => shown.extend(letter.escape_unicode()),
            letter => shown.push(letter),
        }
    }
    shown
}

/// Lists some names, only the first ones if there are many.
pub fn printable_list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 12;
    let names: Vec<&str> = names.into_iter().collect();
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| printable(name)).collect();
    let more = names.len().saturating_sub(SHOWN);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

/// Returns whether a character is unsafe: control characters (C0, DEL, C1), ends of lines, and the marks that turn or
/// hide text.
fn is_unsafe(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
