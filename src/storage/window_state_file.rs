//! Reads and writes the small file in which a program keeps its state between sessions.
//!
//! Guarantees: reading tolerates anything under the file's name; an unreadable file is put aside, not overwritten; writing
//! leaves the old file or the new one.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::format::errors::FolderError;
use super::format::{atomic, disk};
use super::state_dir::state_folder;

const NAME: &str = "window.toml";
const ASIDE: &str = "window-broken.toml";
/// A larger file was not written here.
const MOST: u64 = 1 << 20;

/// The file, whether or not it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowStateFile {
    folder: PathBuf,
}

impl WindowStateFile {
    /// The file of this user; none where nothing is to be kept or the system has no place for it.
    pub fn of_user() -> Option<Self> {
        state_folder().map(|folder| Self::in_folder(&folder))
    }

    /// The file in this folder, which need not be there either.
    pub fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is in it; none where there is no such file.
    ///
    /// # Errors
    /// When something lies there that is no readable text.
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

    /// Gives it another name, under which it stays; that name, if it worked.
    pub fn put_aside(&self) -> Option<&'static str> {
        fs::rename(self.folder.join(NAME), self.folder.join(ASIDE)).is_ok().then_some(ASIDE)
    }

    /// Writes it anew, with its folder.
    ///
    /// # Errors
    /// When the folder cannot be made or written to.
    pub fn write(&self, text: &str) -> Result<(), FolderError> {
        let path = self.folder.join(NAME);
        disk::make_folder(&self.folder).map_err(|err| FolderError::write(&self.folder, err))?;
        atomic::sweep(&self.folder);
        atomic::replace(&path, |file| file.write_all(text.as_bytes()))
    }
}
