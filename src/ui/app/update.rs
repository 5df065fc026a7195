//! Does the work between frames, also while the window is hidden: receives messages, then carries out the user's actions.
//!
//! Guarantees: receiving takes at most 8 ms a frame and then requests another frame; nothing here waits for a run, so stop,
//! restart and close respond at once, whatever the run is doing. Files are read on other threads; an opened run is drawn over a
//! run of this window, finished or not, and replaces it only on request. Files that are being saved are finished before the
//! window closes, unless the user closes it a second time.
//!
//! These methods of [`App`] change its state; those in its own file read the state and draw it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use egui::Context;

use super::App;
use super::actions::{Action, RunAction, SettingsAction, ShellAction, ViewAction};
use super::current_run::{FORKS, gram_cache_of};
use super::session::{OpenedRecord, Session};
use crate::spec::{DataFolders, NetworkSpec, Preset, Spec, absolute};
use crate::storage::Order;
use crate::ui::export::action::ExportAction;
use crate::ui::export::{ViewExport, copy_command_line, copy_line, file_name};
use crate::ui::kit::appearance;
use crate::ui::kit::waker::waker;
use crate::ui::lessons::action::LessonAction;
use crate::ui::lessons::{Hold, LessonContext, LessonSetup, Lessons, Next};
use crate::ui::overlays::action::OverlayAction;
use crate::ui::overlays::{LoadEvent, LoadRequest, LoadedRun, RecentPath, let_go};
use crate::ui::playback::action::PlaybackAction;
use crate::ui::shell::toast::Toast;
use crate::ui::study::action::StudyAction;
use crate::ui::views::View;
use crate::ui::views::forks::jobs::HiddenForks;
use crate::ui::watching::{Found, Opened, Opening};
use crate::worker::Command;

impl App {
    /// Receives messages and carries out actions. To be called once per frame, before [`App::show`], and also while hidden.
    pub fn tick(&mut self, ctx: &Context) {
        let (more, trouble) = self.run.receive(ctx);
        self.shell.say(trouble);
        self.forget_what_was_taken_back();
        if more | self.overlays.receive_forks(FORKS) {
            // More messages are waiting than one frame may take, or a command found the queue full.
            ctx.request_repaint_after(Duration::from_millis(10));
        }
        self.settings.poll_dialog();
        if !self.study.shown
            && let Some(after) = self.time.tick(ctx.input(|input| input.time), self.run.history())
        {
            ctx.request_repaint_after(after);
        }
        self.receive_opened(ctx);
        self.receive_watched(ctx);
        self.study.tick(ctx, &self.settings.spec, || waker(ctx));
        let exported = self.exports.tick(|| waker(ctx));
        self.shell.say(exported);
        for (command, action) in self.actions.take() {
            self.shell.last_command = command.or(self.shell.last_command);
            self.lessons.note(&action);
            self.execute(ctx, action);
            ctx.request_repaint();
        }
        self.shell.close_when_saved(ctx, self.exports.is_busy());
        self.check_lesson(ctx);
    }

    /// Ends the run as the window closes. Data still to be written to its folder, and pictures already drawn, have at most this
    /// long to be finished.
    pub fn leave(&mut self, at_most: Duration) {
        let patience = Instant::now() + at_most;
        let closing = self.run.retire();
        self.exports.finish(at_most).iter().for_each(|sentence| log::warn!("{sentence}"));
        if let Some(closing) = closing {
            closing.wait(patience.saturating_duration_since(Instant::now()));
        }
    }

