//! Between two steps: what the spec's script and the user want, pauses, and the pace.
//!
//! Whatever a result depends on passes through [`Live::apply`], which tells of it, so that a saved run can repeat it.

use std::time::Duration;

use super::{Current, Live, Stop};
use crate::lab::Command;
use crate::lab::cadence::Cadence;
use crate::run::Event;
use crate::spec::{Change, Effect, PER_EPOCH, RATES};

/// How often a paused run looks whether it is to end.
const PAUSE_TICK: Duration = Duration::from_millis(50);
/// The same while it keeps to its pace.
const PACE_TICK: Duration = Duration::from_millis(30);

impl Live<'_> {
    /// Between two steps: what the spec's script and the user want, pauses, and the pace.
    pub(super) fn obey(&mut self, current: &mut Current) -> Result<(), Stop> {
        self.deliver(Duration::ZERO)?;
        if current.done == 0 && current.place > 0 && std::mem::take(&mut self.fork_at_switch) {
            self.fork(current)?;
        }
        // What follows a switch belongs to the next task.
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
        if self.allowance == Some(0) {
            self.pause(current)?;
        }
        while self.paused && !self.switch && self.allowance.is_none() {
            self.check_cancelled()?;
            // What the last task ended with may still be in the making when the next one begins in a pause.
            self.deliver(Duration::ZERO)?;
            if let Some(command) = self.control.wait(PAUSE_TICK) {
                self.command(command, current)?;
            }
        }
        if let Some(left) = &mut self.allowance {
            *left = left.saturating_sub(1);
        }
        let epoch = self.epoch(current);
        while let Some(wait) = self.pulse.wait(epoch) {
            self.check_cancelled()?;
            self.deliver(Duration::ZERO)?;
            if self.pulse.report_due() {
                self.send_progress(Some(current))?;
            }
            if let Some(command) = self.control.wait(wait.min(PACE_TICK)) {
                self.command(command, current)?;
                if self.paused || self.switch {
                    break;
                }
            }
        }
        self.check_cancelled()?;
        if self.paused && self.allowance.is_none() && !self.switch {
            return self.obey(current);
        }
        if self.pulse.report_due() {
            self.send_progress(Some(current))?;
        }
        Ok(())
    }

    /// One step belongs to two tasks where they meet: to the end of the old and the start of the new.
    fn is_due(&self, change: &Change, current: &Current) -> bool {
        if let Some(place) = change.place {
            return current.place + 1 >= place;
        }
        change.step < self.at.step
            || (change.step == self.at.step && change.task.is_none_or(|task| task == current.number))
    }

    fn command(&mut self, command: Command, current: &mut Current) -> Result<(), Stop> {
        match command {
            Command::Pause => return self.pause(current),
            Command::Resume => {
                self.allowance = None;
                if std::mem::take(&mut self.paused) {
                    self.pulse.restart();
                    self.emit(Event::Resumed { step: self.at.step })?;
                }
            }
            Command::Step(steps) => {
                if self.paused && steps > 0 {
                    self.allowance = Some(steps);
                }
            }
            Command::SetPace(pace) => self.pulse.set_pace(pace),
            Command::SwitchTask => {
                if !self.at.upcoming.is_empty() {
                    self.apply_now(Effect::Switch, current)?;
                }
            }
            Command::SetRate(rate) => {
                if RATES.contains(&rate) && rate != self.at.regime.rate {
                    self.apply_now(Effect::Rate(rate), current)?;
                }
            }
            Command::SetPerEpoch(per_epoch) => {
                if PER_EPOCH.contains(&per_epoch) && per_epoch != self.at.per_epoch {
                    self.apply_now(Effect::PerEpoch(per_epoch), current)?;
                }
            }
            Command::Fork { at_switch: false } => self.fork(current)?,
            Command::Fork { at_switch: true } if self.at.upcoming.is_empty() => self.no_fork(current)?,
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

    fn apply_now(&mut self, effect: Effect, current: &mut Current) -> Result<(), Stop> {
        self.apply(Change { step: self.at.step, task: Some(current.number), place: None, effect }, current)
    }

    /// Applies a change that a result depends on, and tells of it.
    fn apply(&mut self, change: Change, current: &mut Current) -> Result<(), Stop> {
        match &change.effect {
            Effect::Clamped => {
                let Some(length) = self.step_length(current)? else {
                    let message = "No step was taken yet whose length could be kept; steps are not clamped".to_owned();
                    return self.emit(Event::Warning { step: self.at.step, epoch: self.epoch(current), message });
                };
                self.at.regime.length = Some(length);
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
            Effect::Rate(_) | Effect::Replay(_) | Effect::Frozen(_) | Effect::Masked(_) => {}
        }
        self.at.regime.change(&change.effect);
        let epoch = self.epoch(current);
        self.at.happened.push(change.clone());
        self.emit(Event::Changed { step: self.at.step, epoch, change })
    }

    /// The mean length of a step, η ‖∇L‖, over the batches of the last epoch, at the weights as they are; of the task before
    /// where this one has not begun.
    fn step_length(&mut self, current: &Current) -> Result<Option<f64>, Stop> {
        let (place, task, done) = match (current.done, self.at.ended) {
            (0, Some(ended)) => ended,
            (0, None) => return Ok(None),
            (done, _) => (current.place, current.number, done),
        };
        let epoch_steps = self.data.stream.task(task).info().steps_per_epoch;
        let first = done.saturating_sub(epoch_steps);
        let mut sum = 0.0;
        for done in first..done {
            self.check_cancelled()?;
            let taken = self.taken(place, task, done);
            let batch = self.batch(&taken);
            let length = self.on_device(self.epoch(current), |bench, _| bench.step_length(&batch, &taken.terms))?;
            let Some(length) = length else { return Ok(None) };
            sum += length;
        }
        Ok(Some(sum / (done - first) as f64).filter(|length| length.is_finite() && *length > 0.0))
    }

    fn pause(&mut self, current: &Current) -> Result<(), Stop> {
        self.allowance = None;
        self.send_progress(Some(current))?;
        self.paused = true;
        self.emit(Event::Paused { step: self.at.step })?;
        // Nothing is lost by waiting here, and who reads `Paused` sees the last snapshot.
        self.settle()
    }
}
