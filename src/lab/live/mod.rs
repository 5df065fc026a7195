//! The live run: a network goes through its tasks, and its kernel is measured on the way.
//!
//! Everything that happens is an event, in order; commands act between two steps; what changes a result is itself an event
//! and repeats when fed back. Nothing here knows of a window, nor of the thread it runs on; what needs no tensor is left to
//! an analyst beside it, whose pace changes no event.

mod analyst;
mod batches;
mod bench;
mod finite;
mod fork;
mod infinite;
mod ledger;
mod limit;
mod measure;
mod obey;
mod outbox;
mod piecewise;
mod position;
mod predict;
mod regime;
mod spare;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::analyst::{Analyst, Exam, Work};
use self::batches::Batches;
use self::bench::Bench;
use self::fork::Kept;
use self::outbox::Waiting;
use self::position::{Current, Position};
use self::spare::Spare;
use super::Control;
use super::cadence::{Cadence, lag_steps};
use super::device::for_run;
use super::meter::Meter;
use super::pulse::Pulse;
use crate::data::{Prepared, Task, prepare};
use crate::model::{Chosen, DeviceChoice};
use crate::run::{Checkpoint, Closed, Ending, Event, Origin, Probe, RunInfo, Sink, TaskStart, Weights};
use crate::spec::{Cost, PROBE_IMAGES, Said, Spec};

/// Trains and measures one run to its end, and says why it ended.
///
/// `paced` lets `window.pace` slow it down; headless runs are never paced.
pub fn run(spec: &Spec, device: DeviceChoice, paced: bool, control: &mut dyn Control, sink: &mut dyn Sink) {
    let open = |data: &Prepared, cancelled: &dyn Fn() -> bool| for_run(device, spec, data, cancelled);
    run_on(spec, &open, paced, control, sink);
}

/// Goes on from a run that was kept, in the future that this spec says ([`Checkpoint::future`]). What happened before is not
/// told again.
pub fn go_on(
    (spec, from): (&Spec, &Checkpoint),
    device: DeviceChoice,
    paced: bool,
    control: &mut dyn Control,
    sink: &mut dyn Sink,
) {
    let kept: &Kept = from.state.downcast_ref().expect("only this laboratory makes checkpoints");
    let device = if kept.is_on_host() { DeviceChoice::Cpu } else { device };
    let open = |data: &Prepared, cancelled: &dyn Fn() -> bool| for_run(device, spec, data, cancelled);
    begin(&Beginning { spec, kept: Some(kept), open: &open, paced }, control, sink);
}

/// Opens a device for a run on these images, asking now and then whether it is cancelled.
pub type Open<'a> = &'a dyn Fn(&Prepared, &dyn Fn() -> bool) -> Chosen;

/// The same as [`run`], on a device that the caller opens.
pub fn run_on(spec: &Spec, open: Open<'_>, paced: bool, control: &mut dyn Control, sink: &mut dyn Sink) {
    begin(&Beginning { spec, kept: None, open, paced }, control, sink);
}

/// What a run begins with.
struct Beginning<'a> {
    spec: &'a Spec,
    /// Where it goes on from.
    kept: Option<&'a Kept>,
    open: Open<'a>,
    paced: bool,
}

fn begin(beginning: &Beginning<'_>, control: &mut dyn Control, sink: &mut dyn Sink) {
    let ending = match Live::new(beginning, control, sink) {
        Ok(mut live) => match catch_unwind(AssertUnwindSafe(|| live.train())) {
            Ok(outcome) => live.end(outcome),
            Err(panic) => {
                // What happened before it broke is told first.
                let _ = live.settle_soon();
                resume_unwind(panic)
            }
        },
        Err(message) => Some(Ending::Failed { step: 0, message }),
    };
    if let Some(ending) = ending {
        // Nobody left to tell is a way to end, too.
        let _ = sink.emit(Event::Ended(ending));
    }
}

/// Why training ends before its tasks do.
enum Stop {
    Cancelled,
    /// Nobody listens.
    Closed,
    Diverged(String),
    Failed {
        step: u64,
        message: String,
    },
}

impl From<Closed> for Stop {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

struct Live<'a> {
    spec: Spec,
    data: Prepared,
    bench: Bench,
    /// Where the device can fail.
    spare: Option<Spare>,
    batches: Batches,
    analyst: Analyst,
    outbox: VecDeque<Waiting>,
    /// For the analyst, since the last snapshot.
    waited: Duration,
    control: &'a mut dyn Control,
    sink: &'a mut dyn Sink,
    pulse: Pulse,
    at: Position,
    /// The task with which a run that was kept goes on; taken when it does.
    resumed: Option<Current>,
    fork_at_switch: bool,
    ledger_wanted: bool,
    words: String,
    /// Θ̊ on the probes, until it is told.
    limit: Option<Arc<[f64]>>,
    paused: bool,
    /// Steps to take before pausing again.
    allowance: Option<u64>,
    /// The task being trained is to end.
    switch: bool,
}

