//! Kernelscope: an oscilloscope for the neural tangent kernel.

pub mod data;
pub mod lab;
pub mod math;
pub mod record;
pub mod spec;
