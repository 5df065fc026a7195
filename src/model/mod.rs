//! Networks on burn: what they compute, how they start, which device they live on, and the taps through which the kernel
//! looks into them.
//!
//! Adding a network is one file here that states its layers through [`Taps`]; `ntk` needs no change.

mod affine;
mod device;
mod init;
mod mlp;
mod taps;
mod weights;

pub use affine::Affine;
pub use device::{AdapterInfo, Chosen, DeviceChoice, adapters, choose};
pub use mlp::Mlp;
pub use taps::{Tap, Taps};
pub use weights::{WeightsError, flatten, load_mlp, named};
