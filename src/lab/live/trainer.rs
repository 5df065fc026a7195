//! Trains a run: takes its steps, measures its kernel when that is due, and carries out commands between two steps.
//!
//! The methods of [`Trainer`] stand in this one file, in sections: tasks and steps, measuring, commands, the device, events.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::analysis_thread::{Analyzer, SharpnessRequest, SnapshotRequest, Stability, TaskTest, Work};
use super::batches::{Batches, StepAddress, StepPlan};
use super::cpu_fallback::{self, CpuFallback, failure};
use super::finite::Finite;
use super::fork::{StoredRun, TrainerState};
use super::infinite::Infinite;
use super::infinite_kernel;
use super::initial_weights::InitialWeights;
use super::ledger;
use super::position::{CurrentTask, Position};
use super::subject::Subject;
use crate::data::{Batch, Prepared, Task, prepare};
use crate::lab::cadence::{Cadence, lag_steps};
use crate::lab::event_queue::{EventQueue, Halt, WaitTime};
use crate::lab::lag::{Lag, Lagged};
use crate::lab::metrics::Meter;
use crate::lab::pacing::Pacing;
use crate::lab::{Command, Control};
use crate::math::all_finite;
use crate::model::ChosenDevice;
use crate::run::{
    Ending, Event, Ledger, NamedTensor, Origin, Probe, Row, RunInfo, Sink, SnapshotCost, TaskStart, Weights, finite,
};
use crate::spec::{
    Change, Clamp, Cost, Effect, KnownSettings, LAG_TOLERANCE, LINEAR_PROBE_IMAGES, NetworkSpec, PER_EPOCH, RATES,
    Spec, VelocityLag, WARMUPS,
};
use crate::train::{EndedTask, HeldDisplacement, InfiniteWidthModelError, StepOutcome, score};

/// The time after which a paused run checks whether it is cancelled.
const PAUSE_TICK: Duration = Duration::from_millis(50);
/// The same time for a run that waits for its pace.
const PACE_TICK: Duration = Duration::from_millis(30);
/// The time for which a cancelled run waits for the analysis in progress.
const PATIENCE: Duration = Duration::from_millis(300);

/// Opens a device for a run on these images, and checks at intervals whether it is cancelled.
pub type Open<'a> = &'a dyn Fn(&Prepared, &dyn Fn() -> bool) -> ChosenDevice;

/// The arguments of a run.
pub(super) struct RunStart<'a> {
    pub spec: &'a Spec,
    /// The stored state from which it continues.
    pub stored: Option<&'a StoredRun>,
    pub open: Open<'a>,
    /// Whether it follows the pace of its spec.
    pub paced: bool,
}

/// The reason why training ends before its tasks do.
pub(super) enum Stop {
    Cancelled,
    /// The sink is closed.
    Closed,
    Diverged(String),
    Failed {
        step: u64,
        message: String,
    },
}

impl From<Halt> for Stop {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Cancelled => Self::Cancelled,
            Halt::Closed => Self::Closed,
            Halt::Failed { step, message } => Self::Failed { step, message },
        }
    }
}

/// A run that is about to begin: its data are read, its subject and its analysis exist.
pub(super) struct PreparedRun {
    data: Prepared,
    subject: Box<dyn Subject>,
    fallback: Option<CpuFallback>,
    /// The description of its device.
    device_description: String,
    /// Θ̊ on the probes.
    limit: Option<Arc<[f64]>>,
    analyzer: Analyzer,
    /// The initial weights, if a file has them, their hash, and how they were read.
    initial: Option<Arc<Weights>>,
    weights_hash: Option<String>,
    notes: Vec<String>,
}

impl PreparedRun {
    pub fn new(&RunStart { spec, stored, open, .. }: &RunStart<'_>, control: &dyn Control) -> Result<Self, String> {
        let data = prepare(spec).map_err(|err| err.to_string())?;
        let shape = data.set.shape();
        // Checked again with the true shape: the files may hold more, or other classes, than their source promised.
        if let Some(problem) = spec.problems(&shape).into_iter().next() {
            return Err(format!("{}: {}", problem.field, problem.message));
        }
        let state = stored.map(|stored| &stored.trainer.subject);
        let cancelled = || control.cancelled();
        // Of a run that goes on only f₀ is that of the beginning.
        let (mut weights_hash, mut notes) = (spec.network.weights_hash.clone(), Vec::new());
        let (mut initial, mut reported) = (None, None);
        if stored.is_none() || spec.network.laziness().is_some() {
            let read = InitialWeights::read(&spec.network, shape.image, data.set.outputs())?;
            if let Some(InitialWeights { network, tensors, hash, notes: read_notes }) = read {
                (weights_hash, notes, initial) = (Some(hash), read_notes, Some(network));
                reported = Some(Arc::new(weights_at(0, tensors, &spec.network, shape.image)));
            }
        }
        let (subject, fallback, words): (Box<dyn Subject>, _, _) = if spec.network.is_infinite() {
            let infinite = Infinite::open(spec, &data, state, &cancelled).map_err(|err| err.to_string())?;
            (Box::new(infinite), None, "CPU: from formulas, there are no weights".to_owned())
        } else {
            let (finite, fallback, words) =
                cpu_fallback::open(spec, &data, open(&data, &cancelled), (initial.as_ref(), state));
            (Box::new(finite), fallback, words)
        };
        let test = |task: &Task| {
            let test = task.test();
            TaskTest {
                task: task.number(),
                classes: task.classes().to_vec(),
                labels: test.labels,
                values: test.values,
                probe_classes: task.first_of_each_class(LINEAR_PROBE_IMAGES).targets().classes(),
            }
        };
        let tests = data.stream.tasks().iter().map(test).collect();
        let fresh = || {
            let alpha = spec.network.laziness();
            let meter = Meter::new(data.probes.labels.clone(), &data.probes.blocks, spec.training.loss, alpha);
            meter.of_values(data.probes.values.clone()).against(infinite_kernel::of(&*subject, spec, &data, &cancelled))
        };
        let meter = stored.map_or_else(fresh, |stored| stored.meter.clone());
        let limit = meter.limit().map(|gram| Arc::clone(gram.values()));
        let stability = Stability::of(spec, &data);
        let analyzer = Analyzer { meter, tests, loss: spec.training.loss, stability };
        let (initial, notes) = if stored.is_some() { (None, Vec::new()) } else { (reported, notes) };
        Ok(Self { data, subject, fallback, device_description: words, limit, analyzer, initial, weights_hash, notes })
    }
}

