//! Holds the window's state and the layout of a frame. It is independent of the window system: `eframe` drives it, and so
//! do tests.
//!
//! Drawing changes only the state of the window itself (open sections, options of a view, the draft of the settings); everything
//! else is an action that `update` carries out between frames.

pub mod action_queue;
pub mod actions;
pub(crate) mod command_availability;
pub mod commands;
pub(crate) mod current_run;
pub mod display;
pub(crate) mod environment;
pub(crate) mod gram_cache;
pub mod persisted_state;
pub(crate) mod screenshots;
pub mod session;
pub(crate) mod settings_draft;
pub(crate) mod shortcuts;
pub mod state_writer;
pub(crate) mod update;
pub(crate) mod window;

use std::path::PathBuf;
use std::time::Instant;

use egui::scroll_area::ScrollSource;
use egui::style::ScrollStyle;
use egui::{CentralPanel, Context, Frame, Key, Margin, Panel, ScrollArea, Sense, Ui, UiBuilder, Vec2, vec2};

use super::export::{Exports, brief, file_name, slug};
use super::kit::appearance::{Appearance, STAGE};
use super::kit::perf_stats::{PerfStats, measured_flops};
use super::kit::theme::{GRID, Tokens};
use super::kit::widgets;
use super::lessons::{self, Lessons};
use super::overlays::action::OverlayAction;
use super::overlays::{self, Overlays, RecentPath};
use super::playback::action::PlaybackAction;
use super::playback::{Playback, SharedTime, clock, clock::Clock};
use super::settings::{self, PanelContext};
use super::shell::banner::BannerContext;
use super::shell::toast::Toast;
use super::shell::toasts::Toasts;
use super::shell::{Shell, banner, help, status_bar, timeline, top_bar};
use super::study::{self, StudyPage};
use super::views::context::ViewContext;
use super::views::forks::jobs::Forks;
use super::views::{Grid, View};
use super::watching;
use crate::run::History;
use crate::spec::Spec;
use crate::ui::app::action_queue::Actions;
use crate::ui::app::actions::{RunAction, ShellAction};
use crate::ui::app::command_availability::Situation;
use crate::ui::app::commands::UserCommand;
use crate::ui::app::current_run::{CurrentRun, RunParts};
use crate::ui::app::environment::Environment;
use crate::ui::app::persisted_state::PersistedState;
use crate::ui::app::session::Session;
use crate::ui::app::settings_draft::SettingsDraft;
use crate::ui::app::shortcuts::DialogState;
use crate::ui::export::action::ExportAction;
use crate::worker::{Command, DeviceChoice};

pub use crate::ui::app::current_run::{StartFn, WatchFn};

/// Smallest size of the page; a smaller window scrolls.
const LEAST: Vec2 = vec2(900.0, 540.0);

/// The state of the window, with one field per feature; `update` changes it between frames.
pub struct App {
    pub(super) settings: SettingsDraft,
    pub(super) run: CurrentRun,
    pub(super) time: SharedTime,
    pub(super) views: Grid,
    pub(super) overlays: Overlays,
    pub(super) study: StudyPage,
    pub(super) lessons: Lessons,
    pub(super) exports: Exports,
    pub(super) shell: Shell,
    pub(super) appearance: Appearance,
    pub(super) environment: Environment,
    /// The actions pushed since the last frame.
    pub(super) actions: Actions,
}

impl App {
    /// Creates a window with these settings; no run starts.
    pub fn new(spec: Spec, start: StartFn) -> Self {
        Self {
            study: StudyPage::new(&spec),
            settings: SettingsDraft::new(spec),
            run: CurrentRun::new(start),
            time: SharedTime::default(),
            views: Grid::default(),
            overlays: Overlays::default(),
            lessons: Lessons::default(),
            exports: Exports::default(),
            shell: Shell::default(),
            appearance: Appearance::default(),
            environment: Environment::default(),
            actions: Actions::default(),
        }
    }

    /// Trains forks on this device.
    #[must_use]
    pub fn on(mut self, device: DeviceChoice) -> Self {
        self.run.fork_on(device);
        self
    }

    /// Watches trainings in another way, for tests.
    #[must_use]
    pub fn watching_by(mut self, watch: WatchFn) -> Self {
        self.run.watch = watch;
        self
    }

