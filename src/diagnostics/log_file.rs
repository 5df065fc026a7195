//! Writes the log: to standard error according to `RUST_LOG`, and to a file that can be read after the program has ended.
//!
//! Guarantees: a logged line has been passed to the operating system, so that killing the program does not lose it; the
//! file of the previous start is kept under another name; a file ends at 4 MiB, so that messages repeated in every frame
//! fill no disk. Windows that are open at the same time have separate files.

use std::collections::VecDeque;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{self, Arc, Mutex, MutexGuard};
use std::time::Duration;

use log::{Level, LevelFilter, Log, Metadata, Record};

/// Names of the log files of this start and of the previous one.
pub const LOG: &str = "kernelscope.log";
pub const PREVIOUS: &str = "kernelscope.previous.log";
/// Largest number of bytes of a file.
const MOST_BYTES: u64 = 4 << 20;
/// Number of log lines at the end of a crash report.
const LAST_LINES: usize = 40;

/// The log of this start.
pub struct LogFile {
    stderr: env_logger::Logger,
    book: Mutex<OpenLog>,
    /// True if another window of this user is open and has the usual file.
    is_another: bool,
    /// The lock that marks these files as owned; `None` if the system has no locks.
    _lock: Option<File>,
}

/// The file, until it is full, and its last lines.
#[derive(Default)]
struct OpenLog {
    file: Option<File>,
    left: u64,
    last: VecDeque<String>,
}

/// Returns the logger for standard error, filtered by `RUST_LOG`, else by `usual`.
fn stderr(usual: &str) -> env_logger::Logger {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(usual)).build()
}

/// Logs to standard error alone.
pub fn to_stderr() {
    let logger = stderr("warn");
    log::set_max_level(logger.filter());
    // If a logger is installed already, it is kept.
    let _ = log::set_boxed_logger(Box::new(logger));
}

impl LogFile {
    /// Opens a log in this folder, whose current log becomes the previous one. If another window is still writing that, the
    /// log gets a numbered name.
    ///
    /// # Errors
    /// Fails if no file can be written in this folder.
    pub fn open(folder: &Path) -> io::Result<(Self, PathBuf)> {
        let owned = |file: File, path, lock, is_another| {
            let book = OpenLog { file: Some(file), left: MOST_BYTES, last: VecDeque::new() };
            // Messages of libraries about the display go to the file only; the program reports them in its own words.
            let stderr = stderr(concat!(env!("CARGO_PKG_NAME"), "=warn"));
            (Self { stderr, book: Mutex::new(book), is_another, _lock: lock }, path)
        };
        // The folder is locked rather than the files, because these are renamed.
        if let Some(lock) = owner(File::open(folder)) {
            let path = folder.join(LOG);
            if path.exists() {
                fs::rename(&path, folder.join(PREVIOUS))?;
            }
            return Ok(owned(File::create(&path)?, path, lock, false));
        }
        for number in 2..100 {
            let path = folder.join(format!("kernelscope-{number}.log"));
            let file = File::options().create(true).append(true).open(&path)?;
            if let Some(lock) = owner(file.try_clone()) {
                file.set_len(0)?;
                return Ok(owned(file, path, lock, true));
            }
        }
        Err(io::Error::other("too many windows are open"))
    }

    /// Returns whether another window of this user is open and has the usual file.
    pub fn is_another(&self) -> bool {
        self.is_another
    }

    /// Installs it as the program's logger; returns false if there is one already.
    pub fn install(self: &Arc<Self>) -> bool {
        let installed = log::set_boxed_logger(Box::new(Arc::clone(self))).is_ok();
        if installed {
            log::set_max_level(self.stderr.filter().max(LevelFilter::Info));
        }
        installed
    }

    /// Writes a line to the file alone.
    pub fn write_line(&self, level: Level, target: &str, text: &str) {
        let time = jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S%.3f");
        let text = text.replace('\n', "\n    ");
        if let Some(mut book) = self.book() {
            book.write(format!("{time} {level:5} {target}: {text}"));
        }
    }

    /// Locks the book. The wait is bounded, because a thread that panics while it writes a line logs that panic here, too.
    fn book(&self) -> Option<MutexGuard<'_, OpenLog>> {
        for _ in 0..100 {
            match self.book.try_lock() {
                Ok(book) => return Some(book),
                Err(sync::TryLockError::Poisoned(broken)) => return Some(broken.into_inner()),
                Err(sync::TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        None
    }

    /// Returns the last lines, oldest first.
    pub fn last(&self) -> Vec<String> {
        self.book().map(|book| book.last.iter().cloned().collect()).unwrap_or_default()
    }

    /// Returns whether the file includes a message: warnings, messages of this program, and those enabled by the user.
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let ours = metadata.target().starts_with(env!("CARGO_PKG_NAME"));
        metadata.level() <= Level::Warn || (ours && metadata.level() <= Level::Info) || self.stderr.enabled(metadata)
    }
}

/// Locks this file; `Some(None)` if there are no locks here, `None` if it is already locked.
fn owner(file: io::Result<File>) -> Option<Option<File>> {
    let Ok(file) = file else { return Some(None) };
    match file.try_lock() {
        Ok(()) => Some(Some(file)),
        Err(TryLockError::WouldBlock) => None,
        Err(TryLockError::Error(_)) => Some(None),
    }
}

impl Log for LogFile {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.wants(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        self.stderr.log(record);
        if self.wants(record.metadata()) {
            self.write_line(record.level(), record.target(), &record.args().to_string());
        }
    }

    fn flush(&self) {
        self.stderr.flush();
    }
}

impl OpenLog {
    fn write(&mut self, line: String) {
        if let Some(file) = &mut self.file {
            let bytes = line.len() as u64 + 1;
            let full = bytes > self.left;
            let text =
                if full { format!("{} MiB: the log ends here\n", MOST_BYTES >> 20) } else { format!("{line}\n") };
            // A full disk ends the file; standard error remains.
            if file.write_all(text.as_bytes()).is_err() || full {
                self.file = None;
            }
            self.left = self.left.saturating_sub(bytes);
        }
        if self.last.len() == LAST_LINES {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }
}