/// Returns these tensors as the weights of a step, with what else determines their function.
fn weights_at(step: u64, tensors: Vec<NamedTensor>, network: &NetworkSpec, image: [usize; 3]) -> Weights {
    Weights { step, network: KnownSettings { image: Some(image), ..KnownSettings::of(network) }, tensors }
}

/// The trainer of a run, with everything that it needs and its position.
pub(super) struct Trainer<'a> {
    spec: Spec,
    data: Prepared,
    subject: Box<dyn Subject>,
    /// The copy on the CPU, where the device can fail.
    fallback: Option<CpuFallback>,
    batches: Batches,
    queue: EventQueue<Work>,
    /// The time waited for the analysis since the last snapshot.
    waited: Duration,
    control: &'a mut dyn Control,
    pacing: Pacing,
    at: Position,
    /// The task with which a stored run continues; taken when it does.
    resumed: Option<CurrentTask>,
    fork_at_switch: bool,
    ledger_wanted: bool,
    device_description: String,
    /// The initial weights, if a file has them, until they are reported, and how they were read.
    initial: Option<Arc<Weights>>,
    notes: Vec<String>,
    /// Θ̊ on the probes, until it is reported.
    limit: Option<Arc<[f64]>>,
    paused: bool,
    /// The number of steps to take before pausing again.
    allowance: Option<u64>,
    /// Whether the task being trained is to end.
    switch: bool,
    /// The number of steps whose outcomes are still to come from the device.
    unread: u64,
}

impl<'a> Trainer<'a> {
    /// Starts the analysis, and is ready for the first step.
    pub fn new(
        &RunStart { spec, stored, paced, .. }: &RunStart<'_>,
        opened: PreparedRun,
        control: &'a mut dyn Control,
        sink: Box<dyn Sink + Send>,
    ) -> Self {
        let PreparedRun { data, subject, fallback, device_description, limit, mut analyzer, .. } = opened;
        let PreparedRun { initial, weights_hash, notes, .. } = opened;
        let mut spec = spec.clone();
        spec.network.weights_hash = weights_hash;
        Self {
            subject,
            fallback,
            batches: Batches::default(),
            queue: EventQueue::start("analysis", sink, move |work| analyzer.analyse(work)),
            waited: Duration::ZERO,
            pacing: Pacing::new(if paced { spec.window.pace } else { 0.0 }, paced),
            at: stored.map_or_else(|| Position::first(&spec), |stored| stored.trainer.at.in_future(&spec)),
            resumed: stored.map(|stored| stored.trainer.task.clone()),
            spec,
            data,
            control,
            initial,
            notes,
            device_description,
            limit,
            fork_at_switch: false,
            ledger_wanted: false,
            paused: false,
            allowance: None,
            switch: false,
            unread: 0,
        }
    }

    /// Trains all tasks.
    pub fn train(&mut self) -> Result<(), Stop> {
        self.emit(Event::Started(Arc::new(self.info())))?;
        if let Some(initial) = self.initial.take() {
            self.emit(Event::Initial(initial))?;
        }
        for warning in self.spec.warnings() {
            self.emit(Event::Warning { step: 0, epoch: 0.0, message: warning.message })?;
        }
        for message in std::mem::take(&mut self.notes).into_iter().chain(self.data.set.notes.clone()) {
            self.emit(Event::Warning { step: 0, epoch: 0.0, message })?;
        }
        while let Some(mut current) = self.next_task()? {
            self.train_task(&mut current)?;
            self.at.past_epochs += current.done as f64 / current.epoch_steps as f64;
            self.end_task(&current)?;
            self.give(Work::Switch)?;
            self.send_weights()?;
            self.at.trained.push(current.number);
            self.at.ended = Some((current.place, current.number, current.done));
        }
        self.send_progress(None)?;
        self.settle()
    }

    /// Returns the stored task of a fork, or begins the next one.
    fn next_task(&mut self) -> Result<Option<CurrentTask>, Stop> {
        if let Some(current) = self.resumed.take() {
            return Ok(Some(current));
        }
        let Some(number) = self.at.upcoming.pop_front() else { return Ok(None) };
        let (from, place) = (self.at.trained.last().copied(), self.at.trained.len());
        self.emit(Event::Task(TaskStart { task: number, from, step: self.at.step, epoch: self.at.past_epochs }))?;
        if let Some(limit) = self.limit.take() {
            self.emit(Event::Limit(limit))?;
        }
        self.at.begun.push(self.at.step);
        let mut current = self.begin(number, place);
        self.prepare_task(&current)?;
        if place == 0 {
            self.measure(&mut current, false)?;
        }
        Ok(Some(current))
    }

    fn train_task(&mut self, current: &mut CurrentTask) -> Result<(), Stop> {
        loop {
            self.between_steps(current)?;
            if std::mem::take(&mut self.switch) {
                if !current.measured {
                    self.measure(current, true)?;
                }
                return Ok(());
            }
            if current.done == current.total {
                return self.catch_up(current);
            }
            self.train_step(current)?;
            if self.is_near_switch(current) {
                self.measure_sharpness(current)?;
            }
            if current.cadence.kernel_due(current.done) {
                let ends = current.done == current.total && !self.at.upcoming.is_empty();
                self.measure(current, ends)?;
            }
        }
    }

