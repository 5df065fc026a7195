//! `kernelscope study`: trains all runs of a study, and writes its table and figures; or plans it for other processes to
//! train, looks after these, and collects what they did.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::bail;
use clap::ArgGroup;
use indicatif::ProgressBar;

use super::batch_script::{BatchSystem, script};
use super::device::Device;
use super::follow::progress_bar;
use super::refused::RefusedRequest;
use super::settings::Settings;
use super::signals::Signals;
use super::study_overview::{collect, status};
use crate::chart::Format;
use crate::paint::write_study;
use crate::spec::StudyRun;
use crate::storage::{FIGURES, LOGS, StudyFolder, TABLE};
use crate::worker::progress::{Progress, largest_bytes, runs_that_fit};
use crate::worker::study_service::{StudyEvent, finish, headline};
use crate::worker::threads;

/// Arguments of `study`.
#[derive(Debug, clap::Args)]
#[command(
    group(ArgGroup::new("where").required(true).args(["out", "plan", "folder"])),
    group(ArgGroup::new("what").args(["status", "collect", "script"]))
)]
pub struct StudyArgs {
    /// The folder of a planned study, for --status, --collect or --script
    #[arg(value_name = "STUDY", requires = "what", conflicts_with_all = ["preset", "config", "set"])]
    pub folder: Option<PathBuf>,
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
    pub out: Option<PathBuf>,
    /// Folder for the study, into which only the study and its list of tasks are written: `kernelscope run --study DIR` does them
    #[arg(long, value_name = "DIR")]
    pub plan: Option<PathBuf>,
    /// Say on one screen what is done, what runs where, what failed and why
    #[arg(long, requires = "folder")]
    pub status: bool,
    /// Write the tables and figures of the runs that are done, and say which are missing and why
    #[arg(long, requires = "folder")]
    pub collect: bool,
    /// Print a script that does the tasks on a batch system, to be read, changed and submitted
    #[arg(long, value_enum, value_name = "SYSTEM", requires = "folder")]
    pub script: Option<BatchSystem>,
}

/// Number of steps of the bar, for a study of any length.
const STEPS: u64 = 10_000;

pub(super) fn study(args: &StudyArgs) -> anyhow::Result<()> {
    if let Some(out) = &args.out {
        return train(args, out);
    }
    if let Some(out) = &args.plan {
        return plan(&args.settings, out);
    }
    let open = |folder: &Path| StudyFolder::open_unread(folder).map_err(|err| RefusedRequest(err.to_string()));
    match &args.folder {
        Some(folder) if args.status => status(&open(folder)?),
        Some(folder) if args.collect => collect(open(folder)?)?,
        Some(folder) => match args.script {
            Some(system) => print!("{}", script(&open(folder)?, system)?),
            None => bail!(RefusedRequest("what about this study? --status, --collect or --script".to_owned())),
        },
        // The parser of the command line asks for one of the three.
        None => bail!(RefusedRequest("give a folder for the study with --out".to_owned())),
    }
    Ok(())
}

/// Writes the study and its list of tasks.
fn plan(settings: &Settings, out: &Path) -> anyhow::Result<()> {
    let spec = settings.study()?;
    let folder = StudyFolder::plan(out, &spec).map_err(|err| RefusedRequest(err.to_string()))?;
    folder.make_logs()?;
    println!("{}", folder.tasks_file().display());
    let place = out.display();
    eprintln!(
        "{} tasks: `kernelscope run --study {place} --task 1` does the first, `kernelscope run --study {place} --claim` \
         whichever are free, and `kernelscope study {place} --collect` writes the table; what happens to each is in {}",
        folder.task_count(),
        out.join(LOGS).display()
    );
    Ok(())
}

