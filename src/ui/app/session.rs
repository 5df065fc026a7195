//! Holds the window's side of one run: its handle, its record, and requests that are not yet confirmed.
//!
//! Guarantees: receiving never exceeds its time budget; a command is sent to the run at once; `Pausing…` ends only when the run
//! confirms that it is paused.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::run::{Checkpoint, Ending, Event, History, Progress, Row, RunState, TaskStart, describe_in_short};
use crate::spec::Spec;
use crate::storage::{Closing, Saver};
use crate::ui::app::gram_cache::GramCache;
use crate::ui::playback::clock::bands;
use crate::ui::watching::WatchedPlace;
use crate::worker::{Command, Worker};

/// Longest time per frame for receiving.
pub const BUDGET: Duration = Duration::from_millis(8);

/// A run and its record.
pub struct Session {
    run: Option<Worker>,
    pub history: History,
    /// The spec of the run, including live changes.
    pub spec: Spec,
    pausing: bool,
    stopping: bool,
    /// The first step that a watched training has taken back since this was last asked.
    taken_back: Option<u64>,
    /// The snapshot of its state that was last requested of the run.
    checkpoint: Option<Arc<Checkpoint>>,
    /// Writes this run's events to its autosave folder, if autosave is on.
    saver: Option<Saver>,
    /// The path of that folder, once it exists.
    folder: Option<Arc<OnceLock<PathBuf>>>,
    /// The source of the record, if it was opened instead of trained here.
    pub opened: Option<OpenedRecord>,
    /// The folder that is watched, if another program trains.
    pub watched: Option<WatchedPlace>,
}

/// A record that was opened.
pub struct OpenedRecord {
    pub name: String,
    /// The path from which it can be opened again.
    pub path: Option<PathBuf>,
    /// Its Grams, if they stay on disk.
    pub cache: Option<GramCache>,
}

impl Session {
    pub fn new(run: Worker, spec: Spec) -> Self {
        let mut session = Self::of(History::default(), spec);
        session.run = Some(run);
        session
    }

    /// Creates a session that watches a training in another program.
    pub fn watching(run: Worker, spec: Spec, place: WatchedPlace) -> Self {
        let mut session = Self::new(run, spec);
        session.watched = Some(place);
        session
    }

    /// Creates a session of a record without a run.
    fn of(history: History, spec: Spec) -> Self {
        Self {
            run: None,
            history,
            spec,
            pausing: false,
            stopping: false,
            taken_back: None,
            checkpoint: None,
            saver: None,
            folder: None,
            opened: None,
            watched: None,
        }
    }

    /// Saves the events to a folder, on a separate thread, from now on.
    #[must_use]
    pub fn saved_by(mut self, saver: Option<Saver>) -> Self {
        self.folder = saver.as_ref().map(Saver::folder);
        self.saver = saver;
        self
    }

    /// Returns the path from which the run can be opened again: the folder that was opened, or the autosave folder.
    pub fn path(&self) -> Option<&PathBuf> {
        match &self.opened {
            Some(opened) => opened.path.as_ref(),
            None => self.folder.as_ref()?.get(),
        }
    }

    /// Creates a session of a record that no longer grows.
    pub fn opened(history: History, opened: OpenedRecord) -> Self {
        let spec = history.info().map_or_else(Spec::default, |info| info.spec.clone());
        let mut session = Self::of(history, spec);
        session.opened = Some(opened);
        session
    }

    /// Returns whether the kernels were measured by another program.
    pub fn is_elsewhere(&self) -> bool {
        self.watched.is_some() || self.history.info().is_some_and(|info| info.is_imported())
    }

    /// Returns the name of a run of this window, for the list of runs.
    pub fn own_name(&self) -> String {
        match &self.watched {
            Some(place) => format!("{}, watched", place.name),
            None => {
                let changes = self.history.live_changes().map(|(_, effect)| describe_in_short(effect));
                [self.spec.in_one_line()].into_iter().chain(changes).collect::<Vec<_>>().join(" → ")
            }
        }
    }

    /// Loads Grams from disk, those at the cursor first. Returns an error text if one could not be read.
    pub fn bring_grams(&mut self, cursor: f64) -> Option<String> {
        let cache = self.opened.as_mut()?.cache.as_mut()?;
        let now = self.history.snapshot_at(cursor);
        // Differences are taken from these.
        let switches = self.history.tasks().iter().skip(1).map(|task| task.epoch);
        let switch = switches.take_while(|switch| *switch <= cursor).last();
        let switch = switch.and_then(|switch| self.history.snapshot_at(switch));
        let looked_at: Vec<u64> = now.into_iter().chain(switch).map(|snapshot| snapshot.row.step).collect();
        cache.tick(&mut self.history, &looked_at)
    }

    /// Receives pending events for at most `budget`; returns whether there may be more.
    pub fn receive(&mut self, budget: Duration) -> bool {
        let Some(run) = &self.run else { return false };
        // This is checked before the last events are received: a thread that has finished by now sends no more.
        let finished = run.is_finished();
        let start = Instant::now();
        while let Some(event) = run.try_recv() {
            match &event {
                Event::Paused { .. } | Event::Resumed { .. } => self.pausing = false,
                Event::Ended(_) => (self.pausing, self.stopping) = (false, false),
                Event::Forked(kept) => self.checkpoint = Some(Arc::clone(kept)),
                Event::TakenBack { step } => {
                    self.taken_back = Some(self.taken_back.map_or(*step, |earlier| earlier.min(*step)));
                }
                _ => {}
            }
            let ended = matches!(event, Event::Ended(_));
            if let Some(saver) = &mut self.saver {
                saver.take(&event);
            }
            self.history.push(event);
            if ended {
                self.retire();
                return false;
            }
            if start.elapsed() > budget {
                return true;
            }
        }
        if finished {
            let (step, message) =
                (self.history.progress().step, "its thread ended without a word; start it again".to_owned());
            let event = Event::Ended(Ending::Failed { step, message });
            if let Some(saver) = &mut self.saver {
                saver.take(&event);
            }
            self.history.push(event);
            self.retire();
        }
        false
    }

