//! Provides the drawing tools that every part of the window uses: theme, icons, formats, tables, background work.

pub mod appearance;
pub mod background_task;
pub mod data_table;
pub mod highlight;
pub(crate) mod icons;
pub(crate) mod perf_stats;
pub(crate) mod waker;
pub(crate) mod widgets;

pub use crate::chart::format;
pub use crate::paint::theme;
