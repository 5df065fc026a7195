//! Declares the forgetting ledger of one step: which images of the batch moved which images of earlier tasks, predicted
//! and measured.

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
    /// The classes of the batch's images, and the images themselves in 8 bits, [n, height, width, channels].
    pub new_labels: Vec<usize>,
    pub new_thumbnails: Arc<[u8]>,
}

/// One image of an earlier task.
#[derive(Clone, Debug, PartialEq)]
pub struct OldImage {
    /// Its index among the probes, and its class.
    pub probe: usize,
    pub label: usize,
    /// Its own output and that output's target: the logit of its class and 1, or the one output and its number.
    pub own: usize,
    pub target: f64,
    /// The change of its own output by each image of the batch, to first order.
    pub by_image: Vec<f64>,
    /// The change of each output by all of them to first order, and the measured change.
    pub predicted: Vec<f64>,
    pub measured: Vec<f64>,
}

impl OldImage {
    /// Returns the change of its own output, predicted to first order and measured.
    pub fn own_change(&self) -> (f64, f64) {
        let of = |values: &[f64]| values.get(self.own).copied().unwrap_or(0.0);
        (of(&self.predicted), of(&self.measured))
    }

    /// Returns the change of its own output towards its target, to first order; a negative one is harmful.
    pub fn helped(&self) -> f64 {
        if self.target < 0.0 { -self.own_change().0 } else { self.own_change().0 }
    }
}

impl Ledger {
    /// Returns ‖measured − predicted‖/‖measured‖ over all old images and logits; `None` where nothing moved.
    pub fn gap(&self) -> Option<f64> {
        let pairs = || self.old.iter().flat_map(|old| old.measured.iter().zip(&old.predicted));
        let moved: f64 = pairs().map(|(measured, _)| measured * measured).sum();
        let missed: f64 = pairs().map(|(measured, predicted)| (measured - predicted).powi(2)).sum();
        (moved > 0.0).then(|| (missed / moved).sqrt())
    }
}