    fn execute(&mut self, ctx: &Context, action: Action) {
        match action {
            Action::Run(action) => self.execute_run(ctx, action),
            Action::Playback(action) => self.execute_playback(action),
            Action::View(action) => match action {
                ViewAction::Bring(title) => View::titled(title).into_iter().for_each(|view| self.views.bring(view)),
                ViewAction::Enlarge => self.views.enlarge_or_put_back(),
                ViewAction::Resize(direction, more) => self.views.resize(direction, more),
                ViewAction::ResetLayout => self.views.reset_layout(),
            },
            Action::Settings(action) => self.execute_settings(ctx, action),
            Action::Overlay(action) => self.execute_overlay(ctx, action),
            Action::Study(StudyAction::OpenRun(place)) => {
                if let Some(spec) = self.study.run(place) {
                    self.settings.take(spec);
                    self.study.shown = false;
                }
            }
            Action::Study(StudyAction::ShowLog(place)) => {
                if let Some(log) = self.study.log_of(place) {
                    self.reveal(&log);
                }
            }
            Action::Study(action) => self.study.execute(action, || waker(ctx)),
            Action::Lesson(action) => self.execute_lesson(ctx, action),
            Action::Export(action) => self.execute_export(ctx, action),
            Action::Shell(action) => self.execute_shell(ctx, action),
        }
    }

    fn execute_run(&mut self, ctx: &Context, action: RunAction) {
        match action {
            RunAction::Start => self.restart(ctx),
            RunAction::StartOwn => self.start_run(ctx),
            RunAction::RestartAt(rate) => {
                self.settings.spec.training.rate = rate;
                self.start_run(ctx);
            }
            RunAction::NewSeed => {
                self.settings.reseed();
                self.start_run(ctx);
            }
            RunAction::Load(preset) => {
                self.settings.load(preset);
                self.views.set_out(&views_of(preset));
                self.start_run(ctx);
            }
            RunAction::Apply(network) => {
                self.settings.apply(*network);
                self.start_run(ctx);
            }
            RunAction::PauseOrResume => {
                if !self.run.pause_or_resume() {
                    self.restart(ctx);
                }
            }
            RunAction::Step => {
                if let Some(session) = self.run.live().filter(|session| session.is_paused()) {
                    session.send(Command::Step(1));
                }
            }
            RunAction::SwitchTask => {
                if let Some(session) = self.run.live() {
                    session.send(Command::SwitchTask);
                }
            }
            RunAction::Stop => {
                if let Some(session) = &mut self.run.session {
                    session.stop();
                }
            }
            RunAction::Fork => self.fork(),
            RunAction::ForkAtSwitch(at_switch) => self.run.forks.at_switch = at_switch,
            RunAction::ChooseFuture(name, chosen) => self.run.forks.choose(name, chosen),
            RunAction::RemoveFuture(place) => self.run.forks.remove(place),
            RunAction::Send(command) => self.run.send(command),
            RunAction::ForgetReference => self.run.reference = None,
        }
    }

    fn execute_playback(&mut self, action: PlaybackAction) {
        if self.time.execute(action, self.run.history()) {
            self.views.bring(View::Compare);
        }
    }

    fn execute_settings(&mut self, ctx: &Context, action: SettingsAction) {
        let session = self.run.session.as_ref();
        let commands = match action {
            SettingsAction::Undo => self.settings.undo(session),
            SettingsAction::Redo => self.settings.redo(session),
            SettingsAction::Revert => {
                if let Some(session) = session {
                    self.settings.spec = session.spec.clone();
                }
                return;
            }
            SettingsAction::ChooseFolder => return self.settings.choose_folder(ctx),
        };
        commands.into_iter().for_each(|command| self.actions.push(RunAction::Send(command)));
    }

    fn execute_overlay(&mut self, ctx: &Context, action: OverlayAction) {
        match action {
            OverlayAction::AskForFolder => self.shell.say(self.overlays.ask(ctx, false)),
            OverlayAction::AskForArchive => self.shell.say(self.overlays.ask(ctx, true)),
            OverlayAction::Open(paths) => self.open_paths(ctx, paths),
            OverlayAction::Watch(path) => self.open_watched(ctx, absolute(&path, Path::new("")), Order::Spread),
            OverlayAction::Reopen => {
                let path = self.overlays.closed(self.run.session.as_ref()).next().map(|place| place.path.clone());
                path.into_iter().for_each(|path| self.open_paths(ctx, vec![path]));
            }
            OverlayAction::StopOpening => self.overlays.stop_opening(),
            OverlayAction::ToggleList => self.overlays.open = !self.overlays.open,
            OverlayAction::Show(id) => self.show_overlay(ctx, id),
            OverlayAction::CompareWith(id) => self.overlays.compared = id,
            OverlayAction::ShowBeside => self.views.bring(View::Beside),
            OverlayAction::Close(id) => self.overlays.close(id),
            OverlayAction::CloseAll => self.overlays.close_all(),
        }
    }

