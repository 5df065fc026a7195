//! Implements the laboratories, which turn data, network, training and kernel into a stream of events ([`live`]), the weights of
//! another program's training into one like it ([`watch`]), points of learning curves ([`scaling`]) or one kernel ([`gram`]).

mod cadence;
mod command;
pub mod device;
mod event_queue;
pub mod gram;
mod kernel_parts;
mod lag;
pub mod live;
mod metrics;
mod pacing;
pub mod scaling;
pub mod speed;
pub mod watch;

pub use cadence::{Cadence, lag_steps};
pub use command::{Command, Control};
pub use event_queue::{EventQueue, Halt};
