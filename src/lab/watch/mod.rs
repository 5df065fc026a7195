//! The laboratory that watches a training in another program: the weights that it saves are measured as those of a run are.
//!
//! Each step that is taken becomes a snapshot, with the same analysis as of a run; what is known of the training besides is
//! what its log says. Time is counted in steps. Outputs, losses and accuracies are those on the probes, as there are no other
//! images.
//!
//! Guarantees: a step is reported once, in order of steps, until its writer takes it back; a step that cannot be measured is
//! marked with one sentence and the rest goes on; what is reported does not depend on when a step was found, nor on whether
//! this began after it.

mod step;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use burn::tensor::{Device, Tensor, TensorData};

use self::step::{Measured, StepReader, Unread};
use super::Control;
use super::command::Command;
use super::kernel_parts::tensor_grams;
use super::lag::{Lag, Lagged};
use super::metrics::{MeasuredBlocks, Meter};
use crate::analysis::Moved;
use crate::data::Targets;
use crate::run::{
    Accuracy, Ending, Event, Outputs, Progress, Row, RunInfo, SavedStep, Sink, Snapshot, TaskStart, finite,
};
use crate::storage::{Follower, Found, KeptSteps, LoggedStep, Order, WatchFolder};
use crate::train::{displacement, score};

/// The time between two looks at the log.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// With [`Order::Spread`]: the time in which the steps that are there are to be measured, else some are passed over; and the
/// same for those that were there at the beginning.
const IN_TIME: Duration = Duration::from_secs(2);
const TO_CATCH_UP: Duration = Duration::from_secs(5);
/// Looks at which the folder is missing before that is told: a network file system may lose it for a moment.
const MISSING: u32 = 3;
/// The time after which a paused watch looks again whether it is to end.
const PAUSE_TICK: Duration = Duration::from_millis(50);

/// What to watch, and how.
pub struct WatchJob {
    pub folder: WatchFolder,
    pub order: Order,
    /// The time without a new step after which it ends; it never does if `None`.
    pub until_idle: Option<Duration>,
    /// What a record of the folder holds already.
    pub kept: KeptSteps,
}

/// Watches a folder until it is cancelled, or idle for as long as the job says.
pub fn watch(job: WatchJob, control: &mut dyn Control, sink: Box<dyn Sink + Send>) {
    let WatchJob { folder, order, until_idle, kept } = job;
    let mut watcher = Watcher::new(&folder, order, kept, control, sink);
    let outcome = watcher.follow(until_idle);
    let step = watcher.follower.taken().next_back().unwrap_or(0);
    let ending = match outcome {
        Ok(()) => Ending::Finished { step },
        Err(Stop::Cancelled) => Ending::Stopped { step },
        Err(Stop::Failed(message)) => Ending::Failed { step, message },
        Err(Stop::Closed) => return,
    };
    // Nobody left to tell is a way to end, too.
    let _ = watcher.sink.emit(Event::Ended(ending));
}

/// A kernel of a step that was taken, and its weights unless they are gone.
type Recalled = (MeasuredBlocks, Option<Vec<Tensor<1>>>);

/// Why a watch ends before it is idle.
enum Stop {
    Cancelled,
    /// Nobody listens.
    Closed,
    Failed(String),
}

/// What became of a step.
enum Outcome {
    Done,
    /// It cannot be read yet.
    Later,
}

/// The watcher of a folder, and where it stands.
struct Watcher<'a> {
    reader: StepReader<'a>,
    info: Arc<RunInfo>,
    follower: Follower,
    /// A meter that has measured nothing.
    blank: Meter,
    meter: Meter,
    /// The weights that a displacement is measured from.
    trail: Lagged<Vec<Tensor<1>>>,
    /// Number and first step of each task that has begun.
    tasks: Vec<(usize, u64)>,
    /// The kernels at the first step of each task, and those of the record that is gone on with.
    first_of_task: BTreeMap<u64, Arc<[f64]>>,
    kept: KeptSteps,
    /// The last step whose loss was reported.
    reported: Option<u64>,
    /// The passed-over steps as they were last reported.
    passed_over: u64,
    /// The time that a step takes, and whether all that were there have been looked at once.
    step_time: Option<Duration>,
    has_caught_up: bool,
    /// Looks since the folder was last there.
    missing: u32,
    /// A file that could not be read, and its size and time of change then.
    unread: Option<(u64, Option<(u64, SystemTime)>)>,
    is_paused: bool,
    control: &'a mut dyn Control,
    sink: Box<dyn Sink + Send>,
}

