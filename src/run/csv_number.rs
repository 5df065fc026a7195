//! Reads and writes a number in a table cell, for `#[serde(with = "csv_number")]`.
//!
//! Guarantees: reading a number gives the same bits as were written; a missing number is an empty cell, and a number that is
//! not finite counts as missing.

use serde::{Deserialize as _, Deserializer, Serializer};

/// Writes the shortest text that reads back as the same number.
pub(crate) fn serialize<S: Serializer>(value: &Option<f64>, to: S) -> Result<S::Ok, S::Error> {
    match value.and_then(finite) {
        Some(value) => to.collect_str(&format_args!("{value:?}")),
        None => to.serialize_none(),
    }
}

/// Reads a cell.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    Ok(<&str>::deserialize(from)?.parse().ok().and_then(finite))
}

/// Returns the number if it is finite.
pub fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
