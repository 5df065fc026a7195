//! Words the errors of a run file: the place, the text there, and the correction.
//!
//! Guarantees: one sentence for any text, without control characters, and never a type name of the TOML library.

use std::fmt;

use toml::Value;

/// A place in a file, and its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Line, from 1.
    line: usize,
    column: usize,
    text: String,
}

/// Number of characters of a line that are shown.
const SHOWN: usize = 70;
/// Largest number of characters of a hint, which may repeat the line.
const MOST_WORDS: usize = 200;

impl Place {
    /// Returns the place of a byte offset of the text.
    pub(super) fn of(text: &str, at: usize) -> Self {
        let at = (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
        let end = text[at..].find('\n').map_or(text.len(), |end| at + end);
        Self {
            line: text[..at].matches('\n').count() + 1,
            column: text[start..at].chars().count() + 1,
            text: text[start..end].trim_matches([' ', '\t', '\r']).to_owned(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "line {}, column {} (`{}`)", self.line, self.column, shown(&self.text))
    }
}

/// Returns the beginning of a text, without terminal control characters.
pub(super) fn shown(text: &str) -> String {
    let more = if text.chars().nth(SHOWN).is_some() { "…" } else { "" };
    visible(text).take(SHOWN).collect::<String>() + more
}

fn visible(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c })
}

/// Describes why this is not a run file; `at` is the byte at which the library stopped, and `twice` is true for a repeated
/// key.
pub(super) fn syntax(text: &str, at: usize, twice: bool) -> String {
    if let Some(kind) = other_format(text) {
        return format!("this is {kind} and no run file, which is TOML, as a run folder's run.toml");
    }
    let place = Place::of(text, at);
    let is_end = text.get(at..).is_none_or(|rest| rest.trim().is_empty());
    let hint = if twice {
        "this is already in the file: keep one of the two".to_owned()
    } else if is_end && !place.text.starts_with('[') && text.matches('[').count() != text.matches(']').count() {
        "the file ends within a list: close its bracket with ]".to_owned()
    } else {
        hint(&place)
    };
    format!("{place}: {}", visible(&hint).take(MOST_WORDS).collect::<String>())
}

/// Names the format of a file that is not TOML at all.
fn other_format(text: &str) -> Option<&'static str> {
    let text = text.trim_start();
    if text.contains('\0') {
        return Some("binary");
    }
    if text.starts_with('{') || (text.starts_with('[') && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()) {
        return Some("JSON");
    }
    if text.starts_with("---") || text.starts_with("%YAML") {
        return Some("YAML");
    }
    text.starts_with('<').then_some("XML or HTML")
}

/// Returns the correction of this line.
fn hint(place: &Place) -> String {
    let line = place.text.as_str();
    if let Some(mark) = line.chars().find(|c| "“”„‟‘’‚«»″′".contains(*c)) {
        return format!("{mark} is no quotation mark in TOML: write \" or '");
    }
    let odd = |c: &char| {
        (c.is_whitespace() && !" \t\r".contains(*c)) || "\u{200b}\u{200c}\u{200d}\u{2060}\u{feff}".contains(*c)
    };
    if let Some(odd) = line.chars().find(odd) {
        return format!("this line has a space of another kind (U+{:04X}): replace it by a plain one", odd as u32);
    }
    if line.starts_with('[') && !line.contains('=') {
        return "a section is written [network], alone on its line".to_owned();
    }
    let parted = |text: &'_ str| text.split(|c: char| "[]{},= \t".contains(c)).find_map(word);
    let Some((key, value)) = line.split_once('=') else {
        // A line of a list that spans several.
        if let Some(hint) = parted(line) {
            return hint;
        }
        return match line.split_once(':').or_else(|| line.split_once(' ')) {
            Some((key, value)) if is_key(key.trim()) && !value.trim().is_empty() => {
                format!("write {} = {}", key.trim(), value.trim())
            }
            _ => "a line is KEY = VALUE, a [section], or a # comment".to_owned(),
        };
    };
    let (key, value) = (key.trim(), value.split(" #").next().unwrap_or_default().trim());
    if !key.split('.').all(|part| is_key(part.trim())) && !key.starts_with(['"', '\'', '{', '[']) {
        return "a key is made of letters, digits, - and _: network.width = 64".to_owned();
    }
    if value.is_empty() {
        return format!("there is no value: write {key} = VALUE, or leave the line out");
    }
    let quotes = value.matches('"').count() - value.matches("\\\"").count();
    if value.contains('\\') && value.contains('"') {
        return "in these quotes \\ begins a special letter: write '…', within which it is a letter like others"
            .to_owned();
    }
    if !quotes.is_multiple_of(2) {
        return "a quote \" is not closed".to_owned();
    }
    if value.starts_with('=') {
        return "one = is enough".to_owned();
    }
    if !value.starts_with(['[', '{', '"', '\''])
        && let [whole, rest] = value.split(',').map(str::trim).collect::<Vec<_>>()[..]
        && whole.parse::<i64>().is_ok()
        && rest.parse::<u64>().is_ok()
    {
        return format!("a number has a point: write {whole}.{rest}, or in a list [{whole}, {rest}]");
    }
    if let Some(hint) = parted(value) {
        return hint;
    }
    if value.ends_with([',', ';']) && !value.starts_with(['[', '{']) {
        return format!("a line ends without a comma: write {key} = {}", value.trim_end_matches([',', ';']));
    }
    if value.starts_with('[') || value.starts_with('{') {
        let count = |c: char| value.matches(c).count();
        if count('[') != count(']') || count('{') != count('}') {
            return "a bracket is not closed, or was not opened".to_owned();
        }
    }
    if !value.is_empty() && value.trim_start_matches(['+', '-']).chars().all(|c| c.is_ascii_digit()) {
        return format!("a whole number is at most {}", i64::MAX);
    }
    if !value.starts_with(['"', '\'', '[', '{']) && value.parse::<f64>().is_err() {
        return format!("text needs quotes: write {key} = \"{value}\"");
    }
    "this cannot be understood: a value is a number, true or false, text in quotes, or a list of such in [ ]".to_owned()
}

