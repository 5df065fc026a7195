//! What the program costs: time of frames, memory, and the speed that a run has reached.
//!
//! Memory is read by a thread of its own, once a second and only while somebody asks: reading it can take longer than a
//! frame has.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::run::History;
use crate::spec::{Cost, DataShape};

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

/// Operations per second that this run has reached, kernels and steps together; none before enough was seen.
pub fn measured_flops(history: &History) -> Option<f64> {
    let info = history.info()?;
    let (rows, progress) = (history.rows(), history.progress());
    if rows.len() < 4 || progress.steps_per_second <= 0.0 || progress.step == 0 {
        return None;
    }
    let cost = Cost::of(&info.spec, &DataShape::expected(&info.spec));
    // The mean of the last few snapshots, not the sum of all: the record may have been thinned, and this runs every frame.
    let recent = &rows[rows.len().saturating_sub(16)..];
    let snapshot_seconds = recent.iter().map(|row| row.cost.held_up()).sum::<f64>() / recent.len() as f64;
    let step_seconds = 1.0 / progress.steps_per_second;
    let (steps, snapshots) = (cost.steps.max(1) as f64, cost.snapshots.max(1) as f64);
    let seconds = steps * step_seconds + snapshots * snapshot_seconds;
    Some((cost.training_flop + cost.kernel_flop) / seconds).filter(|flops| flops.is_finite() && *flops > 0.0)
}
