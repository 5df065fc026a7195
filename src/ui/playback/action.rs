//! What can be done with the time that all views share, as data.

use super::marks::Which;

/// Moves the time cursor, the stretch in view, playback and the marks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PlaybackAction {
    /// Put the time cursor to this epoch.
    Seek(f64),
    /// Move the time cursor to the next snapshot, or to the one before.
    Step {
        forward: bool,
    },
    /// Show the whole run and its newest snapshot from now on.
    Follow,
    /// Move the stretch in view by so many epochs.
    Pan(f64),
    /// Make the stretch in view so many times shorter round an epoch.
    Zoom {
        about: f64,
        factor: f64,
    },
    /// The same round the cursor, where it is in view.
    ZoomAtCursor(f64),
    /// Show this stretch.
    Show(f64, f64),
    /// Let the cursor run over the past, or stop it.
    Play,
    /// Choose over which stretch playback goes round.
    Loop,
    /// Set one of the speeds that there are.
    SetSpeed(f64),
    /// Mark the moment at the cursor, or remove its mark.
    Mark,
    /// Remove the mark at this step.
    RemoveMark(u64),
    PreviousMark,
    NextMark,
    /// Make the moment at the cursor one of the two that are compared, or no more.
    Choose(Which),
}
