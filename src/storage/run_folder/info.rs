//! Stores in `info.toml` the facts that a reader of a run folder cannot derive from the spec: names, sizes, counts.
//!
//! Guarantee: nothing in it changes a result, and a folder without it can still be read; then names and images are missing.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::run::{Origin, RunInfo, TaskInfo};
use crate::storage::format::errors::{FolderError, invalid};
use crate::storage::format::{atomic, disk};

pub(crate) const INFO: &str = "info.toml";

/// The parts of [`RunInfo`] that are neither in `run.toml` nor in the arrays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct StoredInfo {
    pub(crate) parameters: u64,
    pub(crate) planned_steps: u64,
    /// The device in words.
    pub(crate) device: String,
    /// Channels, height and width of an image.
    pub(crate) image: [usize; 3],
    pub(crate) class_names: Vec<String>,
    pub(crate) tasks: Vec<TaskInfo>,
    /// Whether another program trained the network while this one watched.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) watched: bool,
    /// The lines of the tables and the bytes of the other files when the run ended, by name: a later reader can see that
    /// a part of one is lost. Empty until the run ends.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) ended_with: BTreeMap<String, u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(value: &bool) -> bool {
    !value
}

impl StoredInfo {
    pub(crate) fn of(info: &RunInfo) -> Self {
        Self {
            parameters: info.parameters,
            planned_steps: info.planned_steps,
            device: info.origin.words().to_owned(),
            image: info.image,
            class_names: info.class_names.clone(),
            tasks: info.tasks.clone(),
            watched: info.origin == Origin::Watched,
            ended_with: BTreeMap::new(),
        }
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), FolderError> {
        let text = self.text(path)?;
        atomic::replace(path, |writer| writer.write_all(text.as_bytes()))
    }

    /// Writes the file like [`Self::write`], and syncs it to disk.
    pub(crate) fn write_for_good(&self, path: &Path) -> Result<(), FolderError> {
        let text = self.text(path)?;
        atomic::replace_for_good(path, |writer| writer.write_all(text.as_bytes()))
    }

    fn text(&self, path: &Path) -> Result<String, FolderError> {
        toml::to_string(self).map_err(|err| FolderError::write(path, invalid(err.to_string())))
    }

    /// Reads the file; the error is a sentence.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text = disk::text(path).map_err(|err| disk::words(&err))?;
        toml::from_str(&text)
            .map_err(|err: toml::de::Error| err.message().lines().next().unwrap_or_default().to_owned())
    }
}
