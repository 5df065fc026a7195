//! What happens between frames, also while the window is hidden: receive, then carry out what the user asked for.
//!
//! Guarantees: receiving takes at most 8 ms a frame and then asks for another; nothing here waits for a run, so stop,
//! restart and close answer at once, whatever the run is in the middle of.

use std::path::Path;
use std::time::Duration;

use egui_tiles::LinearDir;

use super::App;
use super::actions::Action;
use super::commands::UserCommand;
use super::session::{BUDGET, Session, is_comparable, outline};
use crate::spec::Spec;
use crate::ui::kit::appearance;
use crate::ui::playback::clock::newest;
use crate::ui::settings::needs_restart;
use crate::ui::shell::folder_dialog::FolderDialog;
use crate::ui::shell::toasts::Toast;
use crate::ui::study::Wish;
use crate::ui::views::View;
use crate::worker::{Command, Waker};

/// Longest time that one frame spends on receiving what the futures of a fork have to tell; the run itself has the rest.
const FORKS: Duration = Duration::from_millis(3);
/// Shortest time between two frames that a run asks for.
const FRAME: Duration = Duration::from_millis(33);

impl App {
    /// Receives, and carries out wishes. To be called once per frame, before [`App::show`], and while hidden too.
    pub fn tick(&mut self, ctx: &egui::Context) {
        let mut more = false;
        if let Some(session) = &mut self.session {
            more |= session.receive(BUDGET - FORKS);
            if let Some(sentence) = session.trouble() {
                self.toasts.say(Toast::failed(sentence));
            }
            if let Some(kept) = session.take_kept() {
                self.forks.begin(&kept, session, &self.go_on, || waker(ctx));
            } else if !session.is_live() {
                self.forks.give_up("The run has ended before it could be forked");
            } else if self.forks.at_switch && !switch_to_come(session) {
                self.forks.give_up("There was no switch left at which to fork");
            }
        }
        more |= self.forks.receive(FORKS) | self.runs.receive_forks(FORKS);
        if more {
            // More is waiting than one frame may take, or a command found the queue full.
            ctx.request_repaint_after(Duration::from_millis(10));
        }
        if let Some(answer) = self.dialog.as_ref().and_then(FolderDialog::poll) {
            self.dialog = None;
            if let Some(folder) = answer {
                self.draft.data.path = Some(folder);
                self.checked.update(&self.draft);
            }
        }
        self.play_on(ctx);
        self.receive_opened(ctx);
        self.study.tick(ctx, &self.draft, || waker(ctx));
        for toast in self.exports.tick(|| waker(ctx)) {
            self.toasts.say(toast);
        }
        for action in self.actions.take() {
            self.tours.note(&action);
            self.execute(ctx, action);
            ctx.request_repaint();
        }
        self.close_when_saved(ctx);
        self.look(ctx);
    }

