//! Runs that lie over the one that is shown: opened from folders and archives, or left behind in this window.
//!
//! Guarantees: nothing that was opened is lost by opening another; names, colours and whether a run is hidden are the user's and
//! change nothing on disk.

mod loader;
mod panel;
mod picture;
mod shelf;
mod traces;

use std::path::PathBuf;
use std::sync::Arc;

use egui::Color32;

use super::curves::Curves;
use super::folder_dialog::FolderDialog;
use crate::record::palette::run_ink;
use crate::record::{Block, Grams, History};

pub use loader::{Found, Loader, Order, Told};
pub use panel::show as panel;
pub use picture::{Look, Pictures, draw};
pub use shelf::Shelf;

/// A run that lies over the one that is shown.
pub struct Overlay {
    /// In this window, for ever.
    pub id: u64,
    /// As the user calls it.
    pub name: String,
    pub hidden: bool,
    /// Where it can be opened again.
    pub path: Option<PathBuf>,
    pub history: Arc<History>,
    /// Where its Grams are, if not in the record.
    pub grams: Option<Arc<Grams>>,
    curves: Curves,
}

impl Overlay {
    /// What was read again: a run that is still written grows.
    pub fn renew(&mut self, history: Arc<History>, grams: Option<Arc<Grams>>) {
        (self.history, self.grams, self.curves) = (history, grams, Curves::default());
    }

    /// Its colour and whether its line is broken.
    pub fn ink(&self, dark: bool) -> (Color32, bool) {
        let ([r, g, b], broken) = run_ink(self.id as usize, dark);
        (Color32::from_rgb(r, g, b), broken)
    }
}

/// All of them, and how more are opened.
pub struct Runs {
    list: Vec<Overlay>,
    next: u64,
    /// Whose probes their curves are of.
    pub block: Block,
    /// The one that the pointer rests on in the list: it is drawn thick.
    pub lit: Option<u64>,
    /// The one that is shown beside the run.
    pub beside: Option<u64>,
    /// Whether the list is open.
    pub open: bool,
    /// What was closed last, by name and place.
    pub closed: Vec<(String, PathBuf)>,
    pub(super) loader: Option<Loader>,
    pub(super) dialog: Option<FolderDialog>,
    pub(super) pictures: Pictures,
}

/// What was closed is remembered so many times.
const MOST_CLOSED: usize = 12;

impl Default for Runs {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            next: 0,
            block: Block::Task(1),
            lit: None,
            beside: None,
            open: false,
            closed: Vec::new(),
            loader: None,
            dialog: None,
            pictures: Pictures::default(),
        }
    }
}

impl Runs {
    /// In the order in which they came.
    pub fn list(&self) -> &[Overlay] {
        &self.list
    }

    pub fn list_mut(&mut self) -> &mut [Overlay] {
        &mut self.list
    }

    pub fn find(&self, id: u64) -> Option<&Overlay> {
        self.list.iter().find(|overlay| overlay.id == id)
    }

    /// Lays a run over the one that is shown.
    pub fn add(
        &mut self,
        name: String,
        path: Option<PathBuf>,
        history: Arc<History>,
        grams: Option<Arc<Grams>>,
    ) -> u64 {
        let id = self.next;
        self.next += 1;
        self.closed.retain(|(_, known)| Some(known) != path.as_ref());
        self.list.push(Overlay { id, name, hidden: false, path, history, grams, curves: Curves::default() });
        id
    }

    /// Takes one away.
    pub fn remove(&mut self, id: u64) -> Option<Overlay> {
        let place = self.list.iter().position(|overlay| overlay.id == id)?;
        for chosen in [&mut self.lit, &mut self.beside] {
            *chosen = chosen.filter(|chosen| *chosen != id);
        }
        Some(self.list.remove(place))
    }

    /// Remembers where something was that is closed now.
    pub fn closed(&mut self, name: String, path: PathBuf) {
        self.closed.retain(|(_, known)| *known != path);
        self.closed.insert(0, (name, path));
        self.closed.truncate(MOST_CLOSED);
    }
}

/// Lets go of something large where nobody waits for it: freeing hundreds of megabytes takes longer than a frame.
pub fn let_go<T: Send + 'static>(thing: T) {
    // Without a thread it was let go of right here: slow, but nothing is lost.
    drop(std::thread::Builder::new().name("letting go".to_owned()).spawn(move || drop(thing)));
}
