//! Defines the time that all views share: the visible range of the run and the cursor.
//!
//! Guarantees: there is one cursor and one range for all views; *following* means that the user has chosen neither, so that the
//! whole run is visible and the newest snapshot is shown; scrubbing or panning ends it, [`Clock::follow`] resumes it. The state
//! is pure: tests need no window.

use crate::chart::panel::TaskBand;
use crate::run::{History, RunState};

/// The time cursor and the visible range, in epochs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clock {
    cursor: Option<f64>,
    range: Option<(f64, f64)>,
}

impl Clock {
    /// Returns whether the whole run is visible and the newest snapshot is shown.
    pub fn is_following(&self) -> bool {
        self.cursor.is_none() && self.range.is_none()
    }

    /// Shows the whole run and its newest snapshot from now on.
    pub fn follow(&mut self) {
        *self = Self::default();
    }

    /// Returns the epoch that the user chose, if any.
    pub fn chosen(&self) -> Option<f64> {
        self.cursor
    }

    /// Moves the cursor to an epoch.
    pub fn seek(&mut self, epoch: f64) {
        self.cursor = Some(epoch.max(0.0));
    }

    /// Moves the cursor with the newest snapshot again; the visible range stays.
    pub fn release(&mut self) {
        self.cursor = None;
    }

    /// Scrolls by about a page if the cursor has left the visible range.
    pub fn keep_in_view(&mut self, history: &History) {
        let (cursor, (from, to)) = (self.cursor(history), self.range(history));
        if !(from..=to).contains(&cursor) {
            // The pages overlap slightly.
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

    /// Returns the visible range.
    pub fn range(&self, history: &History) -> (f64, f64) {
        self.range.unwrap_or_else(|| (0.0, whole(history)))
    }

    /// Shows this range.
    pub fn show(&mut self, from: f64, to: f64) {
        if from.is_finite() && to.is_finite() && to - from > 1e-6 {
            self.range = Some((from, to));
        }
    }

    /// Moves the range by this many epochs, within the ends of the run.
    pub fn pan(&mut self, history: &History, by: f64) {
        let (from, to) = self.range(history);
        let end = whole(history).max(to - from);
        let by = by.clamp((-from).min(0.0), (end - to).max(0.0));
        if by != 0.0 {
            self.show(from + by, to + by);
        }
    }

    /// Shortens the range by `factor` around an epoch, which keeps its place.
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

/// Returns the last epoch with data.
pub fn newest(history: &History) -> f64 {
    let row = history.rows().last().map_or(0.0, |row| row.epoch);
    row.max(history.progress().epoch)
}

/// Returns the end of the axis of the whole run: its planned end, so that the coming switch is visible. The axis of a very long
/// plan ends at twice the trained part or later, because its start would be squeezed otherwise.
fn whole(history: &History) -> f64 {
    let planned = bands(history).last().map_or(1.0, |band| band.to);
    let seen = newest(history);
    if matches!(history.state(), RunState::Ended(_)) && seen > 0.0 {
        return seen;
    }
    // The end grows in steps, so that the axis is constant between them.
    if history.info().is_some_and(|info| info.is_imported()) {
        // Nothing is planned: a sixth of the axis at most stays empty.
        return ((4.0 * seen.max(1.0).log2()).ceil() / 4.0).exp2().max(seen);
    }
    let steps = (2.0 * seen / FIRST).max(1.0).log2().ceil();
    planned.min(FIRST * steps.exp2()).max(seen).max(1e-3)
}

/// Longest plan, in epochs, that is shown whole from the start.
const FIRST: f64 = 60.0;

/// Returns the past, current and planned tasks in order of time.
pub fn bands(history: &History) -> Vec<TaskBand> {
    let Some(info) = history.info() else { return Vec::new() };
    let tasks = &info.spec.tasks;
    let length = |place: usize, task: usize| {
        // An imported task ends at its last kernel.
        if info.is_imported() {
            return f64::INFINITY;
        }
        let per_epoch = info.tasks.get(task - 1).map_or(1, |info| info.steps_per_epoch.max(1));
        tasks.steps_at(place, per_epoch) as f64 / per_epoch as f64
    };
    let begun = history.tasks();
    let mut bands: Vec<TaskBand> = Vec::new();
    for (place, start) in begun.iter().enumerate() {
        let end = begun.get(place + 1).map_or(start.epoch + length(place, start.task), |next| next.epoch);
        bands.push(TaskBand { task: start.task, from: start.epoch, to: end, planned: false });
    }
    // Of a training elsewhere no plan is known.
    if info.is_imported() || matches!(history.state(), RunState::Ended(_)) {
        if let Some(last) = bands.last_mut() {
            last.to = last.to.min(newest(history)).max(last.from);
        }
        return bands;
    }
    let sequence = tasks.sequence();
    // Before the first progress message the plan is that of the spec.
    let upcoming = if history.progress().planned_steps > 0 {
        &history.progress().upcoming[..]
    } else {
        sequence.get(begun.len()..).unwrap_or_default()
    };
    for &task in upcoming.iter().filter(|task| begun.iter().all(|start| start.task != **task)) {
        let start = bands.last().map_or(0.0, |band| band.to);
        let end = start + length(bands.len(), task);
        bands.push(TaskBand { task, from: start, to: end, planned: true });
    }
    bands
}
