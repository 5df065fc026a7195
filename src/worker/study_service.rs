//! Executes the runs of a study into its folder, and all file work of the window's study page, on its own thread.
//!
//! Guarantees: its user never waits for a disk; its reports are plain data, in order, over a bounded channel; it ends
//! when its reports are no longer read, and then only the runs in progress are lost. The folder is unlocked before the
//! last report, so that the next service can open it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};

use super::progress::{largest_bytes, runs_that_fit};
use super::study::{Message, Others, PendingRun, Study};
use super::{DeviceChoice, TICK, Waker};
use crate::analysis::LearningCurves;
use crate::analysis::comparison::{Comparison, Findings};
use crate::chart::Format;
use crate::paint::{write_study, write_study_page};
use crate::run::Point;
use crate::spec::{SAMPLES, Spec, StudyRun};
use crate::storage::{FIGURES, FolderError, Holder, RunLog, RunStatus, StudyFolder};

/// The largest number of reports that wait for a reader.
const REPORTS: usize = 64;

/// An event while a study is executed.
#[derive(Clone, Debug)]
pub enum StudyEvent {
    /// A run has begun, or has done this share of its steps.
    Progress { place: usize, share: f64 },
    /// A learner of a run is done.
    LearningCurves { place: usize },
    /// A run has ended and its row is in the table; `unread` is the reason why it could not be read back, if so.
    Ended { place: usize, unread: Option<String> },
    /// A run failed.
    Failed { place: usize, message: String },
    /// Another process does this run; `None` where its claim does not say which.
    Held { place: usize, holder: Option<Holder> },
}

/// The share of a study that a process does.
#[derive(Clone, Debug)]
pub struct Share {
    /// Its runs, by their indices; all where there are none.
    pub places: Option<Vec<usize>>,
    /// What becomes of runs that other processes hold.
    pub others: Others,
    /// When it stops, whatever is left.
    pub until: Option<Instant>,
    /// Whether it writes the tables: one process of many leaves that to whoever collects.
    pub writes_tables: bool,
}

impl Share {
    /// Returns all of a study: it is over when each run is done, whoever does it.
    pub fn whole() -> Self {
        Self { places: None, others: Others::Awaited, until: None, writes_tables: true }
    }
}

/// Executes the remaining runs of a study, `at_once` at a time; the table is written after each. `tell` receives every
/// event, and cancels the study by returning false; so does `cancel`.
pub fn finish(
    folder: &mut StudyFolder,
    device: DeviceChoice,
    at_once: usize,
    cancel: &AtomicBool,
    tell: impl FnMut(&StudyFolder, StudyEvent) -> bool,
) -> Result<(), FolderError> {
    finish_share(folder, &Share::whole(), device, at_once, cancel, tell)
}