    /// Gives the window the user's log and autosaved runs, and shows the messages about them.
    #[must_use]
    pub fn with_environment(mut self, environment: Environment) -> Self {
        self.shell.say(environment.messages());
        environment.autosaved().for_each(|place| self.overlays.recent.note(place));
        self.environment = environment;
        self
    }

    /// Shows a hint that there are lessons.
    #[must_use]
    pub fn welcoming(mut self) -> Self {
        self.lessons = Lessons::welcoming();
        self
    }

    /// Hides figures that differ between machines and moments, which are the frame time and the memory in use, so that a picture
    /// of the window can be compared with one taken elsewhere.
    #[must_use]
    pub fn without_meters(mut self) -> Self {
        self.shell.stats = PerfStats::none();
        self
    }

    /// Returns the draft of the settings panel.
    pub fn draft(&self) -> &Spec {
        &self.settings.spec
    }

    /// Returns the draft for a caller to change as if typed.
    pub fn draft_mut(&mut self) -> &mut Spec {
        &mut self.settings.spec
    }

    /// Returns the run, if there is or was one.
    pub fn session(&self) -> Option<&Session> {
        self.run.session.as_ref()
    }

    /// Returns the record of the run so far.
    pub fn history(&self) -> &History {
        self.run.history()
    }

    /// Returns the clock that all views share.
    pub fn clock(&self) -> &Clock {
        &self.time.clock
    }

    /// Returns the marks, the two moments, and playback.
    pub fn travel(&self) -> &Playback {
        &self.time.travel
    }

    /// Returns the previous run, which is drawn faintly.
    pub fn reference(&self) -> Option<&History> {
        self.run.reference.as_ref()
    }

    /// Returns the study page.
    pub fn study(&self) -> &StudyPage {
        &self.study
    }

    /// Returns the study page for a caller to change as if typed.
    pub fn study_mut(&mut self) -> &mut StudyPage {
        &mut self.study
    }

    /// Returns the futures of the last fork.
    pub fn forks(&self) -> &Forks {
        &self.run.forks
    }

    /// Returns the runs that are drawn over the main one.
    pub fn runs(&self) -> &Overlays {
        &self.overlays
    }

    /// Returns these runs for a caller to change, as if by the user.
    pub fn runs_mut(&mut self) -> &mut Overlays {
        &mut self.overlays
    }

    /// Returns the messages at the lower right.
    pub fn toasts(&self) -> &Toasts {
        &self.shell.toasts
    }

    /// Returns the command that was carried out last.
    pub fn last_command(&self) -> Option<UserCommand> {
        self.shell.last_command
    }

    /// Returns the views: their layout and their state.
    pub fn views(&self) -> &Grid {
        &self.views
    }

    /// Returns theme and presentation mode.
    pub fn appearance(&self) -> Appearance {
        self.appearance
    }

    /// Returns the lessons, and the one in progress.
    pub fn lessons(&self) -> &Lessons {
        &self.lessons
    }

    /// Returns the exports.
    pub fn exports(&self) -> &Exports {
        &self.exports
    }

    /// Returns the exports for a caller to change, such as their folder.
    pub fn exports_mut(&mut self) -> &mut Exports {
        &mut self.exports
    }

    /// Shows a message at the lower right.
    pub fn say(&mut self, toast: Toast) {
        self.shell.toasts.say(toast);
    }

    /// Sends the run a command, as if the user had.
    pub fn tell(&mut self, command: Command) {
        self.actions.push(RunAction::Send(command));
    }

    /// Moves the time cursor to an epoch, as if the user had.
    pub fn seek(&mut self, epoch: f64) {
        self.actions.push(PlaybackAction::Seek(epoch));
    }

    /// Opens run folders, study folders and archives of kernels, in this order; as if dropped on the window.
    pub fn open(&mut self, paths: Vec<PathBuf>) {
        self.actions.push(OverlayAction::Open(paths));
    }

    /// Watches the training of this folder, also one whose files are still to be written.
    pub fn watch(&mut self, folder: PathBuf) {
        self.actions.push(OverlayAction::Watch(folder));
    }

    /// Records the time of a whole frame, where the window system measures it; otherwise only the drawing pass is measured.
    pub fn note_frame(&mut self, seconds: f32) {
        self.shell.stats.note_frame(seconds);
    }

    /// Returns whether a command can be carried out now; buttons, keys and the menu use this.
    pub fn can(&self, command: UserCommand) -> bool {
        self.situation().can(command)
    }

