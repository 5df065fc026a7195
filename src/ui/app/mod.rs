//! The window's state and how it is laid out. It knows of no window system: `eframe` drives it, and so do tests.
//!
//! Drawing changes only what belongs to the window itself (which section is open, what a view shows, the draft of the
//! settings); everything else is a wish that `logic` carries out between frames.

pub mod actions;
pub(crate) mod command_availability;
pub mod commands;
pub mod display;
pub(crate) mod environment;
pub(crate) mod gram_cache;
pub(crate) mod leaving;
pub(crate) mod open_runs;
pub mod persisted_state;
pub(crate) mod screenshots;
pub mod session;
pub(crate) mod shortcuts;
pub(crate) mod small_window;
pub mod state_writer;
pub(crate) mod update;
pub(crate) mod window;

use std::time::{Duration, Instant};

use egui::util::undoer::{Settings, Undoer};
use egui::{CentralPanel, Frame, Key, Margin, Panel, Ui};

use super::export::{Exports, file_name};
use super::kit::appearance::Looks;
use super::kit::perf_stats::{FrameTimes, Memory, measured_flops};
use super::kit::widgets;
use super::kit::{
    theme,
    theme::{GRID, Tokens},
};
use super::lessons;
use super::lessons::Tours;
use super::overlays;
use super::overlays::Runs;
use super::playback::Travel;
use super::playback::{clock, clock::Clock};
use super::plot::series_cache::SeriesCache;
use super::settings::{self, Around, Checked};
use super::shell::command_palette::Palette;
use super::shell::folder_dialog::FolderDialog;
use super::shell::toasts::{Toast, Toasts};
use super::shell::{banner, help, status_bar, timeline, top_bar};
use super::study::StudyPage;
use super::views::Grid;
use super::views::context::ViewContext;
use super::views::forks::jobs::{Forks, GoOnFn};
use crate::run::History;
use crate::spec::Spec;
use crate::ui::app::actions::{Action, Actions};
use crate::ui::app::commands::UserCommand;
use crate::ui::app::environment::Home;
use crate::ui::app::session::Session;
use crate::ui::app::shortcuts::{Dialog, Waiting};
use crate::worker::{Command, DeviceChoice, Job, Waker, Worker};

/// Starts a run of a spec; the closure wakes the window. A test hands in a laboratory of its own.
pub type StartFn = Box<dyn Fn(Spec, Waker) -> Worker>;

/// A change of the settings is one to be taken back once they were left alone for so long, in seconds.
const STABLE: f32 = 0.5;

/// Everything the window holds.
pub struct App {
    pub(super) start: StartFn,
    pub(super) go_on: GoOnFn,
    /// What the settings panel edits.
    pub(super) draft: Spec,
    pub(super) checked: Checked,
    pub(super) session: Option<Session>,
    /// The run before, without matrices.
    pub(super) reference: Option<History>,
    pub(super) clock: Clock,
    pub(super) travel: Travel,
    pub(super) curves: SeriesCache,
    pub(super) reference_curves: SeriesCache,
    pub(super) views: Grid,
    pub(super) forks: Forks,
    pub(super) runs: Runs,
    pub(super) actions: Actions,
    pub(super) study: StudyPage,
    pub(super) dialog: Option<FolderDialog>,
    pub(super) help: bool,
    pub(super) palette: Palette,
    /// What was typed and is still to be given to somebody.
    pub(super) waiting: Waiting,
    pub(super) looks: Looks,
    /// The drafts before this one.
    pub(super) undo: Undoer<Spec>,
    /// The last command that was carried out.
    pub(super) last: Option<UserCommand>,
    pub(super) toasts: Toasts,
    pub(super) home: Home,
    pub(super) exports: Exports,
    pub(super) tours: Tours,
    pub(super) dismissed: bool,
    /// Whether it closes once all files are written.
    pub(super) closing: bool,
    pub(super) frames: FrameTimes,
    pub(super) memory: Memory,
    /// What is shown before the first run.
    pub(super) nothing: History,
    installed: bool,
    /// Whether somebody else measures frames.
    measured: bool,
}

impl App {
    /// A window with these settings; nothing runs yet.
    pub fn new(spec: Spec, start: StartFn) -> Self {
        Self {
            start,
            go_on: go_on(DeviceChoice::Cpu),
            checked: Checked::new(&spec),
            study: StudyPage::new(&spec),
            draft: spec,
            session: None,
            reference: None,
            clock: Clock::default(),
            travel: Travel::default(),
            curves: SeriesCache::default(),
            reference_curves: SeriesCache::default(),
            views: Grid::default(),
            forks: Forks::default(),
            runs: Runs::default(),
            actions: Actions::default(),
            dialog: None,
            help: false,
            palette: Palette::default(),
            waiting: Waiting::default(),
            looks: Looks::default(),
            undo: Undoer::with_settings(Settings { stable_time: STABLE, ..Settings::default() }),
            last: None,
            toasts: Toasts::default(),
            home: Home::default(),
            exports: Exports::default(),
            tours: Tours::default(),
            dismissed: false,
            closing: false,
            frames: FrameTimes::default(),
            memory: Memory::watch(),
            nothing: History::default(),
            installed: false,
            measured: false,
        }
    }