    fn execute(&mut self, ctx: &egui::Context, action: Action) {
        match action {
            Action::User(command) => self.command(ctx, command),
            Action::Start => self.start_run(ctx),
            Action::RestartAt(rate) => {
                self.draft.training.rate = rate;
                self.start_run(ctx);
            }
            Action::Load(preset) => {
                // The pace is the user's, not the preset's, once there is one.
                let window = self.draft.window.clone();
                let before = std::mem::replace(&mut self.draft, preset.spec());
                (self.draft.seed, self.draft.window) = (before.seed, window);
                // A preset on images of the user's own has no folder: one that was chosen for such images stays.
                if before.data.source == self.draft.data.source {
                    self.draft.data.path = before.data.path;
                }
                let views: Vec<View> = preset.views().iter().filter_map(|title| View::titled(title)).collect();
                self.views.set_out(&views);
                self.start_run(ctx);
            }
            Action::Apply(network) => {
                // A step of its own, however soon after another change.
                self.undo.add_undo(&self.draft);
                self.draft.network = *network;
                self.undo.add_undo(&self.draft);
                self.start_run(ctx);
            }
            Action::Live(command) => {
                // A pace is of the window; all else is of the run that was told.
                if matches!(command, Command::SetPace(_)) {
                    self.forks.tell(&command);
                }
                if let Some(session) = &mut self.session {
                    note_live(&mut session.spec, &command);
                    session.send(command);
                }
            }
            Action::Seek(epoch) => self.clock.seek(epoch.min(newest(self.history()))),
            Action::Pan(by) => self.with_clock(|clock, history| clock.pan(history, by)),
            Action::Zoom { about, factor } => self.with_clock(|clock, history| clock.zoom(history, about, factor)),
            Action::Bring(view) => self.views.bring(view),
            Action::Show(from, to) => self.clock.show(from.max(0.0), to),
            Action::Travel(wish) => self.travel.execute(wish),
            Action::ChooseFolder => self.choose_folder(ctx),
            Action::Revert => {
                if let Some(session) = &self.session {
                    self.draft = session.spec.clone();
                }
            }
            Action::Dismiss => self.dismissed = true,
            Action::Tell(toast) => self.toasts.say(toast),
            Action::Reveal(folder) => {
                if let Err(err) = open::that_detached(&folder) {
                    log::warn!("{} cannot be shown: {err}", folder.display());
                    let text = format!("No file manager could be started here; the folder is {}", folder.display());
                    self.toasts.say(Toast::failed(text));
                }
            }
            Action::Export(order) => self.exports.order(order),
            Action::CancelAnimation => self.exports.cancel_film(),
            Action::ForgetReference => self.reference = None,
            Action::Tour(wish) => self.tour_wish(ctx, wish),
            Action::ForkAtSwitch(at_switch) => self.forks.at_switch = at_switch,
            Action::ChooseFuture(name, chosen) => self.forks.choose(name, chosen),
            Action::RemoveFuture(place) => self.forks.remove(place),
            Action::Open(paths) => self.open_paths(ctx, paths),
            Action::Runs(wish) => self.execute_run_wish(ctx, &wish),
            Action::Study(Wish::OpenRun(place)) => {
                if let Some(spec) = self.study.run(place) {
                    self.draft = Spec { window: self.draft.window.clone(), ..spec };
                    self.study.shown = false;
                }
            }
            Action::Study(wish) => self.study.execute(&wish, || waker(ctx)),
        }
    }

    /// Takes these settings as the draft. What a run can take in its stride is told to it, as if it had been typed.
    fn adopt(&mut self, spec: Spec) {
        let before = std::mem::replace(&mut self.draft, spec);
        let draft = &self.draft;
        let Some(session) = self.session.as_ref().filter(|session| session.is_live()) else { return };
        if draft.training.rate != before.training.rate {
            self.actions.push(Action::Live(Command::SetRate(draft.training.rate)));
        }
        if draft.kernel.per_epoch != before.kernel.per_epoch {
            self.actions.push(Action::Live(Command::SetPerEpoch(draft.kernel.per_epoch)));
        }
        if draft.window.pace != before.window.pace {
            self.actions.push(Action::Live(Command::SetPace(draft.window.pace)));
        }
        if draft.tasks.order != before.tasks.order && !needs_restart(draft, &session.spec) {
            let begun = |task: &usize| session.history.tasks().iter().any(|start| start.task == *task);
            let upcoming = draft.tasks.sequence().into_iter().filter(|task| !begun(task)).collect();
            self.actions.push(Action::Live(Command::SetUpcoming(upcoming)));
        }
    }

