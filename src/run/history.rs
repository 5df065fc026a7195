//! Keeps the events of a run so far in bounded memory.
//!
//! Guarantees: rows, losses and snapshots each have a ceiling, in number or in bytes. When one is reached, every other old
//! entry is dropped, but never the first, the last, or one within an epoch of a switch: the past grows coarser and keeps its
//! switches. A live run and one read from a folder fill the same record, so the views treat both alike.

use std::sync::Arc;

use super::block::Block;
use super::event::{Ending, Event, Origin, Progress, RunInfo, Snapshot, TaskStart, Weights};
use super::ledger::Ledger;
use super::metric::{Metric, Row};
use super::parts::StepSharpness;
use super::printable::harmless;
use crate::math::distance::Centring;
use crate::math::spike::{Dip, Spike, dip, spike};
use crate::spec::{Change, Clamp, Effect, RECORD_BYTES, ROW_BYTES, Spec};

/// The state of a run, as confirmed by the worker.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum RunState {
    /// Nothing has arrived yet.
    #[default]
    Waiting,
    Running,
    Paused,
    Ended(Ending),
}

/// A line for the user: a warning or a live change.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    pub epoch: f64,
    pub message: String,
    pub warning: bool,
    /// The live change that it tells of.
    pub change: Option<Effect>,
}

/// The record of one run so far. A clone shares the matrices.
#[derive(Clone, Debug)]
pub struct History {
    info: Option<Arc<RunInfo>>,
    state: RunState,
    rows: Vec<Row>,
    snapshots: Vec<Arc<Snapshot>>,
    losses: Vec<(f64, f64)>,
    tasks: Vec<TaskStart>,
    changes: Vec<Change>,
    notes: Vec<Note>,
    ledgers: Vec<Arc<Ledger>>,
    limit: Option<Arc<[f64]>>,
    progress: Progress,
    weights: Option<Arc<Weights>>,
    passed_over: u64,
    cuts: u64,
    revision: u64,
    snapshot_bytes: u64,
    row_bytes: u64,
    max_bytes: u64,
    max_rows: usize,
}

impl Default for History {
    fn default() -> Self {
        Self::new(RECORD_BYTES, MAX_ROWS)
    }
}

impl History {
    /// Creates a record that keeps at most this many bytes of Grams and this many rows.
    pub fn new(max_bytes: u64, max_rows: usize) -> Self {
        Self {
            info: None,
            state: RunState::Waiting,
            rows: Vec::new(),
            snapshots: Vec::new(),
            losses: Vec::new(),
            tasks: Vec::new(),
            changes: Vec::new(),
            notes: Vec::new(),
            ledgers: Vec::new(),
            limit: None,
            progress: Progress::default(),
            weights: None,
            passed_over: 0,
            cuts: 0,
            revision: 0,
            snapshot_bytes: 0,
            row_bytes: 0,
            max_bytes,
            max_rows,
        }
    }

    /// Takes the next event.
    pub fn push(&mut self, event: Event) {
        self.revision += 1;
        match event {
            Event::Started(mut info) => {
                // The names of classes, and with them those of tasks, come from the files of a data set.
                let names = |info: &RunInfo| info.class_names.iter().any(|name| harmless(name) != *name);
                if names(&info) || info.tasks.iter().any(|task| harmless(&task.name) != task.name) {
                    let info = Arc::make_mut(&mut info);
                    info.class_names.iter_mut().for_each(|name| *name = harmless(name));
                    info.tasks.iter_mut().for_each(|task| task.name = harmless(&task.name));
                }
                self.info = Some(info);
                self.state = RunState::Running;
            }
            Event::Task(start) => {
                if start.from.is_some() {
                    self.mark_switch(start.step);
                }
                self.tasks.push(start);
            }
            Event::Progress(progress) => {
                self.losses.extend_from_slice(&progress.losses);
                thin_losses(&mut self.losses);
                self.progress = Progress { losses: Vec::new(), ..progress };
            }
            Event::Snapshot(snapshot) => self.push_snapshot(snapshot),
            Event::Changed { epoch, change, .. } => {
                let (message, change_made) = (describe(&change), Some(change.effect.clone()));
                self.notes.push(Note { epoch, message, warning: false, change: change_made });
                self.changes.push(change);
            }
            Event::Warning { epoch, message, .. } => {
                self.notes.push(Note { epoch, message: harmless(&message), warning: true, change: None });
            }
            Event::Moved(device) => {
                if let Some(info) = &mut self.info {
                    Arc::make_mut(info).origin = Origin::Trained { device };
                }
            }
            Event::Limit(kernel) => self.limit = Some(kernel),
            Event::Ledger(ledger) => {
                if self.ledgers.len() == MAX_LEDGERS {
                    self.ledgers.remove(0);
                }
                self.ledgers.push(ledger);
            }
            // Only folders store it; a fork reads it from the stream.
            Event::Partner(_) | Event::Forked(_) | Event::Saved(_) | Event::Initial(_) => {}
            Event::PassedOver(count) => self.passed_over = count,
            Event::TakenBack { step } => self.take_back(step),
            Event::Paused { .. } => self.state = RunState::Paused,
            Event::Resumed { .. } => self.state = RunState::Running,
            Event::Weights(weights) => self.weights = Some(weights),
            Event::Ended(ending) => self.state = RunState::Ended(ending),
        }
    }

