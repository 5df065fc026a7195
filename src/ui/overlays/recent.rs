//! Lists the recent places that can be opened again, the last one first.
//!
//! Guarantees: no file is accessed; a place is listed once, and autosaved runs never displace places that the user has opened.

use std::path::{Path, PathBuf};

use crate::ui::app::session::Session;

/// Most places that are remembered of those the user has opened.
const MOST: usize = 12;
/// Most autosaved runs that are remembered; the folders of older ones are deleted.
const AUTOSAVED: usize = 3;

/// A run folder, a study folder or an archive of kernels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecentPath {
    pub name: String,
    pub path: PathBuf,
    /// Whether the window autosaved it: the folder is deleted after more runs have followed.
    pub autosaved: bool,
}

/// The places that were opened, the last one first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recent(Vec<RecentPath>);

impl Recent {
    /// Returns the places, the last one first.
    pub fn list(&self) -> &[RecentPath] {
        &self.0
    }

    /// Returns names and paths of the places that the user has opened; a path that is not Unicode is omitted, and autosaved runs
    /// are found separately.
    pub fn opened(&self) -> Vec<(String, String)> {
        let opened = self.0.iter().filter(|place| !place.autosaved);
        opened.filter_map(|place| Some((place.name.clone(), place.path.to_str()?.to_owned()))).collect()
    }

    /// Moves or adds a place to the front.
    pub fn note(&mut self, place: RecentPath) {
        self.forget(&place.path);
        self.0.insert(0, place);
        for (autosaved, most) in [(false, MOST), (true, AUTOSAVED)] {
            let mut seen = 0;
            self.0.retain(|place| {
                seen += usize::from(place.autosaved == autosaved);
                place.autosaved != autosaved || seen <= most
            });
        }
    }

    /// Notes a run of this window that another one replaces: it can be opened again if it was autosaved.
    pub fn left(&mut self, session: &Session) {
        if let Some(path) = session.path().cloned() {
            self.note(RecentPath { name: session.own_name(), path, autosaved: true });
        }
    }

    /// Notes that a run was closed under this name. A run that was opened as part of a study is reopened with the study.
    pub fn closed(&mut self, name: String, path: PathBuf) {
        let known = self.0.iter().find(|place| place.path == path).map(|place| place.autosaved);
        if known.is_some() || !self.0.iter().any(|place| path.starts_with(&place.path)) {
            self.note(RecentPath { name, path, autosaved: known.unwrap_or(false) });
        }
    }

    /// Removes a place that no longer exists.
    pub fn forget(&mut self, path: &Path) {
        self.0.retain(|place| place.path != path);
    }
}