    fn execute_export(&mut self, ctx: &Context, action: ExportAction) {
        match action {
            ExportAction::View { title, size, what } => {
                let view = View::titled(title);
                view.into_iter().for_each(|view| self.exports.order(ViewExport { view, size, what }));
            }
            ExportAction::Window => self.exports.order_window(),
            ExportAction::Animation => {
                let (name, history) = (file_name(self.session()), self.history().clone());
                let toast = self.exports.animate(ctx, &name, history, self.views.choices());
                self.shell.say(toast);
            }
            ExportAction::CancelAnimation => self.exports.cancel_film(),
            ExportAction::CommandLine => {
                if let Some(path) = self.watched_path().filter(|_| !self.study.shown) {
                    let quoted = path.to_str().and_then(|path| shlex::try_quote(path).ok());
                    let toast = quoted.map_or_else(
                        || Toast::failed("The path of this folder does not fit into a command line"),
                        |path| copy_line(ctx, format!("kernelscope watch {path} --out record")),
                    );
                    return self.shell.toasts.say(toast);
                }
                // The line repeats the run as it went, live changes included; without a run it repeats the settings.
                let spec = if self.study.shown {
                    let spec = self.study.draft.spec(&self.settings.spec);
                    spec.map_err(|problem| format!("{}: {}", problem.field, problem.message))
                } else {
                    Ok(self.history().spec_as_it_went().unwrap_or_else(|| self.settings.spec.clone()))
                };
                let folder = self.study.shown.then(|| self.study.folder());
                self.shell.toasts.say(copy_command_line(ctx, spec, folder));
            }
            ExportAction::ToggleLight => {
                self.exports.light = !self.exports.light;
                let words = if self.exports.light { "are light" } else { "have the window's colours" };
                self.shell.toasts.say(Toast::done(format!("Exported pictures {words}")));
            }
        }
    }

    fn execute_shell(&mut self, ctx: &Context, action: ShellAction) {
        match action {
            ShellAction::Say(toast) => self.shell.toasts.say(toast),
            ShellAction::Reveal(path) => self.reveal(&path),
            ShellAction::RevealLog => {
                if let Some(folder) = self.environment.folder.clone() {
                    self.reveal(&folder);
                }
            }
            ShellAction::ToggleWatchCard => self.shell.watch_card ^= true,
            ShellAction::StopAwaiting => self.run.opening = None,
            ShellAction::DismissBanner => self.shell.banner_dismissed = true,
            ShellAction::TogglePalette => self.shell.palette.toggle(),
            ShellAction::ToggleHelp => self.shell.help = !self.shell.help,
            ShellAction::NextTheme => {
                let next = appearance::next_theme(ctx);
                ctx.set_theme(next);
                // This pass has begun in the theme of before, and would show some of both.
                ctx.request_discard("the theme changes");
                if next == egui::ThemePreference::System {
                    // This is the only step of the cycle that may leave the picture unchanged.
                    self.shell.toasts.say(Toast::done("The theme is that of the system"));
                }
            }
            ShellAction::TogglePresentation => self.appearance.present(ctx),
            ShellAction::ToggleBlank => self.appearance.toggle_blank(),
            ShellAction::ScaleBy(tenths) => appearance::scale_by(ctx, tenths),
            ShellAction::ResetScale => ctx.set_zoom_factor(1.0),
        }
    }

    /// Shows a file or folder in the system's file manager.
    fn reveal(&mut self, path: &Path) {
        if let Err(err) = open::that_detached(path) {
            log::warn!("{} cannot be shown: {err}", path.display());
            let text = format!("No file manager could be started here; the folder is {}", path.display());
            self.shell.toasts.say(Toast::failed(text));
        }
    }

