//! Manages the runs that are drawn over the main one: opened from folders and archives, or replaced earlier in this
//! window.
//!
//! Guarantees: opening a run never loses another; names, colours and visibility are the user's and change nothing on disk.

pub mod action;
mod loader;
mod overlay_raster;
pub(crate) mod panel;
mod recent;
mod time_axis;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use egui::{Color32, Context};

use super::app::session::Session;
use super::app::shortcuts::DialogState;
use super::kit::waker::waker;
use super::shell::folder_dialog::FolderDialog;
use super::shell::toast::Toast;
use super::views::forks::jobs::HiddenForks;
use crate::chart::palette::run_ink;
use crate::chart::series_cache::SeriesCache;
use crate::run::{Block, History, Row};
use crate::storage::Grams;

pub use crate::ui::overlays::loader::{LoadEvent, LoadRequest, LoadedRun, Loader};
pub use crate::ui::overlays::overlay_raster::{MANY, OverlayRasters, RasterRequest, rasterise};
pub use crate::ui::overlays::recent::{Recent, RecentPath};
pub use crate::ui::overlays::time_axis::TimeAxis;

const NO_DIALOG: &str = "This system has shown no file dialog: write the path into the list of runs, or drop the \
    folder or file on the window";

/// Shortest time in which a user can respond to a file dialog; an earlier response means that the system has no dialog.
pub const APPEARS: Duration = Duration::from_millis(700);

/// A run that is drawn over the main one.
pub struct Overlay {
    /// Identifies the run for the lifetime of the window.
    pub id: u64,
    /// The name that the user gave it.
    pub name: String,
    pub hidden: bool,
    /// The path from which it can be opened again.
    pub path: Option<PathBuf>,
    /// The record as it was measured.
    pub history: Arc<History>,
    /// The axis on which it is drawn, and the record on that axis.
    pub time: TimeAxis,
    drawn: Arc<History>,
    /// Its Grams on disk; `None` if they are in the record.
    pub grams: Option<Arc<Grams>>,
    /// The futures that were forked from it.
    pub forks: Option<HiddenForks>,
    curves: SeriesCache,
}

impl Overlay {
    /// Replaces the record after it was read again: a run that is still being written grows.
    pub fn renew(&mut self, history: Arc<History>, grams: Option<Arc<Grams>>) {
        (self.history, self.grams) = (history, grams);
        self.draw_in(self.time);
    }

    /// Returns the name, the path, and the record, to which this overlay gives up its reference.
    pub fn into_record(self) -> (String, Option<PathBuf>, Arc<History>) {
        (self.name, self.path, self.history)
    }

    /// Returns the record on the time axis on which it is drawn.
    pub fn drawn(&self) -> &History {
        &self.drawn
    }

    /// Returns the record as it is drawn, and its curves.
    pub fn series(&self) -> (&History, &SeriesCache) {
        (&self.drawn, &self.curves)
    }

    fn draw_in(&mut self, time: TimeAxis) {
        (self.time, self.drawn, self.curves) = (time, time.applied(&self.history), SeriesCache::default());
    }

    /// Returns the run's own epoch of the row that is drawn nearest to this time.
    pub fn own_epoch(&self, time: f64) -> f64 {
        if self.time == TimeAxis::Own {
            return time;
        }
        let gap = |row: &Row| (row.epoch - time).abs();
        let nearest = self.drawn.rows().iter().enumerate().min_by(|a, b| gap(a.1).total_cmp(&gap(b.1)));
        let own = nearest.and_then(|(place, _)| self.history.rows().get(place));
        own.map_or(time, |row| row.epoch)
    }

    /// Returns its colour and whether its line is dashed.
    pub fn ink(&self, dark: bool) -> (Color32, bool) {
        let ([r, g, b], broken) = run_ink(self.id as usize, dark);
        (Color32::from_rgb(r, g, b), broken)
    }
}

/// The runs that are drawn over the main one, and the loader that opens more of them.
pub struct Overlays {
    list: Vec<Overlay>,
    next: u64,
    /// The probes whose curves are drawn.
    pub block: Block,
    /// The run under the pointer in the list; its curves are drawn thick.
    pub lit: Option<u64>,
    /// The run that is compared with the main one side by side.
    pub compared: Option<u64>,
    /// Whether the list is open.
    pub open: bool,
    /// The places that were opened in this window or an earlier one.
    pub recent: Recent,
    loader: Option<Loader>,
    /// The open dialog, and the time at which it was requested.
    dialog: Option<(FolderDialog, Instant)>,
    /// A path that is being typed.
    typed: String,
    /// Whether the path field is to have the focus, because the system has no file dialog.
    wants_path: bool,
    pub(super) rasters: OverlayRasters,
}

impl Default for Overlays {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            next: 0,
            block: Block::Task(1),
            lit: None,
            compared: None,
            open: false,
            recent: Recent::default(),
            loader: None,
            dialog: None,
            typed: String::new(),
            wants_path: false,
            rasters: OverlayRasters::default(),
        }
    }
}

impl Overlays {
    /// Returns the runs in the order in which they were added.
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

    /// Receives messages of the futures of these runs for at most `budget`; returns whether there may be more.
    pub fn receive_forks(&mut self, budget: Duration) -> bool {
        let kept = || self.list.iter().filter(|overlay| overlay.forks.is_some());
        let count = kept().count().max(1) as u32;
        let kept = self.list.iter_mut().filter_map(|overlay| overlay.forks.as_mut());
        kept.fold(false, |more, forks| forks.receive(budget / count) | more)
    }

