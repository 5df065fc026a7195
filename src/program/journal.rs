//! The log: to standard error as `RUST_LOG` says, and into a file that can be read after the program has gone.
//!
//! Guarantees: a line is in the system's hands when it has been logged, so that no kill takes it back; the file of the start
//! before stays, under another name; a file ends at 4 MiB. What a library says in every frame fills no disk.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
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
}

/// The file, as long as it takes more, and its last lines.
#[derive(Default)]
struct Book {
    file: Option<File>,
    left: u64,
    last: VecDeque<String>,
}

/// What goes to standard error.
fn stderr() -> env_logger::Logger {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn")).build()
}

/// Logs to standard error alone.
pub fn to_stderr() {
    let logger = stderr();
    log::set_max_level(logger.filter());
    // Somebody logs already: that is theirs to do.
    let _ = log::set_boxed_logger(Box::new(logger));
}

impl Journal {
    /// A log in this folder, whose log until now becomes the one before.
    ///
    /// # Errors
    /// When there can be no file in this folder.
    pub fn open(folder: &Path) -> io::Result<(Self, PathBuf)> {
        let path = folder.join(LOG);
        if path.exists() {
            fs::rename(&path, folder.join(PREVIOUS))?;
        }
        let book = Book { file: Some(File::create(&path)?), left: MOST, last: VecDeque::new() };
        Ok((Self { stderr: stderr(), book: Mutex::new(book) }, path))
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
                Err(TryLockError::Poisoned(broken)) => return Some(broken.into_inner()),
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
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
