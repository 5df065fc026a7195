//! The program: reads the command line, and opens the window or works without one.

use std::process::ExitCode;

use clap::Parser as _;
use kernelscope::cli::{self, Cli, Refused};
use kernelscope::model::keep_what_is_given_back;
use kernelscope::ui::{self, WindowOptions};
use kernelscope::worker::DeviceChoice;

fn main() -> ExitCode {
    keep_what_is_given_back();
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn")).init();
    let done = match Cli::parse().command {
        Some(command) => cli::execute(&command),
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
        eprintln!("There is no display: the default preset runs without a window");
        return cli::run_default();
    }
    let options = WindowOptions { spec: None, device: DeviceChoice::Auto };
    ui::open(options).or_else(|err| {
        eprintln!("{err:#}: the default preset runs without a window");
        cli::run_default()
    })
}
