//! Opening runs and kernels: what is chosen or dropped, what comes of it, and what becomes of the run that was shown.
//!
//! Guarantees: files are read beside the window; what is opened lies over a run of this window, finished or not, and takes its place
//! only when asked to; a run that is put aside for another stays in the list of runs, with its Grams and its futures.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use egui::{Align2, Context, FontId, LayerId, Order as Layer};

use super::App;
use super::actions::Action;
use super::session::{Opened, Session, outline};
use super::update::waker;
use crate::spec::{Spec, absolute};
use crate::ui::kit::theme::Tokens;
use crate::ui::overlays::{APPEARS, Found, Loader, Order, Place, Shelf, Told, let_go};
use crate::ui::plot::series_cache::SeriesCache;
use crate::ui::shell::folder_dialog::FolderDialog;
use crate::ui::shell::toasts::Toast;
use crate::ui::views::View;
use crate::ui::views::forks::jobs::Kept;

const NO_DIALOG: &str = "This system has shown no file dialog: write the path into the list of runs, or drop the folder or file on the window";

/// What can be done with the runs in the list.
#[derive(Clone, Debug)]
pub enum RunWish {
    /// Show it in all views.
    Show(u64),
    /// Compare the run with this one in the view of two runs, or with none.
    CompareWith(Option<u64>),
    /// Put the view of two runs on screen.
    Beside,
    /// Close it.
    Close(u64),
    /// Close all of them.
    CloseAll,
    /// End what is being opened.
    StopOpening,
}

impl App {
    /// Opens run folders, study folders and archives of kernels, in this order; as if dropped on the window.
    pub fn open(&mut self, paths: Vec<PathBuf>) {
        self.actions.push(Action::Open(paths));
    }

    /// What is dropped on the window is opened; while it hovers, the window says so.
    pub(crate) fn take_drops(&mut self, ctx: &Context) {
        let (dropped, hovers) = ctx.input(|input| {
            let paths = input.raw.dropped_files.iter().map(|file| file.path().to_owned());
            (paths.collect::<Vec<PathBuf>>(), !input.raw.hovered_files.is_empty())
        });
        if !dropped.is_empty() {
            self.open(dropped);
        }
        if hovers {
            let tokens = Tokens::in_theme(ctx.global_style().visuals.dark_mode);
            let painter = ctx.layer_painter(LayerId::new(Layer::Foreground, egui::Id::unique("drop")));
            let rect = ctx.content_rect();
            painter.rect_filled(rect, 0.0, tokens.ground.gamma_multiply(0.8));
            let text = "Drop run folders, study folders, .npz archives of kernels or .rhai texts of networks";
            painter.text(rect.center(), Align2::CENTER_CENTER, text, FontId::proportional(20.0), tokens.text);
        }
    }

    pub(crate) fn open_paths(&mut self, ctx: &Context, paths: Vec<PathBuf>) {
        // The first one is shown where no run of this window is; all others lie over it.
        let mut shown = self.is_vacant();
        for path in paths {
            if path.extension().is_some_and(|ending| ending == "rhai") {
                if let Err(err) = self.views.open_file(ctx, path) {
                    self.toasts.say(Toast::failed(format!("No thread can be started to read the text: {err}")));
                }
                self.study.shown = false;
                continue;
            }
            // It is remembered, and the next window may begin elsewhere.
            let path = absolute(&path, Path::new(""));
            let known = self.runs.recent.list().iter().find(|place| place.path == path);
            let name = known.map(|place| place.name.clone());
            let shown = std::mem::take(&mut shown) || self.is_shown(&path);
            self.order(ctx, Order { path, shown, name });
        }
    }

    /// Whether no run of this window is shown of which anything was seen: what was opened can be opened again.
    fn is_vacant(&self) -> bool {
        let is_ours = |session: &Session| session.is_live() || !session.history.rows().is_empty();
        self.session.as_ref().is_none_or(|session| session.opened.is_some() || !is_ours(session))
    }

    /// Whether the record that is shown was read from here.
    fn is_shown(&self, path: &Path) -> bool {
        let opened = self.session.as_ref().and_then(|session| session.opened.as_ref());
        opened.is_some_and(|opened| opened.path.as_deref() == Some(path))
    }

    fn order(&mut self, ctx: &Context, order: Order) {
        if self.runs.loader.is_none() {
            match Loader::start(waker(ctx)) {
                Ok(loader) => self.runs.loader = Some(loader),
                Err(err) => self.toasts.say(Toast::failed(format!("No thread can be started to open files: {err}"))),
            }
        }
        if let Some(loader) = &mut self.runs.loader {
            loader.order(order);
        }
    }

