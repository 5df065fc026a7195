//! Moves the time cursor over the recorded snapshots during playback.
//!
//! Guarantees: time is a parameter, so tests need no real clock; the run is only read, so playback does not affect training; a
//! window that was hidden continues from where it was instead of jumping.

use std::time::Duration;

use super::clock::Clock;
use crate::run::History;

/// Snapshots a second at the speed ×1.
pub const PER_SECOND: f64 = 8.0;
/// The available speeds, as multiples of [`PER_SECOND`].
pub const SPEEDS: [(f64, &str); 6] = [(0.25, "×¼"), (0.5, "×½"), (1.0, "×1"), (2.0, "×2"), (4.0, "×4"), (8.0, "×8")];
/// Longest time between two frames that counts, in seconds.
const LONGEST: f64 = 0.25;
/// Shortest time between two frames that playback requests.
const FRAME: Duration = Duration::from_millis(33);

/// The state of playback: whether it moves the cursor, and how fast.
#[derive(Clone, Debug, PartialEq)]
pub struct Player {
    playing: bool,
    speed: f64,
    /// The time of the last move, in the caller's clock.
    last: Option<f64>,
    /// The fraction of a snapshot that is due.
    owed: f64,
}

impl Default for Player {
    fn default() -> Self {
        Self { playing: false, speed: 1.0, last: None, owed: 0.0 }
    }
}

impl Player {
    pub fn is_playing(&self) -> bool {
        self.playing
    }

    /// Returns the chosen speed, one of [`SPEEDS`].
    pub fn speed(&self) -> f64 {
        self.speed
    }

    pub fn set_speed(&mut self, speed: f64) {
        self.speed = speed;
    }

    pub fn stop(&mut self) {
        self.playing = false;
    }

    /// Begins at the cursor, or at the start of the repeated or visible range if no snapshot follows the cursor.
    pub fn start(&mut self, clock: &mut Clock, history: &History, stretch: Option<(f64, f64)>) {
        (self.playing, self.last, self.owed) = (true, None, 0.0);
        let cursor = clock.cursor(history);
        let (from, to) = stretch.unwrap_or((clock.range(history).0, f64::INFINITY));
        let ahead = history.snapshots().iter().any(|snapshot| snapshot.row.epoch > cursor);
        if !ahead || stretch.is_some() && !(from..=to).contains(&cursor) {
            let first = history.snapshots().iter().find(|snapshot| snapshot.row.epoch >= from);
            clock.seek(first.map_or(from, |snapshot| snapshot.row.epoch));
        }
    }

    /// Moves the cursor by the snapshots that are due at this time, repeating the range if there is one; otherwise up to the
    /// newest snapshot, which is followed from there.
    pub fn tick(&mut self, now: f64, clock: &mut Clock, history: &History, stretch: Option<(f64, f64)>) {
        if !self.playing {
            return;
        }
        let passed = self.last.replace(now).map_or(0.0, |last| (now - last).clamp(0.0, LONGEST));
        self.owed += passed * self.speed * PER_SECOND;
        let due = self.owed.floor();
        self.owed -= due;
        if due >= 1.0 {
            self.advance(due as usize, clock, history, stretch);
        }
    }

    fn advance(&mut self, by: usize, clock: &mut Clock, history: &History, stretch: Option<(f64, f64)>) {
        let snapshots = history.snapshots();
        let upto = |epoch: f64| snapshots.partition_point(|snapshot| snapshot.row.epoch <= epoch);
        let here = upto(clock.cursor(history));
        let wanted = (here + by).saturating_sub(1);
        if let Some((from, to)) = stretch {
            let (first, end) = (snapshots.partition_point(|snapshot| snapshot.row.epoch < from), upto(to));
            // The range has no snapshots yet.
            if end <= first {
                return;
            }
            let target = match here {
                _ if here <= first || here > end => first,
                _ if wanted >= end => first + (wanted - end) % (end - first),
                _ => wanted,
            };
            clock.seek(snapshots[target].row.epoch);
        } else if wanted + 1 >= snapshots.len() {
            self.playing = false;
            clock.release();
        } else {
            clock.seek(snapshots[wanted].row.epoch);
            clock.keep_in_view(history);
        }
    }

    /// Returns the time until the next frame is needed.
    pub fn next_frame(&self) -> Option<Duration> {
        self.playing.then(|| Duration::from_secs_f64((self.speed * PER_SECOND).recip()).max(FRAME))
    }
}
