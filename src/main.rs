//! The program: reads the command line, and opens the window or works without one.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use kernelscope::cli::{self, Cli, Refused};
use kernelscope::model::keep_what_is_given_back;
use kernelscope::program::{VERSION, crash, journal};
use kernelscope::record::{Autosave, state_folder};
use kernelscope::ui::{self, Home, WindowOptions};
use kernelscope::worker::DeviceChoice;

fn main() -> ExitCode {
    keep_what_is_given_back();
    let done = match Cli::parse().command {
        Some(command) => {
            journal::to_stderr();
            cli::execute(&command)
        }
        None => window(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("{err:#}");
            ExitCode::from(if err.is::<Refused>() { 2 } else { 1 })
        }
    }
}

/// Opens the window; where that cannot be, says so and runs the same preset without it.
fn window() -> anyhow::Result<()> {
    let displays = ["DISPLAY", "WAYLAND_DISPLAY"];
    if cfg!(target_os = "linux")
        && displays.iter().all(|name| std::env::var_os(name).is_none_or(|value| value.is_empty()))
    {
        journal::to_stderr();
        eprintln!("There is no display: the default preset runs without a window");
        return cli::run_default();
    }
    let options = WindowOptions { spec: None, device: DeviceChoice::Auto, home: home() };
    ui::open(options).or_else(|err| {
        eprintln!("{err:#}: the default preset runs without a window");
        cli::run_default()
    })
}

/// Begins what is kept for the user: the log, reports of crashes, autosaved runs. Without a place for them there are none.
fn home() -> Home {
    let Some(folder) = state_folder() else {
        journal::to_stderr();
        return Home::default();
    };
    begin(&folder).unwrap_or_else(|err| {
        journal::to_stderr();
        log::warn!("no log, no crash report and no autosaved run: {} cannot be written: {err}", folder.display());
        Home::default()
    })
}

fn begin(folder: &Path) -> std::io::Result<Home> {
    std::fs::create_dir_all(folder)?;
    let crash = crash::untold(folder);
    let (journal, log) = journal::Journal::open(folder)?;
    let journal = Arc::new(journal);
    journal.install();
    let system = crash::system();
    log::info!("Kernelscope {VERSION}, process {}, on {system}", std::process::id());
    let autosave = Autosave::open(folder.join("autosave"));
    let autosaved = Box::new(autosave.place());
    crash::watch(crash::Facts { folder: folder.to_owned(), log, journal, system, autosaved });
    Ok(Home { folder: Some(PathBuf::from(folder)), autosave: Some(autosave), crash })
}