    /// Returns whether a run of the settings is short and small enough to start with the window.
    pub fn is_light(&self) -> bool {
        self.settings.is_light()
    }

    /// Returns the state that decides which commands can be carried out.
    fn situation(&self) -> Situation<'_> {
        Situation {
            settings: &self.settings,
            run: &self.run,
            time: &self.time,
            views: &self.views,
            overlays: &self.overlays,
            study: &self.study,
            lessons: &self.lessons,
            exports: &self.exports,
            appearance: self.appearance,
            environment: &self.environment,
            help: self.shell.help,
            watch_card: self.shell.watch_card,
        }
    }

    /// Returns the state of this window to be saved.
    pub fn saved(&self, ctx: &Context) -> PersistedState {
        let (inner, maximised, fullscreen) = ctx.input(|input| {
            let viewport = input.viewport();
            (viewport.inner_rect, viewport.maximized, viewport.fullscreen.unwrap_or(false))
        });
        let size =
            inner.filter(|_| !maximised.unwrap_or(false) && !fullscreen).map(|rect| rect.size() * ctx.zoom_factor());
        PersistedState {
            theme: Some(ctx.options(|options| options.theme_preference)),
            scale: Some(self.appearance.scale(ctx)),
            size: size.map(|size| [size.x.round(), size.y.round()]),
            maximised,
            study: Some(self.study.shown),
            layout: Some(self.views.layout()),
            settings: Some(self.settings.spec.clone()),
            recent: self.overlays.recent.opened(),
            read: self.lessons.read(),
        }
    }

    /// Restores a saved state. No run starts.
    pub fn restore(&mut self, ctx: &Context, saved: &PersistedState) {
        if let Some(theme) = saved.theme {
            ctx.set_theme(theme);
        }
        if let Some(scale) = saved.scale {
            ctx.set_zoom_factor(scale);
        }
        if let Some(study) = saved.study {
            self.study.shown = study;
        }
        self.lessons.restore_read(&saved.read);
        if let Some(layout) = &saved.layout
            && let Err(problem) = self.views.set_layout(layout)
        {
            log::warn!("the kept layout cannot be: {problem}");
        }
        // They are listed after the runs that the last window autosaved.
        let kept = std::mem::take(&mut self.overlays.recent);
        for (name, path) in saved.recent.iter().rev() {
            self.overlays.recent.note(RecentPath { name: name.clone(), path: path.into(), autosaved: false });
        }
        kept.list().iter().rev().for_each(|place| self.overlays.recent.note(place.clone()));
        if let Some(spec) = &saved.settings {
            self.settings.spec = spec.clone();
            self.settings.check();
        }
    }

    /// Draws the window.
    pub fn show(&mut self, ui: &mut Ui) {
        let began = Instant::now();
        self.appearance.install(ui.ctx());
        self.settings.note(ui.ctx());
        self.views.follow(&self.settings.spec.network, &self.settings.checked.shape);
        let situation = self.situation();
        let available: Vec<UserCommand> =
            UserCommand::ALL.iter().copied().filter(|&command| situation.can(command)).collect();
        self.shell.palette.let_go(ui.ctx());
        let dialog = self.overlays.dialog();
        let writes = self.shell.palette.is_open() || dialog == DialogState::Field;
        self.shell.pending_input.distribute(ui.ctx(), dialog, writes || ui.ctx().text_edit_focused());
        self.escape(ui.ctx());
        shortcuts::dispatch(ui.ctx(), &mut self.actions, &available, writes);
        overlays::panel::take_drops(ui.ctx(), &mut self.actions);
        widgets::point_at(ui.ctx(), self.lessons.view());
        self.appearance.keep_presenting(ui.ctx());
        self.page(ui, &available);
        let pass = self.exports.window_pass();
        if pass > 0 {
            self.export_window(ui.ctx(), &available, pass);
        }
        lessons::choose(ui.ctx(), &mut self.lessons, &mut self.actions);
        watching::card::show(ui.ctx(), &mut self.shell.watch_card, &mut self.actions);
        overlays::panel::show(ui.ctx(), &mut self.overlays, self.run.session.as_ref(), &mut self.actions);
        help::show(ui.ctx(), &mut self.shell.help);
        let mut palette = std::mem::take(&mut self.shell.palette);
        let mut chosen = Actions::default();
        let situation = self.situation();
        palette.show(ui.ctx(), &mut chosen, |command| situation.refusal(command));
        self.shell.palette = palette;
        self.actions.append(chosen);
        self.shell.toasts.show(ui.ctx(), &mut self.actions);
        if self.appearance.is_blank() {
            self.blank(ui.ctx());
        }
        self.shell.stats.note_pass(began.elapsed().as_secs_f32());
    }

    /// Covers the window with black, which a click ends as the key does.
    fn blank(&mut self, ctx: &Context) {
        let whole = ctx.content_rect();
        let area = egui::Area::new(egui::Id::unique("black screen")).order(egui::Order::Tooltip).fixed_pos(whole.min);
        let covered = area.show(ctx, |ui| {
            let (rect, response) = ui.allocate_exact_size(whole.size(), Sense::CLICK);
            ui.painter().rect_filled(rect, 0.0, egui::Color32::BLACK);
            response
        });
        if covered.inner.clicked() {
            self.actions.user(UserCommand::Blank);
        }
    }

    /// Restores an enlarged view to its place, or ends the presentation, unless the key belongs to something above it.
    fn escape(&mut self, ctx: &Context) {
        // A text field that has the focus uses the key first.
        let covered = self.shell.palette.is_open()
            || self.shell.help
            || self.lessons.is_choosing()
            || self.views.writes()
            || egui::Popup::is_any_open(ctx);
        if covered || !ctx.input(|input| input.key_pressed(Key::Escape)) {
            return;
        }
        if self.views.enlarged().is_some() {
            self.views.enlarge_or_put_back();
        } else if self.appearance.presents() {
            self.appearance.present(ctx);
        }
    }

    /// Draws the page, with scroll bars if the window is too small for it, so that everything stays reachable. The wheel still
    /// belongs to the plots.
    fn page(&mut self, ui: &mut Ui, available: &[UserCommand]) {
        let room = ui.available_size();
        let least = if self.appearance.presents() && !self.study.shown { STAGE.min(LEAST) } else { LEAST };
        // A scale that fits exactly may miss it by rounding.
        if room.x >= least.x - 1.0 && room.y >= least.y - 1.0 {
            return self.layout(ui, available, false);
        }
        let bars = ScrollSource { scroll_bar: true, ..ScrollSource::NONE };
        // These bars are always visible; those within the page have the default style.
        let usual = std::mem::replace(&mut ui.spacing_mut().scroll, ScrollStyle::solid());
        ScrollArea::both().scroll_source(bars).show(ui, |ui| {
            ui.spacing_mut().scroll = usual;
            let (rect, _) = ui.allocate_exact_size(room.max(least), Sense::hover());
            self.layout(&mut ui.new_child(UiBuilder::new().max_rect(rect)), available, false);
        });
    }

    /// Draws the whole page; `paper` if a picture is made of it.
    fn layout(&mut self, ui: &mut Ui, available: &[UserCommand], paper: bool) {
        let tokens = Tokens::of(ui);
        let situation = self.situation();
        let on: Vec<UserCommand> =
            UserCommand::ALL.iter().copied().filter(|&command| situation.is_on(command)).collect();
        let RunParts { session, history, reference, curves, reference_curves, forks, awaited } = self.run.parts();
        let flops =
            session.filter(|session| !session.is_elsewhere()).and_then(|session| measured_flops(&session.history));
        let cursor = self.time.clock.cursor(history);
        let mut scene = ViewContext {
            history,
            reference,
            clock: &self.time.clock,
            travel: &self.time.travel,
            curves,
            reference_curves,
            forks,
            runs: &self.overlays,
            actions: &mut self.actions,
            tokens,
            thick: self.appearance.thick(),
            bands: clock::bands(history),
            range: self.time.clock.range(history),
            cursor,
            snapshot: history.snapshot_at(cursor).cloned(),
            paper,
            table: None,
        };
        let bar = |vertical: i8| Frame::new().fill(tokens.card).inner_margin(Margin::symmetric(12, vertical));

        // A presentation shows only the views, and what one presses while speaking.
        let presents = self.appearance.presents() && !self.study.shown;
        let (height, margin) = if presents { (30.0, 2) } else { (40.0, 6) };
        Panel::top("bar").frame(bar(margin)).exact_size(height).resizable(false).show(ui, |ui| {
            if presents {
                return top_bar::show_presenting(ui, &mut scene, session, available);
            }
            top_bar::show(ui, &mut scene, session, &self.study, self.settings.checked.preset, (available, &on));
        });
        if !presents {
            Panel::bottom("status").frame(bar(0)).exact_size(24.0).resizable(false).show(ui, |ui| {
                let stats = &self.shell.stats;
                if status_bar::show(ui, &scene, &stats.frames, &stats.memory, self.exports.film()) {
                    scene.actions.push(ExportAction::CancelAnimation);
                }
            });
        }
        if self.study.shown {
            let lessons = &self.lessons;
            let foot = |ui: &mut Ui, actions: &mut Actions| lessons::card::dock(ui, lessons, false, actions);
            (self.study.cards.thick, self.study.cards.light) = (self.appearance.thick(), self.exports.light);
            study::layout::show(ui, &mut self.study, &mut self.actions, &self.settings.spec, flops, foot);
            self.exports.light = self.study.cards.light;
            if let Some(order) = self.study.cards.export.take()
                && let Some(toast) = self.exports.take_card(ui.ctx(), &mut self.study, &order)
            {
                self.actions.push(ShellAction::Say(toast));
            }
            return;
        }
        if !presents {
            let panel = Frame::new().fill(tokens.card).inner_margin(Margin { left: 12, right: 8, top: 8, bottom: 8 });
            // Imported kernels have no settings to compare with.
            let own = session.filter(|session| !session.is_elsewhere());
            let around = PanelContext { session: own, has_reference: scene.reference.is_some(), flops };
            Panel::left("settings").frame(panel).default_size(288.0).size_range(260.0..=420.0).show(ui, |ui| {
                let paused = session.is_some_and(Session::is_paused);
                lessons::card::dock(ui, &self.lessons, paused, scene.actions);
                if let Some((session, place)) = session.and_then(|session| Some((session, session.watched.as_ref()?))) {
                    return watching::panel::show(ui, session, place, scene.actions);
                }
                settings::show(ui, &mut self.settings.spec, &self.settings.checked, scene.actions, &around);
            });
        }
        let ground = Frame::new().fill(tokens.ground).inner_margin(Margin::same(6));
        CentralPanel::default().frame(ground).show(ui, |ui| {
            if !self.shell.banner_dismissed {
                let rate = self.settings.spec.training.rate;
                let state = BannerContext { checked: &self.settings.checked, rate, awaited };
                banner::show(ui, &mut scene, session, &state);
            }
            Panel::bottom("timeline")
                .frame(Frame::new())
                .exact_size(timeline::HEIGHT + 1.5 * GRID)
                .resizable(false)
                .show_separator_line(false)
                .show(ui, |ui| {
                    ui.add_space(1.5 * GRID);
                    timeline::show(ui, &mut scene, available);
                });
            if presents {
                let paused = session.is_some_and(Session::is_paused);
                lessons::card::caption(ui, &self.lessons, paused, scene.actions);
            }
            if presents && !paper {
                self.views.present(ui, &mut scene, self.lessons.view().and_then(View::titled));
            } else if !(paper && self.exports.rehearses_panels()) {
                self.views.show(ui, &mut scene, self.exports.light);
            }
            for order in self.exports.orders() {
                self.exports.take(ui.ctx(), &mut scene, &mut self.views, &file_name(session), order);
            }
        });
    }

    /// Draws the window once more, without pointer and open lists, for a picture. Plots know the widths of their axes, and text
    /// is laid out, only after a pass; each pass has its own frame, so that none takes long.
    fn export_window(&mut self, ctx: &Context, available: &[UserCommand], pass: u8) {
        let (size, theme) = (ctx.content_rect().size(), self.exports.theme(ctx.theme()));
        let mut renderer = self.exports.renderer_like(ctx.memory(Clone::clone));
        self.views.forget_textures();
        let drawing = renderer.draw_again(size, theme, |ui| self.layout(ui, available, true));
        self.views.forget_textures();
        ctx.request_repaint();
        if pass > 1 {
            return self.exports.rehearsed(renderer);
        }
        let stem = match self.session() {
            _ if self.study.shown => slug(&format!("{}-study", self.study.draft.name())),
            Some(session) => {
                let epoch = brief(self.time.clock.cursor(&session.history));
                format!("{}-window-epoch-{epoch}", file_name(Some(session)))
            }
            None => "kernelscope-window".to_owned(),
        };
        self.exports.take_window(renderer, drawing, theme, stem);
    }
}
