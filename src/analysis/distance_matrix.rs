//! Computes the distances between the kernels of one block at all pairs of times, incrementally while a run continues.
//!
//! All pairs of 256 kernels take a good part of a second; the distances between kernels that are still shown are kept, so a
//! new snapshot costs one row.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::math::Gram;
use crate::math::distance::{Centring, Normalised};
use crate::run::{History, Snapshot};

/// The most kernels, besides those at switches, and the most bytes of all of them together.
const MOST: usize = 256;
const MOST_BYTES: usize = 64 << 20;

/// The distances S = 1 − CKA, centred or debiased, between the kernels of one block at some steps.
#[derive(Clone, Debug, Default)]
pub struct DistanceMatrix {
    /// Step and epoch of each kernel, in order.
    pub times: Vec<(u64, f64)>,
    /// S, row-major [T, T].
    pub values: Vec<f32>,
}

/// Returns the snapshots of a run that are compared on a block of this many rows: all, or every second, fourth … one,
/// those at switches and the last. The stride is a power of two, so that most known distances stay in use as a run
/// continues.
pub fn compared_snapshots(history: &History, rows: usize) -> impl Iterator<Item = &Arc<Snapshot>> {
    let snapshots = history.snapshots();
    let most = (MOST_BYTES / (8 * rows * rows).max(1)).clamp(2, MOST);
    let mut stride = 1;
    while snapshots.len().div_ceil(stride) > most {
        stride *= 2;
    }
    let last = snapshots.len().wrapping_sub(1);
    let kept = move |place: usize, snapshot: &Snapshot| {
        place.is_multiple_of(stride) || place == last || snapshot.row.at_switch
    };
    // In a run opened from disk, only some Grams have been loaded yet.
    let is_here = |snapshot: &Snapshot| !snapshot.gram.is_empty();
    snapshots
        .iter()
        .enumerate()
        .filter(move |(place, snapshot)| kept(*place, snapshot) && is_here(snapshot))
        .map(|(_, snapshot)| snapshot)
}

/// Computes the distance matrix of a run repeatedly while the run continues, each time only its new entries.
#[derive(Default)]
pub struct GrowingDistances {
    /// The rows of the block; a change of block discards all known distances.
    rows: Range<usize>,
    /// That of the distances, likewise.
    centring: Centring,
    kernels: HashMap<u64, Normalised>,
    last: Arc<DistanceMatrix>,
}

impl GrowingDistances {
    /// Returns the distances between these snapshots of the run on these rows.
    pub fn update(
        &mut self,
        (rows, centring): (&Range<usize>, Centring),
        snapshots: &[Arc<Snapshot>],
    ) -> Arc<DistanceMatrix> {
        if self.rows != *rows || self.centring != centring {
            *self = Self { rows: rows.clone(), centring, ..Self::default() };
        }
        let wanted: Vec<(u64, f64)> = snapshots.iter().map(|found| (found.row.step, found.row.epoch)).collect();
        self.kernels.retain(|step, _| wanted.iter().any(|time| time.0 == *step));
        for snapshot in snapshots {
            if !self.kernels.contains_key(&snapshot.row.step)
                && let Some(gram) = block(snapshot, rows)
            {
                self.kernels.insert(snapshot.row.step, Normalised::of(&gram, self.centring));
            }
        }
        let before: HashMap<u64, usize> =
            self.last.times.iter().enumerate().map(|(place, time)| (time.0, place)).collect();
        let (count, old) = (wanted.len(), self.last.times.len());
        let mut values = vec![0.0f32; count * count];
        for row in 0..count {
            for column in 0..row {
                let (a, b) = (wanted[row].0, wanted[column].0);
                let value = match (before.get(&a), before.get(&b)) {
                    (Some(a), Some(b)) => self.last.values[a * old + b],
                    _ => match (self.kernels.get(&a), self.kernels.get(&b)) {
                        (Some(a), Some(b)) => a.distance(b) as f32,
                        _ => f32::NAN,
                    },
                };
                (values[row * count + column], values[column * count + row]) = (value, value);
            }
        }
        self.last = Arc::new(DistanceMatrix { times: wanted, values });
        Arc::clone(&self.last)
    }
}

/// Returns the block of a snapshot's Gram; nothing where the Gram is missing.
pub(super) fn block(snapshot: &Snapshot, rows: &Range<usize>) -> Option<Gram> {
    let n = snapshot.eigenvalues.len();
    if snapshot.gram.len() != n * n || rows.end > n {
        return None;
    }
    let values = rows.clone().flat_map(|row| &snapshot.gram[row * n..][rows.clone()]).copied().collect();
    Gram::symmetrised(rows.len(), values).ok().map(|(gram, _)| gram)
}
