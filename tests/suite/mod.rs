//! The suites, and the small run that several of them use.

use kernelscope::record::{Ending, Event};
use kernelscope::spec::{NetworkSpec, Spec};
use kernelscope::worker::{DeviceChoice, Job, Worker};
use std::io::Write as _;
use std::time::{Duration, Instant};

mod any_run;
mod arrays;
mod autosave;
mod beside;
mod breaks;
mod claims;
mod cli;
mod compositions;
mod data;
mod data_folders;
mod dual;
mod editor;
mod event_queue;
mod export;
mod faults;
mod fork;
mod forks_ui;
mod fuzz;
mod gpu;
mod gram;
mod hands;
mod house;
mod infinite;
mod install;
mod kernel;
mod kinds;
mod learning_curve;
mod ledger;
mod library;
mod library_weights;
mod linear_probe;
mod linearised;
mod math;
mod modes;
mod monte_carlo;
mod networks;
mod networks_page;
mod optimiser;
mod overlap;
mod parts;
mod plane;
mod record;
mod references;
mod regression;
mod replay;
mod rfm;
mod run;
mod run_files;
mod scaling;
mod scaling_law;
mod spec;
mod study;
mod tensor_program;
mod texts;
mod theory;
mod time;
mod tours;
mod ui;
mod ui_study;
mod weights;
mod window;
mod worker;

/// Says that a check was left out, past the test runner, which would keep the words of a test that passes to itself.
pub fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

/// A run of two tasks that is over in a blink: 16 units, 40 images a class, 2 + 1 epochs of 12 steps.
pub fn tiny() -> Spec {
    let mut spec = Spec::default();
    spec.data.per_class = 40;
    spec.data.test_per_class = 10;
    spec.network.width = 16;
    spec.training.batch = 16;
    spec.kernel.probes_per_class = 2;
    spec.kernel.per_epoch = 4;
    spec.tasks.epochs = vec![2.0, 1.0];
    spec
}

/// Starts a run on the CPU, as fast as it goes.
pub fn start(spec: Spec) -> Worker {
    Worker::start(Job { spec, device: DeviceChoice::Cpu, paced: false }, Box::new(|| {}))
}

/// Reads events until one fulfils the wish, at most a minute; returns all of them.
pub fn read_until(worker: &Worker, wish: impl Fn(&Event) -> bool) -> Vec<Event> {
    let patience = Instant::now() + Duration::from_secs(60);
    let mut seen = Vec::new();
    while Instant::now() < patience {
        if let Some(event) = worker.recv_timeout(Duration::from_millis(200)) {
            let done = wish(&event);
            seen.push(event);
            if done {
                return seen;
            }
        }
    }
    panic!("what was waited for did not come; the last of {} events was {:?}", seen.len(), seen.last());
}

/// All events of a run to its end.
pub fn read_all(worker: &Worker) -> Vec<Event> {
    read_until(worker, |event| matches!(event, Event::Ended(_)))
}

/// How a run ended.
pub fn ending(events: &[Event]) -> &Ending {
    match events.last() {
        Some(Event::Ended(ending)) => ending,
        other => panic!("the run did not end but with {other:?}"),
    }
}

/// The networks that have been there from the beginning.
pub const FIVE: [&str; 5] = ["mlp", "cnn", "resmlp", "transformer", "rnn"];

/// A network of this program, with the width and the activation of an `mlp` and those of these settings that its text declares.
pub fn sized(program: &str, settings: &[(&str, i64)]) -> NetworkSpec {
    fitting(NetworkSpec::named(program), settings)
}

/// This network with those of these settings that its text declares.
pub fn fitting(network: NetworkSpec, settings: &[(&str, i64)]) -> NetworkSpec {
    let declared = settings.iter().filter(|(name, _)| network.declares(name));
    declared.fold(network.clone(), |network, (name, size)| network.with(name, *size))
}
