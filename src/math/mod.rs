//! Mathematics in f64 on plain matrices: no tensor, no file, no thread.

pub mod alignment;
pub mod distance;
pub mod fit;
pub mod forgetting;
mod gram;
pub mod rng;
pub mod spectrum;
pub mod spike;

pub use gram::{Gram, NotFinite, all_finite};
