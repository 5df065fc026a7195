//! Computes the task stream from its settings: the number of tasks, their order, steps and classes.
//!
//! The estimate, the data and the laboratory all use these functions, so that they agree on every step.

use super::{TaskKind, TasksSpec};

/// Largest number of tasks; more could not be distinguished on screen.
pub const MOST_TASKS: usize = 64;

/// `frequency`: the share of the favoured group of classes, 9:1.
pub const MAJOR_SHARE: f64 = 0.9;

/// Returns, for `frequency`, the share of the first group in D_α.
pub fn first_share(alpha: f64) -> f64 {
    (1.0 - alpha) * MAJOR_SHARE + alpha * (1.0 - MAJOR_SHARE)
}

/// Returns, for `frequency`, the number of images of each of the two groups in D_α, given enough images; the total does not
/// depend on α, since either group may be the favoured one.
pub fn frequency_totals(alpha: f64, there: [usize; 2]) -> [usize; 2] {
    let total = (there[0].min(there[1]) as f64 / MAJOR_SHARE).floor();
    let first = (first_share(alpha) * total).round() as usize;
    [first, total as usize - first]
}

impl TasksSpec {
    /// Returns the number of tasks of the stream.
    pub fn len(&self) -> usize {
        match self.kind {
            TaskKind::Split => self.classes.len(),
            TaskKind::Permuted | TaskKind::Rotated => self.count,
            TaskKind::Frequency => 2,
        }
    }

    /// Returns whether the stream has no task, which validation refuses.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the tasks in training order, by number from 1; tasks that `order` omits are not trained. (Capped at the
    /// number that validation allows, because this may be called before it.)
    pub fn sequence(&self) -> Vec<usize> {
        if self.order.is_empty() { (1..=self.len().min(MOST_TASKS)).collect() } else { self.order.clone() }
    }

    /// Returns the classes of each task of a `split` stream once `overlap` is applied.
    pub fn split_classes(&self) -> Vec<Vec<usize>> {
        let Some(first) = self.classes.first() else { return Vec::new() };
        let shared = |count: usize| first[first.len().saturating_sub(count)..].to_vec();
        let later = self.classes[1..].iter().map(|own| {
            let count = self.overlap.min(own.len()).min(first.len());
            let mut classes = shared(count);
            classes.extend(&own[count..]);
            classes
        });
        std::iter::once(first.clone()).chain(later).collect()
    }

    /// Returns the epochs of the task at this place in the stream (from 0).
    pub fn epochs_at(&self, place: usize) -> f64 {
        self.epochs.get(place).or(self.epochs.last()).copied().unwrap_or(0.0)
    }

    /// Returns the epochs of the first task, also where its steps are given.
    pub fn epochs_or_steps(&self, steps_per_epoch: u64) -> f64 {
        self.steps_at(0, steps_per_epoch) as f64 / steps_per_epoch as f64
    }

    /// Returns the steps of the task at this place in the stream, given the steps per epoch; at least one.
    pub fn steps_at(&self, place: usize, steps_per_epoch: u64) -> u64 {
        match self.steps.get(place).or(self.steps.last()) {
            Some(&steps) => steps,
            None => (self.epochs_at(place) * steps_per_epoch as f64).round().max(1.0) as u64,
        }
    }
}

/// Returns |A ∩ B| / |A ∪ B| of two lists of distinct classes; `None` where both are empty.
pub fn jaccard(a: &[usize], b: &[usize]) -> Option<f64> {
    let shared = a.iter().filter(|class| b.contains(class)).count();
    let all = a.len() + b.len() - shared;
    (all > 0).then(|| shared as f64 / all as f64)
}