    /// Shows these views in the places of the window, the large ones first.
    pub fn set_out(&mut self, views: &[View]) {
        self.views.set_out(views);
    }

    /// Shows these views in the lowest row, from the left; if the forks are among them, also forks the run as the user would.
    pub fn arrange(&mut self, views: &[View]) {
        self.views.arrange(views);
        if views.contains(&View::Forks) {
            self.fork();
        }
    }

    /// Forks the run, and shows the view of its futures.
    fn fork(&mut self) {
        self.views.bring(View::Forks);
        self.run.fork();
    }

    /// Begins again: a run of the draft or, where a training is watched, with its first step and without passing any over.
    fn restart(&mut self, ctx: &Context) {
        match self.watched_path().map(Path::to_owned) {
            Some(path) => self.open_watched(ctx, path, Order::Every),
            None => self.start_run(ctx),
        }
    }

    /// Returns the folder of the training that is watched.
    fn watched_path(&self) -> Option<&Path> {
        let watched = self.run.session.as_ref()?.watched.as_ref()?;
        Some(&watched.path)
    }

    /// Opens the folder of a training, which is watched once its writer has written what is needed.
    fn open_watched(&mut self, ctx: &Context, path: PathBuf, order: Order) {
        match Opening::start(path, order, waker(ctx)) {
            Ok(opening) => self.run.opening = Some(opening),
            Err(err) => self.shell.toasts.say(Toast::failed(format!("No thread can be started to open files: {err}"))),
        }
    }

    /// Begins to watch the training whose folder was opened.
    fn receive_watched(&mut self, ctx: &Context) {
        let Some(opening) = &mut self.run.opening else { return };
        match opening.poll() {
            None => {}
            Some(Found::NotYet) => self.shell.banner_dismissed = false,
            Some(Found::Refused(sentence)) => {
                self.run.opening = None;
                self.shell.toasts.say(Toast::failed(sentence));
            }
            Some(Found::Opened(opened)) => self.watch_opened(ctx, *opened),
        }
    }

    fn watch_opened(&mut self, ctx: &Context, opened: Opened) {
        let saver = |spec: &Spec| self.environment.autosave.as_ref().map(|autosave| autosave.begin(spec));
        self.run.begin_watching(ctx, opened, saver, &mut self.overlays, &mut self.views);
        self.study.shown = false;
        self.shell.watch_card = false;
        self.begin_views();
        ctx.request_repaint();
    }

    /// Forgets what was drawn of steps that a watched training has taken back: other ones may come in their place.
    fn forget_what_was_taken_back(&mut self) {
        let Some(step) = self.run.session.as_mut().and_then(Session::take_taken_back) else { return };
        self.views.reset();
        self.time.take_back(step);
    }

    /// Begins a run of the draft; the previous run becomes the faint reference. Does nothing while the draft has problems.
    pub fn start_run(&mut self, ctx: &Context) {
        if !self.settings.prepare() {
            self.shell.banner_dismissed = false;
            return;
        }
        let spec = &self.settings.spec;
        let saver = || self.environment.autosave.as_ref().map(|autosave| autosave.begin(spec));
        self.run.begin(ctx, spec, saver, &mut self.overlays, &mut self.views);
        self.begin_views();
        ctx.request_repaint();
    }

    /// Resets the views' state that belongs to the previous record.
    fn begin_views(&mut self) {
        self.run.opening = None;
        self.run.forget_caches();
        self.views.reset();
        self.time.reset();
        self.shell.banner_dismissed = false;
    }

