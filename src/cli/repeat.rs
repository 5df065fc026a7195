//! Defines the options `--threads` and `--repeat`, and the line of JSON with the measured times.

use std::num::NonZeroUsize;

use serde::Serialize;

use super::refused::RefusedRequest;
use crate::math::timing::Timing;
use crate::worker::threads;

/// Arguments of whatever can be timed.
#[derive(Clone, Debug, clap::Args)]
pub struct Repeat {
    /// Threads of the processor; all where none are given
    #[arg(long, value_parser = threads::count)]
    pub threads: Option<NonZeroUsize>,
    /// Repeat the computation K times and print one line of JSON: seconds, threads, peak bytes of memory
    #[arg(long, value_name = "K")]
    pub repeat: Option<NonZeroUsize>,
}

/// Holds what `--repeat` prints as one line of JSON.
#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    timing: Timing,
    threads: usize,
    /// Peak memory of the whole program; null if the system does not report it.
    peak_bytes: Option<u64>,
    /// Floating-point operations in billions, if they can be counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    gflop: Option<f64>,
}

impl Repeat {
    /// Starts the threads. Call it before any computation: faer and burn both use this pool, of which this thread is one.
    pub fn start_threads(&self) -> Result<(), RefusedRequest> {
        start_threads(self.threads, self.threads.is_some())
    }

    /// Returns the number of computations.
    pub fn times(&self) -> usize {
        self.repeat.map_or(1, NonZeroUsize::get)
    }

    /// Prints the line, if requested.
    pub fn print(&self, timing: Timing, gflop: Option<f64>) -> anyhow::Result<()> {
        if self.repeat.is_some() {
            let (threads, peak_bytes) = (rayon::current_num_threads(), peak_bytes());
            println!("{}", serde_json::to_string(&Line { timing, threads, peak_bytes, gflop })?);
        }
        Ok(())
    }
}

/// Starts the thread pool that all parts of the program share, and prints what the user should know about it. `here`: this
/// thread is one of the pool.
///
/// # Errors
/// Fails in one sentence if they cannot be started.
pub fn start_threads(count: Option<NonZeroUsize>, here: bool) -> Result<(), RefusedRequest> {
    if let Some(notice) = threads::start(count, here).map_err(RefusedRequest)? {
        eprintln!("{notice}");
    }
    Ok(())
}

/// Returns the peak memory of the program, if the system reports it.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}
