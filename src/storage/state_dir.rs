//! Where what belongs to the user and not to a run is kept: the log, crash reports, autosaved runs.
//!
//! Guarantee: `KERNELSCOPE_STATE` names another folder, for tests and for a program on a stick; empty, it says that nothing
//! is to be kept.

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