    /// The same window, whose forks go on on this device.
    #[must_use]
    pub fn on(self, device: DeviceChoice) -> Self {
        Self { go_on: go_on(device), ..self }
    }

    /// The settings as they stand in the panel.
    pub fn draft(&self) -> &Spec {
        &self.draft
    }

    /// The settings, to be changed by a caller; as if typed.
    pub fn draft_mut(&mut self) -> &mut Spec {
        &mut self.draft
    }

    /// The run, if there is or was one.
    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// What has been seen of the run.
    pub fn history(&self) -> &History {
        self.session.as_ref().map_or(&self.nothing, |session| &session.history)
    }

    /// The shared time.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Marks, the two moments, and playback.
    pub fn travel(&self) -> &Travel {
        &self.travel
    }

    /// The run before this one, shown faintly.
    pub fn reference(&self) -> Option<&History> {
        self.reference.as_ref()
    }

    /// The study page.
    pub fn study(&self) -> &StudyPage {
        &self.study
    }

    /// The study page, to be changed by a caller; as if typed.
    pub fn study_mut(&mut self) -> &mut StudyPage {
        &mut self.study
    }

    /// The futures of the last fork.
    pub fn forks(&self) -> &Forks {
        &self.forks
    }

    /// The runs that lie over the one that is shown.
    pub fn runs(&self) -> &Runs {
        &self.runs
    }

    /// The same, to be changed by a caller; as if by the user.
    pub fn runs_mut(&mut self) -> &mut Runs {
        &mut self.runs
    }

    /// What is said at the lower right.
    pub fn toasts(&self) -> &Toasts {
        &self.toasts
    }

    /// The command that was carried out last.
    pub fn last_command(&self) -> Option<UserCommand> {
        self.last
    }

    /// What the views keep, and where they stand.
    pub fn views(&self) -> &Grid {
        &self.views
    }

    /// How the whole window looks.
    pub fn looks(&self) -> Looks {
        self.looks
    }

    /// Says something at the lower right.
    pub fn say(&mut self, toast: Toast) {
        self.toasts.say(toast);
    }

    /// What leaves the window as a file.
    pub fn exports(&self) -> &Exports {
        &self.exports
    }

    /// Where exports go, to be changed by a caller.
    pub fn exports_mut(&mut self) -> &mut Exports {
        &mut self.exports
    }

    /// Tells the run something, as if the user had.
    pub fn tell(&mut self, command: Command) {
        self.actions.push(Action::Live(command));
    }

    /// Puts the time cursor to an epoch, as if the user had.
    pub fn seek(&mut self, epoch: f64) {
        self.actions.push(Action::Seek(epoch));
    }

    /// Notes what a whole frame took, where the window system measures it; else only the pass below is known.
    pub fn note_frame(&mut self, seconds: f32) {
        self.measured = true;
        self.frames.push(seconds);
    }

    /// Draws the window.
    pub fn show(&mut self, ui: &mut Ui) {
        let began = Instant::now();
        if !self.installed {
            theme::install(ui.ctx());
            self.installed = true;
            // The style of this pass was made before; the next one has it.
            ui.ctx().request_repaint();
        }
        self.checked.update(&self.draft);
        self.views.follow(&self.draft.network, &self.checked.shape);
        self.undo.feed_state(ui.input(|input| input.time), &self.draft);
        if self.undo.is_in_flux() {
            ui.ctx().request_repaint_after(Duration::from_secs_f32(1.2 * STABLE));
        }
        let available: Vec<UserCommand> =
            UserCommand::ALL.iter().copied().filter(|&command| self.can(command)).collect();
        self.palette.let_go(ui.ctx());
        let dialog = self.runs.dialog();
        let writes = self.palette.is_open() || dialog == Dialog::Field;
        self.waiting.share_out(ui.ctx(), dialog, writes || ui.ctx().text_edit_focused());
        self.escape(ui.ctx());
        shortcuts::heed(ui.ctx(), &mut self.actions, &available, writes);
        self.take_drops(ui.ctx());
        widgets::point_at(ui.ctx(), self.tours.view());
        self.looks.keep_presenting(ui.ctx());
        self.page(ui, &available);
        let pass = self.exports.window_pass();
        if pass > 0 {
            self.export_window(ui.ctx(), &available, pass);
        }
        lessons::choose(ui.ctx(), &mut self.tours, &mut self.actions);
        overlays::panel(ui.ctx(), &mut self.runs, self.session.as_ref(), &mut self.actions);
        help::show(ui.ctx(), &mut self.help);
        let mut palette = std::mem::take(&mut self.palette);
        let mut chosen = Actions::default();
        palette.show(ui.ctx(), &mut chosen, |command| self.refusal(command));
        self.palette = palette;
        chosen.take().into_iter().for_each(|action| self.actions.push(action));
        self.toasts.show(ui.ctx(), &mut self.actions);
        if !self.measured {
            self.frames.push(began.elapsed().as_secs_f32());
        }
    }

