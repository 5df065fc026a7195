//! What was opened here or in a window before, to be opened again: the last one first.
//!
//! Guarantees: no file is touched; a place is listed once, and what the window keeps by itself never pushes out what the user
//! has opened.

use std::path::{Path, PathBuf};

use crate::ui::app::session::Session;

/// So many are remembered that the user has opened.
const MOST: usize = 12;
/// And so many that were autosaved; of older ones the folders go.
const AUTOSAVED: usize = 3;

/// A run folder, a study folder or an archive of kernels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub name: String,
    pub path: PathBuf,
    /// Whether it is the window that has kept it: the folder goes when more runs have come after it.
    pub autosaved: bool,
}

/// The places that were opened, the last one first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recent(Vec<Place>);

impl Recent {
    /// Returns the places, the last one first.
    pub fn list(&self) -> &[Place] {
        &self.0
    }

    /// Returns names and paths of what the user has opened; a path that is no text is not kept, and autosaved runs are found by
    /// themselves.
    pub fn opened(&self) -> Vec<(String, String)> {
        let opened = self.0.iter().filter(|place| !place.autosaved);
        opened.filter_map(|place| Some((place.name.clone(), place.path.to_str()?.to_owned()))).collect()
    }

    /// Puts it first.
    pub fn note(&mut self, place: Place) {
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

    /// Notes a run that was trained in this window and gives its place to another: it can be opened again if it was autosaved.
    pub fn left(&mut self, session: &Session) {
        if let Some(path) = session.path().cloned() {
            self.note(Place { name: session.own_name(), path, autosaved: true });
        }
    }

    /// Notes that it was closed under this name. What was opened as part of a study is reopened with the study.
    pub fn closed(&mut self, name: String, path: PathBuf) {
        let known = self.0.iter().find(|place| place.path == path).map(|place| place.autosaved);
        if known.is_some() || !self.0.iter().any(|place| path.starts_with(&place.path)) {
            self.note(Place { name, path, autosaved: known.unwrap_or(false) });
        }
    }

    /// Forgets a place that is not there any more.
    pub fn forget(&mut self, path: &Path) {
        self.0.retain(|place| place.path != path);
    }
}
