//! Holds the run that is shown: its record, the reference run before it, its futures, and the caches of their curves.
//!
//! Guarantees: nothing here waits for a run, so that stop and restart respond at once, whatever the run is doing; a run that is
//! replaced by another joins the list of runs, with its Grams and its futures.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use egui::Context;

use super::gram_cache::GramCache;
use super::session::{BUDGET, OpenedRecord, Session, is_comparable, outline};
use crate::chart::series_cache::SeriesCache;
use crate::run::History;
use crate::spec::Spec;
use crate::storage::{Closing, Grams, KeptSteps, Saver};
use crate::ui::kit::waker::waker;
use crate::ui::overlays::{Overlays, let_go};
use crate::ui::shell::toast::Toast;
use crate::ui::views::Grid;
use crate::ui::views::forks::jobs::{Forks, GoOnFn};
use crate::ui::watching::{Opened, Opening, WatchedPlace};
use crate::worker::{Command, DeviceChoice, Job, Waker, WatchJob, Worker};

/// Starts a run of a spec; the closure wakes the window. Tests replace it with a fake.
pub type StartFn = Box<dyn Fn(Spec, Waker) -> Worker>;

/// Starts to watch a training. Tests replace it with a fake.
pub type WatchFn = Box<dyn Fn(WatchJob, Waker) -> Worker>;

/// Longest time per frame for receiving messages of the futures of a fork; the run itself has the rest.
pub(crate) const FORKS: Duration = Duration::from_millis(3);

/// The state of the run that is shown.
pub struct CurrentRun {
    start: StartFn,
    pub watch: WatchFn,
    go_on: GoOnFn,
    pub session: Option<Session>,
    /// The folder of a training that is opened, to be watched.
    pub opening: Option<Opening>,
    /// The previous run, without matrices.
    pub reference: Option<History>,
    curves: SeriesCache,
    reference_curves: SeriesCache,
    pub forks: Forks,
    /// The empty record that is shown before the first run.
    nothing: History,
}

impl CurrentRun {
    /// Creates the state without a run.
    pub fn new(start: StartFn) -> Self {
        Self {
            start,
            watch: Box::new(Worker::watch),
            go_on: go_on(DeviceChoice::Cpu),
            session: None,
            opening: None,
            reference: None,
            curves: SeriesCache::default(),
            reference_curves: SeriesCache::default(),
            forks: Forks::default(),
            nothing: History::default(),
        }
    }

    /// Trains futures on this device from now on.
    pub fn fork_on(&mut self, device: DeviceChoice) {
        self.go_on = go_on(device);
    }

    /// Returns the record of the run so far.
    pub fn history(&self) -> &History {
        self.session.as_ref().map_or(&self.nothing, |session| &session.history)
    }

