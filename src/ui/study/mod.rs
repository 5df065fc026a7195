//! The study page: many runs under one question, chosen, started, watched and compared in the window.
//!
//! Guarantees: no file is read or written on the window's thread, the study service does that; what is shown of a folder is what
//! the study service has read in it; cancelling or closing loses nothing but the runs in progress, and the next start goes on
//! from there. The page knows nothing of the live run, which goes on beside it.

pub(crate) mod action;
mod cards;
mod chart;
mod chosen;
mod draft;
pub(super) mod layout;
mod learning;
mod learning_picture;
mod list;
mod panel;
mod panels;
mod picture;
mod print;
mod results;
mod results_panel;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::app::session::BUDGET;
use super::shell::folder_dialog::FolderDialog;
use crate::analysis::LearningCurves;
use crate::analysis::comparison::Comparison;
use crate::spec::{Spec, StudyRun};
use crate::worker::progress::Progress;
use crate::worker::study_service::{Order, Report, RunSummary, StudyService, Work};
use crate::worker::{DeviceChoice, Waker};

use crate::ui::study::action::StudyAction;

pub use cards::{CardExport, Cards};
pub use draft::{Draft, Which};
pub use learning::Worked;
pub use panels::PanelKind;

/// Starts a study service; the closure wakes the window. A test or a bench hands in its own.
pub type SendFn = Box<dyn Fn(Order, Waker) -> StudyService>;

/// How one run of the study stands.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    Waiting,
    /// With the share of its steps.
    Running(f64),
    Ended(RunSummary),
    Failed(String),
}

/// A study as its folder was found, and as it has gone on since.
pub struct Opened {
    pub runs: Arc<[StudyRun]>,
    pub states: Vec<State>,
    pub progress: Progress,
}

/// What the page says below its picture's head: the last thing that happened.
#[derive(Clone, Debug)]
pub struct Notice {
    pub text: String,
    pub is_error: bool,
}

/// What the study service is busy with, beside drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Busy {
    Looking,
    Running,
    Cancelling,
}

/// Everything the page holds.
pub struct StudyPage {
    /// Whether it is shown instead of the run.
    pub shown: bool,
    /// How its cards look, and which of them is to be exported.
    pub cards: Cards,
    /// What the panel edits.
    pub draft: Draft,
    /// The settings of the run page as this study took them. They stay while there are results: who goes on working on the run
    /// page must not find another study when coming back.
    base: Spec,
    send: SendFn,
    plan: draft::Plan,
    /// Since when the plan waits to be looked up in its folder.
    changed: Option<Instant>,
    work: Option<(Busy, StudyService)>,
    drawing: Option<StudyService>,
    opened: Option<Opened>,
    /// Why this folder cannot take this study.
    refusal: Option<String>,
    notice: Option<Notice>,
    dialog: Option<FolderDialog>,
    results: results::Results,
    /// Operations per second that the last study has reached.
    speed: Option<f64>,
}

/// How long a plan stands still before its folder is looked at: nobody reads a folder for each letter typed.
const STILL: Duration = Duration::from_millis(250);

impl StudyPage {
    /// The page with the first ready-made study; `run` are the settings of the run page.
    pub fn new(run: &Spec) -> Self {
        let draft = Draft::new(Which::Ready(0));
        Self {
            shown: false,
            cards: Cards::default(),
            plan: draft::Plan::new(&draft, run),
            draft,
            base: run.clone(),
            send: Box::new(StudyService::start),
            changed: Some(Instant::now()),
            work: None,
            drawing: None,
            opened: None,
            refusal: None,
            notice: None,
            dialog: None,
            results: results::Results::default(),
            speed: None,
        }
    }

    /// Starts study services by this from now on.
    pub fn set_study_service(&mut self, send: SendFn) {
        self.send = send;
    }

    /// Whether runs of a study go on, or are being ended.
    pub fn is_running(&self) -> bool {
        matches!(self.work, Some((Busy::Running | Busy::Cancelling, _)))
    }