    /// Puts an enlarged view back, unless the key is meant for what lies above it.
    fn escape(&mut self, ctx: &egui::Context) {
        // Of a text that is written the key takes the focus first.
        let covered = self.palette.is_open() || self.help || self.views.writes() || egui::Popup::is_any_open(ctx);
        if self.views.enlarged().is_some() && !covered && ctx.input(|input| input.key_pressed(Key::Escape)) {
            self.views.enlarge_or_put_back();
        }
    }

    /// Draws everything; on paper where a picture is made of it.
    pub(super) fn layout(&mut self, ui: &mut Ui, available: &[UserCommand], paper: bool) {
        let tokens = Tokens::of(ui);
        let on: Vec<UserCommand> = UserCommand::ALL.iter().copied().filter(|&command| self.is_on(command)).collect();
        let history = self.session.as_ref().map_or(&self.nothing, |session| &session.history);
        let cursor = self.clock.cursor(history);
        let mut scene = ViewContext {
            history,
            reference: self.reference.as_ref(),
            clock: &self.clock,
            travel: &self.travel,
            curves: &self.curves,
            reference_curves: &self.reference_curves,
            forks: &self.forks,
            runs: &self.runs,
            actions: &mut self.actions,
            tokens,
            thick: self.looks.thick(),
            bands: clock::bands(history),
            range: self.clock.range(history),
            cursor,
            snapshot: history.snapshot_at(cursor).cloned(),
            paper,
            table: None,
        };
        let session = self.session.as_ref();
        let bar = |vertical: i8| Frame::new().fill(tokens.card).inner_margin(Margin::symmetric(12, vertical));

        Panel::top("bar").frame(bar(6)).exact_size(40.0).resizable(false).show(ui, |ui| {
            top_bar::show(ui, &mut scene, session, &self.study, self.checked.preset, (available, &on));
        });
        // For the back row only what is looked at.
        let presents = self.looks.presents();
        if !presents {
            Panel::bottom("status").frame(bar(0)).exact_size(24.0).resizable(false).show(ui, |ui| {
                let film = self.exports.film();
                if status_bar::show(ui, &scene, &self.frames, &self.memory, film) {
                    scene.actions.push(Action::CancelAnimation);
                }
            });
        }
        if self.study.shown {
            let flops = session.and_then(|session| measured_flops(&session.history));
            let tours = &self.tours;
            let foot = |ui: &mut Ui, actions: &mut Actions| lessons::dock(ui, tours, false, actions);
            (self.study.cards.thick, self.study.cards.light) = (self.looks.thick(), self.exports.light);
            self.study.show(ui, &mut self.actions, &self.draft, flops, foot);
            self.exports.light = self.study.cards.light;
            if let Some(order) = self.study.cards.asked.take()
                && let Some(toast) = self.exports.take_card(ui.ctx(), &mut self.study, &order)
            {
                self.actions.push(Action::Tell(toast));
            }
            return;
        }
        if !presents {
            let panel = Frame::new().fill(tokens.card).inner_margin(Margin { left: 12, right: 8, top: 8, bottom: 8 });
            let flops = session.and_then(|session| measured_flops(&session.history));
            // Kernels from elsewhere have no settings to compare with.
            let own = session.filter(|session| !session.is_elsewhere());
            let around = Around { session: own, has_reference: scene.reference.is_some(), flops };
            Panel::left("settings").frame(panel).default_size(288.0).size_range(260.0..=420.0).show(ui, |ui| {
                lessons::dock(ui, &self.tours, session.is_some_and(Session::is_paused), scene.actions);
                settings::show(ui, &mut self.draft, &self.checked, scene.actions, &around);
            });
        }
        let ground = Frame::new().fill(tokens.ground).inner_margin(Margin::same(6));
        CentralPanel::default().frame(ground).show(ui, |ui| {
            if !self.dismissed {
                banner::show(ui, &mut scene, session, (&self.checked, self.draft.training.rate));
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
            if !(paper && self.exports.rehearses_panels()) {
                self.views.show(ui, &mut scene, self.exports.light);
            }
            for order in self.exports.orders() {
                self.exports.take(ui.ctx(), &mut scene, &mut self.views, &file_name(session), order);
            }
        });
    }
}

/// Goes on from runs that were kept, on this device and kept to the pace of their spec.
fn go_on(device: DeviceChoice) -> GoOnFn {
    Box::new(move |spec, kept, waker| Worker::go_on(Job { spec, device, paced: true }, kept, waker))
}
