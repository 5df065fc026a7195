//! Ends a command in order on SIGINT (Ctrl+C) or SIGTERM (`kill`, a batch queue, a shutdown).
//!
//! Guarantees: all measurements of a run are written, with its ending; the program reports its progress in one sentence,
//! and ends with 128 plus the number of the signal, as shells expect. A second signal ends it at once.

use std::process::exit;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use thiserror::Error;

/// Longest time between a signal and its check.
const QUIET: Duration = Duration::from_millis(50);

/// The error of a command that was ended by a signal.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct EndedBySignal {
    message: String,
    /// The exit code of the program.
    pub code: u8,
}

/// The signals received since the command began.
pub(super) struct Signals {
    requested: Arc<AtomicBool>,
    which: Arc<AtomicUsize>,
}

impl Signals {
    /// Starts to listen.
    pub(super) fn listen() -> Self {
        let (requested, which) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds no request yet. A system without such a signal cannot send it.
            let heard = flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&requested))
                .and_then(|_| flag::register_usize(signal, Arc::clone(&which), signal as usize))
                .and_then(|_| flag::register(signal, Arc::clone(&requested)));
            if let Err(err) = heard {
                log::info!("signal {signal} ends the program immediately: {err}");
            }
        }
        Self { requested, which }
    }

    /// Returns the flag that is set as soon as the command is to end.
    pub(super) fn stop_flag(&self) -> &Arc<AtomicBool> {
        &self.requested
    }

    /// Returns whether the command is to end.
    pub(super) fn is_stopping(&self) -> bool {
        self.requested.load(Ordering::Relaxed)
    }

    /// Returns the error if the end was requested: `what` describes the progress.
    pub(super) fn stopped(&self, what: &str) -> Option<EndedBySignal> {
        let signal = self.which.load(Ordering::Relaxed);
        let name = if signal == SIGINT as usize { "SIGINT (Ctrl+C)" } else { "SIGTERM" };
        let code = u8::try_from(128 + signal).unwrap_or(u8::MAX);
        self.is_stopping().then(|| EndedBySignal { message: format!("Stopped by {name}: {what}"), code })
    }
}

/// Ends a command that writes one file at its end as soon as a signal arrives, except while the file is being written.
pub(super) struct UntilWritten(Arc<Mutex<bool>>);

impl UntilWritten {
    /// Starts to listen.
    pub(super) fn listen() -> Self {
        let signals = Signals::listen();
        let writing = Arc::new(Mutex::new(false));
        let flag = Arc::clone(&writing);
        let watch = move || {
            loop {
                std::thread::sleep(QUIET);
                let over = lock(&flag);
                if *over {
                    return;
                }
                if let Some(stopped) = signals.stopped("nothing was written") {
                    eprintln!("{stopped}");
                    exit(i32::from(stopped.code));
                }
            }
        };
        // Without the thread, a second signal ends the program.
        if let Err(err) = std::thread::Builder::new().name("signals".to_owned()).spawn(watch) {
            log::info!("no thread for signals: {err}");
        }
        Self(writing)
    }

    /// Lets the command finish from now on, because its end is near.
    pub(super) fn writing(&self) {
        *lock(&self.0) = true;
    }
}

impl Drop for UntilWritten {
    fn drop(&mut self) {
        self.writing();
    }
}

fn lock(flag: &Mutex<bool>) -> MutexGuard<'_, bool> {
    flag.lock().unwrap_or_else(PoisonError::into_inner)
}
