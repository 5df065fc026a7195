//! What happens between frames, also while the window is hidden: receive, then carry out what the user asked for.
//!
//! Guarantees: receiving takes at most 8 ms a frame and then asks for another; nothing here waits for a run, so stop,
//! restart and close answer at once, whatever the run is in the middle of.

use std::time::Duration;

use super::actions::{Action, Group, UserCommand};
use super::app::App;
use super::clock::newest;
use super::folder_dialog::FolderDialog;
use super::session::{BUDGET, Session, outline};
use super::study::Wish;
use super::toasts::Toast;
use super::top_bar::has_next;
use super::views::View;
use crate::spec::Spec;
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
            if let Some(kept) = session.take_kept() {
                self.forks.begin(&kept, session, &self.go_on, || waker(ctx));
            } else if !session.is_live() {
                self.forks.give_up("The run has ended before it could be forked");
            } else if self.forks.at_switch && !switch_to_come(session) {
                self.forks.give_up("There was no switch left at which to fork");
            }
        }
        more |= self.forks.receive(FORKS);
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
        self.receive_opened(ctx);
        self.study.tick(ctx, &self.draft, || waker(ctx));
        for action in self.actions.take() {
            self.execute(ctx, action);
            ctx.request_repaint();
        }
    }

    fn execute(&mut self, ctx: &egui::Context, action: Action) {
        match action {
            Action::User(command) => self.command(ctx, command),
            Action::Start => self.start_run(ctx),
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
            Action::Show(from, to) => self.clock.show(from.max(0.0), to),
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
                    self.toasts.say(Toast::failed(format!("{} cannot be shown: {err}", folder.display())));
                }
            }
            Action::ForgetReference => self.reference = None,
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

    /// Whether a command can be carried out now: buttons, keys and the menu ask here.
    pub(super) fn can(&self, command: UserCommand) -> bool {
        let session = self.session.as_ref();
        let live = session.is_some_and(Session::is_live);
        let startable = self.checked.problems.is_empty();
        if matches!(command.group(), Group::Run | Group::Time) && self.study.shown {
            return false;
        }
        match command {
            UserCommand::PauseResume => live || startable,
            UserCommand::Step => session.is_some_and(Session::is_paused),
            UserCommand::SwitchTask => live && session.is_some_and(has_next),
            UserCommand::Restart | UserCommand::NewSeed => startable,
            UserCommand::Stop => live && !session.is_some_and(Session::is_stopping),
            _ => true,
        }
    }

    fn command(&mut self, ctx: &egui::Context, command: UserCommand) {
        match command {
            UserCommand::OpenRun => self.ask_what_to_open(ctx, false),
            UserCommand::OpenKernels => self.ask_what_to_open(ctx, true),
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
            UserCommand::CursorBack => self.with_clock(|clock, history| clock.step(history, false)),
            UserCommand::CursorForward => self.with_clock(|clock, history| clock.step(history, true)),
            UserCommand::Follow => self.clock.follow(),
            UserCommand::ZoomIn => self.zoom(1.5),
            UserCommand::ZoomOut => self.zoom(1.0 / 1.5),
            UserCommand::Theme => {
                let dark = ctx.theme() == egui::Theme::Dark;
                ctx.set_theme(if dark { egui::ThemePreference::Light } else { egui::ThemePreference::Dark });
            }
            UserCommand::Presentation => {
                // As large as still leaves room for everything.
                let room = ctx.content_rect().size() * ctx.zoom_factor() / egui::vec2(1280.0, 800.0);
                let largest = room.min_elem().clamp(1.0, 1.6);
                ctx.set_zoom_factor(if ctx.zoom_factor() > 1.01 { 1.0 } else { largest.max(1.15) });
            }
            UserCommand::Page => self.study.shown = !self.study.shown,
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

    fn with_clock(&mut self, change: impl FnOnce(&mut super::clock::Clock, &crate::record::History)) {
        let mut clock = self.clock.clone();
        change(&mut clock, self.history());
        self.clock = clock;
    }

    /// Begins a run of the draft; the one before becomes the faint reference. Nothing happens while something is wrong.
    pub fn start_run(&mut self, ctx: &egui::Context) {
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
            if let Some(outline) = outline(&before.history) {
                self.reference = Some(outline);
            }
        }
        let run = (self.start)(self.draft.clone(), waker(ctx));
        self.session = Some(Session::new(run, self.draft.clone()));
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
pub(super) fn waker(ctx: &egui::Context) -> Waker {
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
