//! Writes one table of a run folder while lines are added to it.
//!
//! Guarantees: nothing is written after a failed write; a file that another program has removed or changed is noticed at
//! the next flush.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::disk;
use super::errors::FolderError;

/// A csv file to which lines are appended.
///
/// Lines wait in memory until [`Table::flush`]. After a failed write no more are written, because the table would have a
/// gap.
#[derive(Debug)]
pub(crate) struct Table {
    path: PathBuf,
    file: File,
    waiting: csv::Writer<Vec<u8>>,
    /// The length in bytes and the number of lines of the file.
    length: u64,
    lines: u64,
    broken: bool,
}

impl Table {
    /// Creates the file with its header.
    pub(crate) fn create(path: PathBuf, columns: &[&str]) -> Result<Self, FolderError> {
        let file = disk::create(&path).map_err(|err| FolderError::write(&path, err))?;
        let mut table = Self { path, file, waiting: lines(), length: 0, lines: 0, broken: false };
        table.push(columns)?;
        table.flush()?;
        Ok(table)
    }

    /// Opens the file to continue at its end.
    pub(crate) fn append(path: PathBuf) -> Result<Self, FolderError> {
        let open = || {
            let file = OpenOptions::new().append(true).open(&path)?;
            let (length, lines) = (file.metadata()?.len(), lines_in(&path)?);
            Ok((file, length, lines))
        };
        let (file, length, count) = open().map_err(|err| FolderError::write(&path, err))?;
        Ok(Self { path, file, waiting: lines(), length, lines: count, broken: false })
    }

    pub(crate) fn push<C: AsRef<[u8]>>(&mut self, cells: impl IntoIterator<Item = C>) -> Result<(), FolderError> {
        self.waiting.write_record(cells).map_err(|err| FolderError::write(&self.path, err.into()))
    }

    /// Adds a line whose fields are the columns.
    pub(crate) fn serialize(&mut self, line: impl Serialize) -> Result<(), FolderError> {
        self.waiting.serialize(line).map_err(|err| FolderError::write(&self.path, err.into()))
    }

    /// Passes all lines to the operating system, where a kill of the program no longer loses them, and checks that the
    /// file is still what was written.
    pub(crate) fn flush(&mut self) -> Result<(), FolderError> {
        let done = if self.broken { Err(io::Error::other("a write before this one failed")) } else { self.hand_over() };
        self.broken = done.is_err();
        done.map_err(|err| FolderError::write(&self.path, err))
    }

    fn hand_over(&mut self) -> io::Result<()> {
        let waiting = std::mem::replace(&mut self.waiting, lines()).into_inner();
        let bytes = waiting.map_err(|err| io::Error::other(err.to_string()))?;
        if !bytes.is_empty() {
            disk::append(&mut self.file, &self.path, &bytes)?;
            self.length += bytes.len() as u64;
            self.lines += ends_in(&bytes);
        }
        match fs::metadata(&self.path) {
            Ok(found) if found.is_file() && found.len() == self.length => Ok(()),
            Err(err) if err.kind() != io::ErrorKind::NotFound => Err(err),
            _ => Err(io::Error::other("another program removed or changed it during the run")),
        }
    }

    /// Syncs the file to disk, unless it has only a header.
    pub(crate) fn sync(&mut self) -> Result<(), FolderError> {
        self.flush()?;
        if self.lines == 1 {
            return Ok(());
        }
        disk::sync(&self.path).map_err(|err| FolderError::write(&self.path, err))
    }

    /// Returns the name of the file and its number of lines.
    pub(crate) fn size(&self) -> (String, u64) {
        (self.path.file_name().unwrap_or_default().to_string_lossy().into_owned(), self.lines)
    }
}

fn lines() -> csv::Writer<Vec<u8>> {
    // The header is written when the file is created, before the first line.
    csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new())
}

/// Counts the complete lines of a table.
pub(crate) fn lines_in(path: &Path) -> io::Result<u64> {
    let (mut file, mut chunk, mut count) = (disk::open(path)?, vec![0; 1 << 16], 0);
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(count),
            size => count += ends_in(&chunk[..size]),
        }
    }
}

fn ends_in(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&byte| byte == b'\n').count() as u64
}
