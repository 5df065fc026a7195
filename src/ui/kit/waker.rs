//! Wakes the window from another thread.

use std::time::Duration;

use crate::worker::Waker;

/// Shortest time between two frames that a thread asks for.
const FRAME: Duration = Duration::from_millis(33);

/// Returns a closure that asks for a frame: a thread knows this, not the window. Many calls within a frame are one.
pub(crate) fn waker(ctx: &egui::Context) -> Waker {
    let ctx = ctx.clone();
    Box::new(move || ctx.request_repaint_after(FRAME))
}