/// Executes a share of the remaining runs of a study, like [`finish`].
pub fn finish_share(
    folder: &mut StudyFolder,
    share: &Share,
    device: DeviceChoice,
    at_once: usize,
    cancel: &AtomicBool,
    mut tell: impl FnMut(&StudyFolder, StudyEvent) -> bool,
) -> Result<(), FolderError> {
    let waiting = |place: usize| {
        let run = &folder.runs()[place];
        let (spec, experiment) = (run.spec.clone(), run.experiment.clone());
        let log = folder.is_planned().then(|| RunLog::of(folder, place));
        PendingRun { place, spec, folder: folder.run_folder(place), experiment, predict: false, log }
    };
    let mut left: Vec<PendingRun> =
        (0..folder.runs().len()).filter(|&place| !folder.is_ended(place)).map(waiting).collect();
    // A curve is seen in seconds if the fewest samples come first, of all seeds and series.
    left.sort_by_key(|waiting| if waiting.experiment.is_some() { waiting.spec.data.samples } else { 0 });
    let question = |place: usize| {
        let run = &folder.runs()[place];
        // The instant curve is the same for every n; any other axis changes the kernel.
        let value = if folder.axis() == SAMPLES { "" } else { run.value.as_str() };
        (run.variant.as_str(), value, run.seed)
    };
    let places = 0..folder.runs().len();
    let mut predicted: Vec<_> = places.clone().filter(|&place| folder.has_predictions(place)).map(question).collect();
    // A run whose learners are done runs again where no run with the same kernel has all curves.
    let mut done: Vec<PendingRun> = places.filter(|&place| folder.is_ended(place)).map(waiting).collect();
    done.sort_by_key(|waiting| waiting.spec.data.samples);
    for mut waiting in left.split_off(0).into_iter().chain(done) {
        if waiting.experiment.is_some() {
            let kernel_question = question(waiting.place);
            waiting.predict = !predicted.contains(&kernel_question);
            predicted.push(kernel_question);
        }
        if waiting.predict || !folder.is_ended(waiting.place) {
            left.push(waiting);
        }
    }
    if let Some(places) = &share.places {
        left.retain(|waiting| places.contains(&waiting.place));
    }
    let running = Study::start(left, device, at_once, share.others);
    // Whether a point came after the laws were written.
    let mut stale = false;
    for message in running.messages(TICK) {
        if cancel.load(Ordering::Relaxed) || share.until.is_some_and(|until| Instant::now() >= until) {
            break;
        }
        let news = match message {
            None => continue,
            Some(Message::Progress { place, share }) => StudyEvent::Progress { place, share },
            Some(Message::LearningCurves { place }) => {
                if folder.read_ended(place).is_ok() && share.writes_tables {
                    folder.write_table()?;
                    stale = true;
                }
                StudyEvent::LearningCurves { place }
            }
            Some(Message::Failed { place, message }) => StudyEvent::Failed { place, message },
            Some(Message::Held { place, holder }) => StudyEvent::Held { place, holder },
            Some(Message::Ended { place }) => {
                // A run that cannot be read does not affect the others.
                let unread = folder.read_ended(place).err().map(|err| err.to_string());
                if share.writes_tables {
                    folder.write_table()?;
                    folder.write_laws()?;
                    stale = false;
                }
                StudyEvent::Ended { place, unread }
            }
        };
        if !tell(folder, news) {
            break;
        }
    }
    // Joined before the table is written for the last time.
    drop(running);
    if stale {
        folder.write_laws()?;
    }
    if share.writes_tables {
        folder.write_table()?;
        folder.write_summary()?;
    }
    Ok(())
}

/// A task for a study service, with the study `spec` and the folder `out`.
#[derive(Clone, Debug)]
pub struct StudyOrder {
    pub spec: Spec,
    pub out: PathBuf,
    pub work: Work,
}

/// The kind of work of a [`StudyOrder`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Report the contents of the folder; of one that was planned for several processes also what they do, until it is
    /// cancelled. Nothing is written.
    Look,
    /// Execute the remaining runs, this many at a time if memory holds them.
    Finish { device: DeviceChoice, at_once: usize },
    /// Draw the figures of the finished runs into its folder of figures.
    Draw,
}

/// The summary of a run that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSummary {
    pub diverged: bool,
    /// Its main result, in half a line.
    pub headline: String,
}

/// A report of a study service. The last report is [`Report::Refused`] or [`Report::Over`].
#[derive(Clone, Debug)]
pub enum Report {
    /// The folder was read: all runs of the study, and the summaries of those that have ended. Sent once, before all
    /// others.
    Opened {
        runs: Arc<[StudyRun]>,
        summaries: Vec<Option<RunSummary>>,
    },
    Progress {
        place: usize,
        share: f64,
    },
    Ended {
        place: usize,
        summary: RunSummary,
    },
    Failed {
        place: usize,
        message: String,
    },
    /// Another process does this run; `None` where its claim does not say which.
    Held {
        place: usize,
        holder: Option<Holder>,
    },
    /// Other processes may fill the folder: what they do is reported from now on.
    Following,
    /// A run that another process had begun is to be done again, or another time.
    Waiting {
        place: usize,
    },
    /// The learning curves of all learners, after each point.
    LearningCurves(Arc<LearningCurves>),
    /// The comparison of all finished runs, after each that has ended.
    Compared(Arc<Comparison>),
    /// The files of the figures.
    Drawn(Vec<PathBuf>),
    /// The work cannot be done: one sentence.
    Refused(String),
    /// The work is done, or was cancelled.
    Over,
}

/// A job of the service's thread: a test or a benchmark may pass its own.
pub type StudyJob = Box<dyn FnOnce(&AtomicBool, &mut dyn FnMut(Report) -> bool) + Send>;

