//! Loads the Grams of the run that is shown from disk as they are viewed.
//!
//! Guarantees: the window never waits for a file, and the record stays below the memory limit of a live run. Viewed Grams are
//! loaded first; then, coarse to fine, as many others as fit; Grams that the cursor only passes are evicted, the oldest first.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use crate::run::History;
use crate::spec::RECORD_BYTES;
use crate::storage::Grams;
use crate::ui::kit::background_task::BackgroundThread;

/// Bytes of Grams that stay in memory.
const STAY: u64 = RECORD_BYTES / 4 * 3;
/// Bytes of Grams that are loaded in passing.
const PASS: u64 = RECORD_BYTES / 4;
/// Bytes per read; a Gram that is viewed meanwhile waits for no more than that.
const AT_ONCE: u64 = 4 << 20;

type Read = Vec<(u64, Result<Arc<[f64]>, String>)>;

/// A run's Grams on disk, and the thread that reads them.
pub struct GramCache {
    grams: Arc<Grams>,
    thread: BackgroundThread<Vec<u64>, Read>,
    /// Steps whose Grams are to stay, in the order in which they are read.
    queue: VecDeque<u64>,
    stay: HashSet<u64>,
    /// Steps loaded in passing, the oldest first.
    passed: VecDeque<u64>,
    /// Steps that could not be read; they are not requested again.
    failed: HashSet<u64>,
}

impl GramCache {
    /// Starts the thread; `wake` is called with each response.
    ///
    /// # Errors
    /// When the system cannot create a thread.
    pub fn start(grams: Arc<Grams>, history: &History, wake: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let queue: VecDeque<u64> = stay(history, grams.bytes()).into();
        let from = Arc::clone(&grams);
        let read = move |steps: Vec<u64>| steps.into_iter().map(|step| (step, from.read(step))).collect();
        let thread = BackgroundThread::start("grams", read, wake)?;
        let stay = queue.iter().copied().collect();
        Ok(Self { grams, thread, queue, stay, passed: VecDeque::new(), failed: HashSet::new() })
    }

    /// Returns the Grams on disk.
    pub fn grams(&self) -> &Arc<Grams> {
        &self.grams
    }

    /// Moves loaded Grams into the record and requests more, viewed ones first. Returns an error text if one could not be read.
    pub fn tick(&mut self, history: &mut History, looked_at: &[u64]) -> Option<String> {
        let mut message = None;
        for (step, read) in self.thread.response().into_iter().flatten() {
            match read {
                Ok(gram) => {
                    history.set_gram(step, gram);
                    if !self.stay.contains(&step) {
                        self.passed.push_back(step);
                    }
                }
                Err(err) => {
                    self.failed.insert(step);
                    message = Some(format!("The kernel at step {step} cannot be read: {err}"));
                }
            }
        }
        while self.passed.len() as u64 * self.grams.bytes() > PASS && self.passed.len() > looked_at.len() {
            let Some(oldest) = self.passed.pop_front() else { break };
            if looked_at.contains(&oldest) {
                self.passed.push_back(oldest);
            } else {
                history.set_gram(oldest, Arc::default());
            }
        }
        if !self.thread.is_busy() {
            self.ask(history, looked_at);
        }
        message
    }

    fn ask(&mut self, history: &History, looked_at: &[u64]) {
        let missing = |step: &u64| !self.failed.contains(step) && is_missing(history, *step);
        let mut steps: Vec<u64> = looked_at.iter().copied().filter(missing).collect();
        let room = (AT_ONCE / self.grams.bytes().max(1)).max(1) as usize;
        while steps.is_empty() || steps.len() < room {
            let Some(step) = self.queue.pop_front() else { break };
            if is_missing(history, step) && !steps.contains(&step) {
                steps.push(step);
            }
        }
        if !steps.is_empty() {
            self.thread.request(steps);
        }
    }
}

fn is_missing(history: &History, step: u64) -> bool {
    let snapshots = history.snapshots();
    let place = snapshots.partition_point(|snapshot| snapshot.row.step < step);
    snapshots.get(place).is_some_and(|snapshot| snapshot.row.step == step && snapshot.gram.is_empty())
}

/// Chooses the steps whose Grams stay: the first, the last and those at switches; then every 2^k-th, as many as fit.
fn stay(history: &History, bytes: u64) -> Vec<u64> {
    let snapshots = history.snapshots();
    let room = (STAY / bytes.max(1)).max(2) as usize;
    let (mut order, mut known) = (Vec::new(), HashSet::new());
    let mut add = |place: usize| {
        if order.len() < room && known.insert(place) {
            order.push(snapshots[place].row.step);
        }
    };
    if let Some(last) = snapshots.len().checked_sub(1) {
        add(last);
        add(0);
    }
    (0..snapshots.len()).filter(|&place| snapshots[place].row.at_switch).for_each(&mut add);
    let mut stride = snapshots.len().next_power_of_two();
    while stride > 0 {
        (0..snapshots.len()).step_by(stride).for_each(&mut add);
        stride /= 2;
    }
    order
}
