//! Mathematics in f64 on plain matrices: no tensor, no file, no thread. And the clock by which work is compared, because
//! everything above may have to be timed.

pub mod alignment;
pub mod decomposed;
pub mod distance;
pub mod fit;
pub mod forgetting;
mod gram;
pub mod lanczos;
pub mod learning_curve;
pub mod modes;
pub mod overlap;
pub mod plane;
pub mod polynomial;
pub mod product;
pub mod regression;
pub mod rng;
pub mod scaling;
pub mod spectrum;
pub mod spike;
pub mod timing;

pub use gram::{Gram, NotFinite, ROUNDING, all_finite};
