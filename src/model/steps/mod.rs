//! Steps without parameters: what they compute, and the way back through them.

mod join;
mod mix;
mod pointwise;
mod pool;

pub use join::{Add, PixelMean, PositionMean};
pub use mix::Mix;
pub use pointwise::{Pointwise, slope};
pub use pool::{AvgPool, MaxPool};
