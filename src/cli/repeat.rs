//! How many threads compute, how often, and the line of JSON that says what it took.

use std::num::NonZeroUsize;

use serde::Serialize;

use super::{Refused, start_threads};
use crate::math::timing::Timing;
use crate::worker::threads::count;

/// Arguments of whatever can be timed.
#[derive(Clone, Debug, clap::Args)]
pub struct Repeat {
    /// Threads of the processor; all where none are given
    #[arg(long, value_parser = count)]
    pub threads: Option<NonZeroUsize>,
    /// Compute so many times and print one line of JSON: seconds, threads, peak bytes of memory
    #[arg(long, value_name = "K")]
    pub repeat: Option<NonZeroUsize>,
}

/// The line.
#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    timing: Timing,
    threads: usize,
    /// Of the whole program; null where the system does not tell.
    peak_bytes: Option<u64>,
    /// Where the operations can be counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    gflop: Option<f64>,
}

impl Repeat {
    /// Starts the threads. Before anything is computed: faer and burn both take those of this pool, of which this thread is one.
    pub fn start_threads(&self) -> Result<(), Refused> {
        start_threads(self.threads, self.threads.is_some())
    }

    /// How often it is computed.
    pub fn times(&self) -> usize {
        self.repeat.map_or(1, NonZeroUsize::get)
    }

    /// Prints the line, where it was asked for.
    pub fn print(&self, timing: Timing, gflop: Option<f64>) -> anyhow::Result<()> {
        if self.repeat.is_some() {
            let (threads, peak_bytes) = (rayon::current_num_threads(), peak_bytes());
            println!("{}", serde_json::to_string(&Line { timing, threads, peak_bytes, gflop })?);
        }
        Ok(())
    }
}

/// The most memory that the program has had at once, where the system tells.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}