    /// Ends a task, whose images a continual-learning strategy may look at where another one follows.
    fn end_task(&mut self, current: &CurrentTask) -> Result<(), Stop> {
        let continual = &self.spec.continual;
        let follows = continual.strategy.is_any() && !self.at.upcoming.is_empty();
        let ended = follows.then(|| {
            let most = continual.images_at_end(self.spec.tasks.sequence().len());
            let images = self.data.stream.task(current.number).some(self.spec.seed, most);
            let terms = self.plan(current.place, current.number, current.done).terms;
            let classes = self.data.stream.task(current.number).classes().iter().copied();
            EndedTask { images, classes: self.data.set.readout().outputs(classes), present: terms.present }
        });
        let end = |subject: &mut dyn Subject, cancelled: &dyn Fn() -> bool| subject.end_task(ended.as_ref(), cancelled);
        self.on_device(self.epoch(current), end)?.ok_or(Stop::Cancelled)?;
        // Steps that are repeated elsewhere after a failure must not lead over this.
        if ended.is_some() { self.copy_to_fallback(self.epoch(current)) } else { Ok(()) }
    }

    fn begin(&self, number: usize, place: usize) -> CurrentTask {
        let epoch_steps = self.data.stream.task(number).info().steps_per_epoch;
        let total = self.spec.tasks.steps_at(place, epoch_steps).max(1);
        let lag = lag_steps(&self.spec.kernel, epoch_steps);
        let mut paths = Lagged::default();
        paths.store(Lag { done: 0, steps: Some(lag), epoch_steps }, self.at.path);
        CurrentTask {
            number,
            place,
            epoch_steps,
            total,
            done: 0,
            cadence: Cadence::new(self.at.per_epoch, lag, epoch_steps, place > 0, total),
            measured: false,
            losses: (0.0, 0),
            paths,
            least: None,
        }
    }

    fn train_step(&mut self, current: &mut CurrentTask) -> Result<(), Stop> {
        let began = Instant::now();
        let plan = self.plan(current.place, current.number, current.done);
        self.prepare(&plan, current)?;
        let batch = self.batch(&plan);
        let want_norm = current.cadence.snapshot_due(current.done + 1);
        let outcomes = self.step_with_ledger(current, &plan, &batch, want_norm)?;
        if let Some(fallback) = &mut self.fallback {
            fallback.since.push(plan);
        }
        current.done += 1;
        current.measured = false;
        self.at.step += 1;
        self.unread += 1;
        self.count(current, &outcomes, began)
    }

    /// Counts steps whose outcomes are known.
    fn count(&mut self, current: &mut CurrentTask, outcomes: &[StepOutcome], began: Instant) -> Result<(), Stop> {
        for outcome in outcomes {
            if !outcome.loss.is_finite() {
                // Neither it nor a step after it was taken.
                let left = std::mem::take(&mut self.unread);
                self.at.step -= left;
                current.done -= left;
                let message = format!(
                    "The loss stopped being a number at step {} with learning rate {}: start again with a smaller rate",
                    self.at.step, self.at.conditions.rate
                );
                return Err(Stop::Diverged(message));
            }
            self.unread -= 1;
            self.at.last_rate = Some(outcome.rate);
            self.at.path = self.at.path.zip(outcome.length).map(|(path, length)| path + length);
            current.losses.0 += outcome.loss;
            current.losses.1 += 1;
            self.pacing.stepped(began.elapsed(), outcome.loss, outcome.grad_norm);
        }
        Ok(())
    }

    /// Waits for the outcomes of steps that are still to come from the device: before whatever is reported of them, and before
    /// whatever changes what comes after them.
    fn catch_up(&mut self, current: &mut CurrentTask) -> Result<(), Stop> {
        if self.unread == 0 {
            return Ok(());
        }
        let began = Instant::now();
        let outcomes = self.on_device(self.epoch(current), |subject, _| subject.settle())?;
        self.count(current, &outcomes, began)
    }

    /// Plans the step of a task that follows `done` others under the current conditions.
    fn plan(&self, place: usize, task: usize, done: u64) -> StepPlan {
        let address = StepAddress { place, task, done, begun: self.at.begun.get(place).copied().unwrap_or(0) };
        self.at.conditions.plan((&self.spec, &self.data), &self.at.trained, address)
    }

    /// Returns the images of this step.
    fn batch(&mut self, plan: &StepPlan) -> Batch {
        self.batches.get(&self.spec, &self.data, &self.at.trained, plan)
    }

    /// Prepares the task that begins, and computes the predictions for it.
    fn prepare_task(&mut self, current: &CurrentTask) -> Result<(), Stop> {
        let cancelled = || self.control.cancelled();
        let of = (&self.spec, &self.data);
        let problems = self.subject.begin_task(of, current, &cancelled).ok_or(Stop::Cancelled)?;
        self.warn(problems, current)
    }

    /// Prepares a step of this task.
    fn prepare(&mut self, plan: &StepPlan, current: &CurrentTask) -> Result<(), Stop> {
        let several = plan.replay > 0 || self.spec.continual.strategy.is_joint();
        let mut tasks = if several { self.at.trained.clone() } else { Vec::new() };
        tasks.push(plan.at.task);
        let cancelled = || self.control.cancelled();
        let problems = self.subject.prepare_step(&tasks, current, &cancelled).map_err(|why| match why {
            InfiniteWidthModelError::Cancelled => Stop::Cancelled,
            why => Stop::Failed { step: self.at.step, message: why.to_string() },
        })?;
        self.warn(problems, current)
    }