    /// The study as its folder was found, if it was looked at.
    pub fn opened(&self) -> Option<&Opened> {
        self.opened.as_ref()
    }

    /// What the finished runs show together.
    pub fn comparison(&self) -> Option<&Arc<Comparison>> {
        self.results.comparison()
    }

    /// What the learners of a study show.
    pub fn learnt(&self) -> Option<&Arc<LearningCurves>> {
        self.results.learnt()
    }

    /// What the fits say of what is drawn, once they are worked out.
    pub fn fits(&self) -> Option<&Worked> {
        self.results.fits()
    }

    /// Whether the settings of the run page would by now make another study.
    fn is_stale(&self, run: &Spec) -> bool {
        self.base != *run && !self.is_running() && self.draft.spec(run).ok() != self.draft.spec(&self.base).ok()
    }

    /// Why the folder cannot take this study.
    pub fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    /// Where the study is kept.
    pub fn folder(&self) -> &std::path::Path {
        &self.plan.out
    }

    /// Whether all runs that there are have come to their end.
    pub fn is_complete(&self) -> bool {
        self.opened.as_ref().is_some_and(|opened| opened.states.iter().all(|state| matches!(state, State::Ended(_))))
    }

    /// Whether the study could be started now.
    pub fn can_start(&self) -> bool {
        let ready = self.plan.study.is_some() && self.refusal.is_none() && self.changed.is_none();
        ready && self.work.is_none() && !self.is_complete()
    }

    /// Receives, and looks at the folder of a new plan; whether there may be more to receive. `run` are the settings of the
    /// run page, `waker` makes what wakes the window.
    pub fn tick(&mut self, ctx: &egui::Context, run: &Spec, waker: impl Fn() -> Waker) {
        if let Some(answer) = self.dialog.as_ref().and_then(FolderDialog::poll) {
            self.dialog = None;
            if let Some(folder) = answer {
                self.draft.folder = Some(folder.display().to_string());
            }
        }
        if self.receive() {
            ctx.request_repaint_after(Duration::from_millis(10));
        }
        // The plan of a study that runs is the one that was started.
        if self.is_running() {
            return;
        }
        if self.base != *run && !self.results.any() {
            self.base = run.clone();
        }
        if self.plan.update(&self.draft, &self.base) {
            self.changed = Some(Instant::now());
            (self.refusal, self.notice) = (None, None);
            // What was asked of the folder before is no longer the question.
            self.work = None;
        }
        let Some(since) = self.changed.filter(|_| self.shown) else { return };
        let still = since.elapsed();
        if still < STILL {
            ctx.request_repaint_after(STILL - still);
            return;
        }
        self.changed = None;
        self.opened = None;
        self.results.forget();
        if let Some(order) = self.order(Work::Look) {
            self.work = Some((Busy::Looking, (self.send)(order, waker())));
        }
    }

    /// Carries out an action that concerns nothing but this page.
    pub fn execute(&mut self, action: StudyAction, waker: impl Fn() -> Waker) {
        match action {
            StudyAction::Show(shown) => self.shown = shown,
            StudyAction::Toggle => self.shown = !self.shown,
            StudyAction::Start if self.can_start() => {
                let work = Work::Finish { device: DeviceChoice::Cpu, at_once: self.draft.at_once.max(1) };
                if let Some(order) = self.order(work) {
                    self.notice = None;
                    self.work = Some((Busy::Running, (self.send)(order, waker())));
                }
            }
            StudyAction::Cancel => {
                if let Some((busy @ Busy::Running, service)) = &mut self.work {
                    service.cancel();
                    *busy = Busy::Cancelling;
                }
            }
            StudyAction::DrawFigures => {
                if let (None, Some(order)) = (&self.drawing, self.order(Work::Draw)) {
                    self.drawing = Some((self.send)(order, waker()));
                }
            }
            StudyAction::ChooseFolder if self.dialog.is_none() => {
                match FolderDialog::open("Folder for the study", waker()) {
                    Ok(dialog) => self.dialog = Some(dialog),
                    Err(err) => log::warn!("no folder dialog: {err}; write the path into the field instead"),
                }
            }
            StudyAction::Start | StudyAction::ChooseFolder | StudyAction::OpenRun(_) => {}
        }
    }

