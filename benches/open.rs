//! Measures opening a run folder of 500 MB: the time to its first view, and the longest frame meanwhile: `cargo bench
//! --bench open`.
//!
//! The folder is written by the program's own writer to a temporary place; its numbers are synthetic. Times are wall-clock
//! times, because a frame that waits for a disk also delays the window.

mod driven_window;
mod synthetic;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use driven_window::DrivenWindow;
use kernelscope::run::{Ending, Event, TaskStart};
use kernelscope::spec::Spec;
use kernelscope::storage::create;
use synthetic::{PROBES, SWITCH, info, snapshot};

/// Number of snapshots, of 205 kB each.
const SNAPSHOTS: u64 = 2440;
/// Limits of the time to the first view, and of one frame.
const FIRST: Duration = Duration::from_secs(1);
const FRAME: Duration = Duration::from_millis(50);

fn main() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let out = place.path().join("large");
    write(&out);
    let bytes = std::fs::metadata(out.join("kernels.npz")).expect("the kernels").len();
    println!("a run folder with {:.0} MB of kernels", bytes as f64 / 1e6);
    let mut window = DrivenWindow::new();
    let begun = Instant::now();
    window.app.open(vec![out]);
    window.frames_until(|app| app.session().is_some());
    window.frame();
    let curves = begun.elapsed();
    window.frames_until(|app| app.history().snapshots().last().is_some_and(|found| !found.gram.is_empty()));
    let kernel = begun.elapsed();
    window.frames_until(|app| app.history().snapshot_bytes() >= 90 << 20);
    let all = begun.elapsed();
    // Through the whole run, also where Grams are loaded and dropped.
    for step in 0..300 {
        window.app.seek(f64::from(step) / 300.0 * 25.0);
        window.frame();
    }
    let longest = window.longest();
    println!("curves after {curves:.0?}, the kernel at the cursor after {kernel:.0?}, as many as stay after {all:.0?}");
    println!("{} frames, the longest {longest:.1?}", window.count());
    let verdict = if kernel <= FIRST && longest <= FRAME { "within" } else { "ABOVE" };
    println!("{verdict} the limits of {FIRST:?} and {FRAME:?}");
}

fn write(out: &Path) {
    let spec = Spec::default();
    let mut folder = create(out, &spec, false).expect("a folder").folder;
    let mut take = |event: Event| folder.take(&event).expect("room on the disk");
    take(Event::Started(Arc::new(info(spec, SNAPSHOTS.div_ceil(25)))));
    take(Event::Task(TaskStart { task: 1, from: None, step: 0, epoch: 0.0 }));
    for step in 0..SNAPSHOTS {
        // A different Gram each time, as in a run.
        let noise = 100.0 + (step as f64 * 12.9898).sin();
        let entry = |at: usize| noise * (-((at / PROBES).abs_diff(at % PROBES) as f64) / 20.0).exp();
        let (epoch, gram) = (25.0 * step as f64 / SNAPSHOTS as f64, (0..PROBES * PROBES).map(entry).collect());
        take(Event::Snapshot(Arc::new(snapshot(step, epoch, &gram))));
        if epoch == SWITCH {
            take(Event::Task(TaskStart { task: 2, from: Some(1), step, epoch }));
        }
    }
    take(Event::Ended(Ending::Finished { step: SNAPSHOTS - 1 }));
}
