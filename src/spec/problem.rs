//! Defines a problem of a spec: the field and one sentence on what is wrong with it.

use std::borrow::Cow;

/// A problem that forbids a run, or (as a warning) degrades it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key of the field, as in the run file: `network.width`.
    pub field: Cow<'static, str>,
    /// One sentence that names the remedy.
    pub message: String,
}

/// Creates a problem.
pub(super) fn problem(field: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Problem {
    Problem { field: field.into(), message: message.into() }
}
