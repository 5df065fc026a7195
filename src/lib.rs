//! Kernelscope: an oscilloscope for the neural tangent kernel.

pub mod data;
pub mod lab;
pub mod math;
pub mod model;
pub mod ntk;
pub mod record;
pub mod spec;

pub mod train;
pub mod ui;
pub mod worker;
