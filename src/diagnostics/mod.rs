//! Provides diagnostics: the version, the log file and crash reports.
//!
//! Guarantee: nothing here interrupts the program; a file that cannot be written is omitted.

pub mod crash_report;
pub mod log_file;

/// The version, with the commit from which it was built if known.
pub const VERSION: &str = env!("KERNELSCOPE_VERSION");
