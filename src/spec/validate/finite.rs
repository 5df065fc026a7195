//! Checks that all numbers of a spec are finite, even those that a run would not use: NaN is not equal to itself, and a
//! spec with it would never be found again.
//!
//! The numbers are taken from the serialised spec, so that no setting can be forgotten.
//!
//! It adds one method to [`Spec`] and one to [`StudySpec`], see `validate`.

use std::borrow::Cow;

use toml::{Table, Value};

use crate::spec::problem::problem;
use crate::spec::{Problem, Spec, StudySpec, known_keys};

/// The setting whose value may be infinite.
const WIDTH: &str = "network.width";

impl Spec {
    /// Returns a problem for each number of the settings that is not finite.
    pub(crate) fn finite_problems(&self) -> Vec<Problem> {
        // Only the seed can be too large for TOML, which is reported elsewhere.
        let own = Self { study: None, seed: 0, ..self.clone() };
        let mut found = Vec::new();
        walk_table(&Table::try_from(&own).unwrap_or_default(), "", &mut found);
        found.into_iter().filter(|(key, number)| !(key == WIDTH && *number == f64::INFINITY)).map(not_finite).collect()
    }
}

impl StudySpec {
    /// Returns a problem for each number of the study section that is not finite. Its values are also checked as settings
    /// of its runs, so infinity is accepted here.
    pub(crate) fn finite_problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        walk_table(&Table::try_from(self).unwrap_or_default(), "study.", &mut found);
        let is_value = |key: &str| key.contains("values[");
        found.into_iter().filter(|(key, number)| number.is_nan() || !is_value(key)).map(not_finite).collect()
    }
}

fn not_finite((key, number): (String, f64)) -> Problem {
    let field = known_keys().iter().filter(|known| key.starts_with(known.as_str())).max_by_key(|known| known.len());
    // A user's text may have settings that are in none of our lists.
    let own = || if key.starts_with("network.") { Cow::Owned(key.clone()) } else { Cow::Borrowed("changes") };
    let field = field.map_or_else(own, |field| Cow::Borrowed(field.as_str()));
    let place = if field == key.as_str() { String::new() } else { format!("{key} is ") };
    problem(field, format!("{place}{number}, which is not finite: give a finite number"))
}

fn walk_table(table: &Table, above: &str, found: &mut Vec<(String, f64)>) {
    table.iter().for_each(|(name, value)| walk(value, format!("{above}{name}"), found));
}

fn walk(value: &Value, key: String, found: &mut Vec<(String, f64)>) {
    match value {
        Value::Float(number) if !number.is_finite() => found.push((key, *number)),
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(place, value)| walk(value, format!("{key}[{place}]"), found));
        }
        Value::Table(table) => walk_table(table, &format!("{key}."), found),
        _ => {}
    }
}
