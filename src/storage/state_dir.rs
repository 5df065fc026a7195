//! Locates the folder for data of the user rather than of a run: the log, crash reports, autosaved runs.
//!
//! Guarantee: the environment variable `KERNELSCOPE_STATE` sets another folder, for tests and for a portable
//! installation; if it is empty, nothing is stored.

use std::path::PathBuf;

use etcetera::BaseStrategy as _;

/// The environment variable that sets another folder.
pub const STATE: &str = "KERNELSCOPE_STATE";

/// Returns the folder, which may not exist yet; `None` where nothing is to be stored or there is no home.
pub fn state_folder() -> Option<PathBuf> {
    match std::env::var_os(STATE) {
        Some(folder) => (!folder.is_empty()).then(|| folder.into()),
        None => {
            let strategy = etcetera::choose_base_strategy().ok()?;
            // Windows has no such folder: the one for local data takes its place.
            Some(strategy.state_dir().unwrap_or_else(|| strategy.cache_dir()).join("kernelscope"))
        }
    }
}
