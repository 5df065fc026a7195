//! Reads the Grams of a run folder from disk, one at a time and on demand.
//!
//! Guarantees: the index of the Grams (how many, of which steps) takes a few bytes each, however large they are; a Gram
//! that cannot be read is an error in one sentence and does not affect the others.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::kernel_part::Part;
use crate::storage::format::errors::invalid;
use crate::storage::format::npz::NpzReader;

/// The form in which the Grams are stored.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// The Grams are in one archive, not compressed, with the checksum of each Gram where the archive has them.
    Archive(PathBuf, Option<Vec<i64>>),
    /// Each Gram is in a small file.
    Files(Vec<PathBuf>),
}

/// The location of the Grams of a run.
#[derive(Clone, Debug)]
pub struct Grams {
    place: Place,
    n: usize,
    times: Vec<(u64, f64)>,
    /// The result of verifying the checksum of a whole archive of an older version, once a Gram was read.
    checked: Arc<OnceLock<Result<(), String>>>,
}

impl Grams {
    pub(crate) fn new(place: Place, n: usize, times: Vec<(u64, f64)>) -> Self {
        Self { place, n, times, checked: Arc::default() }
    }

    /// Returns the step and epoch of each Gram, in order.
    pub fn times(&self) -> &[(u64, f64)] {
        &self.times
    }

    /// Returns the number of rows of each Gram, which is the number of its columns.
    pub fn rows(&self) -> usize {
        self.n
    }

    /// Returns the number of bytes of one Gram.
    pub fn bytes(&self) -> u64 {
        8 * (self.n * self.n) as u64
    }

    /// Returns the step and epoch of the Gram that is nearest to an epoch.
    pub fn nearest(&self, epoch: f64) -> Option<(u64, f64)> {
        let gap = |time: &&(u64, f64)| (time.1 - epoch).abs();
        self.times.iter().min_by(|a, b| gap(a).total_cmp(&gap(b))).copied()
    }

    /// Reads the Gram of a step, row-major [n, n].
    ///
    /// # Errors
    /// When there is none or it cannot be read; the error is one sentence.
    pub fn read(&self, step: u64) -> Result<Arc<[f64]>, String> {
        let at = self.times.iter().position(|time| time.0 == step).ok_or("no Gram was kept of this step")?;
        let entries = self.n * self.n;
        let values = match &self.place {
            Place::Archive(path, checks) => {
                if checks.is_none() {
                    self.checked.get_or_init(|| check(path)).clone()?;
                }
                let read = NpzReader::open(path).and_then(|mut npz| npz.part("gram", at * entries, entries));
                match (&read, checks) {
                    (Ok(values), Some(checks)) if checks.get(at) != Some(&i64::from(check_of(values))) => {
                        Err(invalid("its checksum does not match: the file is damaged".to_owned()))
                    }
                    _ => read,
                }
            }
            Place::Files(paths) => Part::read(&paths[at], self.n, true).map(|part| part.gram),
        };
        values.map(Into::into).map_err(|err| err.to_string())
    }
}

/// Returns the checksum of the bytes of a Gram.
pub(crate) fn check_of(values: &[f64]) -> u32 {
    let mut check = flate2::Crc::new();
    values.iter().for_each(|value| check.update(&value.to_le_bytes()));
    check.sum()
}

/// Reads all Grams of an archive to verify its checksum: single Grams of an older version have none.
fn check(path: &Path) -> Result<(), String> {
    NpzReader::open(path).and_then(|mut npz| npz.check("gram")).map_err(|err| err.to_string())
}
