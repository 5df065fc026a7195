//! What has been seen of a run: events, the bounded history, files and figures.

mod arrays;
mod atomic;
mod checkpoint;
pub mod comparison;
mod create;
mod event;
pub mod figures;
mod folder;
mod history;
mod info;
mod kernels;
mod laws;
mod ledger;
mod load;
mod metric;
mod npz;
mod outcome;
pub mod palette;
mod prediction;
mod read_tables;
mod study;
mod tables;
mod weights;

pub use arrays::{check_place, is_npy, read_npy, write_arrays};
pub use checkpoint::Checkpoint;
pub use create::{Opened, create, is_done, tidy};
pub use event::*;
pub use folder::{FolderError, RunFolder};
pub use history::{History, MAX_ROWS, Note, RunState, describe};
pub use laws::{LAWS, Law};
pub use ledger::{Ledger, OldImage};
pub use load::{LoadError, Loaded, load, load_rows};
pub use metric::Metric;
pub use outcome::{RUN_FIGURES, SWITCH_FIGURES, Switch};
pub use prediction::{Prediction, Predictor};
pub use study::{STUDY, StudyError, StudyFolder, TABLE};