    /// Asks for a folder, or for an archive.
    pub(crate) fn ask_what_to_open(&mut self, ctx: &Context, archive: bool) {
        if self.runs.dialog.is_some() {
            return;
        }
        let opened = if archive {
            FolderDialog::file("Kernels: an .npz archive with gram", "npz", waker(ctx))
        } else {
            FolderDialog::open("Folder of a run or of a study", waker(ctx))
        };
        match opened {
            Ok(dialog) => self.runs.dialog = Some((dialog, Instant::now())),
            Err(err) => {
                self.toasts.say(Toast::failed(format!("No file dialog: {err}; drop the file on the window instead")));
            }
        }
    }

    /// Takes what the dialog and the opening thread have to say, and brings Grams from disk.
    pub(crate) fn receive_opened(&mut self, ctx: &Context) {
        let answer = self.runs.dialog.as_ref().and_then(|(dialog, asked)| Some((dialog.poll()?, *asked)));
        if let Some((answer, asked)) = answer {
            self.runs.dialog = None;
            if let Some(path) = answer {
                self.open_paths(ctx, vec![path]);
            } else if asked.elapsed() < APPEARS {
                self.runs.open = true;
                self.runs.wants_path = true;
                self.toasts.say(Toast::failed(NO_DIALOG.to_owned()));
            }
        }
        while let Some(told) = self.runs.loader.as_mut().and_then(Loader::told) {
            match told {
                Told::Found(found) => {
                    self.take_in(ctx, *found);
                    // One a frame: the next one waits for no more than that.
                    ctx.request_repaint();
                    break;
                }
                Told::Study(place, spec) => self.take_study(place, *spec),
                Told::Refused(sentence) => self.toasts.say(Toast::failed(sentence)),
                Told::Gone(path) => {
                    self.runs.recent.forget(&path);
                    self.toasts.say(Toast::failed(format!("{} is not there any more", path.display())));
                }
                Told::Measuring(..) | Told::Done => {}
            }
        }
        let shown = self.session.as_ref().map_or(&self.nothing, |session| &session.history);
        self.runs.keep_time(shown);
        let cursor = self.clock.cursor(self.history());
        let Some(session) = &mut self.session else { return };
        if let Some(problem) = session.bring_grams(cursor) {
            self.toasts.say(Toast::failed(problem));
        }
    }

    fn take_in(&mut self, ctx: &Context, found: Found) {
        let Found { path, asked, name, history, grams, warnings, shown } = found;
        let known = self.runs.recent.list().iter().find(|place| place.path == asked.path).cloned();
        self.runs.recent.note(known.unwrap_or(asked));
        if let Some(warning) = warnings.first() {
            let more = if warnings.len() > 1 { format!(" (and {} more)", warnings.len() - 1) } else { String::new() };
            self.toasts.say(Toast::done(format!("{name}: {warning}{more}")).with_folder(&path));
        }
        let grams = grams.map(Arc::new);
        // A run may have begun while this was read.
        let asked = self.runs.list().iter().find(|overlay| overlay.path.as_ref() == Some(&path)).map(|found| found.id);
        let is_shown = self.is_shown(&path);
        if is_shown && !shown {
            // As part of a study: it is not laid over itself, but read anew.
            self.order(ctx, Order { path, shown: true, name: Some(name) });
        } else if shown && (asked.is_some() || is_shown || self.is_vacant()) {
            let mut futures = None;
            if let Some(mut overlay) = asked.and_then(|id| self.runs.remove(id)) {
                futures = overlay.forks.take();
                let_go(overlay);
            }
            let shelf = grams.and_then(|grams| {
                let ctx = ctx.clone();
                Shelf::start(grams, &history, move || ctx.request_repaint())
                    .inspect_err(|err| log::warn!("no thread can be started to read Grams: {err}"))
                    .ok()
            });
            if let Some(mut session) = self.session.take_if(|_| is_shown) {
                // It is read anew: it may have gone on meanwhile.
                let_go(std::mem::take(&mut session.history));
                futures = self.forks.take_branches();
            }
            let opened = Opened { name, path: Some(path), shelf };
            self.show_opened(Session::opened(history, opened), futures);
        } else if let Some(overlay) = self.runs.list_mut().iter_mut().find(|overlay| Some(overlay.id) == asked) {
            overlay.renew(Arc::new(history), grams);
        } else {
            self.runs.add(name, Some(path), Arc::new(history), grams);
            (self.runs.open, self.study.shown) = (true, false);
        }
    }