impl<'a> Watcher<'a> {
    fn new(
        folder: &'a WatchFolder,
        order: Order,
        kept: KeptSteps,
        control: &'a mut dyn Control,
        sink: Box<dyn Sink + Send>,
    ) -> Self {
        let probes = &folder.probes;
        let shape = [probes.len(), probes.inputs.len() / probes.len()];
        let images = Tensor::from_data(TensorData::new(probes.inputs.clone(), shape), &Device::flex());
        let meter = Meter::new(probes.labels.clone(), &probes.blocks(), probes.loss(), None);
        let blank = meter.of_values(probes.values.clone());
        Self {
            reader: StepReader { folder, images },
            info: Arc::new(folder.info()),
            follower: folder.follow(order),
            meter: blank.clone(),
            blank,
            trail: Lagged::default(),
            tasks: kept.tasks.clone(),
            first_of_task: BTreeMap::new(),
            kept,
            reported: None,
            passed_over: 0,
            step_time: None,
            has_caught_up: false,
            missing: 0,
            unread: None,
            is_paused: false,
            control,
            sink,
        }
    }

    /// Follows the folder until nothing new came for so long.
    fn follow(&mut self, until_idle: Option<Duration>) -> Result<(), Stop> {
        self.emit(Event::Started(Arc::clone(&self.info)))?;
        self.follower.look();
        self.follower.go_on(self.kept.saved.iter().copied());
        self.restore()?;
        self.report_progress()?;
        let (mut looked, mut active) = (Instant::now(), Instant::now());
        loop {
            self.obey()?;
            if looked.elapsed() >= LOOK_EVERY {
                looked = Instant::now();
                if self.follower.look() {
                    active = Instant::now();
                    self.report_progress()?;
                }
                self.note_presence()?;
            }
            let outcome = match self.follower.to_do() {
                Found::TakenBack(step) => {
                    self.take_back(step)?;
                    Outcome::Done
                }
                Found::Step(line) => self.take(&line)?,
                Found::Nothing => {
                    self.has_caught_up = true;
                    Outcome::Later
                }
            };
            match outcome {
                Outcome::Done => active = Instant::now(),
                Outcome::Later if until_idle.is_some_and(|most| active.elapsed() >= most) => return Ok(()),
                Outcome::Later => {
                    let rest = LOOK_EVERY.saturating_sub(looked.elapsed());
                    let rest = until_idle.map_or(rest, |most| rest.min(most.saturating_sub(active.elapsed())));
                    if let Some(command) = self.control.wait(rest.max(Duration::from_millis(1))) {
                        self.heed(&command)?;
                    }
                }
            }
        }
    }

    /// Notes how long a step took, and with it how many can be measured in time. A single one that took long, on a busy machine,
    /// is not to let many be passed over.
    fn note_time(&mut self, took: Duration) {
        let time = self.step_time.map_or(took, |before| took.min(2 * before));
        self.step_time = Some(time);
        let in_time = if self.has_caught_up { IN_TIME } else { TO_CATCH_UP };
        self.follower.allow((in_time.as_secs_f64() / time.as_secs_f64()) as usize);
    }

    /// Tells once that the folder is gone. It may come back, so nothing ends.
    fn note_presence(&mut self) -> Result<(), Stop> {
        self.missing = if self.reader.folder.is_there() { 0 } else { self.missing.saturating_add(1) };
        if self.missing != MISSING {
            return Ok(());
        }
        let step = self.follower.taken().next_back().unwrap_or(0);
        let place = self.reader.folder.path().display();
        let message =
            format!("{place} is not there any more: what was measured stays, and it goes on if that comes back");
        self.emit(Event::Warning { step, epoch: step as f64, message })
    }

