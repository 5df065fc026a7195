//! The forgetting ledger of one step: how each image of the batch moves the logits of images of earlier tasks.
//!
//! To first order a step of plain SGD changes the output on an old image x by −η Σ_b Θ(x, x_b) ∂L/∂f(x_b), the sum over the
//! images of the batch, each with a part of its own; ∂L/∂f is (p − y)/N for cross-entropy and (f − y)/(N C) for MSE (Lee et al.
//! 2019, eq. 3). What the step really changed stands beside it, and the gap is what is not linear in one step.

use super::batches::earlier;
use crate::data::{Batch, Prepared};
use crate::run::OldImage;

/// Entries of the rectangle Θ(old, new) at most: 128 MiB.
const MOST_ENTRIES: usize = 1 << 24;

/// Rows of the probes that a ledger of this batch tells of: those of the tasks trained before this one, as many as fit, evenly.
pub(super) fn rows(data: &Prepared, trained: &[usize], task: usize, batch: &Batch) -> Vec<usize> {
    let of_task = |task: usize| data.probes.blocks[task - 1].clone();
    let rows: Vec<usize> = earlier(trained, task).into_iter().flat_map(of_task).collect();
    let classes = data.set.readout().count();
    // Of many classes one entry is large.
    let room = MOST_ENTRIES / (batch.labels.len() * classes * classes).max(1);
    if rows.len() > room { (0..room).map(|place| rows[place * rows.len() / room]).collect() } else { rows }
}

/// The ledger's entries for these probes, from what each image of the batch adds to their outputs, [probes, batch, C], and from
/// the outputs before and after the step, [probes, C].
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
