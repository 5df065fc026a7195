//! Reads and writes the small file in which a program keeps its state between sessions.
//!
//! Guarantees: reading tolerates any content of the file; an unreadable file is renamed, not overwritten; writing leaves
//! the old file or the new one.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::format::errors::FolderError;
use super::format::{atomic, disk};
use super::state_dir::state_folder;

const NAME: &str = "window.toml";
const ASIDE: &str = "window-broken.toml";
/// The largest size that is read; this program writes no larger file.
const MOST: u64 = 1 << 20;

/// The path of the state file, which may not exist yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowStateFile {
    folder: PathBuf,
}

impl WindowStateFile {
    /// Returns the state file of this user; `None` where nothing is to be stored or the system has no place for it.
    pub fn of_user() -> Option<Self> {
        state_folder().map(|folder| Self::in_folder(&folder))
    }

    /// Returns the state file in this folder, which may not exist yet.
    pub fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Returns the folder of the file.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Reads the file; `None` where it does not exist.
    ///
    /// # Errors
    /// When the path holds anything but readable text.
    pub fn read(&self) -> io::Result<Option<String>> {
        let path = self.folder.join(NAME);
        match fs::metadata(&path) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
            // A pipe under this name would keep the window waiting for ever.
            Ok(found) if !found.is_file() => return Err(io::Error::other("it is no file")),
            Ok(found) if found.len() > MOST => return Err(io::Error::other("it is too large")),
            _ => {}
        }
        fs::read_to_string(&path).map(Some)
    }

    /// Renames the file to set it aside, and returns the new name if that worked.
    pub fn put_aside(&self) -> Option<&'static str> {
        fs::rename(self.folder.join(NAME), self.folder.join(ASIDE)).is_ok().then_some(ASIDE)
    }

    /// Writes the file, and creates its folder.
    ///
    /// # Errors
    /// When the folder cannot be created or written to.
    pub fn write(&self, text: &str) -> Result<(), FolderError> {
        let path = self.folder.join(NAME);
        disk::make_folder(&self.folder).map_err(|err| FolderError::write(&self.folder, err))?;
        atomic::sweep(&self.folder);
        atomic::replace(&path, |file| file.write_all(text.as_bytes()))
    }
}