    fn open_paths(&mut self, ctx: &Context, paths: Vec<PathBuf>) {
        // The first one is shown if the window has no run of its own; all others are drawn over it.
        let mut shown = self.run.is_vacant();
        for path in paths {
            if path.extension().is_some_and(|ending| ending == "rhai") {
                if let Err(err) = self.views.open_file(ctx, path) {
                    let text = format!("No thread can be started to read the text: {err}");
                    self.shell.toasts.say(Toast::failed(text));
                }
                self.study.shown = false;
                continue;
            }
            // The path is saved, and the next start may have another working directory.
            let path = absolute(&path, Path::new(""));
            let known = self.overlays.recent.list().iter().find(|place| place.path == path);
            let name = known.map(|place| place.name.clone());
            let shown = std::mem::take(&mut shown) || self.run.is_from(&path);
            self.shell.say(self.overlays.order(ctx, LoadRequest { path, shown, name }));
        }
    }

    /// Receives the results of the dialog and of the loading thread, and loads Grams from disk.
    fn receive_opened(&mut self, ctx: &Context) {
        match self.overlays.answer() {
            Some(Ok(path)) => self.open_paths(ctx, vec![path]),
            Some(Err(toast)) => self.shell.toasts.say(toast),
            None => {}
        }
        while let Some(event) = self.overlays.next_event() {
            match event {
                LoadEvent::Loaded(found) => {
                    self.take_in(ctx, *found);
                    // One result per frame; another may already be waiting.
                    ctx.request_repaint();
                    break;
                }
                LoadEvent::Study(place, spec) => self.take_study(place, &spec),
                LoadEvent::Module(place, network, folders) => self.take_module(ctx, place, *network, &folders),
                LoadEvent::Watched(place) => {
                    let path = place.path.clone();
                    self.overlays.recent.note(place);
                    self.open_watched(ctx, path, Order::Spread);
                }
                LoadEvent::Refused(sentence) => self.shell.toasts.say(Toast::failed(sentence)),
                LoadEvent::Gone(path) => {
                    self.overlays.recent.forget(&path);
                    self.shell.toasts.say(Toast::failed(format!("{} is not there any more", path.display())));
                }
                LoadEvent::Measuring(..) | LoadEvent::Done => {}
            }
        }
        let history = self.run.history();
        self.overlays.keep_time(history);
        let cursor = self.time.clock.cursor(history);
        let problem = self.run.bring_grams(cursor);
        self.shell.say(problem);
    }

    /// Shows a run that was opened, or draws it over the one that is shown.
    fn take_in(&mut self, ctx: &Context, found: LoadedRun) {
        let LoadedRun { path, place: opened, name, history, grams, warnings, shown } = found;
        let known = self.overlays.recent.list().iter().find(|place| place.path == opened.path).cloned();
        self.overlays.recent.note(known.unwrap_or(opened));
        if let Some(warning) = warnings.first() {
            let more = if warnings.len() > 1 { format!(" (and {} more)", warnings.len() - 1) } else { String::new() };
            self.shell.toasts.say(Toast::done(format!("{name}: {warning}{more}")).with_folder(&path));
        }
        let grams = grams.map(Arc::new);
        // A run may have begun while this one was read.
        let opened = self.overlays.list().iter().find(|overlay| overlay.path.as_ref() == Some(&path));
        let opened = opened.map(|found| found.id);
        let is_shown = self.run.is_from(&path);
        if is_shown && !shown {
            // It was opened as part of a study: it is read again instead of being drawn over itself.
            let order = LoadRequest { path, shown: true, name: Some(name) };
            self.shell.say(self.overlays.order(ctx, order));
        } else if shown && (opened.is_some() || is_shown || self.run.is_vacant()) {
            let mut futures = None;
            if let Some(mut overlay) = opened.and_then(|id| self.overlays.remove(id)) {
                futures = overlay.forks.take();
                let_go(overlay);
            }
            let cache = gram_cache_of(ctx, grams, &history);
            if let Some(mut session) = self.run.session.take_if(|_| is_shown) {
                // It is read again, as it may have continued meanwhile.
                let_go(std::mem::take(&mut session.history));
                futures = self.run.forks.take_branches();
            }
            let opened = OpenedRecord { name, path: Some(path), cache };
            self.show_opened(Session::opened(history, opened), futures);
        } else if let Some(overlay) = opened.and_then(|id| self.overlays.find_mut(id)) {
            overlay.renew(Arc::new(history), grams);
        } else {
            self.overlays.add(name, Some(path), Arc::new(history), grams);
            (self.overlays.open, self.study.shown) = (true, false);
        }
    }

