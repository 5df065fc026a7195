//! Manages the folder of autosaved runs: makes room for the next one, and finds out whether the last one was cut off.
//!
//! Guarantees: a folder is named after the time, in UTC, so that names sort by start; a run that another window writes is
//! neither listed nor removed, and the run on offer is not removed.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::spec::{Spec, preset_of};
use crate::storage::claim::{claim, is_claimed};
use crate::storage::figure_files;
use crate::storage::format::errors::FolderError;
use crate::storage::run_folder::completeness::ending;
use crate::storage::run_folder::create::{Opened, create};
use crate::storage::run_folder::files::{clear, files};
use crate::storage::run_folder::tables::METRICS;

/// The largest number of autosaved runs, the current one included.
pub(crate) const KEPT: usize = 3;

/// A run that was cut off.
#[derive(Clone, Debug, PartialEq)]
pub struct CutOff {
    pub folder: PathBuf,
    /// The name of its preset, or a word for settings of the user's own.
    pub name: String,
    /// The epoch of its last snapshot.
    pub epoch: f64,
}

/// The folder of autosaved runs.
#[derive(Debug)]
pub(crate) struct Shelf {
    folder: PathBuf,
    /// The last run, if it was found cut off when the folder was opened.
    pub(crate) cut_off: Option<CutOff>,
    /// Names and folders of the earlier runs that no process was writing when the folder was opened, the last one first.
    pub(crate) earlier: Vec<(String, PathBuf)>,
}

impl Shelf {
    pub(crate) fn open(folder: PathBuf) -> Self {
        // A run that was killed before anything was measured is not offered, and does not hide an earlier one.
        let looked_at = |run: PathBuf| Some((last_epoch(&run)?, !is_claimed(&run), run));
        let measured: Vec<(f64, bool, PathBuf)> = runs(&folder).into_iter().rev().filter_map(looked_at).collect();
        let last = measured.first().filter(|(_, is_free, run)| *is_free && ending(run).is_none());
        let cut_off = last.map(|(epoch, _, run)| CutOff { folder: run.clone(), name: preset_in(run), epoch: *epoch });
        let free = measured.into_iter().filter(|(_, is_free, _)| *is_free);
        let earlier = free.map(|(.., run)| (name_with_time(&run), run)).collect();
        Self { folder, cut_off, earlier }
    }

    /// Opens a folder for a run that begins now, and removes the folders of the oldest runs.
    pub(crate) fn make_room(&self, spec: &Spec, now: Timestamp) -> Result<(PathBuf, Opened), FolderError> {
        let name = preset_of(spec).map_or(OWN, |preset| preset.name);
        let named = |time: Timestamp| self.folder.join(format!("{}Z-{name}", time.strftime("%Y%m%d-%H%M%S%.3f")));
        let mut time = now;
        let mut path = named(time);
        // Two windows may start a run at the same moment: only a folder that did not exist before belongs to this one.
        while path.exists()
            && let Ok(later) = time.checked_add(SignedDuration::from_millis(1))
        {
            time = later;
            path = named(time);
        }
        let opened = create(&path, spec, false)?;
        let old = runs(&self.folder);
        for run in old.iter().rev().skip(KEPT) {
            let is_offered = self.cut_off.as_ref().is_some_and(|cut_off| cut_off.folder == *run);
            if !is_offered && let Err(err) = remove(run) {
                log::info!("{err}");
            }
        }
        Ok((path, opened))
    }
}

/// The name of a run without a preset.
const OWN: &str = "own";
/// The format of the time in a folder's name, in UTC.
const TIME: &str = "%Y%m%d-%H%M%S%.f";

/// Returns the preset in a folder's name, or [`OWN`] if the settings were the user's own.
fn preset_in(run: &Path) -> String {
    let name = run.file_name().and_then(|name| name.to_str()?.split_once("Z-")).map_or("", |name| name.1);
    if name == OWN { "own settings" } else { name }.to_owned()
}

/// Returns the name of a run with the time of its start, in the local time zone.
fn name_with_time(run: &Path) -> String {
    let time = run.file_name().and_then(|name| DateTime::strptime(TIME, name.to_str()?.split_once("Z-")?.0).ok());
    let zoned = time.and_then(|time| time.to_zoned(TimeZone::UTC).ok());
    let here = zoned.map(|zoned| zoned.with_time_zone(TimeZone::system()).strftime(", %-d %b %H:%M").to_string());
    preset_in(run) + here.unwrap_or_default().as_str()
}

/// Returns the folders of runs, oldest first; folders with other names are left out, because other programs made them.
fn runs(folder: &Path) -> Vec<PathBuf> {
    let is_ours = |name: &str| {
        let time = name.split_once("Z-").map_or("", |parts| parts.0);
        time.len() == "20260101-000000.000".len()
            && time.bytes().all(|byte| byte.is_ascii_digit() || b"-.".contains(&byte))
    };
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let ours = entries.flatten().filter(|entry| entry.file_name().to_str().is_some_and(is_ours));
    let mut paths: Vec<PathBuf> = ours.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    paths.sort();
    paths
}

/// Removes a run that no process writes, and its folder if nothing else is in it.
fn remove(run: &Path) -> Result<(), FolderError> {
    // A run that another window writes is removed at a later start.
    if is_claimed(run) {
        return Ok(());
    }
    let claim = claim(run)?;
    clear(run)?;
    drop(claim);
    // A file of another program keeps the folder.
    let _ = fs::remove_dir(run.join(figure_files::FOLDER));
    let _ = fs::remove_dir(run);
    Ok(())
}

/// Returns the epoch of the last snapshot in the table, read from its end; `None` where there is no snapshot.
fn last_epoch(run: &Path) -> Option<f64> {
    let read = || -> io::Result<String> {
        let mut file = File::open(run.join(METRICS))?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(1 << 16)))?;
        let mut end = Vec::new();
        file.take(1 << 16).read_to_end(&mut end)?;
        Ok(String::from_utf8_lossy(&end).into_owned())
    };
    let text = read().ok()?;
    // Text after the last line break is an incomplete line.
    let (lines, _) = text.rsplit_once('\n')?;
    lines.rsplit('\n').next()?.split(',').nth(1)?.parse().ok()
}

/// Returns the number of bytes of a run's tables.
pub(crate) fn table_bytes(run: &Path) -> u64 {
    let tables = files().filter(|name| name.ends_with(".csv"));
    tables.filter_map(|name| fs::metadata(run.join(name)).ok()).map(|table| table.len()).sum()
}
