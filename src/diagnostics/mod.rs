//! The program on this machine: which version it is, its log, and what it leaves behind when it breaks.
//!
//! Guarantee: nothing here keeps the program from its work; where a file cannot be written there is one less to read.

pub mod crash_report;
pub mod log_file;

/// The version, with the commit it was built from where one is known.
pub const VERSION: &str = env!("KERNELSCOPE_VERSION");