    /// Makes sure that a new beginning is one of the same training, with whose network and probes everything is measured.
    fn expect_the_same_training(&self) -> Result<(), Stop> {
        let folder = self.reader.folder;
        if !folder.is_of_another_training() {
            return Ok(());
        }
        let place = folder.path().display();
        Err(Stop::Failed(format!(
            "{place} holds another training by now, whose network or probes are others: watch it anew"
        )))
    }

    /// Carries out commands, and waits while paused.
    fn obey(&mut self) -> Result<(), Stop> {
        loop {
            while let Some(command) = self.control.poll() {
                self.heed(&command)?;
            }
            if self.control.cancelled() {
                return Err(Stop::Cancelled);
            }
            if !self.is_paused {
                return Ok(());
            }
            if let Some(command) = self.control.wait(PAUSE_TICK) {
                self.heed(&command)?;
            }
        }
    }

    /// Carries out a command. The training itself is another program's: of it nothing can be changed.
    fn heed(&mut self, command: &Command) -> Result<(), Stop> {
        let step = self.follower.taken().next_back().unwrap_or(0);
        match command {
            Command::Pause if !self.is_paused => {
                self.is_paused = true;
                self.emit(Event::Paused { step })
            }
            Command::Resume if self.is_paused => {
                self.is_paused = false;
                self.emit(Event::Resumed { step })
            }
            Command::Pause
            | Command::Resume
            | Command::Step(_)
            | Command::SwitchTask
            | Command::SetRate(_)
            | Command::SetSchedule(_)
            | Command::SetWarmup(_)
            | Command::SetPerEpoch(_)
            | Command::SetUpcoming(_)
            | Command::Fork { .. }
            | Command::TakeLedger
            | Command::SetPace(_) => Ok(()),
        }
    }

    /// Measures a step and reports it, unless it cannot be.
    fn take(&mut self, line: &LoggedStep) -> Result<Outcome, Stop> {
        if self.tasks.is_empty() {
            self.expect_the_same_training()?;
        }
        let began = Instant::now();
        let measured = match self.measure(line.step) {
            Ok(measured) => measured,
            Err(Unread::Cancelled) => return Err(Stop::Cancelled),
            Err(Unread::Gone) => {
                // Either its user has removed it, or its writer has just taken it back, lines first.
                self.follower.look();
                if self.follower.line_of(line.step).is_some_and(|now| now.mark == line.mark) {
                    return self.pass_over(line, None);
                }
                return Ok(Outcome::Done);
            }
            Err(Unread::NotYet(why)) => {
                let state = self.reader.folder.state_of(line.step);
                let before = self.unread.replace((line.step, state));
                if before.is_none_or(|before| before != (line.step, state)) {
                    return Ok(Outcome::Later);
                }
                return self.pass_over(line, Some(why));
            }
            Err(Unread::Refused(why)) => return self.pass_over(line, Some(why)),
        };
        let epoch = line.step as f64;
        let before = self.tasks.last().map(|(task, _)| *task);
        if before.is_none() {
            self.tasks.push((line.task, line.step));
            self.emit(Event::Task(TaskStart { task: line.task, from: None, step: line.step, epoch: 0.0 }))?;
        }
        let task = before.unwrap_or(line.task);
        let switches = task != line.task;
        let snapshot = match self.analyse(line, task, switches, measured) {
            Ok(snapshot) => snapshot,
            Err(why) => return self.pass_over(line, Some(why)),
        };
        if before.is_none() || switches {
            self.first_of_task.insert(line.step, Arc::clone(&snapshot.gram));
        }
        self.emit(Event::Snapshot(Arc::new(snapshot)))?;
        if switches {
            self.tasks.push((line.task, line.step));
            self.emit(Event::Task(TaskStart { task: line.task, from: before, step: line.step, epoch }))?;
            self.meter.switch();
            self.trail.switch();
        }
        self.follower.done(line, true);
        self.note_time(began.elapsed());
        self.emit(Event::Saved(SavedStep { step: line.step, epoch, mark: line.mark }))?;
        self.report_passed_over()?;
        self.report_progress()?;
        Ok(Outcome::Done)
    }