    /// Returns, once, why the run can no longer be saved in its folder.
    pub fn trouble(&self) -> Option<String> {
        self.saver.as_ref()?.take_failure()
    }

    /// Returns, once, the first step that the record no longer has because its writer started again from before it.
    pub fn take_taken_back(&mut self) -> Option<u64> {
        self.taken_back.take()
    }

    /// Returns, once, the state that the run has saved in memory for a fork.
    pub fn take_kept(&mut self) -> Option<Arc<Checkpoint>> {
        self.checkpoint.take()
    }

    /// Sends the run a command; it replaces one of the same kind that the run has not yet received.
    pub fn send(&mut self, command: Command) {
        let Some(run) = &self.run else { return };
        self.pausing = match command {
            Command::Pause => true,
            Command::Resume => false,
            _ => self.pausing,
        };
        run.send_latest(command);
    }

    /// Asks the run to end.
    pub fn stop(&mut self) {
        if let Some(run) = &self.run {
            run.stop();
            self.stopping = true;
        }
    }

    /// Ends the run without waiting for it; the record stays. Returns the handle of its folder if data is still to be written.
    pub fn retire(&mut self) -> Option<Closing> {
        if let Some(run) = self.run.take() {
            retire(run);
        }
        self.saver.take().map(Saver::close)
    }

    /// Returns whether the run may still send something.
    pub fn is_live(&self) -> bool {
        self.run.is_some()
    }

    pub fn is_paused(&self) -> bool {
        self.is_live() && *self.history.state() == RunState::Paused
    }

    /// Returns whether a planned task has not begun, in a live run.
    pub fn has_task_to_come(&self) -> bool {
        matches!(self.history.state(), RunState::Running | RunState::Paused)
            && bands(&self.history).iter().any(|band| band.planned)
    }

    /// Returns whether a pause was requested and is not yet confirmed.
    pub fn is_pausing(&self) -> bool {
        self.is_live() && self.pausing && !self.is_paused()
    }

    /// Returns whether the end was requested and is not yet confirmed.
    pub fn is_stopping(&self) -> bool {
        self.is_live() && self.stopping
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.retire();
    }
}

/// Ends a run without waiting for it. Joining here would freeze the window while the run computes a large kernel.
fn retire(run: Worker) {
    run.stop();
    let joining = std::thread::Builder::new().name("reaper".to_owned()).spawn(move || drop(run));
    if let Err(err) = joining {
        // Without a thread the run was dropped, and thereby joined, right here: slow, but no data is lost.
        log::warn!("a run was joined on the window's thread: {err}");
    }
}

/// Returns whether the curves of two runs fit one axis: both solve the same problem and differ only in network size,
/// start or training, frozen layers among it.
pub fn is_comparable(a: &Spec, b: &Spec) -> bool {
    let of = |spec: &Spec| {
        let Spec { data, tasks, network, training, kernel, .. } = spec;
        (data.source, tasks.kind, network.parametrisation, training.loss, kernel.reduction)
    };
    let trained = |spec: &Spec| -> Vec<String> {
        let lines = spec.network.text.as_deref().unwrap_or_default().lines();
        lines.filter(|line| !line.starts_with("freeze(")).map(str::to_owned).collect()
    };
    of(a) == of(b) && a.network.program == b.network.program && trained(a) == trained(b)
}

/// Copies the record of a run without its matrices, to be drawn faintly behind the next one.
pub fn outline(history: &History) -> Option<History> {
    if history.rows().len() > 1 { outline_until(history, u64::MAX, |_| true, |_| true) } else { None }
}

/// Copies the record of a run up to its saved state, without matrices.
pub fn seen_until(history: &History, kept: &Checkpoint) -> Option<History> {
    let &Checkpoint { step, task, measured, .. } = kept;
    // Where two tasks meet, one step belongs to both; rows that a future will send itself are left out.
    let row = |row: &Row| row.step < step || (row.step == step && (row.task != task || measured));
    let begun = |start: &TaskStart| start.step < step || (start.step == step && start.task == task);
    outline_until(history, step, row, begun)
}

/// Copies the record of a run up to a step, with the rows and tasks that are selected.
fn outline_until(
    history: &History,
    step: u64,
    selects_row: impl Fn(&Row) -> bool,
    selects_task: impl Fn(&TaskStart) -> bool,
) -> Option<History> {
    let mut outline = History::default();
    outline.push(Event::Started(Arc::clone(history.info()?)));
    for task in history.tasks().iter().filter(|task| selects_task(task)) {
        outline.push(Event::Task(*task));
    }
    history.rows().iter().filter(|row| selects_row(row)).for_each(|row| outline.push_row(row.clone()));
    let mut progress = Progress { losses: history.losses().to_vec(), ..history.progress().clone() };
    if progress.step > step {
        progress.step = step;
        progress.epoch = outline.rows().last().map_or(0.0, |row| row.epoch);
        progress.losses.retain(|loss| loss.0 <= progress.epoch);
    }
    outline.push(Event::Progress(progress));
    Some(outline)
}