    /// Returns the facts that are fixed for the run, once the run has started.
    pub fn info(&self) -> Option<&Arc<RunInfo>> {
        self.info.as_ref()
    }

    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// Returns the metrics of the steps that are kept, in order.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Returns the snapshots that are kept, in order.
    pub fn snapshots(&self) -> &[Arc<Snapshot>] {
        &self.snapshots
    }

    /// Returns the last kept snapshot at or before this epoch, else the first one.
    pub fn snapshot_at(&self, epoch: f64) -> Option<&Arc<Snapshot>> {
        let after = self.snapshots.partition_point(|snapshot| snapshot.row.epoch <= epoch);
        self.snapshots.get(after.saturating_sub(1))
    }

    /// Returns the thinned losses as (epoch, training loss).
    pub fn losses(&self) -> &[(f64, f64)] {
        &self.losses
    }

    /// Returns the tasks begun so far, in order; the first one starts at epoch 0.
    pub fn tasks(&self) -> &[TaskStart] {
        &self.tasks
    }

    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Returns the spec that repeats the run: with the changes that were made, followed by those still planned.
    pub fn spec_as_it_went(&self) -> Option<Spec> {
        let spec = &self.info.as_ref()?.spec;
        let mut planned = spec.changes.clone();
        for made in &self.changes {
            if let Some(place) = planned.iter().position(|change| change == made) {
                planned.remove(place);
            }
        }
        Some(Spec { changes: self.changes.iter().cloned().chain(planned).collect(), ..spec.clone() })
    }

    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Returns the live changes made so far, each with the epoch from which it took effect.
    pub fn live_changes(&self) -> impl Iterator<Item = (f64, &Effect)> {
        self.notes.iter().filter_map(|note| Some((note.epoch, note.change.as_ref()?)))
    }

    /// Returns the infinite-width kernel on the probes, row-major [n, n], where the network has one.
    pub fn limit(&self) -> Option<&Arc<[f64]>> {
        self.limit.as_ref()
    }

    /// Returns the last ledgers, in order.
    pub fn ledgers(&self) -> &[Arc<Ledger>] {
        &self.ledgers
    }

    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    pub fn weights(&self) -> Option<&Arc<Weights>> {
        self.weights.as_ref()
    }

    /// Returns how many steps of a watched training were not taken.
    pub fn passed_over(&self) -> u64 {
        self.passed_over
    }

    /// Returns how often steps were taken back: what was read of the record before is then no longer its beginning.
    pub fn cuts(&self) -> u64 {
        self.cuts
    }

    /// Returns a number that grows with every event: a view drawn at this revision is still current.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Returns the number of bytes of the Grams that are kept.
    pub fn snapshot_bytes(&self) -> u64 {
        self.snapshot_bytes
    }

    /// Returns whether time is counted in steps: imported kernels without epochs use the step in place of the epoch.
    pub fn counts_steps(&self) -> bool {
        self.info.as_ref().is_some_and(|info| match info.origin {
            Origin::Trained { .. } => false,
            Origin::Imported => self.rows.last().is_some_and(|row| row.epoch == row.step as f64),
            Origin::Watched => true,
        })
    }

