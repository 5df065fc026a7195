//! Measures the empirical neural tangent kernel Θ(x, x′) = ⟨∇_w f(x), ∇_w f(x′)⟩ over all parameters (Jacot et al. 2018).
//!
//! There are two implementations that share no code: [`layerwise`] is fast and used everywhere, [`jacobian`] is simple and
//! used to test it. Products are f32 on the device; every sum over layers and logits, and all later arithmetic, is f64.
//! [`tangent`] computes the change of outputs with the weights, [`vector_products`] the kernel's products with vectors, [`squared_gradients`] the sums of their squared gradients.

mod affine;
mod contract;
mod curvature;
pub mod jacobian;
mod kernel;
pub mod layerwise;
mod precondition;
mod rows;
mod side;
pub mod squared_gradients;
pub mod tangent;
pub mod vector_products;
mod weighted;

pub use kernel::{FullKernel, Kernel, MeasuredKernels, PartKind, Reduction, Request};
pub use precondition::Preconditioner;