impl<'a> Live<'a> {
    fn new(
        &Beginning { spec, kept, open, paced }: &Beginning<'_>,
        control: &'a mut dyn Control,
        sink: &'a mut dyn Sink,
    ) -> Result<Self, String> {
        let data = prepare(spec).map_err(|err| err.to_string())?;
        let shape = data.set.shape();
        // Again with the true shape: the files may hold more, or other classes, than their source promised.
        if let Some(problem) = spec.problems(&shape).into_iter().next() {
            return Err(format!("{}: {}", problem.field, problem.message));
        }
        let state = kept.map(|kept| &kept.now.bench);
        let cancelled = || control.cancelled();
        let (bench, spare, words) = if spec.network.is_infinite() {
            Bench::open_infinite(spec, &data, state, &cancelled).map_err(|err| err.to_string())?
        } else {
            Bench::open(spec, &data, open(&data, &cancelled), state)
        };
        let exam = |task: &Task| {
            let test = task.test();
            Exam {
                task: task.number(),
                classes: task.classes().to_vec(),
                labels: test.labels,
                values: test.values,
                lesson: task.first_of_each_class(PROBE_IMAGES).targets().classes(),
            }
        };
        let exams = data.stream.tasks().iter().map(exam).collect();
        let fresh = || {
            let alpha = spec.network.laziness();
            let meter = Meter::new(data.probes.labels.clone(), &data.probes.blocks, spec.training.loss, alpha);
            meter.of_values(data.probes.values.clone()).against(limit::of(&bench, spec, &data, &cancelled))
        };
        let meter = kept.map_or_else(fresh, |kept| kept.meter.clone());
        let limit = meter.limit().map(|gram| Arc::clone(gram.values()));
        let analyst = analyst::start(meter, exams, spec.training.loss)
            .map_err(|err| format!("no thread for the analysis can be started: {err}"))?;
        Ok(Self {
            bench,
            spare,
            batches: Batches::default(),
            analyst,
            outbox: VecDeque::new(),
            waited: Duration::ZERO,
            pulse: Pulse::new(if paced { spec.window.pace } else { 0.0 }, paced),
            at: kept.map_or_else(|| Position::first(spec), |kept| kept.now.at.in_future(spec)),
            resumed: kept.map(|kept| kept.now.current.clone()),
            spec: spec.clone(),
            data,
            control,
            sink,
            words,
            limit,
            fork_at_switch: false,
            ledger_wanted: false,
            paused: false,
            allowance: None,
            switch: false,
        })
    }

    fn train(&mut self) -> Result<(), Stop> {
        self.emit(Event::Started(Arc::new(self.info())))?;
        for warning in self.spec.warnings() {
            self.emit(Event::Warning { step: 0, epoch: 0.0, message: warning.message })?;
        }
        for message in self.data.set.notes.clone() {
            self.emit(Event::Warning { step: 0, epoch: 0.0, message })?;
        }
        while let Some(mut current) = self.next_task()? {
            self.train_task(&mut current)?;
            self.at.past_epochs += current.done as f64 / current.epoch_steps as f64;
            self.bench.switch();
            self.hand_over(Work::Switch)?;
            self.send_weights()?;
            self.at.trained.push(current.number);
            self.at.ended = Some((current.place, current.number, current.done));
        }
        self.send_progress(None)?;
        self.settle()
    }

    /// The task that was kept half-way, or the next one from its beginning.
    fn next_task(&mut self) -> Result<Option<Current>, Stop> {
        if let Some(current) = self.resumed.take() {
            return Ok(Some(current));
        }
        let Some(number) = self.at.upcoming.pop_front() else { return Ok(None) };
        let (from, place) = (self.at.trained.last().copied(), self.at.trained.len());
        self.emit(Event::Task(TaskStart { task: number, from, step: self.at.step, epoch: self.at.past_epochs }))?;
        if let Some(limit) = self.limit.take() {
            self.emit(Event::Limit(limit))?;
        }
        let mut current = self.begin(number, place);
        self.predict(&current)?;
        if place == 0 {
            self.measure(&mut current, false)?;
        }
        Ok(Some(current))
    }

    fn train_task(&mut self, current: &mut Current) -> Result<(), Stop> {
        loop {
            self.obey(current)?;
            if std::mem::take(&mut self.switch) {
                if !current.measured {
                    self.measure(current, true)?;
                }
                return Ok(());
            }
            if current.done == current.total {
                return Ok(());
            }
            self.train_step(current)?;
            if current.cadence.kernel_due(current.done) {
                let ends = current.done == current.total && !self.at.upcoming.is_empty();
                self.measure(current, ends)?;
            }
        }
    }