    /// Returns the steps per epoch of the first task, derived from its rows; `None` before a step was measured.
    pub fn steps_per_epoch(&self) -> Option<u64> {
        let row = self.rows.iter().find(|row| row.epoch > 0.0)?;
        Some((row.step as f64 / row.epoch).round().max(1.0) as u64)
    }

    /// Returns the same record with each step placed at the given time; without losses, for which only the epoch is known.
    #[must_use]
    pub fn retimed(&self, time: impl Fn(u64) -> f64) -> Self {
        let mut same = Self { losses: Vec::new(), ..self.clone() };
        for row in &mut same.rows {
            row.epoch = time(row.step);
            let sharpness =
                row.sharpness.iter().map(|found| StepSharpness { at_epoch: Some(time(found.at_step)), ..*found });
            row.sharpness = sharpness.collect();
        }
        same.tasks.iter_mut().for_each(|task| task.epoch = time(task.step));
        for snapshot in &mut same.snapshots {
            let epoch = time(snapshot.row.step);
            Arc::make_mut(snapshot).row.epoch = epoch;
        }
        same.progress.epoch = time(same.progress.step);
        same
    }

    /// Returns one metric of one block as (epoch, value), in order of time; steps where it is absent are left out.
    pub fn series(&self, block: Block, metric: Metric) -> Vec<(f64, f64)> {
        let value = |row: &Row| {
            let found = row.blocks.iter().find(|metrics| metrics.block == block)?;
            Some((row.epoch, metric.of(row, found)?))
        };
        self.rows.iter().filter_map(value).collect()
    }

    /// Returns whether distances and alignments are shown centred or debiased, unless one is chosen: the latter where a task has
    /// fewer than [`FEW_PROBES`](crate::math::distance::FEW_PROBES) probes. A record of an earlier version has no debiased ones.
    pub fn centring(&self) -> Centring {
        let is_known = |row: &Row| row.blocks.iter().any(|block| block.distance_debiased.is_some());
        match self.info() {
            Some(info) if self.rows.first().is_none_or(is_known) => Centring::usual(info.least_probes()),
            _ => Centring::Centred,
        }
    }

