//! What the program costs: time of frames, and memory.
//!
//! Memory is read by a thread of its own, once a second and only while somebody asks: reading it can take longer than a
//! frame has.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Recent frames.
#[derive(Debug, Default)]
pub struct FrameTimes(VecDeque<f32>);

impl FrameTimes {
    const KEPT: usize = 120;

    /// Notes the CPU time of a frame, in seconds.
    pub fn push(&mut self, seconds: f32) {
        if self.0.len() == Self::KEPT {
            self.0.pop_front();
        }
        self.0.push_back(seconds);
    }

    /// Median in milliseconds.
    pub fn median(&self) -> Option<f32> {
        let mut sorted: Vec<f32> = self.0.iter().copied().collect();
        sorted.sort_unstable_by(f32::total_cmp);
        sorted.get(sorted.len() / 2).map(|seconds| 1000.0 * seconds)
    }
}

/// Resident memory of this process.
#[derive(Debug)]
pub struct Memory {
    bytes: Arc<AtomicU64>,
}

impl Memory {
    /// Starts reading; ends when this is dropped.
    pub fn watch() -> Self {
        let bytes = Arc::new(AtomicU64::new(0));
        let weak = Arc::downgrade(&bytes);
        let read = move || {
            let Ok(pid) = sysinfo::get_current_pid() else { return };
            let mut system = sysinfo::System::new();
            // The window is gone when nobody holds the number any more.
            while let Some(bytes) = weak.upgrade() {
                system.refresh_processes(sysinfo::ProcessesToUpdate::Some(&[pid]), false);
                if let Some(process) = system.process(pid) {
                    bytes.store(process.memory(), Ordering::Relaxed);
                }
                drop(bytes);
                std::thread::sleep(Duration::from_secs(1));
            }
        };
        if let Err(err) = std::thread::Builder::new().name("memory".to_owned()).spawn(read) {
            log::warn!("memory is not shown: {err}");
        }
        Self { bytes }
    }

    /// Bytes at the last reading; none before the first.
    pub fn bytes(&self) -> Option<u64> {
        Some(self.bytes.load(Ordering::Relaxed)).filter(|bytes| *bytes > 0)
    }
}
