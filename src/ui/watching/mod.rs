//! Watches a training in another program: opens the folder that it writes, says how to write one, and describes it beside the
//! views in place of the settings.
//!
//! The steps themselves come as the events of a run ([`crate::worker::Worker::watch`]).

pub(crate) mod card;
mod opening;
pub(crate) mod panel;

use std::path::{Path, PathBuf};

pub(crate) use opening::{Found, Opened, Opening};

/// The lines that make a training in PyTorch one that can be watched.
pub const SIX_LINES: &str = include_str!("../../../assets/examples/six_lines.py");

/// The folder that a session watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedPlace {
    /// Its name in the list of runs.
    pub name: String,
    pub path: PathBuf,
}

impl WatchedPlace {
    /// Names the folder after its last part.
    pub fn of(path: &Path) -> Self {
        let name =
            path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
        Self { name: crate::run::harmless(&name), path: path.to_owned() }
    }
}