    /// The settings of a run of the study; of learners those of the network as it was chosen.
    pub fn run(&self, place: usize) -> Option<Spec> {
        let run = self.opened.as_ref()?.runs.get(place)?;
        let learnt = run.experiment.as_ref().and_then(|_| self.results.learnt()?.network_of(run).cloned());
        Some(learnt.map_or_else(|| run.spec.clone(), |point| point.opened_as(&run.spec)))
    }

    fn order(&self, work: Work) -> Option<Order> {
        let spec = Spec::clone(self.plan.study.as_ref()?);
        Some(Order { spec, out: PathBuf::from(&self.plan.out), work })
    }

    /// Takes what has arrived, at most for [`BUDGET`]; whether there may be more.
    fn receive(&mut self) -> bool {
        let start = Instant::now();
        while let Some(report) = self.drawing.as_ref().and_then(StudyService::try_recv) {
            match report {
                Report::Drawn(paths) => {
                    let names = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" and ");
                    self.notice = Some(Notice { text: format!("Saved {names}"), is_error: false });
                }
                Report::Refused(text) => {
                    self.notice = Some(Notice { text, is_error: true });
                }
                Report::Over => self.drawing = None,
                _ => {}
            }
        }
        while let Some(report) = self.work.as_ref().and_then(|(_, service)| service.try_recv()) {
            self.hear(report);
            if start.elapsed() > BUDGET {
                return true;
            }
        }
        false
    }

    fn hear(&mut self, report: Report) {
        let looking = matches!(self.work, Some((Busy::Looking, _)));
        match report {
            Report::Opened { runs, told } => {
                let progress = Progress::new(&runs, |place| told[place].is_some());
                let states = told.into_iter().map(|told| told.map_or(State::Waiting, State::Ended)).collect();
                self.opened = Some(Opened { runs, states, progress });
            }
            Report::Progress { place, share } => self.reach(place, share, State::Running(share)),
            Report::Ended { place, told } => self.reach(place, 1.0, State::Ended(told)),
            Report::Failed { place, message } => self.reach(place, 1.0, State::Failed(message)),
            Report::Compared(comparison) => self.results.take(comparison),
            Report::LearningCurves(learnt) => self.results.learn(learnt),
            Report::Refused(text) if looking => self.refusal = Some(text),
            Report::Refused(text) => self.notice = Some(Notice { text, is_error: true }),
            Report::Drawn(_) => {}
            Report::Over => self.over(),
        }
    }

    fn reach(&mut self, place: usize, share: f64, state: State) {
        if let Some(opened) = &mut self.opened {
            opened.progress.reach(place, share);
            opened.states[place] = state;
        }
    }

    /// Called when the study service has ended.
    fn over(&mut self) {
        let was = self.work.take().map(|(busy, _)| busy);
        let (Some(opened), true) = (&mut self.opened, was != Some(Busy::Looking)) else { return };
        // What has not ended starts over the next time.
        for (place, state) in opened.states.iter_mut().enumerate() {
            if matches!(state, State::Running(_)) {
                *state = State::Waiting;
            }
            if !matches!(state, State::Ended(_)) {
                opened.progress.reach(place, 0.0);
            }
        }
        self.speed = opened.progress.speed().or(self.speed);
        if self.notice.is_none() && was == Some(Busy::Cancelling) {
            let text = "Cancelled: what is done stays, and Start goes on from there".to_owned();
            self.notice = Some(Notice { text, is_error: false });
        }
    }
}
