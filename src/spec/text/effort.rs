//! Estimates what it costs to parse a text, before that begins: nothing interrupts the parser, and it looks up each name among
//! all variables that are there so far.

/// Largest number of variables at once: those of a text that is written by a program may have one for each line.
pub const MOST_VARIABLES: usize = 4096;
/// Largest number of comparisons of names: about a third of a second.
pub const MOST_COMPARISONS: usize = 8_000_000;

/// Returns an upper bound on the number of names that are compared while a text is parsed.
pub fn comparisons(text: &str) -> usize {
    let bytes = text.as_bytes();
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
    // The variables of each block that is open, and their number.
    let (mut blocks, mut variables): (Vec<Vec<&str>>, usize) = (vec![Vec::new()], 0);
    let (mut at, mut compared, mut declares) = (0, 0usize, false);
    // Where quotes and comments begin and end is known until the first of the rarer kinds; from there on all words count.
    let mut is_plain = true;
    while at < bytes.len() {
        let (byte, next) = (bytes[at], bytes.get(at + 1).copied());
        if is_word(byte) {
            let length = bytes[at..].iter().take_while(|byte| is_word(**byte)).count();
            let word = &text[at..at + length];
            at += length;
            if declares && let Some(block) = blocks.last_mut().filter(|block| !block.contains(&word)) {
                block.push(word);
                variables += 1;
            }
            declares = matches!(word, "let" | "const" | "for");
            let is_name = !word.starts_with(|letter: char| letter.is_ascii_digit());
            if is_name && !declares && bytes.get(at) != Some(&b'(') {
                compared = compared.saturating_add(variables);
            }
            if compared > MOST_COMPARISONS {
                break;
            }
            continue;
        }
        match (byte, next) {
            (b'{', _) => blocks.push(Vec::new()),
            (b'}', _) if blocks.len() > 1 => variables -= blocks.pop().map_or(0, |block| block.len()),
            (b'/', Some(b'/')) if is_plain => {
                at += bytes[at..].iter().take_while(|byte| **byte != b'\n').count();
                continue;
            }
            (b'"', _) if is_plain => {
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
            }
            (b'`' | b'\'', _) | (b'/', Some(b'*')) | (b'#', Some(b'"')) => is_plain = false,
            _ => {}
        }
        at += 1;
    }
    compared
}
