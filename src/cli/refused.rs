//! Defines the error of a refused request.

use thiserror::Error;

/// An error of a request that cannot be carried out; nothing has been trained or written. The program ends with code 2, as
/// clap does.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct RefusedRequest(pub String);
