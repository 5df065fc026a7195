//! Implements networks on burn: interpreted programs with their parameters, their initialisation and device, and the taps
//! through which the kernel is measured.
//!
//! A network is a [`crate::spec::Program`]: a new one needs no change here. A new operation needs one file in `ops`.

mod allocator;
mod cotangent;
mod device;
mod device_read;
mod family;
mod forward_mode;
mod infer_program;
mod names;
mod network;
mod ops;
mod parameter_source;
mod product;
mod tape;
mod weight_sampler;
mod weights_file;

pub use crate::model::allocator::{release_freed_memory, tune_allocator};
pub use crate::model::parameter_source::WeightsError;
pub use cotangent::Cotangent;
pub use device::{AdapterInfo, ChosenDevice, DeviceChoice, adapters, choose, gpu, is_host, responds};
pub use device_read::{PendingRead, device_reads, each_read, on_host, read, read_all};
pub use network::{Network, Statistics};
pub use product::{LONGEST, Values, inner, inner_here, inner_of_long, multiply};
pub use tape::{BackwardPass, Input, LayerRecord, Outline, ParameterUse, TapOutline, Tape};
pub use weights_file::TensorOrigin;