    /// Goes on without a step, and reports the reason if there is one.
    fn pass_over(&mut self, line: &LoggedStep, why: Option<String>) -> Result<Outcome, Stop> {
        self.follower.done(line, false);
        if let Some(why) = why {
            let message = format!("Step {} is passed over: {why}", line.step);
            self.emit(Event::Warning { step: line.step, epoch: line.step as f64, message })?;
        }
        self.report_passed_over()?;
        Ok(Outcome::Done)
    }

    /// Reads and measures a step.
    fn measure(&self, step: u64) -> Result<Measured, Unread> {
        let control = &*self.control;
        self.reader.measure(step, &|| control.cancelled())
    }

    fn lag_at(&self, step: u64) -> Lag {
        let start = self.tasks.last().map_or(step, |(_, start)| *start);
        Lag { done: step - start, steps: Some(self.reader.folder.lag), epoch_steps: 1 }
    }

    /// Analyses a measured step, the last of a task if it `switches`.
    fn analyse(
        &mut self,
        line: &LoggedStep,
        task: usize,
        switches: bool,
        measured: Measured,
    ) -> Result<Snapshot, String> {
        let Measured { kernels, outputs, weights, kernel_seconds, evaluation_seconds } = measured;
        let (lag, began) = (self.lag_at(line.step), Instant::now());
        let tensors = tensor_grams(&kernels, self.meter.probes());
        let reading = self.meter.read(kernels).map_err(|err| err.to_string())?;
        let read = began.elapsed();
        let began = Instant::now();
        let spectra = self.meter.spectra(&reading)?;
        let mut row = Row::bare(line.step, line.step as f64, task);
        row.cost.kernel_seconds = kernel_seconds;
        row.cost.evaluation_seconds = evaluation_seconds;
        row.cost.eigen_seconds = Some(began.elapsed().as_secs_f64());
        let began = Instant::now();
        (row.train_loss, row.rate, row.grad_norm) = (line.loss, line.rate, line.grad_norm);
        row.at_switch = switches;
        let moved = match (&weights, self.trail.before(lag)) {
            (Some(weights), Some(before)) => Some(displacement(weights, before)),
            _ => None,
        };
        // How the weights went from one saved step to the next is not known.
        let moved = Moved { net: moved, path: None };
        self.meter.fill(&mut row, &reading, &spectra, outputs.as_deref().unwrap_or_default(), moved, lag);
        match &outputs {
            Some(outputs) => row.accuracy = self.accuracies(outputs),
            // A kernel without its network has no outputs, and so no loss.
            None => row.blocks.iter_mut().for_each(|block| block.loss = None),
        }
        row.cost.metrics_seconds = Some((read + began.elapsed()).as_secs_f64());
        let (eigenvalues, block_eigenvalues) = spectra.into_parts();
        let outputs = outputs.map(|outputs| Arc::new(Outputs { network: outputs.into(), predicted: Vec::new() }));
        let gram = Arc::clone(reading.whole().values());
        self.meter.store(lag, reading, true);
        if let Some(weights) = weights {
            self.trail.store(lag, weights);
        }
        Ok(Snapshot { row, gram, tensors, eigenvalues, block_eigenvalues, outputs })
    }

    /// Scores the outputs on the probes of each task.
    fn accuracies(&self, outputs: &[f32]) -> Vec<Accuracy> {
        let probes = &self.reader.folder.probes;
        let classes = outputs.len() / probes.len();
        let one = |(place, rows): (usize, std::ops::Range<usize>)| {
            let own = &outputs[rows.start * classes..rows.end * classes];
            let values = probes.values.get(rows.clone()).unwrap_or_default();
            let targets = Targets::of(&probes.labels[rows], values);
            let score = score(own, targets, &probes.classes_of(place + 1), probes.loss());
            let [accuracy, masked, loss] = [score.accuracy, score.masked, score.loss].map(finite);
            Accuracy { task: place + 1, accuracy, masked, loss, probe: None }
        };
        probes.blocks().into_iter().enumerate().map(one).collect()
    }

