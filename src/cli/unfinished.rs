//! Defines the error of a command that did what it could, and that the same command goes on with.

use thiserror::Error;

/// An error of work that is left, though nothing went wrong: the time was up, or another process has it in hand. A batch system
/// may start the same command again.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct Unfinished(pub String);

impl Unfinished {
    /// The exit code of the program: what `sysexits.h` calls a temporary failure.
    pub const CODE: u8 = 75;
}
