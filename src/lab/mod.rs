//! One file per question; turns data, network, training and kernel into a stream of events.

mod control;

pub use control::{Command, Control, Unattended};
