//! The forgetting ledger of one step: which images of the batch moved which images of earlier tasks, predicted and measured.

use std::sync::Arc;

/// The effect of one training step on images of earlier tasks.
#[derive(Clone, Debug, PartialEq)]
pub struct Ledger {
    /// Steps done before it, and the epoch.
    pub step: u64,
    pub epoch: f64,
    /// Number of the task being trained.
    pub task: usize,
    pub old: Vec<OldImage>,
    /// Classes of the batch's images, and the images themselves in 8 bits, [n, height, width, channels].
    pub new_labels: Vec<usize>,
    pub new_thumbnails: Arc<[u8]>,
}

/// One image of an earlier task.
#[derive(Clone, Debug, PartialEq)]
pub struct OldImage {
    /// Its place among the probes, and its class.
    pub probe: usize,
    pub label: usize,
    /// Its own output and that output's target: the logit of its class and 1, or the one output and its number.
    pub own: usize,
    pub target: f64,
    /// By how much each image of the batch moves its own output, to first order.
    pub by_image: Vec<f64>,
    /// By how much all of them move each output, to first order, and what the step really did.
    pub predicted: Vec<f64>,
    pub measured: Vec<f64>,
}

impl OldImage {
    /// By how much its own output was to move, to first order, and how far it did.
    pub fn own_change(&self) -> (f64, f64) {
        let of = |values: &[f64]| values.get(self.own).copied().unwrap_or(0.0);
        (of(&self.predicted), of(&self.measured))
    }

    /// By how much its own output was to move towards what it is to be, to first order; below 0 it is hurt.
    pub fn helped(&self) -> f64 {
        if self.target < 0.0 { -self.own_change().0 } else { self.own_change().0 }
    }
}

impl Ledger {
    /// ‖measured − predicted‖/‖measured‖ over all old images and logits; `None` where nothing moved.
    pub fn gap(&self) -> Option<f64> {
        let pairs = || self.old.iter().flat_map(|old| old.measured.iter().zip(&old.predicted));
        let moved: f64 = pairs().map(|(measured, _)| measured * measured).sum();
        let missed: f64 = pairs().map(|(measured, predicted)| (measured - predicted).powi(2)).sum();
        (moved > 0.0).then(|| (missed / moved).sqrt())
    }
}
