//! Writes a crash report when the program panics, with the information needed to find the cause.
//!
//! Guarantees: only a panic of the main thread is a crash, because it closes the window; a panic of another thread is
//! caught by the code that started it, and only logged; a panic due to a lost display, as at a logout, is not a crash
//! either. The report is written before unwinding; the next start mentions it once. Only the latest few are kept.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::panic::PanicHookInfo;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use log::Level;

use super::VERSION;
use super::log_file::LogFile;

/// Name of the file that refers to the report not yet mentioned.
const UNSEEN: &str = "crash.new";
/// Number of reports kept.
const MOST_REPORTS: usize = 5;

/// The contents of a report besides the panic itself.
pub struct ReportContext {
    /// The folder of the reports.
    pub folder: PathBuf,
    pub log: PathBuf,
    pub journal: Arc<LogFile>,
    /// The operating system and the processor.
    pub system: String,
    /// Returns the folder of the run that is being autosaved, if there is one.
    pub autosaved: Box<dyn Fn() -> Option<PathBuf> + Send + Sync>,
    /// Returns whether the display caused the panic (it is gone, or lacks a required feature): then nothing is reported.
    pub is_the_displays: fn() -> bool,
}

/// The message and place of a panic.
#[derive(Clone, Debug)]
pub struct PanicInfo {
    pub message: String,
    /// File, line and column.
    pub place: String,
    pub backtrace: String,
}

impl PanicInfo {
    fn of(info: &PanicHookInfo<'_>) -> Self {
        let backtrace = std::backtrace::Backtrace::capture();
        let captured = backtrace.status() == std::backtrace::BacktraceStatus::Captured;
        Self {
            message: info.payload_as_str().unwrap_or("it did not say why").to_owned(),
            place: info.location().map_or("an unknown place".to_owned(), ToString::to_string),
            backtrace: if captured { backtrace.to_string() } else { "none: start with RUST_BACKTRACE=1".to_owned() },
        }
    }
}

/// Returns the operating system and the processor in words.
pub fn system() -> String {
    use sysinfo::System;

    let name = System::long_os_version().unwrap_or_else(|| std::env::consts::OS.to_owned());
    let kernel = System::kernel_version().map_or(String::new(), |version| format!(", kernel {version}"));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{name}{kernel}, {}, {threads} threads", std::env::consts::ARCH)
}

/// Installs the panic hook: reports crashes of this thread, and logs panics of all others before the previous hook runs.
pub fn install_panic_hook(facts: ReportContext) {
    let main = std::thread::current().id();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let broken = PanicInfo::of(info);
        let thread = std::thread::current();
        if thread.id() != main {
            let name = thread.name().unwrap_or("without a name");
            let text = format!("the thread {name} panicked at {}: {}", broken.place, broken.message);
            facts.journal.write_line(Level::Error, env!("CARGO_PKG_NAME"), &text);
            before(info);
            return;
        }
        if (facts.is_the_displays)() {
            let text =
                format!("the display system failed, and with it the window, at {}: {}", broken.place, broken.message);
            facts.journal.write_line(Level::Error, env!("CARGO_PKG_NAME"), &text);
            return;
        }
        let outcome = match facts.write(&broken) {
            Ok(path) => format!("the report is in {}", path.display()),
            Err(err) => format!("no report could be written into {}: {err}", facts.folder.display()),
        };
        // Not `eprintln!`, which panics if standard error is closed.
        let _ = writeln!(io::stderr(), "Kernelscope crashed at {}: {}; {outcome}", broken.place, broken.message);
    }));
}

impl ReportContext {
    /// Formats the report of this panic.
    pub fn report(&self, broken: &PanicInfo) -> String {
        let time = jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S %:z");
        let autosaved = (self.autosaved)().map_or("none".to_owned(), |path| path.display().to_string());
        let mut text = format!("Kernelscope {VERSION} broke on {time}\n\n");
        for (what, value) in [
            ("What", broken.message.as_str()),
            ("Where", &broken.place),
            ("System", &self.system),
            ("Log", &self.log.display().to_string()),
            ("Autosaved run", &autosaved),
            ("Backtrace", &broken.backtrace),
        ] {
            let _ = writeln!(text, "{what}: {value}");
        }
        let last = self.journal.last();
        let _ = write!(text, "\nThe last {} lines of the log:\n", last.len());
        last.iter().for_each(|line| text.extend([line, "\n"]));
        text
    }

    /// Writes the report of this panic, and marks it as not yet mentioned.
    fn write(&self, broken: &PanicInfo) -> io::Result<PathBuf> {
        // The process number distinguishes two windows that crash in the same second.
        let time = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%SZ");
        let name = format!("crash-{time}-{}.txt", std::process::id());
        let path = self.folder.join(&name);
        fs::write(&path, self.report(broken))?;
        fs::write(self.folder.join(UNSEEN), name)?;
        Ok(path)
    }
}

/// Returns the report not yet mentioned, once; removes old ones.
pub fn unseen_report(folder: &Path) -> Option<PathBuf> {
    let is_report = |name: &str| name.starts_with("crash-") && name.ends_with(".txt");
    let names = fs::read_dir(folder).ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut reports: Vec<String> = names.filter(|name| is_report(name)).collect();
    reports.sort();
    for old in &reports[..reports.len().saturating_sub(MOST_REPORTS)] {
        // A file that cannot be removed does no harm.
        let _ = fs::remove_file(folder.join(old));
    }
    let note = folder.join(UNSEEN);
    let named = fs::read_to_string(&note).ok()?;
    let _ = fs::remove_file(&note);
    let named = named.trim();
    reports.iter().any(|name| name == named).then(|| folder.join(named))
}
