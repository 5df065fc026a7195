//! Selects the Grams of a run that stay on disk within a limit of bytes.
//!
//! Guarantees: the Grams that stay are evenly spaced, and their distance doubles whenever the bytes are used up; the Gram
//! at the exact step of a switch stays as long as there is room for it, and the first always does. A Gram that alone
//! would take an eighth of the bytes is not written at all. Every row stays: only the pictures grow coarser, not the
//! curves.

use crate::run::Snapshot;

/// A Gram that was written.
#[derive(Debug)]
struct Kept {
    /// Its index among all snapshots, and the number of its file.
    place: usize,
    number: usize,
    bytes: u64,
    at_switch: bool,
}

/// The budget of bytes, and the Grams that use it.
#[derive(Debug)]
pub(crate) struct Budget {
    /// The limit in bytes; `None` where all Grams stay.
    limit: Option<u64>,
    every: usize,
    snapshots: usize,
    kept: Vec<Kept>,
}

impl Budget {
    pub(crate) fn new(limit: Option<u64>) -> Self {
        Self { limit, every: 1, snapshots: 0, kept: Vec::new() }
    }

    /// Goes on with the files of these numbers and bytes.
    pub(crate) fn going_on(limit: Option<u64>, files: &[(usize, u64)]) -> Self {
        let kept = |(place, &(number, bytes)): (usize, &(usize, u64))| Kept { place, number, bytes, at_switch: false };
        Self { snapshots: files.len(), kept: files.iter().enumerate().map(kept).collect(), ..Self::new(limit) }
    }

    /// Returns whether the next snapshot's Gram is to be written.
    pub(crate) fn admits_next(&self, snapshot: &Snapshot) -> bool {
        let Some(most) = self.limit else { return true };
        let wanted = self.snapshots.is_multiple_of(self.every) || snapshot.row.at_switch;
        wanted && snapshot.file_bytes() <= most / 8
    }

    /// Skips the next snapshot.
    pub(crate) fn skip(&mut self) {
        self.snapshots += 1;
    }

    /// Records that the next snapshot's Gram is in the file of this number, which has this many other bytes; returns the
    /// numbers of the files to be removed.
    pub(crate) fn record(&mut self, number: usize, snapshot: &Snapshot, beside: u64) -> Vec<usize> {
        let Some(most) = self.limit else { return Vec::new() };
        let (place, at_switch) = (self.snapshots, snapshot.row.at_switch);
        self.kept.push(Kept { place, number, bytes: snapshot.file_bytes() + beside, at_switch });
        self.snapshots += 1;
        let mut gone = Vec::new();
        while self.bytes() > most && self.every <= self.snapshots {
            self.every *= 2;
            let every = self.every;
            let (stay, go) = self.kept.drain(..).partition(|kept| kept.place.is_multiple_of(every) || kept.at_switch);
            self.kept = stay;
            gone.extend(go);
        }
        while self.bytes() > most && self.kept.len() > 1 {
            gone.push(self.kept.remove(1));
        }
        gone.into_iter().map(|kept: Kept| kept.number).collect()
    }

    fn bytes(&self) -> u64 {
        self.kept.iter().map(|kept| kept.bytes).sum()
    }
}
