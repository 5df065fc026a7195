//! Runs that lie over the one that is shown: opened from folders and archives, or left behind in this window.
//!
//! Guarantees: nothing that was opened is lost by opening another; names, colours and whether a run is hidden are the user's and
//! change nothing on disk.

mod loader;
mod overlay_raster;
mod panel;
mod recent;
mod time_axis;
mod traces;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use egui::Color32;

use super::app::session::Session;
use super::app::shortcuts::Dialog;
use super::plot::series_cache::SeriesCache;
use super::shell::folder_dialog::FolderDialog;
use super::views::forks::jobs::Kept;
use crate::chart::palette::run_ink;
use crate::run::{Block, History, Row};
use crate::storage::Grams;

pub use super::app::gram_cache::Shelf;
pub use crate::ui::overlays::loader::{Found, Loader, Order, Told};
pub use crate::ui::overlays::overlay_raster::{Look, Pictures, draw};
pub use crate::ui::overlays::panel::show as panel;
pub use crate::ui::overlays::recent::{Place, Recent};
pub use crate::ui::overlays::time_axis::Time;

/// So soon after it was asked for nobody has chosen in a file dialog, or closed it: an answer says that the system has none.
pub const APPEARS: Duration = Duration::from_millis(700);

/// A run that lies over the one that is shown.
pub struct Overlay {
    /// In this window, for ever.
    pub id: u64,
    /// As the user calls it.
    pub name: String,
    pub hidden: bool,
    /// Where it can be opened again.
    pub path: Option<PathBuf>,
    /// As it was measured.
    pub history: Arc<History>,
    /// What its time is drawn as, and the record so.
    pub time: Time,
    drawn: Arc<History>,
    /// Where its Grams are, if not in the record.
    pub grams: Option<Arc<Grams>>,
    /// The futures that go on from it.
    pub forks: Option<Kept>,
    curves: SeriesCache,
}

impl Overlay {
    /// What was read again: a run that is still written grows.
    pub fn renew(&mut self, history: Arc<History>, grams: Option<Arc<Grams>>) {
        (self.history, self.grams) = (history, grams);
        self.draw_in(self.time);
    }

    /// Its name, its place, and its record, which nothing here holds any more.
    pub fn into_record(self) -> (String, Option<PathBuf>, Arc<History>) {
        (self.name, self.path, self.history)
    }

    /// The record with its time as it is drawn.
    pub fn drawn(&self) -> &History {
        &self.drawn
    }

    fn draw_in(&mut self, time: Time) {
        (self.time, self.drawn, self.curves) = (time, time.applied(&self.history), SeriesCache::default());
    }

    /// The epoch, as it counts it itself, of its row that is drawn nearest to this time.
    pub fn own_epoch(&self, time: f64) -> f64 {
        if self.time == Time::Own {
            return time;
        }
        let gap = |row: &Row| (row.epoch - time).abs();
        let nearest = self.drawn.rows().iter().enumerate().min_by(|a, b| gap(a.1).total_cmp(&gap(b.1)));
        let own = nearest.and_then(|(place, _)| self.history.rows().get(place));
        own.map_or(time, |row| row.epoch)
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
    /// What was opened here or in a window before.
    pub recent: Recent,
    pub(super) loader: Option<Loader>,
    /// With the time at which it was asked for.
    pub(super) dialog: Option<(FolderDialog, Instant)>,
    /// A path that is being typed.
    typed: String,
    /// Whether its field is to have the focus: where the system has no file dialog, what is typed next is a path.
    pub(super) wants_path: bool,
    pub(super) pictures: Pictures,
}

impl Default for Runs {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            next: 0,
            block: Block::Task(1),
            lit: None,
            beside: None,
            open: false,
            recent: Recent::default(),
            loader: None,
            dialog: None,
            typed: String::new(),
            wants_path: false,
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

    pub fn find_mut(&mut self, id: u64) -> Option<&mut Overlay> {
        self.list.iter_mut().find(|overlay| overlay.id == id)
    }

    /// Takes what the futures of these runs have to tell, for so long at most; whether there may be more.
    pub fn receive_forks(&mut self, budget: Duration) -> bool {
        let kept = || self.list.iter().filter(|overlay| overlay.forks.is_some());
        let count = kept().count().max(1) as u32;
        let kept = self.list.iter_mut().filter_map(|overlay| overlay.forks.as_mut());
        kept.fold(false, |more, forks| forks.receive(budget / count) | more)
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
        // The first one is what a run is held against, until another is chosen.
        self.beside = self.beside.or(self.list.is_empty().then_some(id));
        let (time, drawn, curves) = (Time::Own, Arc::clone(&history), SeriesCache::default());
        let (hidden, forks) = (false, None);
        self.list.push(Overlay { id, name, hidden, path, history, time, drawn, grams, forks, curves });
        id
    }

    /// Whether a file dialog was asked for and has not answered yet, or the field in its place is about to have the keys.
    pub fn waits_for_dialog(&self) -> bool {
        self.dialog.is_some() || self.wants_path
    }

    /// Whether letters are meant for a file dialog, or for the field in its place.
    pub(super) fn dialog(&self) -> Dialog {
        match &self.dialog {
            _ if self.wants_path => Dialog::Field,
            Some((_, asked)) if asked.elapsed() < APPEARS => Dialog::Asked,
            _ => Dialog::None,
        }
    }

    /// Draws all of them in the time of the run that is shown.
    pub fn keep_time(&mut self, shown: &History) {
        for overlay in &mut self.list {
            let time = Time::of(&overlay.history, shown);
            if time != overlay.time {
                overlay.draw_in(time);
            }
        }
    }

    /// Takes one away.
    pub fn remove(&mut self, id: u64) -> Option<Overlay> {
        let place = self.list.iter().position(|overlay| overlay.id == id)?;
        for chosen in [&mut self.lit, &mut self.beside] {
            *chosen = chosen.filter(|chosen| *chosen != id);
        }
        Some(self.list.remove(place))
    }

    /// What was opened before and is not open now, the last one first. A study is open where one of its runs is.
    pub fn closed<'a>(&'a self, session: Option<&'a Session>) -> impl Iterator<Item = &'a Place> {
        let shown = session.and_then(Session::path);
        self.recent.list().iter().filter(move |place| {
            let mut open = self.list.iter().filter_map(|overlay| overlay.path.as_ref()).chain(shown);
            // The bytes first: this is asked in every frame, of a hundred runs perhaps, and parts of paths take longer.
            let begins = |path: &PathBuf| {
                let [path, place] = [path, &place.path].map(|path| path.as_os_str().as_encoded_bytes());
                path.starts_with(place)
            };
            !open.any(|path| begins(path) && path.starts_with(&place.path))
        })
    }
}

/// Lets go of something large where nobody waits for it: freeing hundreds of megabytes takes longer than a frame.
pub fn let_go<T: Send + 'static>(thing: T) {
    // Without a thread it was let go of right here: slow, but nothing is lost.
    drop(std::thread::Builder::new().name("letting go".to_owned()).spawn(move || drop(thing)));
}