fn is_key(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
}

/// Returns the correction of a word that TOML refuses and other languages accept.
pub(super) fn word(word: &str) -> Option<String> {
    match word.to_lowercase().as_str() {
        "true" | "false" if word.chars().any(char::is_uppercase) => {
            return Some(format!("write {}", word.to_lowercase()));
        }
        "yes" | "on" => return Some("write true".to_owned()),
        "no" | "off" => return Some("write false".to_owned()),
        "none" | "null" | "nil" if word != "none" => return Some("to give no value, leave the line out".to_owned()),
        "infinity" | "∞" | "+infinity" => return Some("write inf".to_owned()),
        _ => {}
    }
    let plain = word.replace(['−', '–'], "-");
    let (sign, number) = plain.strip_prefix(['-', '+']).map_or(("", plain.as_str()), |rest| (&plain[..1], rest));
    let is_number = number.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && number.ends_with(|c: char| c.is_ascii_digit() || c == '.')
        && number.parse::<f64>().is_ok();
    if !is_number {
        return None;
    }
    let (digits, power) = number.split_at(number.find(['e', 'E']).unwrap_or(number.len()));
    let (before, after) = digits.split_once('.').unwrap_or((digits, "-"));
    let before = match before.trim_start_matches('0') {
        "" => "0",
        rest => rest,
    };
    let right = match after {
        "-" => format!("{sign}{before}{power}"),
        "" => format!("{sign}{before}.0{power}"),
        after => format!("{sign}{before}.{after}{power}"),
    };
    (right != word).then(|| format!("write {right}"))
}

/// Describes why a value is invalid. `like` is a valid value, `choices` are the accepted words, and `message` is the message
/// of the library.
pub(super) fn value(value: &Value, like: Option<&Value>, choices: &[String], message: &str) -> String {
    let given = match value {
        Value::String(text) => shown(text),
        other => shown(&other.to_string()),
    };
    let known = listed(message);
    if message.starts_with("unknown field") || message.starts_with("unknown variant") {
        // The first word in backticks is the unknown one.
        if let Some((word, rest)) = known.split_first().filter(|(_, rest)| !rest.is_empty()) {
            return format!("there is no {}, there are {}", shown(word), rest.join(", "));
        }
    }
    // The message of the parser of changes, which alone finds that a change has no effect or several.
    if message.starts_with("the change ") {
        return message.to_owned();
    }
    if !choices.is_empty() {
        return format!("there is no {given}, there are {}", choices.join(", "));
    }
    if let Value::String(text) = value
        && !matches!(like, Some(Value::String(_)))
        && let Some(hint) = word(text.trim())
    {
        return format!("{given} is not how a number or a switch is written: {hint}");
    }
    let wanted = match like {
        Some(Value::Integer(_)) => match value {
            Value::Float(number) if number.fract() == 0.0 && (0.0..1e15).contains(number) => {
                return format!("{given} is written as a fraction: write {number:.0}");
            }
            Value::Integer(number) if *number >= 0 => return format!("{given} is too large"),
            _ => "no whole number from 0 up".to_owned(),
        },
        Some(Value::Float(_)) => "no number".to_owned(),
        Some(Value::Boolean(_)) => "neither true nor false".to_owned(),
        Some(Value::String(_)) => "no text in quotes".to_owned(),
        Some(Value::Array(_)) if matches!(value, Value::Array(_)) => {
            return format!("{given} has a character that is not allowed there{}", example(like));
        }
        Some(Value::Array(_)) => format!("no list{}", example(like)),
        Some(Value::Table(_)) if matches!(value, Value::Table(_)) => {
            return format!("{given} has a character that is not allowed there");
        }
        _ => "not what can stand here".to_owned(),
    };
    let section = if matches!(value, Value::Table(_)) { " but a section" } else { "" };
    format!("{given} is {wanted}{section}")
}

fn example(like: Option<&Value>) -> String {
    like.map_or_else(String::new, |like| format!(": it looks like {like}"))
}

/// Returns the words in backticks of a message of the library.
pub(super) fn listed(message: &str) -> Vec<String> {
    message.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
