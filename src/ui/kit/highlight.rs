//! Splits the text of a network into pieces for syntax highlighting: comments, strings, numbers, keywords and built-in functions.
//!
//! Guarantees: the pieces cover the whole text in order and without gaps, whatever the text is; an unclosed string or comment
//! ends with the text.

use std::ops::Range;

use crate::spec::text::FUNCTIONS;

/// The kind of a piece of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Comment,
    Quote,
    Number,
    /// A keyword, such as `let` and `for`.
    Word,
    /// The name of a built-in function.
    Function,
    Plain,
}

const WORDS: &[&str] = &[
    "let", "const", "if", "else", "for", "in", "while", "loop", "do", "until", "switch", "break", "continue", "fn",
    "return", "throw", "true", "false",
];

/// Returns the pieces of a text as byte ranges.
pub fn pieces(text: &str) -> Vec<(Range<usize>, Kind)> {
    let mut pieces: Vec<(Range<usize>, Kind)> = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let (length, kind) = piece(&text[at..], first);
        let end = at + length;
        // Adjacent plain pieces are merged.
        match pieces.last_mut() {
            Some((range, last)) if *last == kind => range.end = end,
            _ => pieces.push((at..end, kind)),
        }
        at = end;
    }
    pieces
}

/// Returns the length in bytes and the kind of the first piece of a text.
fn piece(rest: &str, first: char) -> (usize, Kind) {
    let while_in = |wanted: fn(char) -> bool| rest.find(|letter| !wanted(letter)).unwrap_or(rest.len());
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    match first {
        '/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), Kind::Comment),
        '/' if rest.starts_with("/*") => (block_comment(rest), Kind::Comment),
        '"' | '`' => (quote(rest, first), Kind::Quote),
        '0'..='9' => (number(rest), Kind::Number),
        _ if first.is_alphabetic() || first == '_' => {
            let length = while_in(is_word);
            let word = &rest[..length];
            let kind = match word {
                _ if WORDS.contains(&word) => Kind::Word,
                _ if FUNCTIONS.iter().any(|function| function.name == word) => Kind::Function,
                _ => Kind::Plain,
            };
            (length, kind)
        }
        _ => (first.len_utf8(), Kind::Plain),
    }
}

/// Returns the length of a block comment, which may be nested.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    let bytes = rest.as_bytes();
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

/// Returns the length of a string; one in double quotes ends with its line at the latest.
fn quote(rest: &str, mark: char) -> usize {
    let mut letters = rest.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' if mark == '"' => drop(letters.next()),
            '\n' if mark == '"' => return at,
            _ if letter == mark => return at + letter.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

/// Returns the length of a number: `16..8192` contains two, and `0.5` and `1e-3` are one each.
fn number(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let digits =
        |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    let mut end = digits(0);
    if bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
        end += 1;
        end += digits(end);
    }
    let signed = bytes.get(end.wrapping_sub(1)).is_some_and(|byte| matches!(byte, b'e' | b'E'));
    if signed && !rest.starts_with("0x") && matches!(bytes.get(end), Some(b'-' | b'+')) {
        end += 1;
        end += digits(end);
    }
    end
}
