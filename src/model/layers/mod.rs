//! Layers: their parameters, what they compute, and the way back through them.

mod affine;
mod conv;
mod norm;
mod offset;
mod recurrence;

pub use affine::Affine;
pub use conv::Conv;
pub use norm::Norm;
pub use offset::{Offset, Through};
pub use recurrence::Recurrence;
