//! Saves runs automatically while they continue, and recovers those of a killed program.

pub(crate) mod shelf;
pub(crate) mod writer;
