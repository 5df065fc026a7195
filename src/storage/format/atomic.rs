//! Replaces files atomically: a reader finds the old file or the new one, never a part of one.
//!
//! Guarantees: a file is written under a temporary name in its folder and renamed when it is complete; a kill leaves the
//! old file, and at worst a temporary file that [`sweep`] removes. Without this a reader could meet half a spec. Only a
//! regular file is ever replaced: a device, a pipe or a folder under the name is an error, and a link stays and leads to
//! the new file.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::disk;
use super::errors::FolderError;

/// The file that says which process writes a folder.
pub const CLAIM: &str = "claim.toml";

/// The prefix of the names of this program's temporary files.
const PREFIX: &str = ".kernelscope-";
const SUFFIX: &str = ".tmp";
/// In an unlocked folder, a temporary file that was not written to for this long belongs to a killed process.
const ABANDONED: Duration = Duration::from_secs(600);

/// Writes a file as a whole: `fill` gets a buffered writer, and the file appears under its name once `fill` is done.
pub(crate) fn replace<T>(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>,
) -> Result<T, FolderError> {
    let write = || {
        let target = replaceable(path)?;
        let (temporary, made) = filled(folder_of(&target), fill)?;
        let temporary = unless_broken(temporary, &target)?;
        temporary.persist(&target).map_err(|err| err.error)?;
        Ok(made)
    };
    write().map_err(|source| FolderError::write(path, source))
}

/// Replaces a file like [`replace`], but syncs the new one to disk before the old one is removed.
pub(crate) fn replace_for_good<T>(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>,
) -> Result<T, FolderError> {
    replace(path, |writer| {
        let made = fill(writer)?;
        writer.flush()?;
        match writer.get_ref().sync_all() {
            // Some file systems do not support syncing.
            Err(err) if !matches!(err.kind(), io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput) => Err(err),
            _ => Ok(made),
        }
    })
}

/// Makes a second name of a file, in place of what has that name.
pub(crate) fn link(file: &Path, path: &Path) -> io::Result<()> {
    let target = replaceable(path)?;
    disk::step(&target)?;
    let make = |temporary: &Path| fs::hard_link(file, temporary);
    let temporary = tempfile::Builder::new().prefix(PREFIX).suffix(SUFFIX).make_in(folder_of(&target), make)?;
    temporary.into_temp_path().persist(&target).map_err(|err| err.error)
}

/// Returns the path to which a file of this name is written: the target, for a link.
///
/// # Errors
/// When the path holds something other than a regular file, or the link leads nowhere.
pub(crate) fn replaceable(path: &Path) -> io::Result<PathBuf> {
    let other = |why: &str| io::Error::other(why.to_owned());
    let target = match fs::symlink_metadata(path) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(path.to_owned()),
        Err(err) => return Err(err),
        Ok(found) if !found.is_symlink() => path.to_owned(),
        Ok(_) => fs::canonicalize(path).map_err(|_| other("it is a link that leads nowhere"))?,
    };
    let found = fs::metadata(&target)?;
    match found.is_file() {
        true => Ok(target),
        false if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        false => Err(other("it is no regular file, and is not replaced")),
    }
}

/// Writes a new file as a whole, `stem.ending`, into a folder that is created if need be; where a file has that name,
/// `stem-2.ending` and so on: no file is ever overwritten. Returns its path.
pub fn write_new(
    folder: &Path,
    stem: &str,
    ending: &str,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<PathBuf, FolderError> {
    let write = || {
        disk::make_folder(folder)?;
        sweep_old(folder, ABANDONED);
        let (temporary, ()) = filled(folder, fill)?;
        let mut temporary = unless_broken(temporary, folder)?;
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

/// Returns a temporary file in this folder, filled with its contents.
fn filled<T>(
    folder: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>,
) -> io::Result<(tempfile::NamedTempFile, T)> {
    let temporary = empty(folder)?;
    let mut writer = BufWriter::with_capacity(1 << 16, temporary.reopen()?);
    let made = fill(&mut writer)?;
    writer.flush()?;
    drop(writer);
    let temporary = unless_broken(temporary, folder)?;
    Ok((temporary, made))
}

fn empty(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    disk::step(folder)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    // tempfile's own default lets only the owner read; a run folder is readable as the umask allows.
    #[cfg(unix)]
    let builder = builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// Returns the temporary file, unless a test makes the next write fail: then the file stays where it is, as after a kill.
fn unless_broken(temporary: tempfile::NamedTempFile, path: &Path) -> io::Result<tempfile::NamedTempFile> {
    match disk::step(path) {
        Ok(()) => Ok(temporary),
        Err(err) => {
            temporary.keep().map_err(|err| err.error)?;
            Err(err)
        }
    }
}

/// Checks that files can be created in this folder.
pub(crate) fn check_folder(folder: &Path) -> io::Result<()> {
    empty(folder).map(drop)
}

/// Returns the folder in which this file lies.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Returns whether this is a file that a killed [`replace`] left.
pub(crate) fn is_temporary(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX))
}

/// Returns whether this folder is empty but for a claim and files that a kill before the first complete file leaves.
pub(crate) fn is_bare(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return true };
    entries.flatten().map(|entry| entry.file_name()).all(|name| name == CLAIM || is_temporary(&name))
}

/// Removes the files that a killed [`replace`] may have left in this folder, which is locked: no other process writes
/// there.
pub(crate) fn sweep(folder: &Path) {
    sweep_old(folder, Duration::ZERO);
}

/// Removes the files that a killed [`replace`] may have left in a folder in which other processes may be writing: those that
/// were not written to for a while.
pub(crate) fn sweep_abandoned(folder: &Path) {
    sweep_old(folder, ABANDONED);
}

/// Removes such files if they were not written to for this long.
fn sweep_old(folder: &Path, idle: Duration) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let is_old = |entry: &fs::DirEntry| {
        let written = entry.metadata().and_then(|found| found.modified()).ok();
        idle.is_zero() || written.and_then(|time| time.elapsed().ok()).is_some_and(|since| since >= idle)
    };
    let ours = entries.flatten().filter(|entry| is_temporary(&entry.file_name()) && is_old(entry));
    let paths: Vec<PathBuf> = ours.map(|entry| entry.path()).collect();
    for path in paths {
        // A leftover that cannot be removed does no harm.
        let _ = disk::remove(&path);
    }
}

/// Removes a file; a missing file is no error.
pub(crate) fn remove(path: &Path) -> Result<(), FolderError> {
    disk::remove(path).map_err(|err| FolderError::write(path, err))
}
