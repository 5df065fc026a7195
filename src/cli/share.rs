//! `kernelscope run --study`: does runs of a study that a batch system, or the user, spreads over many processes.
//!
//! Guarantees: no two processes do a run at the same time; the exit code is 0 only if what was asked for is done, and
//! [`Unfinished::CODE`] if the same command can go on.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::bail;

use super::device::Device;
use super::refused::RefusedRequest;
use super::signals::Signals;
use super::study_bar::{StudyBar, at_once};
use super::task_numbers::TaskNumbers;
use super::unfinished::Unfinished;
use crate::storage::StudyFolder;
use crate::worker::study::Others;
use crate::worker::study_service::{Share, StudyEvent, finish_share};
use crate::worker::threads;

/// The arguments of `run` that name runs of a study.
#[derive(Clone, Debug, clap::Args)]
pub struct ShareArgs {
    /// Instead of one run: runs of this study, which `kernelscope study --plan DIR` wrote, those of --task or of --claim
    #[arg(long, value_name = "DIR", conflicts_with_all = ["preset", "config", "set", "out", "overwrite"])]
    pub study: Option<PathBuf>,
    /// The tasks to do, by their numbers in tasks.txt: 17, or 3,17, or 17-20
    #[arg(long, value_name = "N", requires = "study", value_parser = TaskNumbers::parse)]
    pub task: Option<TaskNumbers>,
    /// Do whichever runs are free, until none is left
    #[arg(long, requires = "study", conflicts_with = "task")]
    pub claim: bool,
    /// Stop after this time, as on SIGTERM: 55m, 2h30m
    #[arg(long = "for", value_name = "TIME", requires = "tasks", value_parser = duration)]
    pub time: Option<Duration>,
    /// Runs at the same time; one for each core if not given, and no more than memory holds
    #[arg(long, value_name = "J", requires = "tasks", value_parser = threads::count)]
    pub jobs: Option<NonZeroUsize>,
}

/// Parses a time as it is said: `55m`, `2h30m`, `90s`.
fn duration(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<jiff::SignedDuration>().ok().and_then(|time| Duration::try_from(time).ok());
    parsed.filter(|time| !time.is_zero()).ok_or_else(|| format!("{text} is no time: give 55m, 2h30m or 90s"))
}

/// Executes the command.
pub(super) fn share(args: &ShareArgs, study: &std::path::Path, device: Device) -> anyhow::Result<()> {
    let begun = Instant::now();
    let refused = |err: &dyn std::fmt::Display| RefusedRequest(err.to_string());
    let mut folder = StudyFolder::open_unread(study).map_err(|err| refused(&err))?;
    let asked = match (&args.task, args.claim) {
        (Some(TaskNumbers(numbers)), _) => folder.runs_of_tasks(numbers).map_err(|err| refused(&err))?,
        (None, true) => (0..folder.runs().len()).collect(),
        (None, false) => {
            let message = "which runs of the study? --task N does one, --claim whichever are free".to_owned();
            return Err(RefusedRequest(message).into());
        }
    };
    // Learners share predictions, so which of them are there decides what a run computes.
    for place in (0..folder.runs().len()).filter(|_| folder.is_of_learners()).collect::<Vec<_>>() {
        folder.read_ended(place).map_err(|err| refused(&err))?;
    }
    let left: Vec<usize> = asked.iter().copied().filter(|&place| !folder.is_done_by_now(place)).collect();
    let count = asked.len();
    if left.is_empty() {
        eprintln!("{} there already", runs_are(count, count));
        return Ok(());
    }
    if left.len() < count {
        eprintln!("{} there already", runs_are(count - left.len(), count));
    }
    let others = Others::Left;
    let until = args.time.map(|time| begun + time);
    let share = Share { places: Some(left.clone()), others, until, writes_tables: false };
    // Of a study's task, `auto` is the processor: the runs of one study train on one device.
    let device = if matches!(device, Device::Auto) { Device::Cpu } else { device };
    let jobs = at_once(device, args.jobs, left.iter().map(|&place| &folder.runs()[place]));
    let mut bar = StudyBar::start(&folder, |place| !left.contains(&place));
    let mut failed = Vec::new();
    let signals = Signals::listen();
    let hear = |folder: &StudyFolder, news: StudyEvent| {
        match &news {
            StudyEvent::Failed { place, .. } | StudyEvent::Ended { place, unread: Some(_) } => failed.push(*place),
            StudyEvent::Ended { unread: None, .. }
            | StudyEvent::Held { .. }
            | StudyEvent::Progress { .. }
            | StudyEvent::LearningCurves { .. } => {}
        }
        bar.hear(folder, &news);
        true
    };
    finish_share(&mut folder, &share, device.into(), jobs, signals.stop_flag(), hear)?;
    bar.clear();
    let done = asked.iter().filter(|&&place| folder.is_done_by_now(place)).count();
    let place = study.display();
    let so_far = format!("{} done in {place}", runs_are(done, count));
    if let Some(stopped) = signals.stopped(&format!("{so_far}; the same command goes on")) {
        return Err(stopped.into());
    }
    if !failed.is_empty() {
        bail!("{} of {count} runs failed; `kernelscope study {place} --status` says why", failed.len());
    }
    if done == count {
        eprintln!("{so_far}, {:.0} s", begun.elapsed().as_secs_f64());
        return Ok(());
    }
    if until.is_some_and(|until| Instant::now() >= until) {
        return Err(Unfinished(format!("The time is up: {so_far}; the same command goes on")).into());
    }
    let elsewhere = format!("{so_far}; what is left is in the hands of other processes");
    if args.claim {
        eprintln!("{elsewhere}");
        return Ok(());
    }
    Err(Unfinished(elsewhere).into())
}

/// Says how many of how many runs are something.
fn runs_are(some: usize, all: usize) -> String {
    match (some, all) {
        (1, 1) => "the run is".to_owned(),
        (0, 1) => "the run is not".to_owned(),
        _ => format!("{some} of {all} runs are"),
    }
}