    fn warn(&mut self, messages: Vec<String>, current: &CurrentTask) -> Result<(), Stop> {
        let (step, epoch) = (self.at.step, self.epoch(current));
        messages.into_iter().try_for_each(|message| self.emit(Event::Warning { step, epoch, message }))
    }

    /// Returns the rate of the optimiser in the next step; with clamped steps it differs in each, and this is the last
    /// one.
    fn rate(&self, current: &CurrentTask) -> f64 {
        let conditions = &self.at.conditions;
        let is_clamped = conditions.length.is_some() || conditions.displacement.is_some();
        let clamped = self.at.last_rate.filter(|_| is_clamped);
        clamped.unwrap_or_else(|| self.plan(current.place, current.number, current.done).terms.rate)
    }

    /// Takes the step, and reports its effect on the probes of earlier tasks where a ledger is due.
    fn step_with_ledger(
        &mut self,
        current: &mut CurrentTask,
        plan: &StepPlan,
        batch: &Batch,
        want_norm: bool,
    ) -> Result<Vec<StepOutcome>, Stop> {
        let epoch = self.epoch(current);
        let rows = if self.wants_ledger(current) {
            self.catch_up(current)?;
            ledger::rows(&self.data, &self.at.trained, current.number, batch)
        } else {
            Vec::new()
        };
        let before = if rows.is_empty() {
            None
        } else {
            let work =
                |subject: &mut dyn Subject, cancelled: &dyn Fn() -> bool| subject.ledger(&rows, plan, batch, cancelled);
            Some(self.on_device(epoch, work)?.ok_or(Stop::Cancelled)?)
        };
        let mut outcomes = self.on_device(epoch, |subject, _| subject.step(batch, &plan.terms, want_norm))?;
        let Some((outputs, parts)) = before else { return Ok(outcomes) };
        outcomes.extend(self.on_device(epoch, |subject, _| subject.settle())?);
        if outcomes.iter().any(|outcome| !outcome.loss.is_finite()) {
            return Ok(outcomes);
        }
        let after = |subject: &mut dyn Subject, cancelled: &dyn Fn() -> bool| subject.outputs_on(&rows, cancelled);
        let after = self.on_device(epoch, after)?.ok_or(Stop::Cancelled)?;
        let old = ledger::old_images(&self.data, &rows, &parts, (&outputs, &after));
        let new_thumbnails = self.data.set.thumbnails(&batch.pixels).into();
        let (step, task, new_labels) = (self.at.step, current.number, batch.labels.clone());
        let ledger = Ledger { step, epoch, task, old, new_labels, new_thumbnails };
        self.emit(Event::Ledger(Arc::new(ledger)))?;
        Ok(outcomes)
    }

    /// Returns whether the coming step has a ledger: a requested one, or that of the first step of a task after others.
    fn wants_ledger(&mut self, current: &CurrentTask) -> bool {
        let first = current.done == 0 && current.place > 0;
        let wanted = std::mem::take(&mut self.ledger_wanted);
        // To first order the outputs follow the kernel of the network that is trained, which must be the one that is
        // measured.
        let shape = self.data.set.shape();
        let program = || self.spec.network.program(shape.image, shape.outputs);
        let is_measured = || program().is_ok_and(|program| !program.differs_in_training());
        (wanted || first) && self.spec.has_plain_steps() && !self.at.trained.is_empty() && is_measured()
    }

    // Measuring.

    /// Measures the kernel; where a snapshot is due (or the task ends here), collects its other parts too.
    fn measure(&mut self, current: &mut CurrentTask, at_switch: bool) -> Result<(), Stop> {
        self.catch_up(current)?;
        let began = Instant::now();
        let snapshot = at_switch || current.done == 0 || current.cadence.snapshot_due(current.done);
        let want_full = snapshot && (at_switch || current.done == 0 || current.cadence.epoch_ends(current.done));
        let epoch = self.epoch(current);
        let frozen = self.spec.kernel.optimiser.then(|| self.at.conditions.frozen.clone());
        let kernel = |subject: &mut dyn Subject, cancelled: &dyn Fn() -> bool| {
            let mut measured = subject.kernel(want_full, cancelled)?;
            if let Some(frozen) = &frozen {
                measured.optimiser = subject.optimiser_kernel(&measured.trace, frozen, cancelled)?;
            }
            Some(measured)
        };
        let measured = self.on_device(epoch, kernel)?.ok_or(Stop::Cancelled)?;
        // Checked here and not by the analysis: training must not continue from weights that are not finite.
        let both = [Some(&measured.trace), measured.optimiser.as_ref()];
        both.into_iter().flatten().try_for_each(|values| all_finite(self.data.probes.len(), values)).map_err(
            |err| Stop::Diverged(format!("{err} at step {}: start again with a smaller rate", self.at.step)),
        )?;
        let kernel_seconds = began.elapsed().as_secs_f64();
        let lag = self.lag(current);
        let mut request = if snapshot {
            Some(self.snapshot_request(current, lag, (at_switch, want_full), kernel_seconds)?)
        } else {
            None
        };
        if let (true, false, Some(request)) = (want_full, at_switch, &mut request) {
            request.row.at_switch = self.stops_early(&request.outputs.probes, current)? && !self.at.upcoming.is_empty();
        }
        self.on_device(epoch, |subject, _| subject.store_weights(lag))?;
        if current.done > 0 {
            current.paths.store(lag, self.at.path);
        }
        if snapshot {
            self.renew_fallback(epoch)?;
        }
        let waited = self.reserve()?;
        self.waited += waited.for_analysis;
        if let Some(request) = &mut request {
            request.row.cost.waiting_seconds = Some(std::mem::take(&mut self.waited).as_secs_f64());
        }
        let (measured, request) = (Box::new(measured), request.map(Box::new));
        let work = Work::Kernel { step: self.at.step, measured, lag, request };
        self.queue.give(work, &|| self.control.cancelled())?;
        // This is the time that training loses: the analysis runs beside it, and waiting for a reader is not measuring.
        self.pacing.measured(began.elapsed().saturating_sub(waited.for_reader));
        if snapshot {
            current.measured = true;
            current.losses = (0.0, 0);
            let share = self.pacing.take_share();
            if self.spec.kernel.budget > 0.0 {
                current.cadence.keep_to(self.spec.kernel.budget, share);
            }
        }
        Ok(())
    }