    /// Returns the first of two names of a quantity, or the second, that of the debiased one, where this is shown.
    pub fn usual_name(&self, name: &'static str, debiased: &'static str) -> &'static str {
        if self.centring() == Centring::Debiased { debiased } else { name }
    }

    /// Returns the metric that is shown of this quantity unless another one is chosen.
    #[must_use]
    pub fn usual(&self, metric: Metric) -> Metric {
        if self.centring() == Centring::Debiased { metric.debiased() } else { metric }
    }

    /// Returns the accuracy of one task, by its number, as (epoch, accuracy, masked accuracy).
    pub fn accuracy(&self, task: usize) -> Vec<(f64, f64, f64)> {
        let value = |row: &Row| {
            let found = row.accuracy.iter().find(|accuracy| accuracy.task == task)?;
            Some((row.epoch, found.accuracy?, found.masked?))
        };
        self.rows.iter().filter_map(value).collect()
    }

    /// Returns (start of the task before, switch, end of the new task or infinity) of each switch so far.
    pub fn switches(&self) -> Vec<(f64, f64, f64)> {
        let epochs: Vec<f64> = self.tasks.iter().map(|task| task.epoch).collect();
        let end = |place: usize| epochs.get(place + 2).copied().unwrap_or(f64::INFINITY);
        epochs.windows(2).enumerate().map(|(place, pair)| (pair[0], pair[1], end(place))).collect()
    }

    /// Returns the velocity spike of this block at each switch; `None` where it is not yet defined.
    pub fn spikes(&self, block: Block, metric: Metric) -> Vec<Option<Spike>> {
        let velocity = self.series(block, metric);
        self.switches().iter().map(|switch| self.spike_of(&velocity, *switch)).collect()
    }

    /// Returns the spike of a velocity at a switch, one of [`Self::switches`]; `None` where it is not yet defined.
    pub fn spike_of(&self, velocity: &[(f64, f64)], (start, switch, end): (f64, f64, f64)) -> Option<Spike> {
        let unit = self.epoch_after(switch, end)?;
        let found = spike(&in_units(velocity, unit), start / unit, switch / unit, end / unit)?;
        Some(Spike { epoch: found.epoch * unit, delay: found.delay * unit, ..found })
    }

    /// Returns the dip of λ_max of this block at each switch; `None` where it is not yet defined.
    pub fn dips(&self, block: Block) -> Vec<Option<Dip>> {
        let lambda_max = self.series(block, Metric::LambdaMax);
        let one = |&(start, switch, end): &(f64, f64, f64)| {
            let unit = self.epoch_after(switch, end)?;
            let found = dip(&in_units(&lambda_max, unit), start / unit, switch / unit, end / unit)?;
            let recovery_epochs = found.recovery_epochs.map(|epochs| epochs * unit);
            Some(Dip { epoch: found.epoch * unit, recovery_epochs, ..found })
        };
        self.switches().iter().map(one).collect()
    }

    /// Returns the length of an epoch after a switch, in the time of this record. A watched training knows steps and no epochs:
    /// there the task that begins counts as one, as far as it was trained; `None` before that.
    pub fn epoch_after(&self, switch: f64, end: f64) -> Option<f64> {
        if self.info.as_ref().is_none_or(|info| info.origin != Origin::Watched) {
            return Some(1.0);
        }
        let last = self.rows.last().map_or(switch, |row| row.epoch);
        Some(end.min(last) - switch).filter(|length| *length > 0.0)
    }

    /// Adds the metrics of a step without a Gram, which a run folder may have lost.
    pub fn push_row(&mut self, row: Row) {
        self.revision += 1;
        self.row_bytes += row.bytes();
        self.rows.push(row);
        if self.rows.len() > self.max_rows || self.row_bytes > ROW_BYTES {
            let switches = self.switch_epochs();
            thin(&mut self.rows, &switches, |row| row.epoch, |row| row.at_switch);
            self.row_bytes = self.rows.iter().map(Row::bytes).sum();
        }
    }

    /// Sets the Gram of this step's snapshot, once it is read from disk; an empty Gram removes it again.
    pub fn set_gram(&mut self, step: u64, gram: Arc<[f64]>) {
        let place = self.snapshots.partition_point(|snapshot| snapshot.row.step < step);
        let Some(snapshot) = self.snapshots.get_mut(place).filter(|snapshot| snapshot.row.step == step) else { return };
        self.revision += 1;
        self.snapshot_bytes -= snapshot.bytes();
        Arc::make_mut(snapshot).gram = gram;
        self.snapshot_bytes += snapshot.bytes();
    }

    /// Forgets this step and all after it.
    fn take_back(&mut self, step: u64) {
        let Some(epoch) = self.rows.iter().find(|row| row.step >= step).map(|row| row.epoch) else { return };
        self.cuts += 1;
        self.rows.retain(|row| row.step < step);
        self.snapshots.retain(|snapshot| snapshot.row.step < step);
        self.losses.retain(|(at, _)| *at < epoch);
        self.tasks.retain(|task| task.step < step);
        self.notes.retain(|note| note.epoch < epoch);
        self.row_bytes = self.rows.iter().map(Row::bytes).sum();
        self.snapshot_bytes = self.snapshots.iter().map(|snapshot| snapshot.bytes()).sum();
        self.weights = None;
    }

    fn push_snapshot(&mut self, snapshot: Arc<Snapshot>) {
        self.push_row(snapshot.row.clone());
        self.snapshot_bytes += snapshot.bytes();
        self.snapshots.push(snapshot);
        if self.snapshot_bytes > self.max_bytes {
            let switches = self.switch_epochs();
            thin(&mut self.snapshots, &switches, |snapshot| snapshot.row.epoch, |snapshot| snapshot.row.at_switch);
            self.snapshot_bytes = self.snapshots.iter().map(|snapshot| snapshot.bytes()).sum();
        }
    }

    /// Marks the end of a task at this step, possibly earlier than planned: its last row is the reference of the next task.
    fn mark_switch(&mut self, step: u64) {
        if let Some(row) = self.rows.last_mut().filter(|row| row.step == step) {
            row.at_switch = true;
        }
        if let Some(snapshot) = self.snapshots.last_mut().filter(|snapshot| snapshot.row.step == step) {
            Arc::make_mut(snapshot).row.at_switch = true;
        }
    }

    fn switch_epochs(&self) -> Vec<f64> {
        self.tasks.iter().skip(1).map(|task| task.epoch).collect()
    }
}

