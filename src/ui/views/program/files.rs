//! Opens and saves texts of networks at paths chosen in the system's dialog, on a thread that waits for it and does the I/O.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crossbeam_channel::{Receiver, TryRecvError, bounded};

use crate::spec::text::MOST_BYTES;
use crate::ui::overlays::APPEARS;
use crate::ui::shell::folder_dialog::{FileRequest, ask};
use crate::worker::Waker;

const ENDING: &str = "rhai";

/// The outcome of a file operation.
pub enum FileResult {
    /// The text of a file and its name.
    Opened(String, String),
    /// The path where the text was saved, and its name from now on.
    Saved(PathBuf, String),
    /// An error in one sentence.
    Failed(String),
    /// The system has no file dialog.
    NoDialog,
}

/// Tracks a file that is being chosen, read or written.
pub struct FileWork {
    answer: Receiver<Option<FileResult>>,
    requested_at: Instant,
}

impl FileWork {
    pub fn open(wake: Waker) -> std::io::Result<Self> {
        Ok(Self::waits(ask(
            FileRequest::Open { title: "Text of a network", ending: ENDING },
            |path| opened(&path),
            wake,
        )?))
    }

    pub fn save(text: String, name: &str, wake: Waker) -> std::io::Result<Self> {
        let request = FileRequest::Save { title: "Save the text of the network", name: format!("{name}.{ENDING}") };
        Ok(Self::waits(ask(request, move |path| saved(&path, &text), wake)?))
    }

    /// Reads this file.
    pub fn read(path: PathBuf, wake: Waker) -> std::io::Result<Self> {
        let (send, answer) = bounded(1);
        let work = move || {
            // The receiver is gone once the window has closed.
            let _ = send.send(Some(opened(&path)));
            wake();
        };
        std::thread::Builder::new().name("text of a file".to_owned()).spawn(work)?;
        Ok(Self::waits(answer))
    }

    fn waits(answer: Receiver<Option<FileResult>>) -> Self {
        Self { answer, requested_at: Instant::now() }
    }

    /// Returns the outcome once; empty if the user chose no file.
    pub fn poll(&self) -> Option<Option<FileResult>> {
        match self.answer.try_recv() {
            Err(TryRecvError::Empty) => None,
            Ok(Some(result)) => Some(Some(result)),
            Ok(None) | Err(TryRecvError::Disconnected) => {
                Some((self.requested_at.elapsed() < APPEARS).then_some(FileResult::NoDialog))
            }
        }
    }
}

/// Reads a file.
pub fn opened(path: &Path) -> FileResult {
    let shown = path.display();
    match read(path) {
        Ok(text) => FileResult::Opened(text, name_of(path)),
        Err(why) => FileResult::Failed(format!("{shown} cannot be opened: {why}")),
    }
}

fn read(path: &Path) -> Result<String, String> {
    // Opening a pipe would block, and a device would be read for ever.
    if !fs::metadata(path).map_err(|err| plain(&err))?.is_file() {
        return Err("it is no regular file".to_owned());
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|err| plain(&err))?;
    file.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(|err| plain(&err))?;
    if bytes.len() > MOST_BYTES {
        return Err(format!("it is larger than {} KiB, the most that a text has", MOST_BYTES >> 10));
    }
    let text = String::from_utf8(bytes).map_err(|_| "it is no text in UTF-8".to_owned())?;
    Ok(text.trim_start_matches('\u{feff}').replace("\r\n", "\n"))
}

/// Writes a file.
pub fn saved(path: &Path, text: &str) -> FileResult {
    match fs::write(path, text) {
        Ok(()) => FileResult::Saved(path.to_owned(), name_of(path)),
        Err(err) => FileResult::Failed(format!("{} cannot be written: {}", path.display(), plain(&err))),
    }
}

/// Returns the system's message without its error number.
fn plain(err: &std::io::Error) -> String {
    err.to_string().split(" (os error").next().unwrap_or_default().to_owned()
}

fn name_of(path: &Path) -> String {
    path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}