    /// Returns the record together with the other parts that views read while they draw.
    pub fn parts(&self) -> RunParts<'_> {
        RunParts {
            session: self.session.as_ref(),
            history: self.session.as_ref().map_or(&self.nothing, |session| &session.history),
            reference: self.reference.as_ref(),
            curves: &self.curves,
            reference_curves: &self.reference_curves,
            forks: &self.forks,
            awaited: self.opening.as_ref().and_then(Opening::awaited),
        }
    }

    /// Returns the session if its run is live.
    pub fn live(&mut self) -> Option<&mut Session> {
        self.session.as_mut().filter(|session| session.is_live())
    }

    /// Returns whether the record that is shown was read from this path.
    pub fn is_from(&self, path: &Path) -> bool {
        let opened = self.session.as_ref().and_then(|session| session.opened.as_ref());
        opened.is_some_and(|opened| opened.path.as_deref() == Some(path))
    }

    /// Returns whether the window shows no run of its own with any data, so that an opened record can take its place.
    pub fn is_vacant(&self) -> bool {
        let is_ours = |session: &Session| session.is_live() || !session.history.rows().is_empty();
        self.session.as_ref().is_none_or(|session| session.opened.is_some() || !is_ours(session))
    }

    /// Receives messages of the run and its futures. Returns whether there may be more, and a message if the run can no longer be
    /// saved in its folder.
    pub fn receive(&mut self, ctx: &Context) -> (bool, Option<Toast>) {
        let Some(session) = &mut self.session else { return (self.forks.receive(FORKS), None) };
        let more = session.receive(BUDGET - FORKS);
        let trouble = session.trouble().map(Toast::failed);
        if let Some(kept) = session.take_kept() {
            self.forks.begin(&kept, session, &self.go_on, || waker(ctx));
        } else if !session.is_live() {
            self.forks.give_up("The run has ended before it could be forked");
        } else if self.forks.at_switch && !has_switch_to_come(session) {
            self.forks.give_up("There was no switch left at which to fork");
        }
        (more | self.forks.receive(FORKS), trouble)
    }

    /// Sends the run a command. A pace applies to the whole window, so its futures receive it too; other commands go to the run
    /// alone.
    pub fn send(&mut self, command: Command) {
        if matches!(command, Command::SetPace(_)) {
            self.forks.tell(&command);
        }
        if let Some(session) = &mut self.session {
            note_live(&mut session.spec, &command);
            session.send(command);
        }
    }

    /// Pauses or resumes the run; returns false where none is live.
    pub fn pause_or_resume(&mut self) -> bool {
        let Some(session) = self.live() else { return false };
        let stands = session.is_paused() || session.is_pausing();
        session.send(if stands { Command::Resume } else { Command::Pause });
        true
    }

    /// Asks the run for a snapshot of its state, from which the chosen futures train.
    pub fn fork(&mut self) {
        match self.session.as_mut().filter(|session| session.is_live()) {
            Some(session) if session.watched.is_some() => {
                self.forks.refusal = Some("Another program trains this run, so it can only be forked there".to_owned());
            }
            Some(session) => {
                if self.forks.ask(&session.spec, has_switch_to_come(session)) {
                    session.send(Command::Fork { at_switch: self.forks.at_switch });
                }
            }
            None => self.forks.refusal = Some("There is no run to fork: start one".to_owned()),
        }
    }

    /// Begins a run of this spec. The previous run becomes the faint reference if its curves fit the same axes; a run that was
    /// opened joins the list of runs.
    pub fn begin(
        &mut self,
        ctx: &Context,
        spec: &Spec,
        saver: impl FnOnce() -> Option<Saver>,
        overlays: &mut Overlays,
        views: &mut Grid,
    ) {
        self.make_way(spec, overlays, views);
        let run = (self.start)(spec.clone(), waker(ctx));
        self.session = Some(Session::new(run, spec.clone()).saved_by(saver()));
    }

    /// Begins to watch a training in another program.
    pub fn begin_watching(
        &mut self,
        ctx: &Context,
        opened: Opened,
        saver: impl FnOnce(&Spec) -> Option<Saver>,
        overlays: &mut Overlays,
        views: &mut Grid,
    ) {
        let Opened { folder, info, order } = opened;
        let (spec, place) = (info.spec.clone(), WatchedPlace::of(folder.path()));
        self.make_way(&spec, overlays, views);
        // Its steps are no epochs.
        self.reference = None;
        let job = WatchJob { folder, order, until_idle: None, kept: KeptSteps::default() };
        let run = (self.watch)(job, waker(ctx));
        self.session = Some(Session::watching(run, spec.clone(), place).saved_by(saver(&spec)));
    }

    /// Ends the run that is shown, as another one with this spec takes its place.
    fn make_way(&mut self, spec: &Spec, overlays: &mut Overlays, views: &mut Grid) {
        if self.session.as_ref().is_some_and(|session| session.opened.is_some()) {
            self.put_aside(overlays, views);
        }
        if let Some(mut before) = self.session.take() {
            before.retire();
            views.leave(&before.history);
            if before.watched.is_some() || !is_comparable(&before.spec, spec) {
                self.reference = None;
            } else if let Some(outline) = outline(&before.history) {
                self.reference = Some(outline);
            }
            if before.history.rows().len() > 1 {
                overlays.recent.left(&before);
            }
        }
    }

    /// Moves the run that is shown to the list of runs, if it has any data.
    pub fn put_aside(&mut self, overlays: &mut Overlays, views: &mut Grid) {
        let Some(mut session) = self.session.take() else { return };
        let futures = self.forks.take_branches();
        session.retire();
        views.leave(&session.history);
        let history = std::mem::take(&mut session.history);
        let opened = session.opened.take();
        if history.rows().is_empty() {
            return;
        }
        let id = match opened {
            // Its Grams are on disk: only its curves are kept.
            Some(OpenedRecord { name, path, cache: Some(cache) }) => {
                let grams = Some(Arc::clone(cache.grams()));
                // A record of a single row has no outline, and nothing to save.
                let kept = match outline(&history) {
                    Some(outline) => {
                        let_go(history);
                        outline
                    }
                    None => history,
                };
                overlays.add(name, path, Arc::new(kept), grams)
            }
            Some(OpenedRecord { name, path, cache: None }) => overlays.add(name, path, Arc::new(history), None),
            None => {
                overlays.recent.left(&session);
                overlays.add(session.own_name(), session.path().cloned(), Arc::new(history), None)
            }
        };
        if let Some(overlay) = overlays.find_mut(id) {
            overlay.forks = futures;
        }
    }

    /// Clears the caches and the futures of the previous run.
    pub fn forget_caches(&mut self) {
        self.curves = SeriesCache::default();
        self.reference_curves = SeriesCache::default();
        self.forks.clear();
    }

    /// Loads Grams from disk, those at the cursor first; returns a message if one could not be read.
    pub fn bring_grams(&mut self, cursor: f64) -> Option<Toast> {
        self.session.as_mut()?.bring_grams(cursor).map(Toast::failed)
    }

    /// Ends the run. Returns the handle of its folder if data is still to be written.
    pub fn retire(&mut self) -> Option<Closing> {
        self.session.as_mut().and_then(Session::retire)
    }
}

