//! The program: reads the command line, and opens the window or works without one.

use std::process::ExitCode;

use clap::Parser as _;
use kernelscope::cli::{self, Cli, EndedBySignal, RefusedRequest, Unfinished};
use kernelscope::diagnostics::log_file;
use kernelscope::model::tune_allocator;
use kernelscope::storage::read_modules_as_networks;
use kernelscope::ui::app::{display, display::Gone};
use kernelscope::ui::{self, Environment, WindowOptions};
use kernelscope::worker::DeviceChoice;

fn main() -> ExitCode {
    tune_allocator();
    read_modules_as_networks();
    let command = Cli::parse_from(cli::arguments()).command;
    if command.as_ref().is_none_or(cli::Command::opens_window) {
        // SAFETY: no thread has been started yet.
        let problems = unsafe { display::settle() };
        problems.iter().for_each(|sentence| cli::print_error_line(sentence));
    }
    let done = match command {
        Some(command) => {
            // A window has a log of its own.
            if !command.is_a_window() {
                log_file::to_stderr();
            }
            cli::execute(&command)
        }
        None => window(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            cli::report(&err);
            let stopped = err.downcast_ref::<EndedBySignal>().map(|stopped| stopped.code);
            let unfinished = err.is::<Unfinished>().then_some(Unfinished::CODE);
            let refused = err.is::<RefusedRequest>().then_some(2);
            ExitCode::from(stopped.or(unfinished).or(refused).unwrap_or(1))
        }
    }
}

/// Opens the window; where it cannot be opened, prints the reason and runs the same preset without it.
fn window() -> anyhow::Result<()> {
    cli::start_threads(None, false)?;
    let displays = ["DISPLAY", "WAYLAND_DISPLAY"];
    if cfg!(target_os = "linux")
        && displays.iter().all(|name| std::env::var_os(name).is_none_or(|value| value.is_empty()))
    {
        log_file::to_stderr();
        cli::print_error_line("There is no display: the default preset runs without a window");
        return cli::run_default();
    }
    let options = WindowOptions {
        spec: None,
        device: DeviceChoice::Auto,
        open: Vec::new(),
        watch: None,
        environment: Environment::of_user(),
    };
    ui::open(options).or_else(|err| {
        if err.is::<Gone>() {
            return Err(err);
        }
        cli::print_error_line(&format!("{err:#}: the default preset runs without a window"));
        cli::run_default()
    })
}