    fn command(&mut self, ctx: &egui::Context, command: UserCommand) {
        self.last = Some(command);
        match command {
            UserCommand::ExportWindow => self.exports.order_window(),
            UserCommand::ExportAnimation => self.animate(ctx),
            UserCommand::CopyCommandLine => self.copy_command_line(ctx),
            UserCommand::LightExports => {
                self.exports.light = !self.exports.light;
                let words = if self.exports.light { "are light" } else { "have the window's colours" };
                self.toasts.say(Toast::done(format!("Exported pictures {words}")));
            }
            UserCommand::OpenRun => self.ask_what_to_open(ctx, false),
            UserCommand::OpenKernels => self.ask_what_to_open(ctx, true),
            UserCommand::Reopen => {
                let path = self.runs.closed(self.session.as_ref()).next().map(|place| place.path.clone());
                path.into_iter().for_each(|path| self.open_paths(ctx, vec![path]));
            }
            UserCommand::Runs => self.runs.open = !self.runs.open,
            UserCommand::PauseResume => self.pause_or_resume(ctx),
            UserCommand::Step => {
                if let Some(session) = self.session.as_mut().filter(|session| session.is_paused()) {
                    session.send(Command::Step(1));
                }
            }
            UserCommand::SwitchTask => {
                if let Some(session) = self.session.as_mut().filter(|session| session.is_live()) {
                    session.send(Command::SwitchTask);
                }
            }
            UserCommand::Restart => self.start_run(ctx),
            UserCommand::NewSeed => {
                self.draft.seed = self.draft.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1) % 10_000;
                self.start_run(ctx);
            }
            UserCommand::Stop => {
                if let Some(session) = &mut self.session {
                    session.stop();
                }
            }
            UserCommand::Fork => self.fork(),
            UserCommand::CursorBack | UserCommand::CursorForward => {
                self.travel.playback.stop();
                self.with_clock(|clock, history| clock.step(history, command == UserCommand::CursorForward));
            }
            UserCommand::Follow => {
                self.travel.playback.stop();
                self.clock.follow();
            }
            UserCommand::Play
            | UserCommand::Loop
            | UserCommand::Mark
            | UserCommand::PreviousMark
            | UserCommand::NextMark
            | UserCommand::MomentA
            | UserCommand::MomentB => self.go(command),
            UserCommand::ZoomIn => self.zoom(1.5),
            UserCommand::ZoomOut => self.zoom(1.0 / 1.5),
            UserCommand::Enlarge => self.views.enlarge_or_put_back(),
            UserCommand::Wider => self.views.resize(LinearDir::Horizontal, true),
            UserCommand::Narrower => self.views.resize(LinearDir::Horizontal, false),
            UserCommand::Higher => self.views.resize(LinearDir::Vertical, true),
            UserCommand::Lower => self.views.resize(LinearDir::Vertical, false),
            UserCommand::ResetLayout => self.views.reset_layout(),
            UserCommand::Undo => {
                if let Some(before) = self.undo.undo(&self.draft).cloned() {
                    self.adopt(before);
                }
            }
            UserCommand::Redo => {
                if let Some(after) = self.undo.redo(&self.draft).cloned() {
                    self.adopt(after);
                }
            }
            UserCommand::Palette => self.palette.toggle(),
            UserCommand::Theme => {
                let next = appearance::next_theme(ctx);
                ctx.set_theme(next);
                if next == egui::ThemePreference::System {
                    // The only step of the circle that may look like none.
                    self.toasts.say(Toast::done("The theme is that of the system"));
                }
            }
            UserCommand::Presentation => self.looks.present(ctx),
            UserCommand::ScaleUp => appearance::scale_by(ctx, 1.0),
            UserCommand::ScaleDown => appearance::scale_by(ctx, -1.0),
            UserCommand::ScaleReset => ctx.set_zoom_factor(1.0),
            UserCommand::Page => self.study.shown = !self.study.shown,
            UserCommand::Log => {
                if let Some(folder) = self.home.folder.clone() {
                    self.execute(ctx, Action::Reveal(folder));
                }
            }
            UserCommand::Tours => self.toggle_tours(),
            UserCommand::TourNext => self.tour_on(ctx),
            UserCommand::TourBack => self.tour_back(ctx),
            UserCommand::Help => self.help = !self.help,
        }
    }

    fn pause_or_resume(&mut self, ctx: &egui::Context) {
        match &mut self.session {
            Some(session) if session.is_live() => {
                let stands = session.is_paused() || session.is_pausing();
                session.send(if stands { Command::Resume } else { Command::Pause });
            }
            _ => self.start_run(ctx),
        }
    }

    /// Puts these views into the places of the window, the large ones first.
    pub fn set_out(&mut self, views: &[View]) {
        self.views.set_out(views);
    }

    /// Puts these views into the lowest row, from the left; where the forks are among them, as if the user had forked the run.
    pub fn arrange(&mut self, views: &[View]) {
        self.views.arrange(views);
        if views.contains(&View::Forks) {
            self.fork();
        }
    }

    /// Asks the run to keep its state for the futures that are chosen, and shows the view in which they will be.
    fn fork(&mut self) {
        self.views.bring(View::Forks);
        match self.session.as_mut().filter(|session| session.is_live()) {
            Some(session) => {
                if self.forks.ask(&session.spec, switch_to_come(session)) {
                    session.send(Command::Fork { at_switch: self.forks.at_switch });
                }
            }
            None => self.forks.refusal = Some("There is no run to fork: start one".to_owned()),
        }
    }

    fn zoom(&mut self, factor: f64) {
        self.with_clock(|clock, history| {
            let (from, to) = clock.range(history);
            let cursor = clock.cursor(history);
            let about = if (from..=to).contains(&cursor) { cursor } else { (from + to) / 2.0 };
            clock.zoom(history, about, factor);
        });
    }

    fn with_clock(&mut self, change: impl FnOnce(&mut crate::ui::playback::clock::Clock, &crate::run::History)) {
        let mut clock = self.clock.clone();
        change(&mut clock, self.history());
        self.clock = clock;
    }

    /// Begins a run of the draft; the one before becomes the faint reference. Nothing happens while something is wrong.
    pub fn start_run(&mut self, ctx: &egui::Context) {
        // Another window may stand in another folder when the run is repeated.
        self.draft.root_paths(Path::new(""));
        self.checked.update(&self.draft);
        if !self.checked.problems.is_empty() {
            self.dismissed = false;
            return;
        }
        if self.session.as_ref().is_some_and(|session| session.opened.is_some()) {
            self.put_aside();
        }
        if let Some(mut before) = self.session.take() {
            before.retire();
            self.views.leave(&before.history);
            if !is_comparable(&before.spec, &self.draft) {
                self.reference = None;
            } else if let Some(outline) = outline(&before.history) {
                self.reference = Some(outline);
            }
            if before.history.rows().len() > 1 {
                self.runs.recent.left(&before);
            }
        }
        let run = (self.start)(self.draft.clone(), waker(ctx));
        let saver = self.home.autosave.as_ref().map(|autosave| autosave.begin(&self.draft));
        self.session = Some(Session::new(run, self.draft.clone()).saved_by(saver));
        self.begin_views();
        ctx.request_repaint();
    }

    fn choose_folder(&mut self, ctx: &egui::Context) {
        if self.dialog.is_none() {
            match FolderDialog::open("Folder with the data set", waker(ctx)) {
                Ok(dialog) => self.dialog = Some(dialog),
                Err(err) => log::warn!("no folder dialog: {err}; write the path into the field instead"),
            }
        }
    }
}

/// The run knows this closure, not the window; many wishes within a frame are one.
pub(crate) fn waker(ctx: &egui::Context) -> Waker {
    let ctx = ctx.clone();
    Box::new(move || ctx.request_repaint_after(FRAME))
}

/// Whether a task is still to begin; before the first word of the run one is taken for granted.
fn switch_to_come(session: &Session) -> bool {
    let progress = session.history.progress();
    progress.planned_steps == 0 || !progress.upcoming.is_empty()
}

/// Keeps the spec of a run in step with what it was told, so that the panel does not ask for a restart.
fn note_live(spec: &mut Spec, command: &Command) {
    match command {
        Command::SetRate(rate) => spec.training.rate = *rate,
        Command::SetPerEpoch(per_epoch) => spec.kernel.per_epoch = *per_epoch,
        Command::SetPace(pace) => spec.window.pace = *pace,
        _ => {}
    }
}
