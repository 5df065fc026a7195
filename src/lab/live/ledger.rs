//! Computes the forgetting ledger of one step: how each image of the batch moves the logits of images of earlier tasks.
//!
//! To first order a step of plain SGD changes the output on an old image x by −η Σ_b Θ(x, x_b) ∂L/∂f(x_b), a sum with one
//! term for each image of the batch; ∂L/∂f is (p − y)/N for cross-entropy and (f − y)/(N C) for MSE (Lee et al. 2019, eq.
//! 3). The measured change stands beside it, and the gap is the part that is not linear in one step.

use super::batches::earlier;
use crate::data::{Batch, Prepared};
use crate::run::OldImage;

/// The largest number of entries of the rectangle Θ(old, new): 128 MiB.
const MOST_ENTRIES: usize = 1 << 24;

/// Returns the rows of the probes in a ledger of this batch: those of the tasks trained before this one, evenly chosen
/// where not all fit.
pub(super) fn rows(data: &Prepared, trained: &[usize], task: usize, batch: &Batch) -> Vec<usize> {
    let of_task = |task: usize| data.probes.blocks[task - 1].clone();
    let rows: Vec<usize> = earlier(trained, task).into_iter().flat_map(of_task).collect();
    let classes = data.set.readout().count();
    // With many classes one entry is large.
    let room = MOST_ENTRIES / (batch.labels.len() * classes * classes).max(1);
    if rows.len() > room { (0..room).map(|place| rows[place * rows.len() / room]).collect() } else { rows }
}

/// Returns the ledger's entries for these probes, from the contribution of each image of the batch to their outputs,
/// [probes, batch, C], and from the outputs before and after the step, [probes, C].
pub(super) fn old_images(
    data: &Prepared,
    rows: &[usize],
    parts: &[f64],
    (before, after): (&[f32], &[f32]),
) -> Vec<OldImage> {
    let readout = data.set.readout();
    let classes = readout.count();
    let width = parts.len() / rows.len().max(1);
    let old = |(place, &probe): (usize, &usize)| {
        let label = data.probes.labels[probe];
        let own = readout.output(label);
        let parts = &parts[place * width..][..width];
        let change = |class: usize| {
            let at = place * classes + class;
            f64::from(after[at]) - f64::from(before[at])
        };
        OldImage {
            probe,
            label,
            own,
            target: f64::from(data.probes.targets().at(probe, own)),
            by_image: parts.chunks_exact(classes).map(|part| part[own]).collect(),
            predicted: (0..classes).map(|class| parts.iter().skip(class).step_by(classes).sum()).collect(),
            measured: (0..classes).map(change).collect(),
        }
    };
    rows.iter().enumerate().map(old).collect()
}
