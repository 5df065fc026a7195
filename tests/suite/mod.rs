//! The suites, and the small run that several of them use.

use kernelscope::run::{Ending, Event};
use kernelscope::spec::{NetworkSpec, Spec};
use kernelscope::worker::{DeviceChoice, Job, Worker};
use std::io::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

mod any_run;
mod arrays;
mod autosave;
mod beside;
mod bootstrap;
mod breaks;
mod card;
mod claims;
mod cli;
mod clocks;
mod cluster;
mod compositions;
mod continual;
mod data;
mod data_folders;
mod documents;
mod draws;
mod dual;
mod editor;
mod estimate;
mod event_queue;
mod export;
mod faults;
mod fork;
mod forks_ui;
mod fuzz;
mod gpu;
mod gram;
mod gram_blocks;
mod graphs;
mod hands;
mod house;
mod infinite;
mod install;
mod kernel;
mod kinds;
mod lag_ratios;
mod learning_curve;
mod ledger;
mod lessons;
mod library;
mod library_weights;
mod limits;
mod linear_probe;
mod linearised;
mod math;
mod modes;
mod modules;
mod monte_carlo;
mod named_tensors;
mod networks;
mod networks_page;
mod optimiser;
mod overlap;
mod own_texts;
mod parts;
mod pictures;
mod pictures_as_data;
mod plane;
mod plasticity;
mod python;
mod recomputed;
mod record;
mod recorded;
mod references;
mod regression;
mod replay;
mod rfm;
mod run;
mod run_files;
mod saved_weights;
mod scaling;
mod scaling_law;
mod sharpness;
mod spec;
mod structural;
mod study;
mod tensor_program;
mod texts;
mod theory;
mod time;
mod training;
mod ui;
mod ui_study;
mod watch;
mod watch_window;
mod weights;
mod window;
mod worker;

/// What a check that was left out lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// A program, a driver or a right that `.ci/run` provides: where `CI` is set its absence is a failure.
    Installable,
    /// A full data set, which nobody is asked to download.
    DataSet,
    /// Graphics hardware, or a machine that has none.
    Hardware,
    /// PyTorch: gigabytes, for what small committed fixtures hold as well.
    Torch,
}

/// Says that a check was left out, past the test runner, which would keep the words of a test that passes to itself. In
/// continuous integration a check that could have been made fails.
#[track_caller]
pub fn skipped(missing: Missing, why: &str) {
    let strict = std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false");
    assert!(!strict || missing != Missing::Installable, "left out although CI is set: {why}");
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

/// A Python with numpy: the one that `KERNELSCOPE_PYTHON` names, or the first that has it. Without one, what it was wanted for is
/// left out.
#[track_caller]
pub fn python(wanted_for: &str) -> Option<String> {
    let named = std::env::var("KERNELSCOPE_PYTHON").ok();
    // The first python may be one of a version manager, the second the system's, whose packages have numpy.
    let tried = ["python3", "/usr/bin/python3"].map(str::to_owned);
    let has_numpy = |python: &String| {
        Command::new(python).args(["-c", "import numpy"]).output().is_ok_and(|done| done.status.success())
    };
    let found = named.into_iter().chain(tried).find(has_numpy);
    if found.is_none() {
        skipped(Missing::Installable, &format!("python3 with numpy is not here {wanted_for}"));
    }
    found
}

/// How long a test waits at most for something that happens at once on a quiet machine. It only ends where nothing happens at
/// all, so it may be long.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Within this something is done that has nothing to wait for: many times what it takes on a quiet machine, and far less than
/// what it would wait for if it waited (a run without an end, a disk that is behind).
const AT_ONCE: Duration = Duration::from_secs(10);

/// Looks again and again until there is an answer; the only place where a test waits for what nothing can tell it of.
#[track_caller]
pub fn wait_at_most<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < patience, "waited {patience:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The same with the patience that tests usually have.
#[track_caller]
pub fn wait_for<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_at_most(PATIENCE, what, look)
}

/// Waits until something is so.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    wait_for(what, || is_so().then_some(()));
}

/// Fails where something that is not to wait for anything took as long as if it had.
#[track_caller]
pub fn at_once(what: &str, began: Instant) {
    assert!(began.elapsed() < AT_ONCE, "{what} took {:?}", began.elapsed());
}

/// A run of two tasks that is over in a blink: 16 units, 40 images a class, 2 + 1 epochs of 12 steps.
pub fn tiny() -> Spec {
    let mut spec = Spec::default();
    spec.data.per_class = 40;
    spec.data.test_per_class = 10;
    spec.network.width = 16.into();
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

/// Reads events until one fulfils the wish; returns all of them.
pub fn read_until(worker: &Worker, wish: impl Fn(&Event) -> bool) -> Vec<Event> {
    let began = Instant::now();
    let mut seen = Vec::new();
    while began.elapsed() < PATIENCE {
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
