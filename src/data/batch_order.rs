//! Orders the images within an epoch: without state, so that a resumed run repeats the epoch it was in.

use std::ops::Range;

use rand::seq::SliceRandom as _;

use crate::math::rng::{Stream, rng};

/// Returns the images `0..len` of a task in the order of this epoch (counted from 0 within the task). Depends only on its
/// arguments.
pub fn batch_order(seed: u64, task: usize, epoch_in_task: u64, len: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    order.shuffle(&mut rng(seed, Stream::Order, task as u64, epoch_in_task));
    order
}

/// Returns the images of the batches that a step of a task (from 0) averages with its own: `count` others of the images
/// `0..len`, drawn anew for each step, or all others where there are no more. No image comes twice, so that enough batches are
/// the full batch.
pub fn further_images(
    seed: u64,
    (task, step): (usize, u64),
    own: &[usize],
    (count, len): (usize, usize),
) -> Vec<usize> {
    let mut is_own = vec![false; len];
    own.iter().for_each(|&image| is_own[image] = true);
    let mut others: Vec<usize> = (0..len).filter(|&image| !is_own[image]).collect();
    if count < others.len() {
        let (drawn, _) = others.partial_shuffle(&mut rng(seed, Stream::Average, task as u64, step), count);
        return drawn.to_vec();
    }
    others
}

/// Returns the part of the order on which a step of the epoch (from 0) trains; the last batch may be smaller, never empty
/// before the end.
pub fn batch_range(step_in_epoch: u64, batch: usize, len: usize) -> Range<usize> {
    let at = |step: u64| step.saturating_mul(batch as u64).min(len as u64) as usize;
    at(step_in_epoch)..at(step_in_epoch.saturating_add(1))
}

/// Returns the number of batches in an epoch, the last partial one included.
pub fn steps_per_epoch(len: usize, batch: usize) -> u64 {
    len.div_ceil(batch.max(1)) as u64
}