    /// Forgets a step and all after it, which their writer took back.
    fn take_back(&mut self, step: u64) -> Result<(), Stop> {
        self.expect_the_same_training()?;
        self.emit(Event::TakenBack { step })?;
        self.reported = self.reported.filter(|_| step > 0).map(|reported| reported.min(step - 1));
        self.unread = None;
        self.restore()?;
        self.report_passed_over()
    }

    /// Brings everything that later steps are measured against to where the steps that were taken leave it.
    fn restore(&mut self) -> Result<(), Stop> {
        let taken: BTreeSet<u64> = self.follower.taken().collect();
        self.meter = self.blank.clone();
        self.trail = Lagged::default();
        self.tasks.retain(|(_, start)| taken.contains(start));
        self.first_of_task.retain(|step, _| taken.contains(step));
        let (Some(&first), Some(&last)) = (taken.first(), taken.last()) else { return Ok(()) };
        let Some(&(_, start)) = self.tasks.last() else { return Ok(()) };
        let lag = self.reader.folder.lag;
        let held = taken.range(start..).copied().filter(|step| step + lag > last);
        for step in [first, start].into_iter().chain(held).collect::<BTreeSet<u64>>() {
            let Some((reading, weights)) = self.recall(step)? else {
                if step == first || step == start {
                    return Err(Stop::Failed(format!(
                        "the kernel of step {step}, against which later ones are measured, can no longer be read: start anew with \
                         --overwrite"
                    )));
                }
                continue;
            };
            // The first step of a task ends the one before.
            let lag = if step <= start { Lag { done: 0, steps: Some(lag), epoch_steps: 1 } } else { self.lag_at(step) };
            if step <= start {
                self.first_of_task.insert(step, Arc::clone(reading.whole().values()));
            }
            self.meter.store(lag, reading, true);
            if let Some(weights) = weights {
                self.trail.store(lag, weights);
            }
            if step < start || (step == start && self.tasks.len() > 1) {
                self.meter.switch();
                self.trail.switch();
            }
        }
        Ok(())
    }

    /// Measures a step that was taken once more or, if its file is gone, finds its kernel.
    fn recall(&self, step: u64) -> Result<Option<Recalled>, Stop> {
        match self.measure(step) {
            Ok(Measured { kernels, weights, .. }) => {
                if let Ok(reading) = self.meter.read(kernels) {
                    return Ok(Some((reading, weights)));
                }
            }
            Err(Unread::Cancelled) => return Err(Stop::Cancelled),
            Err(Unread::Gone | Unread::NotYet(_) | Unread::Refused(_)) => {}
        }
        let gram = self.first_of_task.get(&step).cloned();
        let gram = gram.or_else(|| self.kept.grams.as_ref()?.read(step).ok());
        let reading = gram.and_then(|gram| self.meter.read(step::bare_kernel(gram.to_vec())).ok());
        Ok(reading.map(|reading| (reading, None)))
    }

    fn report_passed_over(&mut self) -> Result<(), Stop> {
        let count = self.follower.passed_over();
        if count == std::mem::replace(&mut self.passed_over, count) {
            return Ok(());
        }
        self.emit(Event::PassedOver(count))
    }

    /// Reports the losses up to the last step that was looked at, and how far the training is.
    fn report_progress(&mut self) -> Result<(), Stop> {
        let last = self.follower.taken().next_back();
        let lines = last.map_or(&[][..], |last| self.follower.lines_in(self.reported, last));
        let losses = lines.iter().filter_map(|line| Some((line.step as f64, line.loss?))).collect();
        self.reported = last;
        let step = last.unwrap_or(0);
        let planned_steps = self.follower.newest().unwrap_or(0).max(step);
        let progress = Progress { step, epoch: step as f64, losses, planned_steps, ..Progress::default() };
        self.emit(Event::Progress(progress))
    }

    fn emit(&mut self, event: Event) -> Result<(), Stop> {
        self.sink.emit(event).map_err(|_| Stop::Closed)
    }
}
