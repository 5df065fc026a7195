//! Kernelscope: an oscilloscope for the neural tangent kernel.

pub mod lab;
pub mod math;
pub mod record;
pub mod spec;
pub mod ui;
