//! The log of a watched folder: a line for each step, appended by one program while another reads.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::probes::MOST_TASKS;
use crate::spec::memory_available;

/// The number of steps that a file's name has room for.
const MOST_STEPS: u64 = 1_000_000_000_000;

/// A line of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedStep {
    pub step: u64,
    /// The task being trained, by number from 1.
    pub task: usize,
    pub loss: Option<f64>,
    pub rate: Option<f64>,
    pub grad_norm: Option<f64>,
    /// A number made from the text of the line: a step that was saved anew has another.
    pub mark: u64,
}

/// The numbers of a line that are shown; others are left alone.
#[derive(Deserialize)]
struct Line {
    step: u64,
    task: Option<u64>,
    loss: Option<f64>,
    rate: Option<f64>,
    lr: Option<f64>,
    grad_norm: Option<f64>,
}

/// What a look at the log has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Nothing,
    Grown,
    /// Lines are gone, too.
    Rewritten,
}

/// The log as far as it was read.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    /// In order of steps.
    pub lines: Vec<LoggedStep>,
    /// Bytes of whole lines that were read, and the last of them.
    read: u64,
    last: Vec<u8>,
    /// Whether it was ever read.
    is_read: bool,
}

impl Log {
    pub fn new(path: PathBuf) -> Self {
        Self { path, lines: Vec::new(), read: 0, last: Vec::new(), is_read: false }
    }

    /// Returns whether it was ever read: one that was not says nothing of what is in it.
    pub fn is_read(&self) -> bool {
        self.is_read
    }

    /// Reads what is new. A log that is not there or cannot be read is as it was: on a network file system that happens for a
    /// moment, and nothing may count as taken back for it.
    pub fn look(&mut self) -> Change {
        self.read_on().unwrap_or_else(|err| {
            log::debug!("{}: {err}", self.path.display());
            Change::Nothing
        })
    }

    fn read_on(&mut self) -> io::Result<Change> {
        let mut file = open(&self.path)?;
        let length = file.metadata()?.len();
        if length == self.read && self.still_ends(&mut file)? {
            return Ok(Change::Nothing);
        }
        let is_first = !std::mem::replace(&mut self.is_read, true);
        // A writer that starts again replaces the log by one with fewer lines: then the last line is no longer where it was.
        if length > self.read && self.still_ends(&mut file)? {
            let bytes = rest(&mut file, self.read, length)?;
            let before = self.lines.len();
            let removed = self.take(&bytes);
            return Ok(match (removed, self.lines.len() > before) {
                (true, _) => Change::Rewritten,
                _ if is_first => Change::Rewritten,
                (false, true) => Change::Grown,
                (false, false) => Change::Nothing,
            });
        }
        let bytes = rest(&mut file, 0, length)?;
        (self.lines, self.read, self.last) = (Vec::new(), 0, Vec::new());
        self.take(&bytes);
        Ok(Change::Rewritten)
    }

    /// Returns whether the last line that was read is where it was.
    fn still_ends(&self, file: &mut File) -> io::Result<bool> {
        let start = self.read - self.last.len() as u64;
        Ok(rest(file, start, self.read)? == self.last)
    }

    /// Takes the whole lines among these bytes, which follow those that were read; returns whether they take earlier ones back.
    fn take(&mut self, bytes: &[u8]) -> bool {
        let mut removed = false;
        // What follows the last line break is being written.
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        for text in bytes[..whole].split_inclusive(|byte| *byte == b'\n') {
            self.last = text.to_vec();
            let Some(line) = parsed(text) else { continue };
            let kept = self.lines.partition_point(|earlier| earlier.step < line.step);
            removed |= kept < self.lines.len();
            self.lines.truncate(kept);
            self.lines.push(line);
        }
        self.read += whole as u64;
        removed
    }
}

/// Opens a regular file.
fn open(path: &Path) -> io::Result<File> {
    crate::storage::format::regular_file::open_regular(path)
}

/// The bytes of a file from one place to another, as many as are there.
fn rest(file: &mut File, from: u64, to: u64) -> io::Result<Vec<u8>> {
    if to.saturating_sub(from) > memory_available() / 4 {
        return Err(io::Error::new(io::ErrorKind::OutOfMemory, "the log does not fit into memory"));
    }
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(to.saturating_sub(from)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The line, unless it is none: somebody else's line is left alone.
fn parsed(text: &[u8]) -> Option<LoggedStep> {
    let line: Line = serde_json::from_slice(text).ok()?;
    let task = usize::try_from(line.task.unwrap_or(0)).ok()? + 1;
    (line.step < MOST_STEPS && task <= MOST_TASKS).then(|| LoggedStep {
        step: line.step,
        task,
        loss: line.loss,
        rate: line.rate.or(line.lr),
        grad_norm: line.grad_norm,
        mark: mark(text.trim_ascii_end()),
    })
}

/// A number made from these bytes (FNV-1a).
fn mark(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |mark, byte| (mark ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}
