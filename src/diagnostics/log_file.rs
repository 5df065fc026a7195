//! The log: to standard error as `RUST_LOG` says, and into a file that can be read after the program has gone.
//!
//! Guarantees: a line is in the system's hands when it has been logged, so that no kill takes it back; the file of the start
//! before stays, under another name; a file ends at 4 MiB. What a library says in every frame fills no disk. Windows that are open
//! at the same time have a file each.

use std::collections::VecDeque;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{self, Arc, Mutex, MutexGuard};
use std::time::Duration;

use log::{Level, LevelFilter, Log, Metadata, Record};

/// The file of this start, and where that of the start before is.
pub const LOG: &str = "kernelscope.log";
pub const PREVIOUS: &str = "kernelscope.previous.log";
/// Bytes of a file at most.
const MOST: u64 = 4 << 20;
/// Lines that a crash report ends with.
const LAST: usize = 40;

/// The log of this start.
pub struct Journal {
    stderr: env_logger::Logger,
    book: Mutex<Book>,
    /// Whether another window of this user is open and has the usual file.
    is_another: bool,
    /// Says to others that these files have an owner; none where the system locks nothing.
    _lock: Option<File>,
}

/// The file, as long as it takes more, and its last lines.
#[derive(Default)]
struct Book {
    file: Option<File>,
    left: u64,
    last: VecDeque<String>,
}

/// What goes to standard error, unless `RUST_LOG` says what.
fn stderr(usual: &str) -> env_logger::Logger {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(usual)).build()
}

/// Logs to standard error alone.
pub fn to_stderr() {
    let logger = stderr("warn");
    log::set_max_level(logger.filter());
    // Somebody logs already: that is theirs to do.
    let _ = log::set_boxed_logger(Box::new(logger));
}

impl Journal {
    /// A log in this folder, whose log until now becomes the one before. Where that is another window's and still written, a log
    /// under a number of its own.
    ///
    /// # Errors
    /// When there can be no file in this folder.
    pub fn open(folder: &Path) -> io::Result<(Self, PathBuf)> {
        let owned = |file: File, path, lock, is_another| {
            let book = Book { file: Some(file), left: MOST, last: VecDeque::new() };
            // What libraries say of a display is in the file; the program says it in its own words.
            let stderr = stderr(concat!(env!("CARGO_PKG_NAME"), "=warn"));
            (Self { stderr, book: Mutex::new(book), is_another, _lock: lock }, path)
        };
        // The folder stands for its usual files: these change their names.
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

    /// Whether another window of this user is open and has the usual file.
    pub fn is_another(&self) -> bool {
        self.is_another
    }

    /// Makes it the log of the program; false where there is one already.
    pub fn install(self: &Arc<Self>) -> bool {
        let installed = log::set_boxed_logger(Box::new(Arc::clone(self))).is_ok();
        if installed {
            log::set_max_level(self.stderr.filter().max(LevelFilter::Info));
        }
        installed
    }

    /// Writes a line into the file alone.
    pub fn note(&self, level: Level, target: &str, text: &str) {
        let time = jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S%.3f");
        let text = text.replace('\n', "\n    ");
        if let Some(mut book) = self.book() {
            book.write(format!("{time} {level:5} {target}: {text}"));
        }
    }

    /// The book, as soon as nobody else writes in it. Not waited for without end: a thread that broke while it wrote a line
    /// comes here once more to say so.
    fn book(&self) -> Option<MutexGuard<'_, Book>> {
        for _ in 0..100 {
            match self.book.try_lock() {
                Ok(book) => return Some(book),
                Err(sync::TryLockError::Poisoned(broken)) => return Some(broken.into_inner()),
                Err(sync::TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        None
    }

    /// The last lines, oldest first.
    pub fn last(&self) -> Vec<String> {
        self.book().map(|book| book.last.iter().cloned().collect()).unwrap_or_default()
    }

    /// What is worth a line of the file: warnings, what this program itself tells, and what the user asked to see.
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let ours = metadata.target().starts_with(env!("CARGO_PKG_NAME"));
        metadata.level() <= Level::Warn || (ours && metadata.level() <= Level::Info) || self.stderr.enabled(metadata)
    }
}

/// The lock on this file, or that there are no locks here; none where somebody else holds it.
fn owner(file: io::Result<File>) -> Option<Option<File>> {
    let Ok(file) = file else { return Some(None) };
    match file.try_lock() {
        Ok(()) => Some(Some(file)),
        Err(TryLockError::WouldBlock) => None,
        Err(TryLockError::Error(_)) => Some(None),
    }
}

impl Log for Journal {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.wants(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        self.stderr.log(record);
        if self.wants(record.metadata()) {
            self.note(record.level(), record.target(), &record.args().to_string());
        }
    }

    fn flush(&self) {
        self.stderr.flush();
    }
}

impl Book {
    fn write(&mut self, line: String) {
        if let Some(file) = &mut self.file {
            let bytes = line.len() as u64 + 1;
            let full = bytes > self.left;
            let text = if full { format!("{} MiB: the log ends here\n", MOST >> 20) } else { format!("{line}\n") };
            // A disk that is full ends the file; standard error still has what is worth reading.
            if file.write_all(text.as_bytes()).is_err() || full {
                self.file = None;
            }
            self.left = self.left.saturating_sub(bytes);
        }
        if self.last.len() == LAST {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }
}