/// The parts of a run that the views of a frame use.
pub struct RunParts<'a> {
    pub session: Option<&'a Session>,
    pub history: &'a History,
    pub reference: Option<&'a History>,
    pub curves: &'a SeriesCache,
    pub reference_curves: &'a SeriesCache,
    pub forks: &'a Forks,
    /// The folder of a training that has not begun to write.
    pub awaited: Option<&'a Path>,
}

/// Starts the thread that reads these Grams; returns `None` where the system cannot create a thread.
pub fn gram_cache_of(ctx: &Context, grams: Option<Arc<Grams>>, history: &History) -> Option<GramCache> {
    let ctx = ctx.clone();
    GramCache::start(grams?, history, move || ctx.request_repaint())
        .inspect_err(|err| log::warn!("no thread can be started to read Grams: {err}"))
        .ok()
}

/// Resumes runs from saved states, on this device and at the pace of their spec.
fn go_on(device: DeviceChoice) -> GoOnFn {
    Box::new(move |spec, kept, waker| Worker::continue_run(Job { spec, device, paced: true }, kept, waker))
}

/// Returns whether a task is still to begin; true until the first message of the run arrives.
fn has_switch_to_come(session: &Session) -> bool {
    let progress = session.history.progress();
    progress.planned_steps == 0 || !progress.upcoming.is_empty()
}

/// Applies a live command to the spec of the run as well, so that the settings panel does not ask for a restart.
fn note_live(spec: &mut Spec, command: &Command) {
    match command {
        Command::SetRate(rate) => spec.training.rate = *rate,
        Command::SetSchedule(schedule) => spec.training.schedule = *schedule,
        Command::SetWarmup(epochs) => spec.training.warmup = *epochs,
        Command::SetPerEpoch(per_epoch) => spec.kernel.per_epoch = *per_epoch,
        Command::SetPace(pace) => spec.window.pace = *pace,
        _ => {}
    }
}
