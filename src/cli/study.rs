//! `kernelscope study`: trains all runs of a study, and writes its table and figures; or plans it for other processes to
//! train, looks after these, and collects what they did.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::bail;
use clap::ArgGroup;

use super::batch_script::{BatchSystem, script};
use super::device::Device;
use super::pack::{merge, pack};
use super::refused::RefusedRequest;
use super::settings::Settings;
use super::signals::Signals;
use super::study_bar::{StudyBar, at_once};
use super::study_overview::{collect, print_results, status};
use super::task_numbers::TaskNumbers;
use crate::storage::{LOGS, StudyFolder};
use crate::worker::study_service::{StudyEvent, finish};
use crate::worker::threads;

/// Arguments of `study`.
#[derive(Debug, clap::Args)]
#[command(
    group(ArgGroup::new("where").required(true).multiple(true).args(["out", "plan", "folder"])),
    group(ArgGroup::new("what").args(["status", "collect", "script", "pack", "merge"]))
)]
pub struct StudyArgs {
    /// The folder of a planned study, for --status, --collect, --script, --pack or --merge
    #[arg(value_name = "STUDY", requires = "what", conflicts_with_all = ["preset", "config", "set", "plan"])]
    pub folder: Option<PathBuf>,
    #[command(flatten)]
    pub settings: Settings,
    /// With `--preset controls`: the ready-made run whose controls are done [default: the first]
    #[arg(long, value_name = "RUN", conflicts_with_all = ["folder", "config"])]
    pub of: Option<String>,
    /// Where the networks train: `cpu` or `gpu`, the same for all
    #[arg(long, value_enum, default_value_t = Device::Cpu)]
    pub device: Device,
    /// Runs at the same time; one for each core if not given, and no more than memory holds
    #[arg(long, value_name = "J", value_parser = threads::count)]
    pub jobs: Option<NonZeroUsize>,
    /// Folder for the study; what is done there is not done again. With --pack: the file
    #[arg(short, long, value_name = "DIR", conflicts_with = "plan")]
    pub out: Option<PathBuf>,
    /// Folder for the study, into which only the study and its list of tasks are written: `kernelscope run --study DIR` does them
    #[arg(long, value_name = "DIR")]
    pub plan: Option<PathBuf>,
    /// Say on one screen what is done, what runs where, what failed and why
    #[arg(long, requires = "folder", conflicts_with = "out")]
    pub status: bool,
    /// Write the tables and figures of the runs that are done, and say which are missing and why
    #[arg(long, requires = "folder", conflicts_with = "out")]
    pub collect: bool,
    /// Print a script that does the tasks on a batch system, to be read, changed and submitted
    #[arg(long, value_enum, value_name = "SYSTEM", requires = "folder", conflicts_with = "out")]
    pub script: Option<BatchSystem>,
    /// Pack these tasks into the file --out, for a machine that does not see the folder: `kernelscope run FILE` does them
    #[arg(long, value_name = "N", requires_all = ["folder", "out"], value_parser = TaskNumbers::parse)]
    pub pack: Option<TaskNumbers>,
    /// Pack the files of the data and of initial weights, too
    #[arg(long, requires = "pack")]
    pub with_data: bool,
    /// Take the runs that are done in these folders, if they are those of the study and trained on its data
    #[arg(long, value_name = "DIR", num_args = 1.., requires = "folder", conflicts_with = "out")]
    pub merge: Vec<PathBuf>,
}

pub(super) fn study(args: &StudyArgs) -> anyhow::Result<()> {
    if let (Some(out), None) = (&args.out, &args.folder) {
        return train(args, out);
    }
    if let Some(out) = &args.plan {
        return plan(args, out);
    }
    let open = |folder: &Path| StudyFolder::open_unread(folder).map_err(|err| RefusedRequest(err.to_string()));
    match &args.folder {
        Some(folder) if args.status => status(&open(folder)?),
        Some(folder) if args.collect => collect(open(folder)?)?,
        Some(folder) if !args.merge.is_empty() => merge(&open(folder)?, &args.merge)?,
        Some(folder) => match (args.script, &args.pack, &args.out) {
            (Some(system), ..) => print!("{}", script(&open(folder)?, system)?),
            (None, Some(tasks), Some(out)) => pack(&open(folder)?, tasks, args.with_data, out)?,
            // The parser of the command line asks for one of these.
            _ => bail!(RefusedRequest("what about this study? --status shows how it stands".to_owned())),
        },
        // The parser of the command line asks for one of the three.
        None => bail!(RefusedRequest("give a folder for the study with --out".to_owned())),
    }
    Ok(())
}

/// Writes the study and its list of tasks.
fn plan(args: &StudyArgs, out: &Path) -> anyhow::Result<()> {
    let spec = args.settings.study(args.of.as_deref())?;
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
    let spec = args.settings.study(args.of.as_deref())?;
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
    print_results(&folder)?;
    eprintln!("{count} runs, {:.0} s", begun.elapsed().as_secs_f64());
    match missing(&folder) {
        0 => Ok(()),
        missing => bail!("{missing} of {count} runs did not come to their end; the same command tries them again"),
    }
}
