//! Implements the command line, which runs the same computations as the window, without it.
//!
//! Guarantees: a request that cannot be carried out is refused with one sentence, before anything is trained or written;
//! results and figures are those of the window, because both are made from the same events. This module uses neither
//! tensors nor egui.

#[macro_use]
mod print;

mod announcement;
mod batch_script;
mod device;
mod figures;
mod follow;
mod gram;
mod install;
mod kernel_plan;
mod lists;
mod metrics;
mod pack;
mod refused;
mod repeat;
mod run;
mod settings;
mod share;
mod signals;
mod study;
mod study_bar;
mod study_overview;
mod summary;
mod task_numbers;
mod tensor_table;
mod theory;
mod unfinished;
mod watch;
mod window;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

pub use device::Device;
pub use figures::{FigureFormat, FiguresArgs};
pub use follow::follow;
pub use gram::GramArgs;
pub use metrics::MetricsArgs;
pub use refused::RefusedRequest;
pub use repeat::start_threads;
pub use run::{RunArgs, run_default};
pub use signals::EndedBySignal;
pub use study::StudyArgs;
pub use summary::summary;
pub use theory::TheoryArgs;
pub use unfinished::Unfinished;
pub use watch::WatchArgs;

use crate::diagnostics::VERSION;
use crate::spec::expanded;
use crate::storage::array_of;
use crate::ui::views::View;
use crate::ui::{Environment, Subject, WindowOptions};
use crate::worker::DeviceChoice;

/// An oscilloscope for the neural tangent kernel. Without a command the window opens.
#[derive(Debug, Parser)]
#[command(name = "kernelscope", version = VERSION, about)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The command, in place of opening the window.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Open the window with these runs: the first one in all views, the others over it
    Open(OpenArgs),
    /// Train a network through its tasks, measure its kernel, and write the run folder
    Run(RunArgs),
    /// Watch a training in another program, whose weights kernelscope.Watch writes: in the window, or into a run folder
    Watch(WatchArgs),
    /// Train all runs of a study (one setting, several values and seeds), and write its table and figures
    Study(StudyArgs),
    /// Compute the exact kernel of given weights on given inputs
    Gram(GramArgs),
    /// Compute the infinite-width kernels of a network on given inputs, and what training with them predicts
    Theory(TheoryArgs),
    /// Draw the publication figures of a run, of a study, or of an archive of kernels
    Figures(FiguresArgs),
    /// Measure the kernels of an archive: every number that a run has of its own, in the columns of its metrics.csv
    Metrics(MetricsArgs),
    /// Take pictures of the window on a real run: before the switch, after it, at the end; or of a study
    Screenshots(ScreenshotArgs),
    /// List the ready-made runs and studies
    Presets,
    /// List what can train: the processor and the graphics adapters
    Devices,
    /// Print the completions of this command line for a shell
    Completions {
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Put the program into the menu of the desktop: its entry and its icon, for this user
    InstallDesktop,
}

impl Command {
    /// Returns whether the command needs a window.
    pub fn opens_window(&self) -> bool {
        self.is_a_window() || matches!(self, Self::Screenshots(_))
    }

    /// Returns whether the command is the window itself, until that is closed.
    pub fn is_a_window(&self) -> bool {
        match self {
            Self::Open(_) => true,
            Self::Watch(args) => args.out.is_none(),
            Self::Run(_)
            | Self::Study(_)
            | Self::Gram(_)
            | Self::Theory(_)
            | Self::Figures(_)
            | Self::Metrics(_)
            | Self::Screenshots(_)
            | Self::Presets
            | Self::Devices
            | Self::Completions { .. }
            | Self::InstallDesktop => false,
        }
    }
}

/// Arguments of `open`.
#[derive(Debug, clap::Args)]
pub struct OpenArgs {
    /// Folders of runs and of studies, and .npz archives of kernels, as K.npz:NAME one of their arrays
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
}

/// Arguments of `screenshots`.
#[derive(Debug, clap::Args)]
pub struct ScreenshotArgs {
    #[command(flatten)]
    pub settings: settings::Settings,
    /// Folder for the pictures
    #[arg(value_name = "DIR")]
    pub out: PathBuf,
    /// Instead of a run: this ready-made study, half done and done, kept in ./kernelscope-studies/NAME
    #[arg(long, value_name = "NAME", conflicts_with_all = ["preset", "config"])]
    pub study: Option<String>,
    /// Views for the lowest row of the window, by their titles; with `forks` the run is forked at its switch
    #[arg(long, value_name = "TITLE,…", value_delimiter = ',', value_parser = view, conflicts_with = "study")]
    pub views: Vec<View>,
    /// Width of the window, in points
    #[arg(long, default_value_t = 1280)]
    pub width: u16,
    /// Height of the window, in points
    #[arg(long, default_value_t = 800)]
    pub height: u16,
}