    /// Shows a study of learners on the study page.
    fn take_study(&mut self, place: RecentPath, spec: &Spec) {
        if self.study.is_running() {
            let text = format!("{} is a study, and another one is running: cancel that or wait for it", place.name);
            return self.shell.toasts.say(Toast::failed(text));
        }
        self.study.show_found(spec, &place.path);
        self.overlays.recent.note(place);
    }

    /// Starts a run of a module of PyTorch on data that fit it, and shows its program beside its kernel.
    fn take_module(&mut self, ctx: &Context, place: RecentPath, network: NetworkSpec, folders: &DataFolders) {
        let Some(spec) = self.settings.spec.fitted_to(&network, folders) else {
            let sample = network.exported_for().map_or_else(String::new, |sample| {
                let [channels, height, width] = sample;
                format!(" for samples of {channels} × {height} × {width}")
            });
            let text = format!(
                "{} was exported{sample}, and no data set here has such samples and as many classes as it has outputs: \
                 kernelscope gram --graph measures its kernel on your inputs",
                place.name
            );
            return self.shell.toasts.say(Toast::failed(text));
        };
        self.overlays.recent.note(place);
        self.settings.apply_run(spec);
        self.set_out(&[View::Program, View::Gram, View::Spectrum, View::Layers]);
        self.study.shown = false;
        self.start_run(ctx);
    }

    /// Shows a record that no longer grows, and its futures; the run that was shown joins the list.
    fn show_opened(&mut self, session: Session, futures: Option<HiddenForks>) {
        self.run.put_aside(&mut self.overlays, &mut self.views);
        if !session.is_elsewhere() {
            // The settings panel shows the spec of this record; a restart repeats it.
            self.settings.take(session.spec.clone());
            self.settings.check();
        }
        self.run.session = Some(session);
        self.study.shown = false;
        self.begin_views();
        if let Some(futures) = futures {
            self.run.forks.put_back(futures);
        }
    }

    /// Shows a run of the list as the main run in all views.
    fn show_overlay(&mut self, ctx: &Context, id: u64) {
        let Some(overlay) = self.overlays.find(id) else { return };
        if let (Some(path), true) = (overlay.path.clone(), overlay.grams.is_some()) {
            // Only its curves are in memory; everything else is read again.
            let order = LoadRequest { path, shown: true, name: Some(overlay.name.clone()) };
            return self.shell.say(self.overlays.order(ctx, order));
        }
        let Some(mut overlay) = self.overlays.remove(id) else { return };
        let futures = overlay.forks.take();
        let (name, path, history) = overlay.into_record();
        match Arc::try_unwrap(history) {
            Ok(history) => {
                let opened = OpenedRecord { name, path, cache: None };
                self.show_opened(Session::opened(history, opened), futures);
            }
            // Another owner still draws it; in the next frame none does.
            Err(history) => {
                let id = self.overlays.add(name, path, history, None);
                if let Some(overlay) = self.overlays.find_mut(id) {
                    overlay.forks = futures;
                }
            }
        }
    }

    fn execute_lesson(&mut self, ctx: &Context, action: LessonAction) {
        match action {
            LessonAction::ToggleList => self.lessons.toggle_list(),
            LessonAction::Begin(place) => {
                if let Some(setup) = Lessons::setup(place) {
                    self.begin_lesson(ctx, setup);
                }
            }
            LessonAction::Next => self.go_on_with_lesson(ctx),
            LessonAction::Back => {
                if let Some(at) = self.lessons.before() {
                    self.enter_step(ctx, at);
                }
            }
            LessonAction::Skip => {
                if self.lessons.skip() {
                    self.go_on_with_lesson(ctx);
                }
            }
            LessonAction::NextLesson => {
                let setup = self.lessons.finish().and_then(Lessons::setup);
                self.close_lesson();
                if let Some(setup) = setup {
                    self.begin_lesson(ctx, setup);
                }
            }
            LessonAction::Close => self.close_lesson(),
            LessonAction::HideHint => self.lessons.hide_hint(),
        }
    }

