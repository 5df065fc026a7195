//! `kernelscope study`: trains all runs of a study, and writes its table and figures.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::bail;
use indicatif::ProgressBar;

use super::device::Device;
use super::follow::progress_bar;
use super::refused::RefusedRequest;
use super::settings::Settings;
use super::signals::Signals;
use crate::chart::Format;
use crate::paint::write_study;
use crate::storage::{FIGURES, StudyFolder, TABLE};
use crate::worker::progress::{Progress, largest_bytes, runs_that_fit};
use crate::worker::study_service::{StudyEvent, finish, headline};
use crate::worker::threads;

/// Arguments of `study`.
#[derive(Debug, clap::Args)]
pub struct StudyArgs {
    #[command(flatten)]
    pub settings: Settings,
    /// Where the networks train: `cpu` or `gpu`, the same for all
    #[arg(long, value_enum, default_value_t = Device::Cpu)]
    pub device: Device,
    /// Runs at the same time; one for each core if not given, and no more than memory holds
    #[arg(long, value_name = "J", value_parser = threads::count)]
    pub jobs: Option<NonZeroUsize>,
    /// Folder for the study; what is done there is not done again
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// Number of steps of the bar, for a study of any length.
const STEPS: u64 = 10_000;

pub(super) fn study(args: &StudyArgs) -> anyhow::Result<()> {
    let refused = |err: &dyn std::fmt::Display| RefusedRequest(err.to_string());
    if matches!(args.device, Device::Auto) {
        return Err(
            RefusedRequest("the runs of a study train on one device: give --device cpu or gpu".to_owned()).into()
        );
    }
    let spec = args.settings.study()?;
    let mut folder = StudyFolder::create(&args.out, &spec).map_err(|err| refused(&err))?;
    for sentence in folder.repairs() {
        eprintln!("{sentence}");
    }
    let count = folder.runs().len();
    let missing = |folder: &StudyFolder| (0..count).filter(|&place| !folder.is_ended(place)).count();
    let left = missing(&folder);
    if left < count {
        eprintln!("{} of {count} runs are there already", count - left);
    }
    let begun = Instant::now();
    let mut progress = Progress::new(folder.runs(), |place| folder.is_ended(place));
    let bar = progress_bar();
    bar.set_length(STEPS);
    show(&bar, &progress);
    // Runs that already existed took no time.
    bar.reset_eta();
    let hear = |folder: &StudyFolder, news: StudyEvent| {
        let message = match news {
            StudyEvent::Progress { place, share } => {
                progress.reach(place, share);
                show(&bar, &progress);
                return true;
            }
            StudyEvent::LearningCurves { .. } => return true,
            StudyEvent::Ended { place, unread: Some(message) } | StudyEvent::Failed { place, message } => {
                (place, message)
            }
            StudyEvent::Ended { place, unread: None } => {
                let shown = folder.ended(place).map(|history| history.headline());
                (place, shown.unwrap_or_else(|| headline(folder.points(place))))
            }
        };
        progress.reach(message.0, 1.0);
        show(&bar, &progress);
        bar.suspend(|| eprintln!("{}: {}", folder.runs()[message.0].folder, message.1));
        true
    };
    let (at_once, signals) = (at_once(args, &folder), Signals::listen());
    finish(&mut folder, args.device.into(), at_once, signals.stop_flag(), hear)?;
    bar.finish_and_clear();
    let done = count - missing(&folder);
    let what = format!("{done} of {count} runs are done in {}; the same command does the others", args.out.display());
    if let Some(stopped) = signals.stopped(&what) {
        return Err(stopped.into());
    }
    println!("{}", args.out.join(TABLE).display());
    for path in write_study(&folder, &args.out.join(FIGURES), Format::Svg)? {
        println!("{}", path.display());
    }
    eprintln!("{count} runs, {:.0} s", begun.elapsed().as_secs_f64());
    match missing(&folder) {
        0 => Ok(()),
        missing => bail!("{missing} of {count} runs did not come to their end; the same command tries them again"),
    }
}

/// Returns the number of runs at a time: as many as requested or as there are cores, but no more than fit into memory.
fn at_once(args: &StudyArgs, folder: &StudyFolder) -> usize {
    let cores = threads::usable();
    // Sharing one GPU does not make it faster.
    let usual = if matches!(args.device, Device::Gpu) { 1 } else { cores };
    let requested = args.jobs.map_or(usual, NonZeroUsize::get);
    let left = (0..folder.runs().len()).filter(|&place| !folder.is_ended(place));
    let jobs = runs_that_fit(requested, largest_bytes(left.clone().map(|place| &folder.runs()[place])));
    if jobs < requested.min(left.count()) {
        eprintln!("{jobs} at a time instead of {requested}: more would not fit into memory");
    }
    jobs
}

/// Shows one bar for all runs, each weighted by its cost.
fn show(bar: &ProgressBar, progress: &Progress) {
    let (done, all) = progress.done();
    bar.set_message(format!("{done} of {all} runs"));
    bar.set_position((progress.share() * STEPS as f64) as u64);
}
