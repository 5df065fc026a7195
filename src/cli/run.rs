//! `kernelscope run`: trains one run from its settings and writes its folder.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::ArgGroup;

use super::device::Device;
use super::follow::{follow, progress_bar};
use super::pack::run_pack;
use super::refused::RefusedRequest;
use super::settings::Settings;
use super::share::{ShareArgs, share};
use super::signals::Signals;
use super::summary::summary;
use crate::run::{Ending, RunState};
use crate::spec::Spec;
use crate::storage::{ClaimWatch, FolderError, Opened, Standing, create};
use crate::worker::{DeviceChoice, Job, Worker};

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("tasks").args(["study", "pack"])))]
pub struct RunArgs {
    /// Instead of one run: a file of tasks that --pack of `kernelscope study` wrote, which are done in the folder --out
    #[arg(value_name = "PACK", conflicts_with_all = ["preset", "config", "study", "task", "claim", "overwrite"])]
    pub pack: Option<PathBuf>,
    #[command(flatten)]
    pub settings: Settings,
    /// Where the network trains: `auto` times a step and a kernel on CPU and GPU, if there is one, and takes the faster
    #[arg(long, value_enum, default_value_t = Device::Auto)]
    pub device: Device,
    /// Folder for the results; a run of the same settings that was cut off there starts over
    #[arg(long, value_name = "DIR", required_unless_present = "study")]
    pub out: Option<PathBuf>,
    /// Replace the run that is in the folder
    #[arg(long)]
    pub overwrite: bool,
    #[command(flatten)]
    pub share: ShareArgs,
}

/// Longest wait for an event before the clock is checked.
const QUIET: Duration = Duration::from_millis(200);

/// Executes the command.
pub(super) fn run(args: &RunArgs) -> anyhow::Result<()> {
    match (&args.share.study, &args.out) {
        (Some(study), _) => share(&args.share, study, args.device),
        (None, Some(out)) => match &args.pack {
            Some(file) => run_pack(file, out, &args.settings.set, &args.share, args.device),
            None => headless(&args.settings.spec()?, args.device.into(), out, args.overwrite),
        },
        // The parser of the command line asks for one of the two.
        (None, None) => Err(RefusedRequest("give a folder for the results with --out".to_owned()).into()),
    }
}

/// Runs the default preset in a folder named after the time; used where no window can be opened.
pub fn run_default() -> anyhow::Result<()> {
    let out = PathBuf::from(format!("kernelscope-run-{}", jiff::Zoned::now().strftime("%Y%m%d-%H%M%S")));
    headless(&Settings::default().spec()?, DeviceChoice::Auto, &out, false)
}

/// Opens the folder. Where a process of another machine claims it, waits until that has renewed its claim, which refuses the
/// run, or has been silent for so long that the folder is free.
fn open(spec: &Spec, out: &Path, overwrite: bool, signals: &Signals) -> anyhow::Result<Opened> {
    let refused = |err: FolderError| RefusedRequest(err.to_string());
    let mut watch: Option<ClaimWatch> = None;
    loop {
        let (folder, claim, holder) = match create(out, spec, overwrite) {
            Ok(opened) => return Ok(opened),
            Err(FolderError::Claimed { folder, claim, holder }) => (folder, claim, holder),
            Err(err) => return Err(refused(err).into()),
        };
        if watch.is_none() {
            let sentence =
                FolderError::Claimed { folder: folder.clone(), claim: claim.clone(), holder: holder.clone() };
            eprintln!("{sentence}; this command waits for that");
        }
        let watch = watch.get_or_insert_with(|| ClaimWatch::new(out));
        while let Standing::Held { is_alive, .. } = watch.look().map_err(refused)? {
            if is_alive {
                return Err(refused(FolderError::Busy { folder, claim, holder }).into());
            }
            if let Some(stopped) = signals.stopped("the run had not begun, and nothing was written") {
                return Err(stopped.into());
            }
            std::thread::sleep(QUIET);
        }
    }
}

fn headless(spec: &Spec, device: DeviceChoice, out: &Path, overwrite: bool) -> anyhow::Result<()> {
    let signals = Signals::listen();
    let Opened { mut folder, resumed, repairs: mended } = open(spec, out, overwrite, &signals)?;
    for sentence in mended {
        eprintln!("{sentence}");
    }
    for warning in spec.warnings() {
        eprintln!("{}: {}", warning.field, warning.message);
    }
    if let Some(snapshots) = resumed {
        eprintln!(
            "This run was cut off after {snapshots} snapshots; it starts over, and its earlier results are kept until \
             the new run has passed them"
        );
    }
    let begun = Instant::now();
    let job = Job { spec: folder.spec().clone(), device, paced: false };
    let worker = Worker::start(job, Box::new(|| {}));
    // Dropping the worker, on any path, ends the run.
    let events = worker.events(QUIET).inspect(|_| {
        if signals.is_stopping() {
            worker.stop();
        }
    });
    let history = follow(events, &mut folder, &progress_bar())?;

    let place = out.display();
    match history.state() {
        RunState::Ended(Ending::Failed { message, .. }) if history.info().is_none() => {
            return Err(RefusedRequest(message.clone()).into());
        }
        RunState::Ended(Ending::Finished { .. }) => {}
        RunState::Ended(Ending::Stopped { step }) => {
            let what = if history.info().is_some() {
                format!(
                    "the run ended at step {step}; its results so far are in {place}, and the same command starts it over"
                )
            } else {
                "the run had not begun, and nothing was written".to_owned()
            };
            return Err(signals.stopped(&what).map_or_else(|| anyhow::anyhow!(what), anyhow::Error::from));
        }
        RunState::Ended(Ending::Diverged { step, message } | Ending::Failed { step, message }) => {
            bail!("the run ended at step {step}: {message}; its results so far are in {place}")
        }
        RunState::Waiting | RunState::Running | RunState::Paused => bail!("the training thread ended without a word"),
    }
    print!("{}", summary(&history));
    println!("{:.1} s. The run is in {place}; `kernelscope figures {place}` draws it", begun.elapsed().as_secs_f64());
    Ok(())
}