    /// Returns whether the sharpness is measured after the last step, because it is near a switch.
    fn is_near_switch(&self, current: &CurrentTask) -> bool {
        let near = self.spec.kernel.sharpness_steps;
        let begins = current.place > 0 && current.done <= near;
        let ends = !self.at.upcoming.is_empty() && current.total - current.done <= near;
        near > 0 && (begins || ends)
    }

    /// Measures the sharpness, which goes with the next row: snapshots and what follows from them stay as they are.
    fn measure_sharpness(&mut self, current: &mut CurrentTask) -> Result<(), Stop> {
        self.catch_up(current)?;
        let began = Instant::now();
        let (epoch, rows) = (self.epoch(current), (0..self.data.probes.len()).collect::<Vec<_>>());
        let work = |subject: &mut dyn Subject, cancelled: &dyn Fn() -> bool| {
            Some((subject.kernel(true, cancelled)?.full, subject.outputs_on(&rows, cancelled)?))
        };
        let (full, outputs) = self.on_device(epoch, work)?.ok_or(Stop::Cancelled)?;
        if let Some(full) = full {
            let request = SharpnessRequest { step: self.at.step, epoch, rate: self.rate(current), full, outputs };
            self.give(Work::Sharpness(Box::new(request)))?;
        }
        self.pacing.measured(began.elapsed());
        Ok(())
    }

    /// Returns the lag of the velocity that ends at the current step.
    fn lag(&self, current: &CurrentTask) -> Lag {
        let steps = match self.spec.kernel.velocity_lag() {
            VelocityLag::Epochs(_) | VelocityLag::Steps(_) => Some(current.cadence.lag()),
            VelocityLag::Path(wanted) => {
                let off = |&(_, path): &(u64, Option<f64>)| {
                    self.at.path.zip(path).map_or(f64::INFINITY, |(now, then)| (now - then - wanted).abs())
                };
                let measured = current.paths.iter().map(|(done, path)| (done, *path));
                let nearest = measured.min_by(|a, b| off(a).total_cmp(&off(b)));
                let is_near = |measured: &(u64, Option<f64>)| off(measured) <= LAG_TOLERANCE * wanted;
                nearest.filter(is_near).map(|(done, _)| current.done - done).filter(|steps| *steps > 0)
            }
        };
        Lag { done: current.done, steps, epoch_steps: current.epoch_steps }
    }

    /// Ends the task where the loss on its probes, at the ends of epochs, has not fallen for as long as the run's patience;
    /// returns whether it does.
    fn stops_early(&mut self, outputs: &[f32], current: &mut CurrentTask) -> Result<bool, Stop> {
        let patience = self.spec.training.patience;
        if patience == 0.0 || current.done == 0 || current.done == current.total {
            return Ok(false);
        }
        let rows = self.data.probes.blocks[current.number - 1].clone();
        let width = outputs.len() / self.data.probes.len().max(1);
        let outputs = &outputs[rows.start * width..rows.end * width];
        let targets = self.data.probes.targets_of(rows);
        let loss = score(outputs, targets, &[], self.spec.training.loss).loss;
        match current.least {
            Some((least, since)) if loss >= least => {
                let waited = (current.done - since) as f64 / current.epoch_steps as f64;
                if waited < patience {
                    return Ok(false);
                }
                self.switch = true;
                let message = format!(
                    "Task {} ends early: the loss on its probes has not fallen below {least:.4} for {waited:.1} epochs",
                    current.number
                );
                self.emit(Event::Warning { step: self.at.step, epoch: self.epoch(current), message })?;
                Ok(true)
            }
            _ => {
                current.least = Some((loss, current.done));
                Ok(false)
            }
        }
    }

    /// Collects the trainer's part of a snapshot: numbers of its row, and outputs of the network. `dearer` is set at a
    /// switch and at the end of an epoch.
    fn snapshot_request(
        &mut self,
        current: &CurrentTask,
        lag: Lag,
        (at_switch, dearer): (bool, bool),
        kernel_seconds: f64,
    ) -> Result<SnapshotRequest, Stop> {
        let began = Instant::now();
        let dearer = dearer.then_some(current.number);
        let ask =
            |subject: &mut dyn Subject, cancelled: &dyn Fn() -> bool| subject.snapshot_outputs(lag, dearer, cancelled);
        let outputs = self.on_device(self.epoch(current), ask)?.ok_or(Stop::Cancelled)?;
        let evaluation_seconds = began.elapsed().as_secs_f64();
        let moved = outputs.moved.filter(|length| length.is_finite() && *length > 0.0);
        if let Some((length, steps)) = moved.zip(lag.steps) {
            self.at.displacement = Some(HeldDisplacement { length, steps });
        }
        let (sum, count) = current.losses;
        let row = Row {
            at_switch,
            train_loss: (count > 0).then(|| sum / count as f64).and_then(finite),
            rate: finite(self.rate(current)),
            grad_norm: self.pacing.take_grad_norm().and_then(finite),
            path: self.at.path.and_then(finite),
            cost: SnapshotCost {
                kernel_seconds: Some(kernel_seconds),
                evaluation_seconds: Some(evaluation_seconds),
                ..SnapshotCost::default()
            },
            ..Row::bare(self.at.step, self.epoch(current), current.number)
        };
        let before = current.paths.before(lag).copied().flatten();
        let path = self.at.path.zip(before).map(|(path, before)| path - before);
        Ok(SnapshotRequest { row, path, outputs })
    }

