//! Mathematics in f64 on plain matrices: no tensor, no file, no thread.

pub mod rng;
pub mod spike;
