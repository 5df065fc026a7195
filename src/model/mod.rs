//! Networks on burn: interpreted programs with their parameters, their initialisation and device, and the taps through
//! which the kernel is measured.
//!
//! A network is a [`crate::spec::Program`]: a new one needs no change here. A new operation needs one file in `ops`.

mod cotangent;
mod device;
mod draw;
mod family;
mod loading;
mod memory;
mod names;
mod network;
mod ops;
mod parameters;
mod product;
mod source;
mod stored;
mod tape;
mod taps;

pub use cotangent::Cotangent;
pub use device::{AdapterInfo, Chosen, DeviceChoice, adapters, answers, choose, gpu};
pub use memory::{release_freed_memory, tune_allocator};
pub use network::{Network, Statistics};
pub use parameters::{belongs, layer_of};
pub use product::{LONGEST, Values, inner, inner_here, inner_of_long, is_host, multiply};
pub use source::WeightsError;
pub use tape::{Input, Pull, Tap, Tape, View};
