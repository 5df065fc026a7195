//! Mathematics in f64 on plain matrices, without tensors, files or threads; and the clock used to compare computing times,
//! because every other folder may need it.

pub mod alignment;
pub mod bootstrap;
pub mod checksum;
pub mod decomposed;
pub mod deterministic_product;
pub mod distance;
pub mod dormancy;
pub mod estimate;
pub mod fit;
pub mod forgetting;
mod gram;
pub mod half_samples;
pub mod lanczos;
pub mod learning_curve;
pub mod leave_one_out;
pub mod modes;
pub mod overlap;
pub mod plane;
pub mod polynomial;
pub mod rank_correlation;
pub mod regression;
mod regression_error;
pub mod rng;
pub mod scaling;
pub mod spectrum;
pub mod spike;
pub mod timing;

pub use gram::{Gram, NotFinite, ROUNDING, all_finite};