/// Returns the points of a series with times in these units.
fn in_units(series: &[(f64, f64)], unit: f64) -> Vec<(f64, f64)> {
    series.iter().map(|(time, value)| (time / unit, *value)).collect()
}

/// The largest number of ledgers that are kept.
const MAX_LEDGERS: usize = 32;
/// The largest number of rows that are kept before every other old one is dropped.
pub const MAX_ROWS: usize = 20_000;
const MAX_LOSSES: usize = 8192;

/// Drops every other entry that is neither first, last, within an epoch of a switch, nor in the last epoch, where the next
/// switch may be about to happen. When these alone fill the ceiling, the neighbourhoods shrink, down to the entry at the exact
/// step of the switch, which always stays: the ceiling holds.
fn thin<T>(entries: &mut Vec<T>, switches: &[f64], epoch: impl Fn(&T) -> f64, at_switch: impl Fn(&T) -> bool) {
    let before = entries.len();
    let Some(now) = entries.last().map(&epoch) else { return };
    for radius in [1.0, 0.5, 0.25, 0.0] {
        let last = entries.len() - 1;
        let mut place = 0;
        let mut keep = false;
        entries.retain(|entry| {
            let at = epoch(entry);
            let near = radius > 0.0 && switches.iter().chain([&now]).any(|switch| (at - switch).abs() <= radius);
            let kept = place == 0 || place == last || near || at_switch(entry) || {
                keep = !keep;
                keep
            };
            place += 1;
            kept
        });
        if entries.len() * 4 <= before * 3 {
            return;
        }
    }
}

/// Halves the losses when there are too many, keeping the mean of each pair.
fn thin_losses(losses: &mut Vec<(f64, f64)>) {
    if losses.len() > MAX_LOSSES {
        let pairs = losses
            .chunks(2)
            .map(|pair| (pair[pair.len() - 1].0, pair.iter().map(|p| p.1).sum::<f64>() / pair.len() as f64));
        *losses = pairs.collect();
    }
}

/// Describes a change in words.
pub fn describe(change: &Change) -> String {
    match &change.effect {
        Effect::Rate(rate) => format!("Learning rate set to {rate}"),
        Effect::Schedule(schedule) => format!("Schedule of the rate: {}", schedule.key()),
        Effect::Warmup(epochs) => format!("Warm-up of {epochs} epochs"),
        Effect::PerEpoch(count) => format!("Cadence set to {count} snapshots an epoch"),
        Effect::Order(order) => {
            format!("Next tasks: {}", order.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
        }
        Effect::Switch => "Switched to the next task by hand".to_owned(),
        Effect::Replay(0) => "Replay off".to_owned(),
        Effect::Replay(kept) => format!("Replay of {kept} images a task"),
        Effect::Frozen(names) if names.is_empty() => "Nothing frozen".to_owned(),
        Effect::Frozen(names) => format!("Frozen: {}", names.join(", ")),
        Effect::Masked(true) => "Logits of absent classes masked".to_owned(),
        Effect::Masked(false) => "Logits of absent classes not masked".to_owned(),
        Effect::Clamped(Clamp::Step) => "Steps kept as long as they were".to_owned(),
        Effect::Clamped(Clamp::Path) => "Path over the lag kept as long as it was".to_owned(),
        Effect::Clamped(Clamp::Displacement) => "Displacement over the lag kept from growing".to_owned(),
    }
}

/// Describes the effect of a change in the few words that a plot has room for.
pub fn describe_in_short(effect: &Effect) -> String {
    match effect {
        Effect::Rate(rate) => format!("η {rate}"),
        Effect::Schedule(schedule) => schedule.key().to_owned(),
        Effect::Warmup(epochs) => format!("warm-up {epochs}"),
        Effect::PerEpoch(count) => format!("{count} an epoch"),
        Effect::Order(_) => "order of tasks".to_owned(),
        Effect::Switch => "by hand".to_owned(),
        Effect::Replay(0) => "no replay".to_owned(),
        Effect::Replay(kept) => format!("replay {kept}"),
        Effect::Frozen(names) if names.is_empty() => "nothing frozen".to_owned(),
        Effect::Frozen(_) => "frozen".to_owned(),
        Effect::Masked(true) => "masked".to_owned(),
        Effect::Masked(false) => "not masked".to_owned(),
        Effect::Clamped(_) => "clamped".to_owned(),
    }
}
