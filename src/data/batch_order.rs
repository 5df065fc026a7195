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

/// Returns an order of this epoch for the batches that are averaged with its own, numbered from 1.
pub fn further_order(seed: u64, task: usize, epoch_in_task: u64, (number, len): (usize, usize)) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    order.shuffle(&mut rng(seed, Stream::Average, ((number as u64) << 32) | task as u64, epoch_in_task));
    order
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