    /// Adds a run over the main one.
    pub fn add(
        &mut self,
        name: String,
        path: Option<PathBuf>,
        history: Arc<History>,
        grams: Option<Arc<Grams>>,
    ) -> u64 {
        let id = self.next;
        self.next += 1;
        // The first run is the one to compare with, until another is chosen.
        self.compared = self.compared.or(self.list.is_empty().then_some(id));
        let (time, drawn, curves) = (TimeAxis::Own, Arc::clone(&history), SeriesCache::default());
        let (hidden, forks) = (false, None);
        self.list.push(Overlay { id, name, hidden, path, history, time, drawn, grams, forks, curves });
        id
    }

    /// Returns whether a file dialog is still open, or the field that replaces it is about to have the focus.
    pub fn waits_for_dialog(&self) -> bool {
        self.dialog.is_some() || self.wants_path
    }

    /// Returns whether letters belong to a file dialog, or to the field that replaces it.
    pub(super) fn dialog(&self) -> DialogState {
        match &self.dialog {
            _ if self.wants_path => DialogState::Field,
            Some((_, opened)) if opened.elapsed() < APPEARS => DialogState::Asked,
            _ => DialogState::None,
        }
    }

    /// Opens a dialog for a folder, or for an archive; returns a message if that fails.
    pub fn ask(&mut self, ctx: &Context, archive: bool) -> Option<Toast> {
        if self.dialog.is_some() {
            return None;
        }
        let opened = if archive {
            FolderDialog::file("Kernels: an .npz archive with gram", "npz", waker(ctx))
        } else {
            FolderDialog::open("Folder of a run, a study, a module or a training", waker(ctx))
        };
        match opened {
            Ok(dialog) => {
                self.dialog = Some((dialog, Instant::now()));
                None
            }
            Err(err) => Some(Toast::failed(format!("No file dialog: {err}; drop the file on the window instead"))),
        }
    }

    /// Returns the result of the dialog: the chosen path, or a message that this system has none.
    pub fn answer(&mut self) -> Option<Result<PathBuf, Toast>> {
        let (answer, opened) = self.dialog.as_ref().and_then(|(dialog, opened)| Some((dialog.poll()?, *opened)))?;
        self.dialog = None;
        match answer {
            Some(path) => Some(Ok(path)),
            None if opened.elapsed() < APPEARS => {
                (self.open, self.wants_path) = (true, true);
                Some(Err(Toast::failed(NO_DIALOG)))
            }
            None => None,
        }
    }

    /// Queues a request for the loader; returns a message if its thread cannot be started.
    pub fn order(&mut self, ctx: &Context, order: LoadRequest) -> Option<Toast> {
        if self.loader.is_none() {
            match Loader::start(waker(ctx)) {
                Ok(loader) => self.loader = Some(loader),
                Err(err) => return Some(Toast::failed(format!("No thread can be started to open files: {err}"))),
            }
        }
        self.loader.as_mut()?.order(order);
        None
    }

    /// Returns the next message of the loader.
    pub fn next_event(&mut self) -> Option<LoadEvent> {
        self.loader.as_mut()?.event()
    }

    /// Cancels what is being opened.
    pub fn stop_opening(&mut self) {
        self.loader = None;
    }

    /// Closes a run; it can be opened again.
    pub fn close(&mut self, id: u64) {
        if let Some(mut overlay) = self.remove(id) {
            drop(overlay.forks.take());
            if let Some(path) = overlay.path.take() {
                self.recent.closed(std::mem::take(&mut overlay.name), path);
            }
            let_go(overlay);
        }
    }

    /// Closes all runs.
    pub fn close_all(&mut self) {
        let all: Vec<u64> = self.list.iter().map(|overlay| overlay.id).collect();
        all.into_iter().for_each(|id| self.close(id));
    }

    /// Places all runs on the time axis of the main run.
    pub fn keep_time(&mut self, shown: &History) {
        for overlay in &mut self.list {
            let time = TimeAxis::of(&overlay.history, shown);
            if time != overlay.time {
                overlay.draw_in(time);
            }
        }
    }

    /// Removes a run from the list and returns it.
    pub fn remove(&mut self, id: u64) -> Option<Overlay> {
        let place = self.list.iter().position(|overlay| overlay.id == id)?;
        for chosen in [&mut self.lit, &mut self.compared] {
            *chosen = chosen.filter(|chosen| *chosen != id);
        }
        Some(self.list.remove(place))
    }

    /// Returns the recent places that are not open now, the last one first. A study counts as open if one of its runs is.
    pub fn closed<'a>(&'a self, session: Option<&'a Session>) -> impl Iterator<Item = &'a RecentPath> {
        let shown = session.and_then(Session::path);
        let watched = session.and_then(|session| session.watched.as_ref()).map(|watched| &watched.path);
        self.recent.list().iter().filter(move |place| {
            let mut open = self.list.iter().filter_map(|overlay| overlay.path.as_ref()).chain(shown).chain(watched);
            // Bytes are compared first: this runs in every frame, perhaps for a hundred runs, and comparing path components is
            // slower.
            let begins = |path: &PathBuf| {
                let [path, place] = [path, &place.path].map(|path| path.as_os_str().as_encoded_bytes());
                path.starts_with(place)
            };
            !open.any(|path| begins(path) && path.starts_with(&place.path))
        })
    }
}

/// Drops a large value on another thread: freeing hundreds of megabytes takes longer than a frame.
pub fn let_go<T: Send + 'static>(thing: T) {
    // Without a thread it is dropped right here: slow, but no data is lost.
    drop(std::thread::Builder::new().name("letting go".to_owned()).spawn(move || drop(thing)));
}
