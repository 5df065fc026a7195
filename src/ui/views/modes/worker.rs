//! The residual along the eigenvectors of the run's first kernel, over time, computed beside the window.
//!
//! The eigenvectors are computed once; what was known of snapshots that are still kept is kept, so that a run that goes on
//! costs one projection at a time.

use std::collections::HashMap;
use std::sync::Arc;

use crate::math::Gram;
use crate::math::modes::Modes;
use crate::run::{History, RunInfo, Snapshot};
use crate::ui::kit::background_task::Aside;

/// ‖vᵢᵀ(f − y)‖² of each mode at each snapshot that tells of its outputs.
#[derive(Clone, Debug, Default)]
pub struct Residuals {
    /// λᵢ of the first kernel, descending.
    pub eigenvalues: Vec<f64>,
    /// Step and epoch of each snapshot, in order.
    pub times: Vec<(u64, f64)>,
    /// Energies by snapshot, of all modes.
    pub energies: Vec<Vec<f64>>,
}

impl Residuals {
    /// (epoch, share of its energy at the first snapshot that is left) of a mode by rank from 0; nothing of one that had none.
    pub fn left(&self, rank: usize) -> Vec<(f64, f64)> {
        let of = |energies: &Vec<f64>| energies.get(rank).copied().unwrap_or(0.0);
        let first = self.energies.first().map_or(0.0, of);
        if first <= 0.0 {
            return Vec::new();
        }
        self.times.iter().zip(&self.energies).map(|(time, energies)| (time.1, of(energies) / first)).collect()
    }
}

/// What is asked for.
struct Order {
    /// Of the asker's record; what belongs to another record is worthless.
    record: u64,
    /// Class of each probe.
    labels: Arc<[usize]>,
    /// What the one output is to say of each, where the outputs say a number.
    numbers: Option<Arc<[f32]>>,
    snapshots: Vec<Arc<Snapshot>>,
}

/// The thread and what it last said.
pub struct ResidualMap {
    thread: Aside<Order, (u64, Result<Residuals, String>)>,
    asked: Vec<u64>,
    record: u64,
    known: Option<Result<Residuals, String>>,
}

impl ResidualMap {
    /// Starts the thread; `wake` is called with each answer.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(wake: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let mut desk = Desk::default();
        let work = move |order: Order| (order.record, desk.compute(order));
        Ok(Self { thread: Aside::start("residuals", work, wake)?, asked: Vec::new(), record: 0, known: None })
    }

    /// Forgets a record that has ended.
    pub fn reset(&mut self) {
        self.record += 1;
        (self.asked, self.known) = (Vec::new(), None);
    }

    /// The residuals as far as they are known, or why there are none; asks for what is missing.
    pub fn of(&mut self, history: &History) -> Option<Result<&Residuals, &str>> {
        if let Some((record, found)) = self.thread.answer()
            && record == self.record
        {
            self.known = Some(found);
        }
        let wanted = || history.snapshots().iter().filter(|snapshot| snapshot.outputs.is_some());
        let same = wanted().map(|snapshot| snapshot.row.step).eq(self.asked.iter().copied());
        if !same
            && !self.thread.is_busy()
            && let Some(info) = history.info()
        {
            let labels = info.probes.iter().map(|probe| probe.label).collect();
            let numbers = info.readout().is_number().then(|| Arc::clone(&info.probe_values));
            let order = Order { record: self.record, labels, numbers, snapshots: wanted().cloned().collect() };
            let asked = order.snapshots.iter().map(|snapshot| snapshot.row.step).collect();
            if self.thread.order(order) {
                self.asked = asked;
            }
        }
        self.known.as_ref().map(|known| known.as_ref().map_err(String::as_str))
    }
}

/// The rate at which the kernel's own time goes, where training is full-batch gradient descent on exactly the probes; else
/// what is otherwise.
pub fn still(info: &RunInfo) -> Result<f64, &'static str> {
    let spec = &info.spec;
    let images = info.tasks.first().map_or(0, |task| task.train_images);
    if spec.tasks.sequence().len() != 1 {
        Err("there is more than one task")
    } else if !spec.kernel.train_on_probes || images != info.probes.len() {
        Err("the probes are not exactly the training images")
    } else if spec.training.batch < images {
        Err("the batches are smaller than the training set")
    } else if !spec.training.is_plain() {
        Err("training is not plain gradient descent")
    } else if !spec.kernel.reduction.is_trace() {
        Err("the kernel is that of the logits' sum")
    } else if !spec.changes.is_empty() || !spec.training.frozen.is_empty() || spec.training.masked {
        Err("something was changed on the way, frozen or masked")
    } else {
        // The loss sees α f, whose kernel is α² that of f.
        let gain = spec.network.laziness().unwrap_or(1.0).powi(2);
        Ok(spec.effective_rate(spec.training.rate) * gain)
    }
}

/// What the thread remembers.
#[derive(Default)]
struct Desk {
    record: Option<u64>,
    modes: Option<Modes>,
    known: HashMap<u64, Vec<f64>>,
}

impl Desk {
    fn compute(&mut self, Order { record, labels, numbers, snapshots }: Order) -> Result<Residuals, String> {
        if self.record != Some(record) {
            *self = Self { record: Some(record), ..Self::default() };
        }
        let Some(first) = snapshots.first() else { return Ok(Residuals::default()) };
        let modes = match &self.modes {
            Some(modes) => modes,
            None => self.modes.insert(modes_of(first)?),
        };
        self.known.retain(|step, _| snapshots.iter().any(|snapshot| snapshot.row.step == *step));
        let mut found = Residuals { eigenvalues: modes.values().to_vec(), ..Residuals::default() };
        for snapshot in &snapshots {
            let step = snapshot.row.step;
            let energies = match self.known.get(&step) {
                Some(known) => known.clone(),
                None => energies(modes, snapshot, &labels, numbers.as_deref())?,
            };
            found.times.push((step, snapshot.row.epoch));
            found.energies.push(energies.clone());
            self.known.insert(step, energies);
        }
        Ok(found)
    }
}

/// The eigenvectors of a snapshot's kernel.
pub fn modes_of(snapshot: &Snapshot) -> Result<Modes, String> {
    let n = snapshot.eigenvalues.len();
    if snapshot.gram.len() != n * n {
        return Err("the kernel of this snapshot is not there".to_owned());
    }
    let (gram, _) = Gram::symmetrised(n, snapshot.gram.to_vec()).map_err(|err| err.to_string())?;
    Modes::of(&gram)
}

/// Of f − y: with y one-hot, or these numbers.
fn energies(modes: &Modes, snapshot: &Snapshot, labels: &[usize], numbers: Option<&[f32]>) -> Result<Vec<f64>, String> {
    let outputs = snapshot.outputs.as_ref().map_or(&[][..], |outputs| &outputs.network);
    let count = outputs.len() / labels.len().max(1);
    if outputs.is_empty() || outputs.len() != count * labels.len() {
        return Err("the outputs do not fit the probes".to_owned());
    }
    if numbers.is_some_and(|numbers| numbers.len() != labels.len()) {
        return Err("this record does not tell what the output was to say".to_owned());
    }
    let wanted = |probe: usize, output: usize| match numbers {
        Some(numbers) => f64::from(numbers[probe]),
        None => f64::from(u8::from(labels[probe] == output)),
    };
    let residual: Vec<f64> =
        outputs.iter().enumerate().map(|(at, &said)| f64::from(said) - wanted(at / count, at % count)).collect();
    Ok(modes.energies(&residual, count))
}
