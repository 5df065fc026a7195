//! Files that are either the old one or the new one, never half of one.
//!
//! Guarantees: a file is written under a temporary name beside its place and renamed when it is whole; a kill leaves the old
//! one, and at worst a temporary file that [`sweep`] takes away. Without this a reader could meet half a spec.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::FolderError;

/// What the names of our temporary files begin with.
const PREFIX: &str = ".kernelscope-";
/// Where nobody holds a lock, a temporary file that was not written to for so long belongs to somebody who was killed.
const ABANDONED: Duration = Duration::from_secs(600);

/// Writes a file as a whole: `fill` gets a buffered writer, and the file appears under its name once `fill` is done.
pub(super) fn replace<T>(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>,
) -> Result<T, FolderError> {
    let write = || {
        let (temporary, made) = filled(folder_of(path), fill)?;
        temporary.persist(path).map_err(|err| err.error)?;
        Ok(made)
    };
    write().map_err(|source| FolderError::write(path, source))
}

/// Writes a new file as a whole, `stem.ending`, into a folder that is made if need be; where a file has that name, `stem-2.ending`
/// and so on: none is ever written over. Returns its path.
pub fn write_new(
    folder: &Path,
    stem: &str,
    ending: &str,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<PathBuf, FolderError> {
    let write = || {
        fs::create_dir_all(folder)?;
        sweep_old(folder, ABANDONED);
        let (mut temporary, ()) = filled(folder, fill)?;
        let mut number = 1;
        loop {
            let suffix = if number == 1 { String::new() } else { format!("-{number}") };
            let path = folder.join(format!("{stem}{suffix}.{ending}"));
            match temporary.persist_noclobber(&path) {
                Ok(_) => return Ok(path),
                Err(err) if err.error.kind() == io::ErrorKind::AlreadyExists => temporary = err.file,
                Err(err) => return Err(err.error),
            }
            number += 1;
        }
    };
    write().map_err(|source| FolderError::write(&folder.join(format!("{stem}.{ending}")), source))
}

/// A temporary file in this folder with what is to be in it.
fn filled<T>(
    folder: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>,
) -> io::Result<(tempfile::NamedTempFile, T)> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(".tmp");
    // tempfile's own default lets only the owner read; a run folder is for the group, as the umask says.
    #[cfg(unix)]
    let builder = builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let temporary = builder.tempfile_in(folder)?;
    let mut writer = BufWriter::with_capacity(1 << 16, temporary.reopen()?);
    let made = fill(&mut writer)?;
    writer.flush()?;
    drop(writer);
    Ok((temporary, made))
}

/// The folder in which this file lies.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether a killed [`replace`] left this file.
pub(super) fn is_temporary(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(".tmp"))
}

/// Removes what a killed [`replace`] may have left in this folder, which is locked: nobody else writes there.
pub(super) fn sweep(folder: &Path) {
    sweep_old(folder, Duration::ZERO);
}

/// The same of files that were not written to for so long.
fn sweep_old(folder: &Path, idle: Duration) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let is_old = |entry: &fs::DirEntry| {
        let written = entry.metadata().and_then(|found| found.modified()).ok();
        idle.is_zero() || written.and_then(|time| time.elapsed().ok()).is_some_and(|since| since >= idle)
    };
    let ours = entries.flatten().filter(|entry| is_temporary(&entry.file_name()) && is_old(entry));
    let paths: Vec<PathBuf> = ours.map(|entry| entry.path()).collect();
    for path in paths {
        // A leftover that cannot be removed harms nobody.
        let _ = fs::remove_file(path);
    }
}

/// Removes a file; that it is not there is fine.
pub(super) fn remove(path: &Path) -> Result<(), FolderError> {
    match fs::remove_file(path) {
        Err(err) if err.kind() != io::ErrorKind::NotFound => Err(FolderError::write(path, err)),
        _ => Ok(()),
    }
}
