//! Locates the folder for data of the user rather than of a run: the log, crash reports, autosaved runs.
//!
//! Guarantee: `KERNELSCOPE_STATE` names another folder, for tests and for a portable installation; if it is empty, nothing is
//! kept.

use std::path::PathBuf;

use etcetera::BaseStrategy as _;

/// Names another folder.
pub const STATE: &str = "KERNELSCOPE_STATE";

/// The folder, whether or not it is there yet; none where nothing is to be kept or there is no home.
pub fn state_folder() -> Option<PathBuf> {
    match std::env::var_os(STATE) {
        Some(folder) => (!folder.is_empty()).then(|| folder.into()),
        None => {
            let strategy = etcetera::choose_base_strategy().ok()?;
            // Windows has no such folder: there it is that of what stays on this machine.
            Some(strategy.state_dir().unwrap_or_else(|| strategy.cache_dir()).join("kernelscope"))
        }
    }
}
