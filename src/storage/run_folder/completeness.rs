//! Checks whether a run has ended, and whether its files confirm the recorded end.
//!
//! Guarantee: a folder that has lost lines or Grams since its run ended does not count as ended, whatever the cause: a full
//! disk, another program, a version without this check.

use std::fs;
use std::path::Path;

use super::files::{INITIAL, MODEL};
use super::info::{INFO, StoredInfo};
use super::kernels;
use super::table_reader::{Lines, whole};
use super::table_writer::{ending_of, kind};
use super::tables::{EVENTS, EventLine, METRICS, RowLine as _};
use crate::run::{Accuracy, Ending};
use crate::storage::format::table::lines_in;

/// Returns the recorded ending of the run in this folder; `None` when it was cut off.
pub(crate) fn ending(out: &Path) -> Option<Ending> {
    let mut lines = Lines::open(&out.join(EVENTS)).ok()?;
    let mut last = None;
    while let Some(line) = lines.next() {
        last = line;
    }
    let line: EventLine = last?.deserialize(Some(&lines.header)).ok()?;
    if line.event == kind::ENDED { ending_of(line.step, &line.detail) } else { None }
}

/// Returns the ending of the run in this folder, if its files are still complete.
pub(crate) fn whole_ending(out: &Path) -> Option<Ending> {
    ending(out).filter(|ending| lost(out, ending).is_none())
}

/// Returns the file of an ended run that has since lost a part, if there is one.
pub(crate) fn lost(out: &Path, ending: &Ending) -> Option<String> {
    let had = StoredInfo::read(&out.join(INFO)).unwrap_or_default().ended_with;
    if !had.is_empty() {
        let has = |name: &str| {
            let path = out.join(name);
            if name.ends_with(".csv") { lines_in(&path) } else { fs::metadata(path).map(|found| found.len()) }
        };
        // A user who is short of room may have removed these, and no figure of a study needs them.
        let is_spared = |name: &str| [kernels::KERNELS, MODEL, INITIAL].contains(&name);
        let lacks = |(name, size): &(String, u64)| has(name).map_or(!is_spared(name), |found| found < *size);
        return had.into_iter().find(lacks).map(|(name, _)| name);
    }
    // Older versions did not store sizes: a run that finished has measured its last step, with a Gram for each row.
    let Ending::Finished { step } = ending else { return None };
    let (rows, last) = rows(&out.join(METRICS));
    if last != Some(*step) {
        return Some(METRICS.to_owned());
    }
    if self::rows(&out.join(Accuracy::FILE)).1 != Some(*step) {
        return Some(Accuracy::FILE.to_owned());
    }
    (1..rows).contains(&kernels::count_in(out)).then(|| kernels::KERNELS.to_owned())
}

/// Counts the snapshots of the run in this folder.
pub(crate) fn snapshots(out: &Path) -> usize {
    rows(&out.join(METRICS)).0
}

/// Returns the number of snapshots in a table, 0 if it has no column of blocks, and the step of the last readable line.
fn rows(path: &Path) -> (usize, Option<u64>) {
    let Ok(mut lines) = Lines::open(path) else { return (0, None) };
    let [block, step] = ["block", "step"].map(|name| lines.column(name));
    let (mut count, mut last) = (0, None);
    while let Some(line) = lines.next() {
        let Some(line) = line else { continue };
        count += usize::from(block.and_then(|block| line.get(block)) == Some("all"));
        last = whole(&line, step).or(last);
    }
    (count, last)
}
