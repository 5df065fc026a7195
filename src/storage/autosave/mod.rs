//! Runs that are saved on their own while they go on, and what a killed program left of them.

pub(crate) mod shelf;
pub(crate) mod writer;
