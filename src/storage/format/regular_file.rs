//! Reads foreign files as a whole: regular files only, and only those that fit into memory.
//!
//! A pipe under a file's name keeps its reader waiting for ever, `/dev/zero` never ends, and a sparse file claims
//! terabytes without having them. Each is refused here before a byte of it is read.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use crate::spec::memory_available;

/// Opens a regular file; links are followed.
///
/// # Errors
/// When there is no file, or the path leads to something else: a folder, a pipe, a device.
pub fn open_regular(path: &Path) -> io::Result<File> {
    // The type is checked before opening, because opening a pipe waits for its other end.
    check_regular(&fs::metadata(path)?)?;
    let file = File::open(path)?;
    check_regular(&file.metadata()?)?;
    Ok(file)
}

/// Reads a regular file whole, if memory can hold twice its size.
///
/// # Errors
/// When it cannot be read, is no regular file, or is too large.
pub fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = open_regular(path)?;
    let length = file.metadata()?.len();
    let free = memory_available();
    if length > free / 2 {
        let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
        let message = format!("it has {:.1} GiB, and {:.1} GiB of memory are free", gib(length), gib(free));
        return Err(io::Error::new(io::ErrorKind::OutOfMemory, message));
    }
    let mut bytes = Vec::new();
    let room = usize::try_from(length).map_err(io::Error::other)?;
    bytes.try_reserve_exact(room).map_err(|_| io::ErrorKind::OutOfMemory)?;
    // The limit is the length at opening: a growing file would be read for ever.
    (&mut file).take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn check_regular(found: &fs::Metadata) -> io::Result<()> {
    if found.is_file() {
        return Ok(());
    }
    let what = if found.is_dir() { "it is a folder" } else { "it is a pipe or a device, which has no end" };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{what}: give a file")))
}