    // Commands: everything that changes a result passes through `apply`.

    /// Carries out what the spec's script and the user's commands require between two steps; waits where the run is
    /// paused or ahead of its pace.
    fn between_steps(&mut self, current: &mut CurrentTask) -> Result<(), Stop> {
        loop {
            self.queue.check()?;
            self.take_commands(current)?;
            self.wait_while_paused(current)?;
            if let Some(left) = &mut self.allowance {
                *left = left.saturating_sub(1);
            }
            self.keep_pace(current)?;
            self.check_cancelled()?;
            // A command that came while it kept its pace may have paused it.
            if !self.paused || self.allowance.is_some() || self.switch {
                break;
            }
        }
        if self.pacing.report_due() {
            self.send_progress(Some(current))?;
        }
        Ok(())
    }

    /// Carries out what is due here: the fork at a switch, changes of the script, commands.
    fn take_commands(&mut self, current: &mut CurrentTask) -> Result<(), Stop> {
        if current.done == 0 && current.place > 0 && std::mem::take(&mut self.fork_at_switch) {
            self.fork(current)?;
        }
        // Commands behind a switch belong to the next task.
        while !self.switch
            && let Some(place) = self.at.script.iter().position(|change| self.is_due(change, current))
            && let Some(change) = self.at.script.remove(place)
        {
            self.apply(change, current)?;
        }
        while !self.switch {
            let Some(command) = self.control.poll() else { break };
            self.command(command, current)?;
        }
        Ok(())
    }

    fn wait_while_paused(&mut self, current: &mut CurrentTask) -> Result<(), Stop> {
        if self.allowance == Some(0) {
            self.pause(current)?;
        }
        while self.paused && !self.switch && self.allowance.is_none() {
            self.check_cancelled()?;
            self.queue.check()?;
            if let Some(command) = self.control.wait(PAUSE_TICK) {
                self.command(command, current)?;
            }
        }
        Ok(())
    }