    /// Shows a study of learners on the page of the studies.
    fn take_study(&mut self, place: Place, spec: Spec) {
        if self.study.is_running() {
            let text = format!("{} is a study, and another one is running: cancel that or wait for it", place.name);
            return self.toasts.say(Toast::failed(text));
        }
        self.study.show_found(&spec, &place.path);
        self.runs.recent.note(place);
    }

    /// Shows a record that nobody adds to, and its futures; the run that was shown joins the list.
    fn show_opened(&mut self, session: Session, futures: Option<Kept>) {
        self.put_aside();
        if !session.is_elsewhere() {
            // What the panel shows is what is seen; a restart repeats it.
            self.draft = Spec { window: self.draft.window.clone(), ..session.spec.clone() };
            self.checked.update(&self.draft);
        }
        self.session = Some(session);
        self.study.shown = false;
        self.begin_views();
        if let Some(futures) = futures {
            self.forks.put_back(futures);
        }
    }

    /// The run that is shown joins the list of runs, if anything was seen of it.
    pub(crate) fn put_aside(&mut self) {
        let Some(mut session) = self.session.take() else { return };
        let futures = self.forks.take_branches();
        session.retire();
        self.views.leave(&session.history);
        let history = std::mem::take(&mut session.history);
        let opened = session.opened.take();
        if history.rows().is_empty() {
            return;
        }
        let id = match opened {
            // Its Grams are on disk: only its curves are kept.
            Some(Opened { name, path, shelf: Some(shelf) }) => {
                let grams = Some(Arc::clone(shelf.grams()));
                // Of a single row there is no outline, and nothing to save.
                let kept = match outline(&history) {
                    Some(outline) => {
                        let_go(history);
                        outline
                    }
                    None => history,
                };
                self.runs.add(name, path, Arc::new(kept), grams)
            }
            Some(Opened { name, path, shelf: None }) => self.runs.add(name, path, Arc::new(history), None),
            None => {
                self.runs.recent.left(&session);
                self.runs.add(session.own_name(), session.path().cloned(), Arc::new(history), None)
            }
        };
        if let Some(overlay) = self.runs.find_mut(id) {
            overlay.forks = futures;
        }
    }

    /// Views of another record: they forget what they knew.
    pub(crate) fn begin_views(&mut self) {
        self.curves = SeriesCache::default();
        self.reference_curves = SeriesCache::default();
        self.forks.clear();
        self.views.reset();
        self.clock.follow();
        self.travel.reset();
        self.dismissed = false;
    }

    pub(crate) fn execute_run_wish(&mut self, ctx: &Context, wish: &RunWish) {
        match *wish {
            RunWish::Show(id) => self.show_overlay(ctx, id),
            RunWish::CompareWith(id) => self.runs.beside = id,
            RunWish::Beside => self.views.bring(View::Beside),
            RunWish::Close(id) => self.close_overlay(id),
            RunWish::CloseAll => {
                let all: Vec<u64> = self.runs.list().iter().map(|overlay| overlay.id).collect();
                all.into_iter().for_each(|id| self.close_overlay(id));
            }
            RunWish::StopOpening => self.runs.loader = None,
        }
    }

    fn show_overlay(&mut self, ctx: &Context, id: u64) {
        let Some(overlay) = self.runs.find(id) else { return };
        if let (Some(path), true) = (overlay.path.clone(), overlay.grams.is_some()) {
            // Its curves are here, all else is read again.
            let order = Order { path, shown: true, name: Some(overlay.name.clone()) };
            return self.order(ctx, order);
        }
        let Some(mut overlay) = self.runs.remove(id) else { return };
        let futures = overlay.forks.take();
        let (name, path, history) = overlay.into_record();
        match Arc::try_unwrap(history) {
            Ok(history) => {
                let opened = Opened { name, path, shelf: None };
                self.show_opened(Session::opened(history, opened), futures);
            }
            // Somebody still draws it: in the next frame nobody does.
            Err(history) => {
                let id = self.runs.add(name, path, history, None);
                if let Some(overlay) = self.runs.find_mut(id) {
                    overlay.forks = futures;
                }
            }
        }
    }

    fn close_overlay(&mut self, id: u64) {
        if let Some(mut overlay) = self.runs.remove(id) {
            drop(overlay.forks.take());
            if let Some(path) = overlay.path.take() {
                self.runs.recent.closed(std::mem::take(&mut overlay.name), path);
            }
            let_go(overlay);
        }
    }
}
