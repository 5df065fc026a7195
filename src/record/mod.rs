//! What has been seen of a run: events, the bounded history, files and figures.

mod event;
mod history;
mod metric;

pub use event::*;
pub use history::{History, MAX_ROWS, Note, RunState};
pub use metric::Metric;
