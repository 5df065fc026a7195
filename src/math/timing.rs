//! Measures computing time in a form that can be compared with other tools: medians and minima over repeats, of the CPU
//! time of the whole process and of wall-clock time.
//!
//! CPU time is the measure to compare on a shared machine: waiting for a core does not count, and the work of every thread
//! does, so that a tool cannot appear fast by using more threads. The minimum is the undisturbed time, the median the time
//! to expect.

use std::time::Instant;

use cpu_time::ProcessTime;
use serde::Serialize;

use super::spike::quantile;

/// Seconds per repeat; serialises as the fields of the line that `kernelscope gram --repeat` and the benches print.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Timing {
    /// CPU time of all threads of the process.
    pub cpu_med: f64,
    pub cpu_min: f64,
    /// Wall-clock time.
    pub wall_med: f64,
    pub wall_min: f64,
}

/// Runs `work` `repeats` times, at least once, and times each. No run is discarded as warm-up: a caller who wants one runs
/// the work once before. All results but the last are dropped outside the timed section.
pub fn time<T>(repeats: usize, mut work: impl FnMut() -> T) -> (Timing, T) {
    let mut measured = || {
        let (cpu, wall) = (ProcessTime::now(), Instant::now());
        let outcome = work();
        (cpu.elapsed().as_secs_f64(), wall.elapsed().as_secs_f64(), outcome)
    };
    let (cpu, wall, mut last) = measured();
    let (mut cpus, mut walls) = (vec![cpu], vec![wall]);
    for _ in 1..repeats {
        let (cpu, wall, outcome) = measured();
        last = outcome;
        cpus.push(cpu);
        walls.push(wall);
    }
    let at = |times: &[f64], q| quantile(times.iter().copied(), q).unwrap_or(f64::NAN);
    let timing = Timing {
        cpu_med: at(&cpus, 0.5),
        cpu_min: at(&cpus, 0.0),
        wall_med: at(&walls, 0.5),
        wall_min: at(&walls, 0.0),
    };
    (timing, last)
}
