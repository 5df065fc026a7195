//! How far the kernel is from itself at every other time, computed beside the window.
//!
//! All pairs of 256 kernels take a good part of a second, so a thread of its own does it. What was known of kernels that are
//! still wanted is kept, so a run that goes on costs one more row at a time.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::math::Gram;
use crate::math::distance::{Centring, Normalised};
use crate::run::{History, Snapshot};
use crate::ui::kit::background_task::Aside;

/// Kernels at most, beside those at switches, and bytes of all of them together.
const MOST: usize = 256;
const MOST_BYTES: usize = 64 << 20;

/// The distances between the kernels of one block at some steps.
#[derive(Clone, Debug, Default)]
pub struct Distances {
    /// Step and epoch of each kernel, in order.
    pub times: Vec<(u64, f64)>,
    /// S, row-major [T, T].
    pub values: Vec<f32>,
}

/// What is asked for.
struct Order {
    /// Rows of the block; another one makes everything known worthless.
    rows: Range<usize>,
    snapshots: Vec<Arc<Snapshot>>,
    /// Of the asker's record; what belongs to another record is worthless, too.
    record: u64,
}

/// The thread and what it last said.
pub struct DistanceMap {
    thread: Aside<Order, (Range<usize>, u64, Distances)>,
    /// What was asked for last.
    asked: Option<(Range<usize>, Vec<u64>)>,
    record: u64,
    known: Option<(Range<usize>, Distances)>,
}

impl DistanceMap {
    /// Starts the thread; `wake` is called with each answer.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(wake: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let mut desk = Desk::default();
        let work = move |order: Order| (order.rows.clone(), order.record, desk.compute(order));
        Ok(Self { thread: Aside::start("distances", work, wake)?, asked: None, record: 0, known: None })
    }

    /// Forgets a record that has ended.
    pub fn reset(&mut self) {
        self.record += 1;
        (self.asked, self.known) = (None, None);
    }

    /// The distances on these rows as far as they are known; asks for what is missing.
    pub fn of(&mut self, history: &History, rows: &Range<usize>) -> Option<&Distances> {
        if let Some((rows, record, found)) = self.thread.answer()
            && record == self.record
        {
            self.known = Some((rows, found));
        }
        let wanted = chosen(history, rows.len());
        let steps = || wanted.iter().map(|&place| history.snapshots()[place].row.step);
        let same = self.asked.as_ref().is_some_and(|(of, known)| of == rows && steps().eq(known.iter().copied()));
        if !same && !self.thread.is_busy() {
            let snapshots = wanted.iter().map(|&place| Arc::clone(&history.snapshots()[place])).collect();
            let order = Order { rows: rows.clone(), snapshots, record: self.record };
            if self.thread.order(order) {
                self.asked = Some((rows.clone(), steps().collect()));
            }
        }
        self.known.as_ref().filter(|(of, _)| of == rows).map(|(_, found)| found)
    }
}

/// Which of the kept snapshots are compared: all, or every second, fourth … one, those at switches and the last. Powers of two,
/// so that most of what was known stays wanted when a run goes on.
fn chosen(history: &History, rows: usize) -> Vec<usize> {
    let snapshots = history.snapshots();
    let most = (MOST_BYTES / (8 * rows * rows).max(1)).clamp(2, MOST);
    let mut stride = 1;
    while snapshots.len().div_ceil(stride) > most {
        stride *= 2;
    }
    let last = snapshots.len().wrapping_sub(1);
    let kept = |place: &usize| place.is_multiple_of(stride) || *place == last || snapshots[*place].row.at_switch;
    // Of a run that was opened, those that have come from disk.
    let is_here = |place: &usize| !snapshots[*place].gram.is_empty();
    (0..snapshots.len()).filter(kept).filter(is_here).collect()
}

/// What the thread remembers.
#[derive(Default)]
struct Desk {
    of: Option<(Range<usize>, u64)>,
    kernels: HashMap<u64, Normalised>,
    last: Distances,
}

impl Desk {
    fn compute(&mut self, Order { rows, snapshots, record }: Order) -> Distances {
        let of = Some((rows.clone(), record));
        if self.of != of {
            *self = Self { of, ..Self::default() };
        }
        let wanted: Vec<(u64, f64)> = snapshots.iter().map(|found| (found.row.step, found.row.epoch)).collect();
        self.kernels.retain(|step, _| wanted.iter().any(|time| time.0 == *step));
        for snapshot in &snapshots {
            if !self.kernels.contains_key(&snapshot.row.step)
                && let Some(gram) = block(snapshot, &rows)
            {
                self.kernels.insert(snapshot.row.step, Normalised::of(&gram, Centring::Centred));
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
        self.last = Distances { times: wanted, values };
        self.last.clone()
    }
}

/// The block of a snapshot's Gram; nothing where the Gram is not there.
fn block(snapshot: &Snapshot, rows: &Range<usize>) -> Option<Gram> {
    let n = snapshot.eigenvalues.len();
    if snapshot.gram.len() != n * n || rows.end > n {
        return None;
    }
    let values = rows.clone().flat_map(|row| &snapshot.gram[row * n..][rows.clone()]).copied().collect();
    Gram::symmetrised(rows.len(), values).ok().map(|(gram, _)| gram)
}
