//! Compares the kernels of one run at two moments.
//!
//! Guarantees: a comparison belongs to the moments and rows that it names; the last few decompositions are kept, so that a change
//! of one moment costs one decomposition.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use crate::math::Gram;
use crate::math::distance::{Centring, change, distance};
use crate::math::modes::Modes;
use crate::math::overlap::{angles, overlaps};
use crate::run::Snapshot;

/// The largest number of eigenvectors that are compared one by one.
pub const VECTORS: usize = 16;
/// The number of decompositions that are kept.
const KEPT: usize = 4;

/// A moment of a run with its kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    pub step: u64,
    pub epoch: f64,
    /// The task being trained, by number.
    pub task: usize,
    /// Row-major [n, n].
    pub gram: Arc<[f64]>,
}

impl Moment {
    pub fn of(snapshot: &Snapshot) -> Self {
        let row = &snapshot.row;
        Self { step: row.step, epoch: row.epoch, task: row.task, gram: Arc::clone(&snapshot.gram) }
    }
}

/// The comparison of two kernels; A is the reference for B.
#[derive(Clone, Debug)]
pub struct MomentComparison {
    pub moments: [Moment; 2],
    /// The rows of the probes that are compared.
    pub rows: Range<usize>,
    /// The kernels of A and B on them, row-major.
    pub grams: [Arc<[f64]>; 2],
    /// Their eigenvalues, ascending, unclamped.
    pub eigenvalues: [Vec<f64>; 2],
    /// ‖B − A‖/‖A‖ and ‖B‖/‖A‖.
    pub drift: f64,
    pub scale: f64,
    /// S = 1 − CKA, by [`Self::centring`].
    pub distance: f64,
    /// ⟨uᵢ, wⱼ⟩² of the first eigenvectors, this many of each, row-major: a row for each u of A.
    pub vectors: usize,
    pub overlaps: Vec<f64>,
    /// The number of eigenvectors that span the subspaces of the two numbers below.
    pub leading: usize,
    /// The mean cos² of the principal angles between their spans, and the largest of these angles in radians.
    pub shared: f64,
    pub angle: f64,
}

impl MomentComparison {
    /// Returns the kind of its distance: the usual one for its number of probes.
    pub fn centring(&self) -> Centring {
        Centring::usual(self.rows.len())
    }

    /// Returns the number of rows of the matrices.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns whether there is nothing to compare.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// A kernel with its eigenvectors.
type Solved = (Gram, Arc<Modes>);

/// Compares moments of a run, and caches the decompositions of the last few.
#[derive(Default)]
pub struct MomentComparer {
    /// The decompositions by rows and step, the newest first.
    solved: VecDeque<(Range<usize>, u64, Solved)>,
}

impl MomentComparer {
    /// Compares two moments on these rows, and the spans of this many leading eigenvectors.
    ///
    /// # Errors
    /// When they cannot be compared; the error is one sentence.
    pub fn compare(
        &mut self,
        rows: Range<usize>,
        leading: usize,
        moments: [Moment; 2],
    ) -> Result<MomentComparison, String> {
        let (a, modes_a) = self.solve(&moments[0], &rows)?;
        let (b, modes_b) = self.solve(&moments[1], &rows)?;
        if a.len() != b.len() {
            return Err("A and B are kernels of different probes: choose them in one run".to_owned());
        }
        let (vectors, leading) = (VECTORS.min(rows.len()), leading.clamp(1, rows.len()));
        let found = change(&b, &a);
        let overlap = overlaps(&modes_a, &modes_b, leading);
        let ascending = |modes: &Modes| modes.values().iter().rev().copied().collect();
        Ok(MomentComparison {
            eigenvalues: [ascending(&modes_a), ascending(&modes_b)],
            drift: found.drift,
            scale: found.scale,
            distance: distance(&a, &b, Centring::usual(rows.len())),
            vectors,
            overlaps: overlaps(&modes_a, &modes_b, vectors),
            leading,
            shared: overlap.iter().sum::<f64>() / leading as f64,
            angle: angles(&modes_a, &modes_b, leading)?.last().copied().unwrap_or(0.0),
            grams: [a, b].map(|gram| Arc::clone(gram.values())),
            moments,
            rows,
        })
    }

    fn solve(&mut self, moment: &Moment, rows: &Range<usize>) -> Result<Solved, String> {
        let known = |entry: &&(Range<usize>, u64, Solved)| entry.0 == *rows && entry.1 == moment.step;
        if let Some((_, _, solved)) = self.solved.iter().find(known) {
            return Ok(solved.clone());
        }
        let n = moment.gram.len().isqrt();
        if n * n != moment.gram.len() || rows.is_empty() || rows.end > n {
            return Err(format!("The kernel of epoch {:.2} is no longer stored: choose another moment", moment.epoch));
        }
        let values = rows.clone().flat_map(|row| &moment.gram[row * n..][rows.clone()]).copied().collect();
        let gram = Gram::symmetrised(rows.len(), values)
            .map_err(|_| {
                format!("The kernel of epoch {:.2} is not made of numbers: training had diverged", moment.epoch)
            })?
            .0;
        let solved = (gram.clone(), Arc::new(Modes::of(&gram)?));
        self.solved.push_front((rows.clone(), moment.step, solved.clone()));
        self.solved.truncate(KEPT);
        Ok(solved)
    }
}
