//! Implements the study page: many runs under one question, chosen, started, watched and compared in the window.
//!
//! Guarantees: the study service, not the window's thread, reads and writes all files; the page shows a folder as the study
//! service has read it; cancelling or closing loses only the runs in progress, and the next start continues from there. The
//! page is independent of the live run, which continues beside it.

pub(crate) mod action;
mod cards;
mod chart;
mod chosen;
mod draft;
pub(super) mod layout;
mod learning;
mod list;
mod panel;
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
use crate::storage::LOGS;
use crate::worker::progress::Progress;
use crate::worker::study_service::{Report, RunSummary, StudyOrder, StudyService, Work};
use crate::worker::{DeviceChoice, Waker};

use crate::ui::study::action::StudyAction;

pub use crate::chart::study::kinds::PanelKind;
pub use cards::{CardExport, Cards};
pub use draft::{Draft, Which};
pub use learning::FitResults;

/// Starts a study service; the closure wakes the window. Tests and benches supply their own.
pub type SendFn = Box<dyn Fn(StudyOrder, Waker) -> StudyService>;

/// The state of one run of the study.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    Waiting,
    /// In progress, with the share of its finished steps.
    Running(f64),
    Ended(RunSummary),
    Failed(String),
    /// Another process does it: this one.
    Elsewhere(String),
}

/// Holds a study as read from its folder, updated by its progress since.
pub struct OpenedStudy {
    pub runs: Arc<[StudyRun]>,
    pub states: Vec<State>,
    pub progress: Progress,
    /// Whether it was planned for several processes, so that each run that was begun has a log.
    pub has_logs: bool,
}

/// Holds the text below the head of the picture: the last event.
#[derive(Clone, Debug)]
pub struct Notice {
    pub text: String,
    pub is_error: bool,
}

/// Names the current work of the study service, besides drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Busy {
    Looking,
    /// Other processes may fill the folder, and what they do is reported.
    Following,
    Running,
    Cancelling,
}

/// Holds the state of the page.
pub struct StudyPage {
    /// True if it is shown instead of the run.
    pub shown: bool,
    /// The appearance of its cards, and the card to be exported.
    pub cards: Cards,
    /// The draft that the panel edits.
    pub draft: Draft,
    /// The settings of the run page when this study took them. They stay while there are results, so that further work on the
    /// run page does not change the study.
    base: Spec,
    send: SendFn,
    plan: draft::Plan,
    /// Time since which the plan waits for its folder to be read.
    changed: Option<Instant>,
    work: Option<(Busy, StudyService)>,
    drawing: Option<StudyService>,
    opened: Option<OpenedStudy>,
    /// The reason why this folder cannot hold this study.
    refusal: Option<String>,
    notice: Option<Notice>,
    dialog: Option<FolderDialog>,
    results: results::Results,
    /// Operations per second of the last study.
    speed: Option<f64>,
}

/// Time without changes before the folder of a plan is read, so that it is not read after each letter typed.
const STILL: Duration = Duration::from_millis(250);

impl StudyPage {
    /// Returns the page with the first ready-made study; `run` holds the settings of the run page.
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

    /// Sets the function that starts study services from now on.
    pub fn set_study_service(&mut self, send: SendFn) {
        self.send = send;
    }

    /// Returns whether runs of a study are in progress or being ended.
    pub fn is_running(&self) -> bool {
        matches!(self.work, Some((Busy::Running | Busy::Cancelling, _)))
    }

    /// Returns the study as read from its folder, if it was read.
    pub fn opened(&self) -> Option<&OpenedStudy> {
        self.opened.as_ref()
    }

    /// Returns the results of the finished runs.
    pub fn comparison(&self) -> Option<&Arc<Comparison>> {
        self.results.comparison()
    }

    /// Returns the results of a study of learners.
    pub fn learnt(&self) -> Option<&Arc<LearningCurves>> {
        self.results.learnt()
    }

    /// Returns the fits of the data drawn, once they are computed.
    pub fn fits(&self) -> Option<&FitResults> {
        self.results.fits()
    }

    /// Returns whether the current settings of the run page would make another study.
    fn is_stale(&self, run: &Spec) -> bool {
        self.base != *run && !self.is_running() && self.draft.spec(run).ok() != self.draft.spec(&self.base).ok()
    }

    /// Returns why the folder cannot hold the study.
    pub fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    /// Returns the folder where the study is stored.
    pub fn folder(&self) -> &std::path::Path {
        &self.plan.out
    }

