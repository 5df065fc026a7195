//! Computes the residual along the eigenvectors of a run's first kernel over time.
//!
//! The eigenvectors are computed once, and the projections of snapshots that are still in use are kept, so that a new snapshot
//! costs one projection.

use std::collections::HashMap;
use std::sync::Arc;

use crate::math::Gram;
use crate::math::modes::Modes;
use crate::run::{History, RunInfo, Snapshot};

/// Holds ‖vᵢᵀ(f − y)‖² of each mode at each snapshot that has outputs.
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
    /// Returns (epoch, energy over that at the first snapshot) of a mode by rank from 0; an empty list for a mode without
    /// energy.
    pub fn left(&self, rank: usize) -> Vec<(f64, f64)> {
        let of = |energies: &Vec<f64>| energies.get(rank).copied().unwrap_or(0.0);
        let first = self.energies.first().map_or(0.0, of);
        if first <= 0.0 {
            return Vec::new();
        }
        self.times.iter().zip(&self.energies).map(|(time, energies)| (time.1, of(energies) / first)).collect()
    }
}

/// The inputs from which the residuals of a run are computed.
pub struct Outputs {
    /// Class of each probe.
    labels: Arc<[usize]>,
    /// The target of the one output for each probe, where the outputs are numbers.
    numbers: Option<Arc<[f32]>>,
    snapshots: Vec<Arc<Snapshot>>,
}

impl Outputs {
    /// Returns the snapshots that hold the network's outputs; `None` where the run has not begun.
    pub fn of(history: &History) -> Option<Self> {
        let info = history.info()?;
        let labels = info.probes.iter().map(|probe| probe.label).collect();
        let numbers = info.readout().is_number().then(|| Arc::clone(&info.probe_values));
        Some(Self { labels, numbers, snapshots: with_outputs(history).cloned().collect() })
    }

    /// Returns the steps of those snapshots.
    pub fn steps(history: &History) -> Vec<u64> {
        with_outputs(history).map(|snapshot| snapshot.row.step).collect()
    }
}

fn with_outputs(history: &History) -> impl Iterator<Item = &Arc<Snapshot>> {
    history.snapshots().iter().filter(|snapshot| snapshot.outputs.is_some())
}

/// Returns the learning rate for the dynamics of a static kernel, where training is full-batch gradient descent on exactly the
/// probes; else the assumption that fails.
pub fn static_kernel_rate(info: &RunInfo) -> Result<f64, &'static str> {
    let spec = &info.spec;
    let images = info.tasks.first().map_or(0, |task| task.train_images);
    if spec.tasks.sequence().len() != 1 {
        Err("there is more than one task")
    } else if !spec.kernel.train_on_probes || images != info.probes.len() {
        Err("the probes are not exactly the training images")
    } else if spec.training.batch < images {
        Err("the batches are smaller than the training set")
    } else if !spec.has_plain_steps() {
        Err("training is not plain gradient descent")
    } else if spec.training.smoothing > 0.0 {
        Err("the labels are smoothed")
    } else if !spec.training.has_constant_rate() {
        Err("the rate follows a schedule")
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

/// Computes the residuals of a run repeatedly while the run continues, each time only the new snapshots.
#[derive(Default)]
pub struct GrowingResiduals {
    modes: Option<Modes>,
    known: HashMap<u64, Vec<f64>>,
}

impl GrowingResiduals {
    /// Returns the residuals of these outputs of the run.
    ///
    /// # Errors When the record lacks something; the error is one sentence.
    pub fn update(&mut self, Outputs { labels, numbers, snapshots }: &Outputs) -> Result<Residuals, String> {
        let Some(first) = snapshots.first() else { return Ok(Residuals::default()) };
        let modes = match &self.modes {
            Some(modes) => modes,
            None => self.modes.insert(modes_of(first)?),
        };
        self.known.retain(|step, _| snapshots.iter().any(|snapshot| snapshot.row.step == *step));
        let mut found = Residuals { eigenvalues: modes.values().to_vec(), ..Residuals::default() };
        for snapshot in snapshots {
            let step = snapshot.row.step;
            let energies = match self.known.get(&step) {
                Some(known) => known.clone(),
                None => energies(modes, snapshot, labels, numbers.as_deref())?,
            };
            found.times.push((step, snapshot.row.epoch));
            found.energies.push(energies.clone());
            self.known.insert(step, energies);
        }
        Ok(found)
    }
}

/// Returns the eigenvectors of a snapshot's kernel.
///
/// # Errors
/// When there are none; the error is one sentence.
pub fn modes_of(snapshot: &Snapshot) -> Result<Modes, String> {
    let n = snapshot.eigenvalues.len();
    if snapshot.gram.len() != n * n {
        return Err("the kernel of this snapshot is not there".to_owned());
    }
    let (gram, _) = Gram::symmetrised(n, snapshot.gram.to_vec()).map_err(|err| err.to_string())?;
    Modes::of(&gram)
}

/// Returns the energies of f − y along the modes, with y one-hot, or these numbers in regression.
fn energies(modes: &Modes, snapshot: &Snapshot, labels: &[usize], numbers: Option<&[f32]>) -> Result<Vec<f64>, String> {
    let outputs = snapshot.outputs.as_ref().map_or(&[][..], |outputs| &outputs.network);
    let count = outputs.len() / labels.len().max(1);
    if outputs.is_empty() || outputs.len() != count * labels.len() {
        return Err("the outputs do not fit the probes".to_owned());
    }
    if numbers.is_some_and(|numbers| numbers.len() != labels.len()) {
        return Err("this record does not hold the targets".to_owned());
    }
    let wanted = |probe: usize, output: usize| match numbers {
        Some(numbers) => f64::from(numbers[probe]),
        None => f64::from(u8::from(labels[probe] == output)),
    };
    let residual: Vec<f64> =
        outputs.iter().enumerate().map(|(at, &output)| f64::from(output) - wanted(at / count, at % count)).collect();
    Ok(modes.energies(&residual, count))
}