    fn keep_pace(&mut self, current: &mut CurrentTask) -> Result<(), Stop> {
        let epoch = self.epoch(current);
        while let Some(wait) = self.pacing.wait(epoch) {
            self.check_cancelled()?;
            self.queue.check()?;
            if self.pacing.report_due() {
                self.send_progress(Some(current))?;
            }
            if let Some(command) = self.control.wait(wait.min(PACE_TICK)) {
                self.command(command, current)?;
                if self.paused || self.switch {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Returns whether a change is due: the step where two tasks meet counts as the end of the old and the start of the
    /// new.
    fn is_due(&self, change: &Change, current: &CurrentTask) -> bool {
        if let Some(place) = change.place {
            return current.place + 1 >= place;
        }
        change.step < self.at.step
            || (change.step == self.at.step && change.task.is_none_or(|task| task == current.number))
    }

    fn command(&mut self, command: Command, current: &mut CurrentTask) -> Result<(), Stop> {
        match command {
            Command::Pause => return self.pause(current),
            Command::Resume => {
                self.allowance = None;
                if std::mem::take(&mut self.paused) {
                    self.pacing.restart();
                    self.emit(Event::Resumed { step: self.at.step })?;
                }
            }
            Command::Step(steps) => {
                if self.paused && steps > 0 {
                    self.allowance = Some(steps);
                }
            }
            Command::SetPace(pace) => self.pacing.set_pace(pace),
            Command::SwitchTask => {
                if !self.at.upcoming.is_empty() {
                    self.apply_now(Effect::Switch, current)?;
                }
            }
            Command::SetRate(rate) => {
                if RATES.contains(&rate) && rate != self.at.conditions.rate {
                    self.apply_now(Effect::Rate(rate), current)?;
                }
            }
            Command::SetSchedule(schedule) => {
                if schedule != self.at.conditions.schedule {
                    self.apply_now(Effect::Schedule(schedule), current)?;
                }
            }
            Command::SetWarmup(epochs) => {
                if WARMUPS.contains(&epochs) && epochs != self.at.conditions.warmup {
                    self.apply_now(Effect::Warmup(epochs), current)?;
                }
            }
            Command::SetPerEpoch(per_epoch) => {
                if PER_EPOCH.contains(&per_epoch) && per_epoch != self.at.per_epoch {
                    self.apply_now(Effect::PerEpoch(per_epoch), current)?;
                }
            }
            Command::Fork { at_switch: false } => self.fork(current)?,
            Command::Fork { at_switch: true } if self.at.upcoming.is_empty() => self.warn_without_fork(current)?,
            Command::Fork { at_switch: true } => self.fork_at_switch = true,
            Command::TakeLedger => self.ledger_wanted = true,
            Command::SetUpcoming(order) => {
                if self.at.upcoming != order {
                    self.apply_now(Effect::Order(order), current)?;
                }
            }
        }
        Ok(())
    }

    fn apply_now(&mut self, effect: Effect, current: &mut CurrentTask) -> Result<(), Stop> {
        self.apply(Change { step: self.at.step, task: Some(current.number), place: None, effect }, current)
    }

    /// Applies a change that affects results, and reports it, so that a saved run can repeat it.
    fn apply(&mut self, change: Change, current: &mut CurrentTask) -> Result<(), Stop> {
        self.catch_up(current)?;
        match &change.effect {
            Effect::Clamped(Clamp::Displacement) => {
                let Some(displacement) = self.at.displacement else {
                    let message =
                        "No displacement over a lag was measured yet that could be held; it is not clamped".to_owned();
                    return self.emit(Event::Warning { step: self.at.step, epoch: self.epoch(current), message });
                };
                (self.at.conditions.length, self.at.conditions.displacement) = (None, Some(displacement));
            }
            Effect::Clamped(clamp @ (Clamp::Step | Clamp::Path)) => {
                let Some(length) = self.step_length(current, *clamp)? else {
                    let message = "No step was taken yet whose length could be kept; steps are not clamped".to_owned();
                    return self.emit(Event::Warning { step: self.at.step, epoch: self.epoch(current), message });
                };
                (self.at.conditions.length, self.at.conditions.displacement) = (Some(length), None);
            }
            &Effect::PerEpoch(per_epoch) => {
                self.at.per_epoch = per_epoch;
                let (lag, steps) = (current.cadence.lag(), current.epoch_steps);
                current.cadence = Cadence::new(per_epoch, lag, steps, current.place > 0, current.total);
            }
            Effect::Order(order) => {
                let mut wanted = order.clone();
                let mut present: Vec<usize> = self.at.upcoming.iter().copied().collect();
                wanted.sort_unstable();
                present.sort_unstable();
                if wanted != present {
                    let message = "The new order does not name the tasks that are still to come; it was left as it was"
                        .to_owned();
                    return self.emit(Event::Warning { step: self.at.step, epoch: self.epoch(current), message });
                }
                self.at.upcoming = order.iter().copied().collect();
            }
            Effect::Switch => self.switch = true,
            Effect::Rate(_)
            | Effect::Schedule(_)
            | Effect::Warmup(_)
            | Effect::Replay(_)
            | Effect::Frozen(_)
            | Effect::Masked(_) => {}
        }
        self.at.conditions.apply(&change.effect);
        let epoch = self.epoch(current);
        self.at.happened.push(change.clone());
        self.emit(Event::Changed { step: self.at.step, epoch, change })
    }

    /// Returns the mean length of a step, η ‖∇L‖, over the batches of the last epoch (of the path: of the last lag), at the
    /// current weights; of the task before where this one has not begun.
    fn step_length(&mut self, current: &CurrentTask, clamp: Clamp) -> Result<Option<f64>, Stop> {
        let (place, task, done) = match (current.done, self.at.ended) {
            (0, Some(ended)) => ended,
            (0, None) => return Ok(None),
            (done, _) => (current.place, current.number, done),
        };
        let epoch_steps = self.data.stream.task(task).info().steps_per_epoch;
        let span = match clamp {
            Clamp::Path => lag_steps(&self.spec.kernel, epoch_steps),
            Clamp::Step | Clamp::Displacement => epoch_steps,
        };
        let first = done.saturating_sub(span);
        let mut sum = 0.0;
        for done in first..done {
            self.check_cancelled()?;
            let plan = self.plan(place, task, done);
            let batch = self.batch(&plan);
            let length = self.on_device(self.epoch(current), |subject, _| subject.step_length(&batch, &plan.terms))?;
            let Some(length) = length else { return Ok(None) };
            sum += length;
        }
        Ok(Some(sum / (done - first) as f64).filter(|length| length.is_finite() && *length > 0.0))
    }

    fn pause(&mut self, current: &mut CurrentTask) -> Result<(), Stop> {
        self.catch_up(current)?;
        self.allowance = None;
        self.send_progress(Some(current))?;
        self.paused = true;
        self.emit(Event::Paused { step: self.at.step })?;
        // Waiting here costs nothing, and the reader of `Paused` has the last snapshot.
        self.settle()
    }

    // The device, and forks.

    /// Calls a function of the subject, on its device. If that fails, the CPU takes over and repeats the call.
    fn on_device<T>(&mut self, epoch: f64, work: impl Fn(&mut dyn Subject, &dyn Fn() -> bool) -> T) -> Result<T, Stop> {
        let cancelled = || self.control.cancelled();
        if !self.subject.is_on_host() {
            match catch_unwind(AssertUnwindSafe(|| work(&mut *self.subject, &cancelled))) {
                Ok(value) => return Ok(value),
                Err(panic) => {
                    let why = failure(panic.as_ref(), self.subject.device());
                    self.take_over(&why, epoch)?;
                }
            }
        }
        let cancelled = || self.control.cancelled();
        Ok(work(&mut *self.subject, &cancelled))
    }

    /// Copies the learner to the CPU, if its device can fail and a copy is due.
    fn renew_fallback(&mut self, epoch: f64) -> Result<(), Stop> {
        if self.fallback.as_ref().is_some_and(CpuFallback::is_due) { self.copy_to_fallback(epoch) } else { Ok(()) }
    }

    /// Copies the learner to the CPU, if its device can fail.
    fn copy_to_fallback(&mut self, epoch: f64) -> Result<(), Stop> {
        if self.fallback.is_none() {
            return Ok(());
        }
        let began = Instant::now();
        let copy = self.on_device(epoch, |subject, _| subject.copy_to_cpu())?;
        if let (Some(fallback), Some(copy)) = (&mut self.fallback, copy) {
            *fallback = CpuFallback::new(copy, began);
        }
        Ok(())
    }

    /// Continues with the fallback, brought to the current step, after the device has failed.
    fn take_over(&mut self, why: &str, epoch: f64) -> Result<(), Stop> {
        let step = self.at.step;
        let Some(CpuFallback { mut learner, since, .. }) = self.fallback.take() else {
            let message = format!("At step {step} {why}, and there was no copy of the weights to go on from");
            return Err(Stop::Failed { step, message });
        };
        let mut last = None;
        for (place, plan) in since.iter().enumerate() {
            self.check_cancelled()?;
            let batch = self.batch(plan);
            // The outcome of the last step may have been lost with the device.
            let is_lost = self.unread > 0 && place + 1 == since.len();
            let outcome = learner.step(&batch.pixels, batch.targets(), &plan.terms, is_lost);
            last = is_lost.then_some(outcome);
        }
        // The earlier weights are lost with the device: displacements are reported again once a lag has passed.
        self.subject = Box::new(Finite::new(learner, &self.data).with_known(last));
        self.device_description = ChosenDevice::cpu(Some(why)).description;
        let message = format!(
            "At step {step} {why}: the CPU goes on, from a copy of the weights that was {} steps old and has repeated them",
            since.len()
        );
        self.emit(Event::Warning { step, epoch, message })?;
        self.emit(Event::Moved(self.device_description.clone()))
    }

    /// Stores the current state; the analysis adds its part.
    fn fork(&mut self, current: &mut CurrentTask) -> Result<(), Stop> {
        self.catch_up(current)?;
        let subject = self.on_device(self.epoch(current), |subject, _| subject.state())?;
        let is_on_host = self.subject.is_on_host();
        let changes: Vec<Change> = self.at.happened.iter().chain(&self.at.script).cloned().collect();
        let spec = Spec { changes, ..self.spec.clone() };
        let state = TrainerState { spec, at: self.at.clone(), task: current.clone(), subject, is_on_host };
        self.give(Work::Fork(Box::new(state)))
    }

    /// Warns that there is no fork.
    fn warn_without_fork(&mut self, current: &CurrentTask) -> Result<(), Stop> {
        let message = "There is no switch to come at which this run could be forked".to_owned();
        self.emit(Event::Warning { step: self.at.step, epoch: self.epoch(current), message })
    }

    // Events.

    /// Reports an event, after all that came before.
    fn emit(&mut self, event: Event) -> Result<(), Stop> {
        Ok(self.queue.emit(event, &|| self.control.cancelled())?)
    }

    /// Passes work to the analysis, once there is room for it.
    fn give(&mut self, work: Work) -> Result<(), Stop> {
        self.reserve()?;
        Ok(self.queue.give(work, &|| self.control.cancelled())?)
    }

    /// Waits until there is room for work of the analysis.
    fn reserve(&mut self) -> Result<WaitTime, Stop> {
        Ok(self.queue.reserve(&|| self.control.cancelled())?)
    }

    /// Waits until everything is reported.
    fn settle(&mut self) -> Result<(), Stop> {
        Ok(self.queue.settle(&|| self.control.cancelled())?)
    }

    fn check_cancelled(&self) -> Result<(), Stop> {
        if self.control.cancelled() { Err(Stop::Cancelled) } else { Ok(()) }
    }

    fn epoch(&self, current: &CurrentTask) -> f64 {
        self.at.past_epochs + current.done as f64 / current.epoch_steps as f64
    }

    fn send_progress(&mut self, current: Option<&CurrentTask>) -> Result<(), Stop> {
        let epoch = current.map_or(self.at.past_epochs, |current| self.epoch(current));
        let place = current.map_or(0, |current| current.place + 1);
        let to_come: u64 =
            self.at.upcoming.iter().enumerate().map(|(later, &task)| self.steps_of(task, place + later)).sum();
        let here = current.map_or(0, |current| current.total - current.done);
        let upcoming = self.at.upcoming.iter().copied().collect();
        let progress = self.pacing.report(self.at.step, epoch, self.at.step + here + to_come, upcoming);
        self.emit(Event::Progress(progress))?;
        Ok(())
    }

    fn steps_of(&self, task: usize, place: usize) -> u64 {
        self.spec.tasks.steps_at(place, self.data.stream.task(task).info().steps_per_epoch).max(1)
    }

    /// Reports the weights, unless they are not finite.
    fn send_weights(&mut self) -> Result<(), Stop> {
        let Some(tensors) = self.on_device(self.at.past_epochs, |subject, _| subject.weights())? else { return Ok(()) };
        let weights = weights_at(self.at.step, tensors, &self.spec.network, self.data.set.shape().image);
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
        let is_chosen = self.spec.data.source.is_standardised();
        let pairs = probes.tasks.iter().zip(&probes.labels).zip(&probes.indices);
        RunInfo {
            spec: self.spec.clone(),
            tasks: self.data.stream.infos(),
            class_names: self.data.set.class_names.clone(),
            probes: pairs
                .map(|((&task, &label), &index)| Probe { task, label, index: is_chosen.then_some(index) })
                .collect(),
            probe_values: probes.values.clone().into(),
            image: probes.shape,
            thumbnails: probes.thumbnails.clone().into(),
            parameters: Cost::of(&self.spec, &self.data.set.shape()).parameters,
            origin: Origin::Trained { device: self.device_description.clone() },
            planned_steps: planned,
        }
    }

    /// Reports the events from before a panic.
    pub fn report_before_panic(&mut self) {
        self.queue.close(PATIENCE);
    }

    /// Reports how training ended, after everything else, and the weights also of a run that was stopped.
    pub fn end(&mut self, outcome: Result<(), Stop>) {
        let step = self.at.step;
        let mut stop = outcome.err();
        // The analysis in progress is of an earlier step: if it failed, that failure comes first.
        if matches!(stop, Some(Stop::Diverged(_) | Stop::Failed { .. })) {
            stop = self.settle().err().or(stop);
        }
        self.queue.close(PATIENCE);
        stop = self.queue.check().err().map(Stop::from).or(stop);
        let ending = match stop {
            None => Ending::Finished { step },
            Some(Stop::Closed) => return,
            Some(Stop::Cancelled) => {
                let _ = self.send_weights();
                Ending::Stopped { step }
            }
            Some(Stop::Diverged(message)) => {
                let _ = self.send_weights();
                Ending::Diverged { step, message }
            }
            Some(Stop::Failed { step, message }) => Ending::Failed { step, message },
        };
        let _ = self.emit(Event::Ended(ending));
    }
}
