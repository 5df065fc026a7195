//! What two kernels of one run have in common and what not, computed beside the window.
//!
//! Guarantees: what is told belongs to the moments and rows that it names; the last few comparisons are kept, and the last few
//! decompositions, so that a change of one moment costs one decomposition.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use crate::math::Gram;
use crate::math::distance::{Centring, change, distance};
use crate::math::modes::Modes;
use crate::math::overlap::{angles, overlaps};
use crate::ui::kit::background_task::Aside;
use crate::ui::playback::Moment;

/// Eigenvectors compared one by one, at most.
pub const VECTORS: usize = 16;
/// Comparisons and decompositions that are kept.
const KEPT: usize = 4;

/// Two kernels against one another; A is what B is measured by.
#[derive(Clone, Debug)]
pub struct Comparison {
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
    /// S = 1 − CKA, centred.
    pub distance: f64,
    /// ⟨uᵢ, wⱼ⟩² of the first so many eigenvectors, row-major: a row for each u of A.
    pub vectors: usize,
    pub overlaps: Vec<f64>,
    /// Of how many eigenvectors the two numbers below are.
    pub leading: usize,
    /// The mean cos² of the principal angles between their spans, and the largest of these angles in radians.
    pub shared: f64,
    pub angle: f64,
}

impl Comparison {
    /// Rows of the matrices.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is nothing to compare.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// A comparison, or why there is none.
pub type Found = Arc<Result<Comparison, String>>;

/// Rows, leading eigenvectors, and the steps of A and B.
type Key = (Range<usize>, usize, [u64; 2]);

struct Order {
    record: u64,
    rows: Range<usize>,
    leading: usize,
    moments: [Moment; 2],
}

impl Order {
    fn key(&self) -> Key {
        (self.rows.clone(), self.leading, self.moments.each_ref().map(|moment| moment.step))
    }
}

/// The thread and what it told last.
pub struct TwoMoments {
    thread: Aside<Order, (u64, Key, Found)>,
    /// Of the asker's run; what belongs to another is worthless.
    record: u64,
    /// The newest first.
    known: VecDeque<(Key, Found)>,
}

impl TwoMoments {
    /// Starts the thread; `wake` is called with each answer.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(wake: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let mut desk = Desk::default();
        let work = move |order: Order| (order.record, order.key(), Arc::new(desk.compare(order)));
        Ok(Self { thread: Aside::start("two moments", work, wake)?, record: 0, known: VecDeque::new() })
    }

    /// Forgets a run that has ended.
    pub fn reset(&mut self) {
        self.record += 1;
        self.known.clear();
    }

    /// The comparison of two moments on these rows, and of the spans of so many leading eigenvectors; asks for it where it is
    /// not known yet.
    pub fn of(&mut self, moments: [&Moment; 2], rows: &Range<usize>, leading: usize) -> Option<Found> {
        if let Some((record, key, found)) = self.thread.answer()
            && record == self.record
        {
            self.known.push_front((key, found));
            self.known.truncate(KEPT);
        }
        let wanted = (rows.clone(), leading, moments.map(|moment| moment.step));
        if let Some((_, found)) = self.known.iter().find(|(key, _)| *key == wanted) {
            return Some(Arc::clone(found));
        }
        self.thread.order(Order {
            record: self.record,
            rows: rows.clone(),
            leading,
            moments: moments.map(Clone::clone),
        });
        None
    }
}

/// A kernel with its eigenvectors.
type Solved = (Gram, Arc<Modes>);

/// What the thread remembers.
#[derive(Default)]
struct Desk {
    record: u64,
    /// By rows and step, the newest first.
    solved: VecDeque<(Range<usize>, u64, Solved)>,
}

impl Desk {
    fn compare(&mut self, Order { record, rows, leading, moments }: Order) -> Result<Comparison, String> {
        if self.record != record {
            *self = Self { record, ..Self::default() };
        }
        let (a, modes_a) = self.solve(&moments[0], &rows)?;
        let (b, modes_b) = self.solve(&moments[1], &rows)?;
        if a.len() != b.len() {
            return Err("A and B are kernels of different probes: choose them in one run".to_owned());
        }
        let (vectors, leading) = (VECTORS.min(rows.len()), leading.clamp(1, rows.len()));
        let found = change(&b, &a);
        let overlap = overlaps(&modes_a, &modes_b, leading);
        let ascending = |modes: &Modes| modes.values().iter().rev().copied().collect();
        Ok(Comparison {
            eigenvalues: [ascending(&modes_a), ascending(&modes_b)],
            drift: found.drift,
            scale: found.scale,
            distance: distance(&a, &b, Centring::Centred),
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
            return Err(format!("The kernel of epoch {:.2} is not there: choose another moment", moment.epoch));
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
