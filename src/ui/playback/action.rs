//! Declares the actions on the time that all views share.

use super::marks::Which;

/// Moves the time cursor or the visible range, controls playback, and sets marks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PlaybackAction {
    /// Move the time cursor to this epoch.
    Seek(f64),
    /// Move the time cursor to the next or the previous snapshot.
    Step {
        forward: bool,
    },
    /// Show the whole run and its newest snapshot from now on.
    Follow,
    /// Move the visible range by this many epochs.
    Pan(f64),
    /// Shorten the visible range by a factor around an epoch.
    Zoom {
        about: f64,
        factor: f64,
    },
    /// Shorten the visible range by a factor around the cursor, if it is visible.
    ZoomAtCursor(f64),
    /// Show this range.
    Show(f64, f64),
    /// Start or stop playback of past snapshots.
    Play,
    /// Choose the range that playback repeats.
    Loop,
    /// Set one of the available speeds.
    SetSpeed(f64),
    /// Mark the moment at the cursor, or remove its mark.
    Mark,
    /// Remove the mark at this step.
    RemoveMark(u64),
    PreviousMark,
    NextMark,
    /// Make the moment at the cursor A or B, or clear it.
    Choose(Which),
}
