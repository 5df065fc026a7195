//! One file per question; turns data, network, training and kernel into a stream of events, or into one kernel.

mod apart;
mod cadence;
mod control;
pub mod device;
mod event_queue;
pub mod gram;
mod lag;
pub mod live;
mod meter;
mod pulse;
pub mod scaling;
pub mod speed;

pub use cadence::{Cadence, lag_steps};
pub use control::{Command, Control};
pub use event_queue::{EventQueue, Halt};
