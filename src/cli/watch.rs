//! `kernelscope watch`: follows a training in another program, whose weights are in a folder: in the window, or without one into
//! a run folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use indicatif::ProgressBar;

use super::follow::progress_bar;
use super::refused::RefusedRequest;
use super::signals::Signals;
use super::window;
use crate::run::{Ending, Event, History, MAX_ROWS, RunState};
use crate::storage::{Continued, FolderError, Order, RunFolder, WatchFolder, continue_watched, is_run};
use crate::ui::{Environment, WindowOptions};
use crate::worker::{DeviceChoice, WatchJob, Worker};

/// Arguments of `watch`.
#[derive(Debug, clap::Args)]
pub struct WatchArgs {
    /// The folder that kernelscope.Watch writes
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// Without the window: the folder for the record, a run folder; one that holds earlier steps of this training goes on
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Replace the run that is in the folder for the record
    #[arg(long, requires = "out")]
    pub overwrite: bool,
    /// When behind, take the newest pair of steps and pass over those before; without it every step is taken
    #[arg(long, requires = "out")]
    pub newest: bool,
    /// End when nothing new was written for so long; without it, only Ctrl+C ends it
    #[arg(long, value_name = "SECONDS", value_parser = seconds, requires = "out")]
    pub until_idle: Option<Duration>,
}

/// Longest wait for an event before the clock is checked.
const QUIET: Duration = Duration::from_millis(200);
/// Memory of Grams in the record: the folder has them all.
const GRAM_BYTES: u64 = 1 << 20;
/// The time between two progress lines of a log.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Parses a number of seconds.
fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.parse::<f64>().ok().filter(|number| *number > 0.0);
    number
        .and_then(|number| Duration::try_from_secs_f64(number).ok())
        .ok_or_else(|| "give a number of seconds above 0".to_owned())
}

/// Executes the command.
pub(super) fn watch(args: &WatchArgs) -> anyhow::Result<()> {
    match &args.out {
        Some(out) => record(args, out),
        None => show(&args.folder),
    }
}

/// Shows the training in the window, also before its writer has begun.
fn show(folder: &Path) -> anyhow::Result<()> {
    let place = folder.display();
    let why = match () {
        () if !folder.exists() => format!("{place} is not there: make the folder, or start the script that writes it"),
        () if !folder.is_dir() => format!("{place} is no folder: give the one that kernelscope.Watch writes"),
        () if is_run(folder) => format!("{place} is the folder of a run: `kernelscope open {place}` shows it"),
        () => {
            let options = WindowOptions {
                spec: None,
                device: DeviceChoice::Auto,
                open: Vec::new(),
                watch: Some(folder.to_owned()),
                environment: Environment::of_user(),
            };
            return window::open(options, "with --out DIR the training is followed without a window");
        }
    };
    Err(RefusedRequest(why).into())
}

/// Follows the training without a window.
fn record(args: &WatchArgs, out: &Path) -> anyhow::Result<()> {
    let refused = |why: String| RefusedRequest(why);
    let folder = WatchFolder::open(&args.folder).map_err(|err| refused(err.to_string()))?;
    let info = Arc::new(folder.info());
    let opened = continue_watched(out, &info, args.overwrite).map_err(|err| refused(err.to_string()))?;
    let Continued { folder: mut record, kept } = opened;
    if let Some((last, ..)) = kept.saved.last() {
        eprintln!("{} holds {} steps up to step {last}; it goes on", out.display(), kept.saved.len());
    }
    let signals = Signals::listen();
    let order = if args.newest { Order::Newest } else { Order::Every };
    let begun = Instant::now();
    let worker = Worker::watch(WatchJob { folder, order, until_idle: args.until_idle, kept }, Box::new(|| {}));
    // Dropping the worker, on any path, ends the watch.
    let events = worker.events(QUIET).inspect(|_| {
        if signals.is_stopping() {
            worker.stop();
        }
    });
    let (history, taken) = follow(events, &mut record, &progress_bar())?;

    let place = out.display();
    let steps = format!("{taken} steps were taken and {} passed over", history.passed_over());
    match history.state() {
        RunState::Ended(Ending::Finished { .. }) => {}
        RunState::Ended(Ending::Stopped { .. }) => {
            let what = format!("{steps}; they are in {place}, and the same command goes on");
            return Err(signals.stopped(&what).map_or_else(|| anyhow::anyhow!(what), anyhow::Error::from));
        }
        RunState::Ended(Ending::Diverged { message, .. } | Ending::Failed { message, .. }) => {
            bail!("the watch ended: {message}; what was taken is in {place}")
        }
        RunState::Waiting | RunState::Running | RunState::Paused => bail!("the watching thread ended without a word"),
    }
    println!(
        "{:.1} s. {steps}. The record is in {place}; `kernelscope figures {place}` draws it",
        begun.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Handles the events of a watch until it ends; returns its record and how many steps were taken.
fn follow(
    events: impl IntoIterator<Item = Option<Event>>,
    folder: &mut RunFolder,
    bar: &ProgressBar,
) -> Result<(History, usize), FolderError> {
    let mut history = History::new(GRAM_BYTES, MAX_ROWS);
    let (mut taken, mut last_line) = (0, Instant::now());
    for event in events {
        let Some(event) = event else {
            folder.tick()?;
            continue;
        };
        folder.take(&event)?;
        match &event {
            Event::Started(info) => bar.suspend(|| eprintln!("{} probes, {}", info.probes.len(), info.origin.words())),
            Event::Warning { message, .. } => bar.suspend(|| eprintln!("{message}")),
            Event::TakenBack { step } => {
                bar.suspend(|| eprintln!("The training started again: step {step} and all after it are taken back"));
            }
            Event::Saved(_) => taken += 1,
            _ => {}
        }
        let (is_last, is_saved) = (matches!(event, Event::Ended(_)), matches!(event, Event::Saved(_)));
        history.push(event);
        let progress = history.progress();
        let line = || format!("{taken} taken  {} passed over", history.passed_over());
        if !bar.is_hidden() {
            bar.set_length(progress.planned_steps);
            bar.set_position(progress.step);
            bar.set_message(line());
        } else if is_saved && (taken == 1 || last_line.elapsed() >= LINE_EVERY) {
            last_line = Instant::now();
            eprintln!("step {} of {}  {}", progress.step, progress.planned_steps, line());
        }
        if is_last {
            break;
        }
    }
    bar.finish_and_clear();
    Ok((history, taken))
}