/// Parses a value of `--views`.
fn view(title: &str) -> Result<View, String> {
    let titles = || View::ALL.map(|view| view.title().to_lowercase()).join(", ");
    View::titled(title).ok_or_else(|| format!("there is no view of this title; there are {}", titles()))
}

/// Returns the arguments, with the home folder in `--out=~/runs`: a shell expands `~` only at the beginning of a word.
pub fn arguments() -> impl Iterator<Item = OsString> {
    std::env::args_os().map(|word| {
        let option = word.to_str().filter(|text| text.starts_with("--")).and_then(|text| text.split_once("=~/"));
        match option {
            Some((name, rest)) if !name.contains('=') => {
                let mut whole = OsString::from(format!("{name}="));
                whole.push(expanded(&Path::new("~").join(rest)));
                whole
            }
            _ => word,
        }
    })
}

/// Reports why a command failed: the error and its causes, each once, in one sentence on standard error.
pub fn report(err: &anyhow::Error) {
    let mut sentence = err.to_string();
    for cause in err.chain().skip(1).map(ToString::to_string) {
        if !sentence.contains(&cause) {
            sentence = format!("{sentence}: {cause}");
        }
    }
    eprintln!("{sentence}");
}

/// Prints a line to standard error.
pub fn print_error_line(line: &str) {
    eprintln!("{line}");
}

/// Executes a command.
pub fn execute(command: &Command) -> anyhow::Result<()> {
    let computes = matches!(
        command,
        Command::Open(_)
            | Command::Run(_)
            | Command::Watch(_)
            | Command::Study(_)
            | Command::Figures(_)
            | Command::Screenshots(_)
    );
    if computes {
        start_threads(None, false)?;
    }
    match command {
        Command::Open(args) => open(args)?,
        Command::Run(args) => run::run(args)?,
        Command::Watch(args) => watch::watch(args)?,
        Command::Study(args) => study::study(args)?,
        Command::Gram(args) => gram::gram(args)?,
        Command::Theory(args) => theory::theory(args)?,
        Command::Figures(args) => figures::figures(args)?,
        Command::Metrics(args) => metrics::metrics(args)?,
        Command::Screenshots(args) => screenshots(args)?,
        Command::Presets => lists::presets(),
        Command::Devices => lists::devices(),
        Command::Completions { shell } => install::completions(*shell, &mut Cli::command()),
        Command::InstallDesktop => install::desktop()?,
    }
    // The standard output of these commands is the result; that of the others only names where it is.
    let answers = matches!(
        command,
        Command::Presets
            | Command::Devices
            | Command::Completions { .. }
            | Command::Gram(_)
            | Command::Theory(_)
            | Command::Metrics(_)
    );
    if answers && print::output_was_lost() {
        anyhow::bail!("standard output could not be written: the disk is full or the terminal was closed");
    }
    Ok(())
}

fn open(args: &OpenArgs) -> anyhow::Result<()> {
    if let Some(missing) = args.paths.iter().find(|path| !array_of(path).0.exists()) {
        return Err(RefusedRequest(format!("{} is not there", missing.display())).into());
    }
    let options = WindowOptions {
        spec: None,
        device: DeviceChoice::Auto,
        open: args.paths.clone(),
        watch: None,
        environment: Environment::of_user(),
    };
    window::open(options, "`kernelscope run`, `study` and `figures` need no window")
}

fn screenshots(args: &ScreenshotArgs) -> anyhow::Result<()> {
    let size = [f32::from(args.width), f32::from(args.height)];
    let subject = match &args.study {
        None => {
            // The views of the preset, as in the window.
            let preset = args.settings.preset.as_deref().and_then(crate::spec::preset);
            let usual = preset.map_or(&[][..], |preset| preset.views()).iter();
            let usual = usual.filter_map(|title| View::titled(title)).collect();
            Subject::Run { spec: args.settings.spec()?, usual, below: args.views.clone() }
        }
        Some(name) => {
            let settings = settings::Settings { preset: Some(name.clone()), ..args.settings.clone() };
            let spec = settings.study(None)?;
            // The name is known, or it would have been refused before.
            Subject::Study(crate::spec::study(name).map_or("", |study| study.name), spec)
        }
    };
    for path in crate::ui::screenshots(&args.out, subject, DeviceChoice::Auto, size)? {
        println!("{}", path.display());
    }
    Ok(())
}
