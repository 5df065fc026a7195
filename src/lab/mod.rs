//! One file per question; turns data, network, training and kernel into a stream of events, or into one kernel.

mod cadence;
mod control;
pub mod gram;
pub mod live;
mod meter;
mod pulse;

pub use cadence::{Cadence, lag_steps};
pub use control::{Command, Control};
