//! The time that all views share: which stretch of the run is in view, and where the cursor stands.
//!
//! Guarantees: there is one cursor and one range for all views; *following* means that neither was chosen by the user, so
//! that the whole run is in view and the newest snapshot is shown; scrubbing or panning ends it, [`Clock::follow`] resumes
//! it. Pure state: tests need no window.

use crate::run::{History, RunState};

/// A stretch of the run that one task has, or is planned to have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    /// Number of the task, from 1.
    pub task: usize,
    pub start: f64,
    pub end: f64,
    /// Not begun yet.
    pub planned: bool,
}

/// The time cursor and the stretch in view, in epochs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clock {
    cursor: Option<f64>,
    range: Option<(f64, f64)>,
}

impl Clock {
    /// Whether the whole run is in view and the newest snapshot is shown.
    pub fn is_following(&self) -> bool {
        self.cursor.is_none() && self.range.is_none()
    }

    /// Shows the whole run and its newest snapshot from now on.
    pub fn follow(&mut self) {
        *self = Self::default();
    }

    /// Returns the epoch the user chose, if they did.
    pub fn chosen(&self) -> Option<f64> {
        self.cursor
    }

    /// Puts the cursor to an epoch.
    pub fn seek(&mut self, epoch: f64) {
        self.cursor = Some(epoch.max(0.0));
    }

    /// Lets the cursor ride on the newest snapshot again; what is in view stays.
    pub fn release(&mut self) {
        self.cursor = None;
    }

    /// Turns the page where the cursor has left the stretch in view.
    pub fn keep_in_view(&mut self, history: &History) {
        let (cursor, (from, to)) = (self.cursor(history), self.range(history));
        if !(from..=to).contains(&cursor) {
            // A little of the page before stays.
            self.pan(history, cursor - from - 0.1 * (to - from));
        }
    }

    /// Returns the epoch whose snapshot is shown.
    pub fn cursor(&self, history: &History) -> f64 {
        let newest = newest(history);
        self.cursor.map_or(newest, |chosen| chosen.min(newest))
    }

    /// Moves the cursor to the next or the previous snapshot.
    pub fn step(&mut self, history: &History, forward: bool) {
        let snapshots = history.snapshots();
        let now = self.cursor(history);
        let upto = snapshots.partition_point(|snapshot| snapshot.row.epoch <= now);
        let target = if forward { upto } else { upto.saturating_sub(2) };
        match snapshots.get(target) {
            Some(snapshot) => self.seek(snapshot.row.epoch),
            None => self.cursor = None,
        }
    }

    /// Returns the stretch in view.
    pub fn range(&self, history: &History) -> (f64, f64) {
        self.range.unwrap_or_else(|| (0.0, whole(history)))
    }

    /// Shows this stretch.
    pub fn show(&mut self, from: f64, to: f64) {
        if from.is_finite() && to.is_finite() && to - from > 1e-6 {
            self.range = Some((from, to));
        }
    }

    /// Moves the stretch by this many epochs, not beyond the ends of the run.
    pub fn pan(&mut self, history: &History, by: f64) {
        let (from, to) = self.range(history);
        let end = whole(history).max(to - from);
        let by = by.clamp((-from).min(0.0), (end - to).max(0.0));
        if by != 0.0 {
            self.show(from + by, to + by);
        }
    }

    /// Makes the stretch `factor` times shorter round an epoch, which stays where it is.
    pub fn zoom(&mut self, history: &History, about: f64, factor: f64) {
        let (from, to) = self.range(history);
        let end = whole(history);
        let (from, to) = (about + (from - about) / factor, about + (to - about) / factor);
        if factor < 1.0 && from <= 0.0 && to >= end {
            self.range = None;
        } else {
            self.show(from.max(0.0), to.min(end));
        }
    }
}

/// Returns the last epoch of which anything is known.
pub fn newest(history: &History) -> f64 {
    let row = history.rows().last().map_or(0.0, |row| row.epoch);
    row.max(history.progress().epoch)
}

/// Where the axis of the whole run ends: at its planned end, so that the curve travels towards the coming switch. A very
/// long plan is shown as far as twice what has been or more, or its start would be squeezed into nothing.
fn whole(history: &History) -> f64 {
    let planned = bands(history).last().map_or(1.0, |band| band.end);
    let seen = newest(history);
    if matches!(history.state(), RunState::Ended(_)) && seen > 0.0 {
        return seen;
    }
    // In steps, so that the axis stands still between them.
    let steps = (2.0 * seen / FIRST).max(1.0).log2().ceil();
    planned.min(FIRST * steps.exp2()).max(seen).max(1e-3)
}

/// Plans up to so many epochs are shown whole from the start.
const FIRST: f64 = 60.0;

/// Returns the tasks that have been, the one that is, and those that are planned, in order of time.
pub fn bands(history: &History) -> Vec<Band> {
    let Some(info) = history.info() else { return Vec::new() };
    let tasks = &info.spec.tasks;
    let length = |place: usize, task: usize| {
        // What was not trained here ends where its last kernel is.
        if info.is_imported() {
            return f64::INFINITY;
        }
        let per_epoch = info.tasks.get(task - 1).map_or(1, |info| info.steps_per_epoch.max(1));
        tasks.steps_at(place, per_epoch) as f64 / per_epoch as f64
    };
    let begun = history.tasks();
    let mut bands: Vec<Band> = Vec::new();
    for (place, start) in begun.iter().enumerate() {
        let end = begun.get(place + 1).map_or(start.epoch + length(place, start.task), |next| next.epoch);
        bands.push(Band { task: start.task, start: start.epoch, end, planned: false });
    }
    if matches!(history.state(), RunState::Ended(_)) {
        if let Some(last) = bands.last_mut() {
            last.end = last.end.min(newest(history)).max(last.start);
        }
        return bands;
    }
    let sequence = tasks.sequence();
    // Before the first progress the plan is the spec's.
    let upcoming = if history.progress().planned_steps > 0 {
        &history.progress().upcoming[..]
    } else {
        sequence.get(begun.len()..).unwrap_or_default()
    };
    for &task in upcoming.iter().filter(|task| begun.iter().all(|start| start.task != **task)) {
        let start = bands.last().map_or(0.0, |band| band.end);
        let end = start + length(bands.len(), task);
        bands.push(Band { task, start, end, planned: true });
    }
    bands
}
