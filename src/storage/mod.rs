//! Reads and writes files: run, study and experiment folders, autosave, and other programs' arrays, weights and trainings.

pub mod autosave;
mod claim;
mod experiment_folder;
mod figure_files;
pub mod format;
mod graph;
mod import_npz;
mod kernel_file;
pub mod run_folder;
mod state_dir;
mod study_folder;
mod watch_folder;
mod window_state_file;

pub use autosave::shelf::CutOff;
pub use autosave::writer::{Autosave, Closing, Saver};
pub use claim::watch::{ClaimWatch, Standing};
pub use claim::{Claim, Holder, RENEWED_EVERY, SILENCE, holder_of};
pub use experiment_folder::{ExperimentFolder, ShelfFolder};
pub use figure_files::{FOLDER as FIGURES, Figure, Format as FiguresFormat};
pub use format::array_choice::array_of;
pub use format::arrays::{Arrays, Floats, Output, Singles, check_place, is_array, read_singles, write_arrays};
pub use format::atomic::{CLAIM, write_new};
pub use format::disk::{BrokenDisk, words};
pub use format::errors::FolderError;
pub use format::guard::foreign;
pub use format::image_layout::{Layout, LayoutError};
pub use format::recognise::{Recognised, recognise};
pub use format::regular_file::{open_regular, read_regular};
pub use format::tensor_values::tensor_values;
pub use graph::{GRAPH, Graph, GraphError, GraphTensor, RefusedLine, WEIGHTS, read_modules_as_networks};
pub use import_npz::{load_kernels, measure_kernels};
pub use kernel_file::{KernelFile, KernelFileError, KernelTile, StoredKernel};
pub use run_folder::continued::{Continued, KeptSteps, continue_watched};
pub use run_folder::create::{Opened, create, is_done};
pub use run_folder::files::{STUDY, is_run};
pub use run_folder::gram_reader::Grams;
pub use run_folder::reader::{LoadError, Loaded, load, load_beside, load_lazily, load_rows};
pub use run_folder::resume::{RepairedFolder, tidy};
pub use run_folder::table_writer::{metrics_of, write_metrics};
pub use run_folder::weights::{WeightsFile, WeightsFileError, tensors_of};
pub use run_folder::writer::RunFolder;
pub use state_dir::{STATE, state_folder};
pub use study_folder::lags::StudyLags;
pub use study_folder::log::{LOGS, LogEntry, RunLog};
pub use study_folder::merge::Merged;
pub use study_folder::pack::{Pack, PackFile, PackedTask};
pub use study_folder::status::RunStatus;
pub use study_folder::tasks::TASKS;
pub use study_folder::{LAWS_TABLE, PREDICTORS_TABLE, RUNS, STUDY_PAGE, SUMMARY_TABLE, StudyError, StudyFolder, TABLE};
pub use watch_folder::{
    Follower, Found, LoggedStep, Order, WATCH, WatchError, WatchFolder, WatchedNetwork, WatchedProbes,
};
pub use window_state_file::WindowStateFile;