/// A study service at work. Dropping the handle cancels and does not wait.
pub struct StudyService {
    reports: Receiver<Report>,
    cancel: Arc<AtomicBool>,
}

impl StudyService {
    /// Starts the work; the closure wakes the reader of the reports.
    pub fn start(order: StudyOrder, waker: Waker) -> Self {
        Self::with_job(Box::new(move |cancel, tell| work(order, cancel, tell)), waker)
    }

    /// Starts any work.
    pub fn with_job(job: StudyJob, waker: Waker) -> Self {
        let (outbox, reports) = bounded(REPORTS);
        let cancel = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&cancel);
        let run = move || {
            let mut tell = |report| send(&outbox, &waker, report);
            let done = catch_unwind(AssertUnwindSafe(|| job(&flag, &mut tell)));
            let last = match done {
                Ok(()) => Report::Over,
                Err(_) => Report::Refused("the thread of the study panicked; finished runs are kept".to_owned()),
            };
            send(&outbox, &waker, last);
        };
        // Without a thread the channel is closed, which `try_recv` reports as an end.
        if let Err(err) = Builder::new().name("study".to_owned()).spawn(run) {
            log::warn!("no thread for the study: {err}");
        }
        Self { reports, cancel }
    }

    /// Returns the next report, if there is one; [`Report::Over`] where none can come any more.
    pub fn try_recv(&self) -> Option<Report> {
        match self.reports.try_recv() {
            Ok(report) => Some(report),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Report::Over),
        }
    }

    /// Cancels the work; [`Report::Over`] follows.
    pub fn cancel(&self) {
        self.cancel.store(true, Ordering::Relaxed);
    }
}

impl Drop for StudyService {
    fn drop(&mut self) {
        self.cancel();
    }
}

fn send(outbox: &Sender<Report>, waker: &Waker, report: Report) -> bool {
    let sent = outbox.send(report).is_ok();
    waker();
    sent
}

fn work(order: StudyOrder, cancel: &AtomicBool, tell: &mut dyn FnMut(Report) -> bool) {
    let StudyOrder { spec, out, work } = order;
    let done = match work {
        Work::Look => StudyFolder::peek(&out, &spec).map_err(|err| err.to_string()).map(|mut folder| {
            if let Some(mut known) = opened(&folder, tell)
                && folder.is_planned()
            {
                follow(&mut folder, &mut known, cancel, tell);
            }
        }),
        Work::Finish { device, at_once } => match StudyFolder::create(&out, &spec) {
            Ok(mut folder) => all_runs(&mut folder, device, at_once, cancel, tell),
            Err(err) => Err(err.to_string()),
        },
        Work::Draw => draw(&out, &spec).map(|paths| {
            tell(Report::Drawn(paths));
        }),
    };
    if let Err(sentence) = done {
        tell(Report::Refused(sentence));
    }
}

fn draw(out: &std::path::Path, spec: &Spec) -> Result<Vec<PathBuf>, String> {
    let folder = StudyFolder::peek(out, spec).map_err(|err| err.to_string())?;
    let mut paths = write_study(&folder, &out.join(FIGURES), Format::Svg).map_err(|err| err.to_string())?;
    paths.extend(write_study_page(&folder).map_err(|err| err.to_string())?);
    Ok(paths)
}

/// The findings of the finished runs of a study, each computed once.
type Known = Vec<Option<Arc<Findings>>>;

/// Reports the contents of the folder; `None` when the reader is gone.
fn opened(folder: &StudyFolder, tell: &mut dyn FnMut(Report) -> bool) -> Option<Known> {
    let places = 0..folder.runs().len();
    let summaries = places.clone().map(|place| summary_of(folder, place)).collect();
    let known: Known = places.map(|place| findings(folder, place)).collect();
    let sent = tell(Report::Opened { runs: folder.runs().into(), summaries }) && tell(compared(folder, &known));
    sent.then_some(known)
}

