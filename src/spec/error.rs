//! Defines the errors of reading and changing a spec: one sentence that names the key and, for a file, the line.

use thiserror::Error;
use toml::de::{DeTable, DeValue};

use super::VERSION;
use super::wording::{self, Place};

/// The error of reading or changing a spec; each prints as one sentence.
#[derive(Debug, Error)]
pub enum SpecError {
    #[error("{0}")]
    Syntax(String),
    /// The file could not be opened or read.
    #[error("this run file cannot be read: {0}")]
    Unread(String),
    #[error(
        "this run file has version {found}, but this program knows versions 1 to {VERSION}; a newer Kernelscope wrote it"
    )]
    Version { found: i64 },
    #[error("--set {}: write KEY=VALUE, for example network.width=1024", wording::shown(.0))]
    NoValue(String),
    #[error(
        "there is no setting {}{}{}",
        wording::shown(key),
        place.as_ref().map(|place| format!(", {place}")).unwrap_or_default(),
        near.as_ref().map(|near| format!("; did you mean {near}?")).unwrap_or_default()
    )]
    UnknownKey { key: String, near: Option<String>, place: Option<Place> },
    #[error("{key}: {}{reason}", place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default())]
    BadValue { key: String, reason: String, place: Option<Place> },
}

impl SpecError {
    /// Adds the line of the file to the error.
    pub(super) fn within(mut self, text: &str) -> Self {
        match &mut self {
            Self::UnknownKey { key, place, .. } => *place = find(text, key, false).map(|at| Place::of(text, at)),
            Self::BadValue { key, place, .. } => *place = find(text, key, true).map(|at| Place::of(text, at)),
            _ => {}
        }
        self
    }
}

/// Finds the byte offset at which this key, or its value, begins.
fn find(text: &str, key: &str, value_of_it: bool) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let (mut table, mut at) = (document.get_ref(), None);
    let mut parts = key.split('.').peekable();
    while let Some(part) = parts.next() {
        let Some((name, value)) = table.iter().find(|(name, _)| name.get_ref().as_ref() == part) else { break };
        at = Some(name.span().start);
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ if value_of_it && parts.peek().is_none() => return Some(value.span().start),
            _ => break,
        }
    }
    at
}
