//! Wakes the window from another thread.

use std::time::Duration;

use crate::worker::Waker;

/// Shortest time between two frames that a thread requests.
const FRAME: Duration = Duration::from_millis(33);

/// Returns a closure that requests a frame from another thread. Several calls within a frame have the effect of one.
pub(crate) fn waker(ctx: &egui::Context) -> Waker {
    let ctx = ctx.clone();
    Box::new(move || ctx.request_repaint_after(FRAME))
}