    /// Sets up the study of a lesson, or starts its run, and shows its first step.
    fn begin_lesson(&mut self, ctx: &Context, setup: LessonSetup) {
        let (lesson, spec) = (setup.lesson, setup.spec.clone());
        let mut pace = None;
        if let Some(name) = &lesson.study {
            if self.study.is_running() {
                let why = "begins a study, and one is running: cancel it, or wait for it";
                return self.shell.toasts.say(setup.refused(why));
            }
            self.close_lesson();
            // The lesson has its own folder, because the user may have a study under this name.
            self.study.set_out(name, &spec, &format!("lesson-{}", lesson.name));
        } else {
            self.close_lesson();
            let users = std::mem::replace(&mut self.settings.spec, spec);
            if let Some(preset) = setup.preset() {
                self.views.set_out(&views_of(preset));
            }
            // The texts of lessons describe views with their default options.
            self.views.show_usual();
            if lesson.is_of_text() {
                // It takes the largest place, next to the views that move with it.
                self.views.set_out(&[View::Program, View::Velocity, View::Scale, View::Gram]);
                self.views.open_text();
            }
            self.start_run(ctx);
            if let Some(problem) = self.settings.checked.problems.first() {
                let toast = setup.refused(&format!("cannot begin: {}", problem.message));
                self.shell.toasts.say(toast);
                self.settings.spec = users;
                return;
            }
            // In a lesson the faint lines are those of the lesson only.
            self.run.reference = None;
            pace = Some(users.window.pace);
        }
        self.lessons.begin(setup, pace);
        self.enter_step(ctx, 0);
    }

    /// Goes to the next step of the lesson, or ends it after the last one.
    fn go_on_with_lesson(&mut self, ctx: &Context) {
        match self.lessons.next() {
            Some(Next::Happen) => {
                self.run.send(Command::Resume);
                if let Some(at) = self.lessons.let_happen() {
                    self.enter_step(ctx, at);
                }
            }
            Some(Next::Step(at)) => self.enter_step(ctx, at),
            Some(Next::End) => {
                self.lessons.finish();
                self.close_lesson();
            }
            None => {}
        }
    }

    fn enter_step(&mut self, ctx: &Context, at: usize) {
        let Some(effects) = self.lessons.enter(at) else { return };
        if let Some(spec) = effects.start {
            // The pace may have been changed during the lesson.
            self.settings.take(spec);
            self.start_run(ctx);
        }
        self.study.shown = effects.study;
        if let Some(view) = effects.view {
            self.views.bring(view);
            if let Some(mode) = effects.mode {
                self.views.set_mode(view, mode);
            }
        }
        self.check_lesson(ctx);
    }

    /// Checks whether the condition that a lesson waits for is met. To be called once per frame, also while the window is hidden.
    fn check_lesson(&mut self, ctx: &Context) {
        let context = LessonContext {
            session: self.run.session.as_ref(),
            reference: self.run.reference.as_ref(),
            chosen: self.time.clock.chosen(),
        };
        let check = self.lessons.check(context, &self.study);
        match check.hold {
            Some(Hold::Pause) => self.run.send(Command::Pause),
            Some(Hold::Release) => self.run.send(Command::Resume),
            None => {}
        }
        if check.start_study {
            self.study.execute(StudyAction::Start, || waker(ctx));
        }
        if check.changed {
            ctx.request_repaint();
        }
    }

    /// Closes the lesson; the run stays, at the pace that the user had before.
    fn close_lesson(&mut self) {
        if let Some(users) = self.lessons.close(self.settings.spec.window.pace) {
            self.settings.spec.window.pace = users;
            self.actions.push(RunAction::Send(Command::SetPace(users)));
        }
    }
}

/// Returns the views that a preset names.
fn views_of(preset: &Preset) -> Vec<View> {
    preset.views().iter().filter_map(|title| View::titled(title)).collect()
}
