//! Reads values of a run file from what was typed, and writes them as text.

use toml::{Table, Value};

/// Parses `text` as one TOML value and nothing else.
pub(super) fn as_toml(text: &str) -> Option<Value> {
    let mut table = format!("value = {text}").parse::<Table>().ok()?;
    let value = table.remove("value")?;
    table.is_empty().then_some(value)
}

/// Formats values as text, separated by commas.
pub fn values_text(values: &[Value]) -> String {
    values.iter().map(Value::to_string).collect::<Vec<_>>().join(", ")
}

/// Formats one value; a word without its quotes.
pub(super) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