/// The time between two looks at the folder of a study that other processes fill.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Reports what other processes do in the folder, until all runs have ended.
fn follow(folder: &mut StudyFolder, known: &mut Known, cancel: &AtomicBool, tell: &mut dyn FnMut(Report) -> bool) {
    let mut last = vec![RunStatus::Waiting; folder.runs().len()];
    let is_over = |folder: &StudyFolder| (0..folder.runs().len()).all(|place| folder.is_ended(place));
    if is_over(folder) || !tell(Report::Following) {
        return;
    }
    loop {
        let mut stale = false;
        for place in 0..folder.runs().len() {
            if cancel.load(Ordering::Relaxed) {
                return;
            }
            if folder.is_ended(place) {
                continue;
            }
            let status = folder.status(place);
            if status == last[place] {
                continue;
            }
            let report = match &status {
                RunStatus::Done { .. } => {
                    // One that cannot be read now may be readable at the next look.
                    if folder.read_ended(place).is_err() {
                        continue;
                    }
                    known[place] = findings(folder, place);
                    stale = true;
                    summary_of(folder, place).map(|summary| Report::Ended { place, summary })
                }
                RunStatus::Running(holder) => Some(Report::Held { place, holder: Some(holder.clone()) }),
                RunStatus::Failed(why) => Some(Report::Failed { place, message: why.clone() }),
                RunStatus::Unfinished { .. } | RunStatus::Waiting => Some(Report::Waiting { place }),
            };
            last[place] = status;
            if report.is_some_and(|report| !tell(report)) {
                return;
            }
        }
        if (stale && !tell(compared(folder, known))) || is_over(folder) {
            return;
        }
        let looked = Instant::now();
        while looked.elapsed() < LOOK_EVERY {
            if cancel.load(Ordering::Relaxed) {
                return;
            }
            std::thread::sleep(TICK);
        }
    }
}

fn all_runs(
    folder: &mut StudyFolder,
    device: DeviceChoice,
    at_once: usize,
    cancel: &AtomicBool,
    tell: &mut dyn FnMut(Report) -> bool,
) -> Result<(), String> {
    let Some(mut known) = opened(folder, tell) else { return Ok(()) };
    let at_once = runs_that_fit(at_once, largest_bytes(folder.runs()));
    let hear = |folder: &StudyFolder, news| match news {
        StudyEvent::Progress { place, share } => tell(Report::Progress { place, share }),
        StudyEvent::LearningCurves { .. } => tell(compared(folder, &known)),
        StudyEvent::Failed { place, message } | StudyEvent::Ended { place, unread: Some(message) } => {
            tell(Report::Failed { place, message })
        }
        StudyEvent::Held { place, holder } => tell(Report::Held { place, holder }),
        StudyEvent::Ended { place, unread: None } => {
            known[place] = findings(folder, place);
            let ended = summary_of(folder, place).is_none_or(|summary| tell(Report::Ended { place, summary }));
            ended && tell(compared(folder, &known))
        }
    };
    finish(folder, device, at_once, cancel, hear).map_err(|err| err.to_string())
}

fn summary_of(folder: &StudyFolder, place: usize) -> Option<RunSummary> {
    use crate::run::{Ending, RunState};

    if folder.is_of_learners() {
        let ended = folder.is_ended(place);
        return ended.then(|| RunSummary { diverged: false, headline: headline(folder.points(place)) });
    }
    let history = folder.ended(place)?;
    let diverged = matches!(history.state(), RunState::Ended(Ending::Diverged { .. }));
    Some(RunSummary { diverged, headline: history.headline() })
}

fn findings(folder: &StudyFolder, place: usize) -> Option<Arc<Findings>> {
    Findings::of(folder.ended(place)?).map(Arc::new)
}

/// Returns the errors of a run's learners, in half a line.
pub fn headline(points: &[Point]) -> String {
    let each =
        |point: &Point| format!("{} {}", point.learner.key(), point.mse.map_or_else(|| "–".to_owned(), three_digits));
    points.iter().map(each).collect::<Vec<_>>().join(", ")
}

fn three_digits(value: f64) -> String {
    let decimals = (2.0 - value.abs().max(1e-12).log10().floor()).clamp(0.0, 8.0) as usize;
    format!("{value:.decimals$}")
}

fn compared(folder: &StudyFolder, known: &Known) -> Report {
    if folder.is_of_learners() {
        return Report::LearningCurves(Arc::new(folder.learning_curves()));
    }
    Report::Compared(Arc::new(Comparison::of(folder.axis(), folder.runs(), |place| known[place].clone())))
}