    /// Returns whether all runs have ended.
    pub fn is_complete(&self) -> bool {
        self.opened.as_ref().is_some_and(|opened| opened.states.iter().all(|state| matches!(state, State::Ended(_))))
    }

    /// Returns whether the study could be started now.
    pub fn can_start(&self) -> bool {
        let ready = self.plan.study.is_some() && self.refusal.is_none() && self.changed.is_none();
        let is_free = matches!(self.work, None | Some((Busy::Following, _)));
        ready && is_free && !self.is_complete()
    }

    /// Receives results, and requests the folder of a new plan; returns whether there may be more to receive. `run` holds the
    /// settings of the run page, `waker` makes the closure that wakes the window.
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
        // The plan of a running study is the one that was started.
        if self.is_running() {
            return;
        }
        if self.base != *run && !self.results.any() {
            self.base = run.clone();
        }
        if self.plan.update(&self.draft, &self.base) {
            self.changed = Some(Instant::now());
            (self.refusal, self.notice) = (None, None);
            // An earlier request about the folder is outdated.
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

    /// Carries out an action that concerns this page only.
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
            StudyAction::Start | StudyAction::ChooseFolder | StudyAction::OpenRun(_) | StudyAction::ShowLog(_) => {}
        }
    }

    /// Returns the settings of a run of the study; for learners those of the network as chosen.
    pub fn run(&self, place: usize) -> Option<Spec> {
        let run = self.opened.as_ref()?.runs.get(place)?;
        let learnt = run.experiment.as_ref().and_then(|_| self.results.learnt()?.network_of(run).cloned());
        Some(learnt.map_or_else(|| run.spec.clone(), |point| point.opened_as(&run.spec)))
    }

    /// Returns the log of a run of the study, if it has one.
    pub fn log_of(&self, place: usize) -> Option<PathBuf> {
        let opened = self.opened.as_ref().filter(|opened| opened.has_logs)?;
        let tells = matches!(opened.states[place], State::Elsewhere(_) | State::Failed(_));
        tells.then(|| self.folder().join(LOGS).join(format!("{}.log", opened.runs[place].folder)))
    }

    fn order(&self, work: Work) -> Option<StudyOrder> {
        let spec = Spec::clone(self.plan.study.as_ref()?);
        Some(StudyOrder { spec, out: PathBuf::from(&self.plan.out), work })
    }

    /// Receives results for at most [`BUDGET`]; returns whether there may be more.
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
            Report::Opened { runs, summaries } => {
                let progress = Progress::new(&runs, |place| summaries[place].is_some());
                let states =
                    summaries.into_iter().map(|summaries| summaries.map_or(State::Waiting, State::Ended)).collect();
                self.opened = Some(OpenedStudy { runs, states, progress, has_logs: false });
            }
            Report::Progress { place, share } => self.reach(place, share, State::Running(share)),
            Report::Ended { place, summary: summaries } => self.reach(place, 1.0, State::Ended(summaries)),
            Report::Failed { place, message } => self.reach(place, 1.0, State::Failed(message)),
            Report::Held { place, holder } => {
                let holder = holder.map_or_else(|| "another process".to_owned(), |holder| holder.in_words());
                self.reach(place, 0.0, State::Elsewhere(holder));
            }
            Report::Waiting { place } => self.reach(place, 0.0, State::Waiting),
            Report::Following => {
                self.opened.iter_mut().for_each(|opened| opened.has_logs = true);
                if let Some((busy @ Busy::Looking, _)) = &mut self.work {
                    *busy = Busy::Following;
                }
            }
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

    /// Handles the end of the study service.
    fn over(&mut self) {
        let was = self.work.take().map(|(busy, _)| busy);
        let looked = matches!(was, Some(Busy::Looking | Busy::Following));
        let (Some(opened), false) = (&mut self.opened, looked) else { return };
        // Unfinished runs start over the next time.
        for (place, state) in opened.states.iter_mut().enumerate() {
            if matches!(state, State::Running(_) | State::Elsewhere(_)) {
                *state = State::Waiting;
            }
            if !matches!(state, State::Ended(_)) {
                opened.progress.reach(place, 0.0);
            }
        }
        self.speed = opened.progress.speed().or(self.speed);
        if self.notice.is_none() && was == Some(Busy::Cancelling) {
            let text = "Cancelled: finished runs are kept, and Start continues from there".to_owned();
            self.notice = Some(Notice { text, is_error: false });
        }
    }
}
