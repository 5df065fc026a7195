//! The Grams of a run folder where they lie: read one at a time, when somebody looks.
//!
//! Guarantees: what is known of them (how many, of which steps) fits in a few bytes each, however large they are; a Gram that
//! cannot be read is an error in words and harms no other.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::npz::NpzReader;
use super::part::Part;

/// In which of the two forms they are.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// One archive, not compressed.
    Archive(PathBuf),
    /// A small file each.
    Files(Vec<PathBuf>),
}

/// Where the Grams of a run are.
#[derive(Clone, Debug)]
pub struct Grams {
    place: Place,
    n: usize,
    times: Vec<(u64, f64)>,
    /// What came of comparing the checksum of the archive, once somebody looked.
    checked: Arc<OnceLock<Result<(), String>>>,
}

impl Grams {
    pub(super) fn new(place: Place, n: usize, times: Vec<(u64, f64)>) -> Self {
        Self { place, n, times, checked: Arc::default() }
    }

    /// Step and epoch of each, in order.
    pub fn times(&self) -> &[(u64, f64)] {
        &self.times
    }

    /// Rows of each, which are its columns.
    pub fn rows(&self) -> usize {
        self.n
    }

    /// Bytes of one.
    pub fn bytes(&self) -> u64 {
        8 * (self.n * self.n) as u64
    }

    /// Step and epoch of the Gram that is nearest to an epoch.
    pub fn nearest(&self, epoch: f64) -> Option<(u64, f64)> {
        let gap = |time: &&(u64, f64)| (time.1 - epoch).abs();
        self.times.iter().min_by(|a, b| gap(a).total_cmp(&gap(b))).copied()
    }

    /// Reads the Gram of a step, row-major [n, n].
    ///
    /// # Errors
    /// When there is none or it cannot be read, in words.
    pub fn read(&self, step: u64) -> Result<Arc<[f64]>, String> {
        let at = self.times.iter().position(|time| time.0 == step).ok_or("no Gram was kept of this step")?;
        let entries = self.n * self.n;
        let values = match &self.place {
            Place::Archive(path) => {
                self.checked.get_or_init(|| check(path)).clone()?;
                NpzReader::open(path).and_then(|mut npz| npz.part("gram", at * entries, entries))
            }
            Place::Files(paths) => Part::read(&paths[at], self.n, true).map(|part| part.gram),
        };
        values.map(Into::into).map_err(|err| err.to_string())
    }
}

/// Reads all Grams of an archive for their checksum: a single one has none.
fn check(path: &Path) -> Result<(), String> {
    NpzReader::open(path).and_then(|mut npz| npz.check("gram")).map_err(|err| err.to_string())
}
