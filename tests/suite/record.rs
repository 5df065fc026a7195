//! The record: files that survive a kill, readers that survive any bytes, bounded memory, figures from any run.

mod figures;
mod folder;
mod history;
mod readers;
mod resume;
mod stream;
