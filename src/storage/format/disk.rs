//! Provides the elementary writes behind every folder: make, create, append, rename, remove, and sync to disk.
//!
//! Guarantees: every write goes through this file, so that a test can make any one and all later ones fail, as after a kill or
//! on a full disk ([`BrokenDisk`]); error texts omit the numbers and temporary names that the system and the libraries put into
//! theirs.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Opens a regular file for reading: a pipe or a device under its name could block the program, or never end.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    File::open(path)
}

/// Reads a regular file as text.
pub(crate) fn text(path: &Path) -> io::Result<String> {
    io::read_to_string(open(path)?)
}

/// Creates a folder with its parents, unless it exists.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    step(path)?;
    fs::create_dir_all(path)
}

/// Creates a file, or empties an existing one.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    step(path)?;
    File::create(path)
}

/// Creates a file that is not there, with these contents: of any number of processes one succeeds, also on a network file
/// system.
pub(crate) fn create_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    step(path)?;
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes).inspect_err(|_| {
        // It is this process's, and of no use.
        let _ = fs::remove_file(path);
    })
}

/// Opens an existing file to read it and to write over its contents.
pub(crate) fn open_to_rewrite(path: &Path) -> io::Result<File> {
    step(path)?;
    OpenOptions::new().read(true).write(true).open(path)
}

/// Appends bytes to an open file; the path is for the tests.
pub(crate) fn append(file: &mut File, path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Err(broken) = step(path) {
        // A full disk takes the part that fits.
        file.write_all(&bytes[..bytes.len() / 2])?;
        return Err(broken);
    }
    file.write_all(bytes)
}

/// Renames a file or a folder, and replaces a file that has the new name.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    step(to)?;
    fs::rename(from, to)
}

/// Removes a file; a missing file is no error.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path).is_err_and(|err| err.kind() == ErrorKind::NotFound) {
        return Ok(());
    }
    step(path)?;
    match fs::remove_file(path) {
        Err(err) if err.kind() != ErrorKind::NotFound => Err(err),
        _ => Ok(()),
    }
}

/// Removes a folder if it is empty; a foreign file keeps it.
pub(crate) fn remove_empty(path: &Path) {
    if path.is_dir() && step(path).is_ok() {
        let _ = fs::remove_dir(path);
    }
}

/// Waits until a file's contents are on the disk: a full or missing disk reports its error here at the latest.
pub(crate) fn sync(path: &Path) -> io::Result<()> {
    step(path)?;
    // Windows requires a writable file handle.
    let synced = OpenOptions::new().write(true).open(path)?.sync_all();
    match synced {
        // Some file systems do not support syncing.
        Err(err) if matches!(err.kind(), ErrorKind::Unsupported | ErrorKind::InvalidInput) => Ok(()),
        other => other,
    }
}

/// Waits until the names in a folder are on the disk, where the system supports it.
pub(crate) fn sync_folder(path: &Path) {
    if cfg!(unix)
        && let Ok(folder) = File::open(path)
    {
        // Not every file system can; the files themselves are on the disk.
        let _ = folder.sync_all();
    }
}

/// Announces a write below this path; returns an error where a test makes it fail.
pub(crate) fn step(path: &Path) -> io::Result<()> {
    if BROKEN.load(Ordering::Relaxed) == 0 {
        return Ok(());
    }
    let faults = FAULTS.lock().unwrap_or_else(PoisonError::into_inner);
    match faults.iter().find(|fault| path.starts_with(&fault.below)) {
        Some(fault) if fault.tried.fetch_add(1, Ordering::Relaxed) >= fault.good => Err(ErrorKind::StorageFull.into()),
        _ => Ok(()),
    }
}

/// The number of [`BrokenDisk`]s in existence.
static BROKEN: AtomicUsize = AtomicUsize::new(0);
static FAULTS: Mutex<Vec<Arc<Fault>>> = Mutex::new(Vec::new());

#[derive(Debug)]
struct Fault {
    below: PathBuf,
    good: usize,
    tried: AtomicUsize,
}

/// Makes the writes below a folder fail until it is dropped, for tests of the state after a kill or on a full disk.
#[derive(Debug)]
pub struct BrokenDisk(Arc<Fault>);

impl BrokenDisk {
    /// Lets the first `good` writes succeed, and none after them.
    pub fn after(below: &Path, good: usize) -> Self {
        let fault = Arc::new(Fault { below: below.to_owned(), good, tried: AtomicUsize::new(0) });
        FAULTS.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&fault));
        BROKEN.fetch_add(1, Ordering::Relaxed);
        Self(fault)
    }

    /// Returns the number of writes tried.
    pub fn tried(&self) -> usize {
        self.0.tried.load(Ordering::Relaxed)
    }
}

impl Drop for BrokenDisk {
    fn drop(&mut self) {
        FAULTS.lock().unwrap_or_else(PoisonError::into_inner).retain(|fault| !Arc::ptr_eq(fault, &self.0));
        BROKEN.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Describes an error as part of a sentence that has named the file.
pub fn words(err: &io::Error) -> String {
    let reason = match err.kind() {
        ErrorKind::NotFound => "there is no such file or folder",
        ErrorKind::PermissionDenied => "permission denied",
        ErrorKind::AlreadyExists => "it is there already",
        ErrorKind::StorageFull => "the disk is full",
        ErrorKind::QuotaExceeded => "the quota of disk space is used up",
        ErrorKind::FileTooLarge => "the file would be larger than is allowed",
        ErrorKind::ReadOnlyFilesystem => "the file system is read-only",
        ErrorKind::NotADirectory => "a part of its path is a file and no folder",
        ErrorKind::IsADirectory => "it is a folder",
        ErrorKind::DirectoryNotEmpty => "the folder is not empty",
        ErrorKind::InvalidFilename => "its name is too long or not allowed",
        _ => return without_numbers(&err.to_string()),
    };
    reason.to_owned()
}

/// Returns the text of a system error without its number, and without the path that the library of temporary files adds.
fn without_numbers(text: &str) -> String {
    let text = text.split(" at path \"").next().unwrap_or(text);
    let text = text.split(" (os error").next().unwrap_or(text);
    one_line(text)
}

/// Puts a text for people on one line.
pub(crate) fn one_line(text: &str) -> String {
    text.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}