fn train(args: &StudyArgs, out: &Path) -> anyhow::Result<()> {
    let refused = |err: &dyn std::fmt::Display| RefusedRequest(err.to_string());
    if matches!(args.device, Device::Auto) {
        return Err(
            RefusedRequest("the runs of a study train on one device: give --device cpu or gpu".to_owned()).into()
        );
    }
    let spec = args.settings.study()?;
    let mut folder = StudyFolder::create(out, &spec).map_err(|err| refused(&err))?;
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
    let mut bar = StudyBar::start(&folder, |place| folder.is_ended(place));
    let hear = |folder: &StudyFolder, news: StudyEvent| {
        bar.hear(folder, &news);
        true
    };
    let runs = (0..count).filter(|&place| !folder.is_ended(place)).map(|place| &folder.runs()[place]);
    let (at_once, signals) = (at_once(args.device, args.jobs, runs), Signals::listen());
    finish(&mut folder, args.device.into(), at_once, signals.stop_flag(), hear)?;
    bar.clear();
    let done = count - missing(&folder);
    let what = format!("{done} of {count} runs are done in {}; the same command does the others", out.display());
    if let Some(stopped) = signals.stopped(&what) {
        return Err(stopped.into());
    }
    println!("{}", out.join(TABLE).display());
    for path in write_study(&folder, &out.join(FIGURES), Format::Svg)? {
        println!("{}", path.display());
    }
    eprintln!("{count} runs, {:.0} s", begun.elapsed().as_secs_f64());
    match missing(&folder) {
        0 => Ok(()),
        missing => bail!("{missing} of {count} runs did not come to their end; the same command tries them again"),
    }
}

/// Returns the number of runs at a time: as many as requested or as there are cores, but no more than fit into memory.
pub(super) fn at_once<'a>(
    device: Device,
    jobs: Option<NonZeroUsize>,
    left: impl Iterator<Item = &'a StudyRun> + Clone,
) -> usize {
    let cores = threads::usable();
    // Sharing one GPU does not make it faster.
    let usual = if matches!(device, Device::Gpu) { 1 } else { cores };
    let requested = jobs.map_or(usual, NonZeroUsize::get);
    let fit = runs_that_fit(requested, largest_bytes(left.clone()));
    if fit < requested.min(left.count()) {
        eprintln!("{fit} at a time instead of {requested}: more would not fit into memory");
    }
    fit
}

/// One bar for all runs of a study, each weighted by its cost, and a line for each that ends.
pub(super) struct StudyBar {
    bar: ProgressBar,
    progress: Progress,
}

impl StudyBar {
    /// Starts the bar, with the runs that are done already.
    pub(super) fn start(folder: &StudyFolder, is_done: impl Fn(usize) -> bool) -> Self {
        let bar = progress_bar();
        bar.set_length(STEPS);
        let shown = Self { bar, progress: Progress::new(folder.runs(), is_done) };
        shown.show();
        // Runs that already existed took no time.
        shown.bar.reset_eta();
        shown
    }

    /// Shows what happened.
    pub(super) fn hear(&mut self, folder: &StudyFolder, news: &StudyEvent) {
        let (place, message) = match news {
            StudyEvent::Progress { place, share } => {
                self.progress.reach(*place, *share);
                return self.show();
            }
            StudyEvent::LearningCurves { .. } => return,
            StudyEvent::Held { place, holder: Some(holder) } => return self.line(folder, *place, &holder.in_words()),
            StudyEvent::Held { holder: None, .. } => return,
            StudyEvent::Ended { place, unread: Some(message) } | StudyEvent::Failed { place, message } => {
                (*place, message.clone())
            }
            StudyEvent::Ended { place, unread: None } => {
                let shown = folder.ended(*place).map(|history| history.headline());
                (*place, shown.unwrap_or_else(|| headline(folder.points(*place))))
            }
        };
        self.progress.reach(place, 1.0);
        self.show();
        self.line(folder, place, &message);
    }

    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }

    fn line(&self, folder: &StudyFolder, place: usize, words: &str) {
        self.bar.suspend(|| eprintln!("{}: {words}", folder.runs()[place].folder));
    }

    fn show(&self) {
        let (done, all) = self.progress.done();
        self.bar.set_message(format!("{done} of {all} runs"));
        self.bar.set_position((self.progress.share() * STEPS as f64) as u64);
    }
}