    fn begin(&self, number: usize, place: usize) -> Current {
        let epoch_steps = self.data.stream.task(number).info().steps_per_epoch;
        let total = self.spec.tasks.steps_at(place, epoch_steps).max(1);
        let lag = lag_steps(&self.spec.kernel, epoch_steps);
        Current {
            number,
            place,
            epoch_steps,
            total,
            done: 0,
            cadence: Cadence::new(self.at.per_epoch, lag, epoch_steps, place > 0, total),
            measured: false,
            losses: (0.0, 0),
        }
    }

    fn train_step(&mut self, current: &mut Current) -> Result<(), Stop> {
        let began = Instant::now();
        let taken = self.next_step(current);
        self.prepare(&taken, current)?;
        self.renew_piece(current)?;
        let batch = self.batch(&taken);
        let want_norm = current.cadence.snapshot_due(current.done + 1);
        let outcome = self.step_with_ledger(current, &taken, &batch, want_norm)?;
        if !outcome.loss.is_finite() {
            let message = format!(
                "The loss stopped being a number at step {} with learning rate {}: start again with a smaller rate",
                self.at.step, self.at.regime.rate
            );
            return Err(Stop::Diverged(message));
        }
        self.remember(taken);
        self.at.last_rate = Some(outcome.rate);
        current.done += 1;
        current.measured = false;
        current.losses.0 += outcome.loss;
        current.losses.1 += 1;
        self.at.step += 1;
        self.pulse.stepped(began.elapsed(), outcome.loss, outcome.grad_norm);
        Ok(())
    }

    fn check_cancelled(&self) -> Result<(), Stop> {
        if self.control.cancelled() { Err(Stop::Cancelled) } else { Ok(()) }
    }

    fn epoch(&self, current: &Current) -> f64 {
        self.at.past_epochs + current.done as f64 / current.epoch_steps as f64
    }

    fn send_progress(&mut self, current: Option<&Current>) -> Result<(), Stop> {
        let epoch = current.map_or(self.at.past_epochs, |current| self.epoch(current));
        let place = current.map_or(0, |current| current.place + 1);
        let to_come: u64 =
            self.at.upcoming.iter().enumerate().map(|(later, &task)| self.steps_of(task, place + later)).sum();
        let here = current.map_or(0, |current| current.total - current.done);
        let upcoming = self.at.upcoming.iter().copied().collect();
        let progress = self.pulse.report(self.at.step, epoch, self.at.step + here + to_come, upcoming);
        self.emit(Event::Progress(progress))?;
        Ok(())
    }

    fn steps_of(&self, task: usize, place: usize) -> u64 {
        self.spec.tasks.steps_at(place, self.data.stream.task(task).info().steps_per_epoch).max(1)
    }

    /// Tells of the weights, unless they are no numbers any more.
    fn send_weights(&mut self) -> Result<(), Stop> {
        let Some(tensors) = self.on_device(self.at.past_epochs, |bench, _| bench.weights())? else { return Ok(()) };
        let network = Said { image: Some(self.data.set.shape().image), ..Said::of(&self.spec.network) };
        let weights = Weights { step: self.at.step, network, tensors };
        if weights.tensors.iter().flat_map(|tensor| &tensor.values).any(|value| !value.is_finite()) {
            return Ok(());
        }
        self.emit(Event::Weights(Arc::new(weights)))?;
        Ok(())
    }

    fn info(&self) -> RunInfo {
        let probes = &self.data.probes;
        let planned =
            self.spec.tasks.sequence().iter().enumerate().map(|(place, &task)| self.steps_of(task, place)).sum();
        let pairs = probes.tasks.iter().zip(&probes.labels);
        RunInfo {
            spec: self.spec.clone(),
            tasks: self.data.stream.infos(),
            class_names: self.data.set.class_names.clone(),
            probes: pairs.map(|(&task, &label)| Probe { task, label }).collect(),
            probe_values: probes.values.clone().into(),
            image: probes.shape,
            thumbnails: probes.thumbnails.clone().into(),
            parameters: Cost::of(&self.spec, &self.data.set.shape()).parameters,
            origin: Origin::Trained { device: self.words.clone() },
            planned_steps: planned,
        }
    }

    /// The last word; the weights of a run that was stopped are worth keeping.
    fn end(&mut self, outcome: Result<(), Stop>) -> Option<Ending> {
        let step = self.at.step;
        let Err(mut stop) = outcome else { return Some(Ending::Finished { step }) };
        // What the analyst has in hand happened before: if that went wrong, it went wrong first.
        if matches!(stop, Stop::Diverged(_)) {
            stop = self.settle().err().unwrap_or(stop);
        }
        if matches!(stop, Stop::Cancelled) {
            stop = self.settle_soon().err().unwrap_or(stop);
        }
        match stop {
            Stop::Closed => None,
            Stop::Cancelled => {
                let _ = self.send_weights();
                Some(Ending::Stopped { step })
            }
            Stop::Diverged(message) => {
                let _ = self.send_weights();
                Some(Ending::Diverged { step, message })
            }
            Stop::Failed { step, message } => Some(Ending::Failed { step, message }),
        }
    }
}
