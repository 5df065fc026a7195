//! Measures the cost of the program: frame time, memory, and the speed of a run.
//!
//! A separate thread reads the memory, once a second and only while the value is used: reading it can take longer than a frame.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::run::History;
use crate::spec::{Cost, DataShape};

/// The frame times in the status bar.
#[derive(Debug)]
pub struct PerfStats {
    pub frames: FrameTimes,
    pub memory: Memory,
    /// Whether the window system measures whole frames; otherwise only the drawing pass is measured.
    measured: bool,
}

impl Default for PerfStats {
    fn default() -> Self {
        Self { frames: FrameTimes::default(), memory: Memory::watch(), measured: false }
    }
}

impl PerfStats {
    /// Creates one that measures nothing and shows nothing.
    pub fn none() -> Self {
        Self { frames: FrameTimes::default(), memory: Memory::default(), measured: true }
    }

    /// Records the time of a whole frame, in seconds, as measured by the window system.
    pub fn note_frame(&mut self, seconds: f32) {
        self.measured = true;
        self.frames.push(seconds);
    }

    /// Records the time of the drawing pass, if whole frames are not measured.
    pub fn note_pass(&mut self, seconds: f32) {
        if !self.measured {
            self.frames.push(seconds);
        }
    }
}

/// The times of recent frames.
#[derive(Debug, Default)]
pub struct FrameTimes(VecDeque<f32>);

impl FrameTimes {
    const KEPT: usize = 120;

    /// Records the CPU time of a frame, in seconds.
    pub fn push(&mut self, seconds: f32) {
        if self.0.len() == Self::KEPT {
            self.0.pop_front();
        }
        self.0.push_back(seconds);
    }

    /// Returns the median in milliseconds.
    pub fn median(&self) -> Option<f32> {
        let mut sorted: Vec<f32> = self.0.iter().copied().collect();
        sorted.sort_unstable_by(f32::total_cmp);
        sorted.get(sorted.len() / 2).map(|seconds| 1000.0 * seconds)
    }
}

/// The resident memory of this process; by default it is never read.
#[derive(Debug, Default)]
pub struct Memory {
    bytes: Arc<AtomicU64>,
}

impl Memory {
    /// Starts reading; reading ends when this is dropped.
    pub fn watch() -> Self {
        let bytes = Arc::new(AtomicU64::new(0));
        let weak = Arc::downgrade(&bytes);
        let read = move || {
            let Ok(pid) = sysinfo::get_current_pid() else { return };
            let mut system = sysinfo::System::new();
            // The window has closed once the value has no other owner.
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

    /// Returns the bytes at the last reading, or `None` before the first.
    pub fn bytes(&self) -> Option<u64> {
        Some(self.bytes.load(Ordering::Relaxed)).filter(|bytes| *bytes > 0)
    }
}

/// Returns the operations per second of this run, kernels and steps together; `None` before there are enough data.
pub fn measured_flops(history: &History) -> Option<f64> {
    let info = history.info()?;
    let (rows, progress) = (history.rows(), history.progress());
    if rows.len() < 4 || progress.steps_per_second <= 0.0 || progress.step == 0 {
        return None;
    }
    let cost = Cost::of(&info.spec, &DataShape::expected(&info.spec));
    // The mean is over the last few snapshots: the record may have been thinned, and this runs every frame.
    let recent = &rows[rows.len().saturating_sub(16)..];
    let snapshot_seconds = recent.iter().map(|row| row.cost.held_up()).sum::<f64>() / recent.len() as f64;
    let step_seconds = 1.0 / progress.steps_per_second;
    let (steps, snapshots) = (cost.steps.max(1) as f64, cost.snapshots.max(1) as f64);
    let seconds = steps * step_seconds + snapshots * snapshot_seconds;
    Some((cost.training_flop + cost.kernel_flop) / seconds).filter(|flops| flops.is_finite() && *flops > 0.0)
}
