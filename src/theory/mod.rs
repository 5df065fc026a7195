//! Implements the theory of wide networks, computed in f64 from formulas alone: the kernels of the infinite-width limit,
//! and training with a fixed kernel.
//!
//! Guarantees: equal to the references of `neural_tangents` to ten digits (`tests/suite/theory.rs`); no network is trained or
//! sampled here. Conventions are those of `train`: MSE is half the mean over the N·C entries, so ḟ = −Θ (f − y)/(N C);
//! cross-entropy is the mean over the N samples, so ḟ = −Θ (p − y)/N.

mod descent;
mod dual;
mod flow;
mod gains;
mod gia;
mod growth;
mod image_functions;
mod kernel;
mod limits;
mod ops;
mod plan;
mod points;
pub mod posterior;
mod recursion;
mod rfm;
mod state;
mod steps;
mod value;
mod walk;

pub use descent::{KernelGradientDescent, TrainingLength, TrainingProblem};
pub use dual::{dual, mean};
pub use flow::{Flow, cross_entropy_flow};
pub use gia::gia;
pub use growth::wider;
pub use kernel::{InfiniteNetwork, Kernels, LimitKernelError};
pub use limits::{Breach, GiaViolation, LineLocation, NoLimit, NoRule};
pub use plan::limits;
pub use points::PreparedInputs;
pub use recursion::KernelSgd;
pub use rfm::Rfm;
