//! Keeps the state of a run between two steps, and goes on from one that was kept.
//!
//! Guarantees: everything that later numbers depend on is kept (weights, optimiser, position in the stream, terms of training,
//! and the kernels and weights that lags still need), in plain numbers, because tensors do not leave their thread. What a
//! batch holds depends on its address alone, so no random state is needed. A run that goes on is therefore, bit for bit,
//! the run that its spec gives from the start.

use std::sync::Arc;

use super::analyst::Work;
use super::bench::BenchState;
use super::outbox::Waiting;
use super::position::{Current, Position};
use super::{Live, Stop};
use crate::lab::meter::Meter;
use crate::run::{Checkpoint, Event};
use crate::spec::{Change, Spec};

/// What a run goes on from.
pub(super) struct Kept {
    pub now: Now,
    pub meter: Meter,
}

impl Kept {
    /// Whether the run was in the program's own memory: a future that timed the devices anew might go elsewhere.
    pub fn is_on_host(&self) -> bool {
        self.now.host
    }
}

/// The trainer's part of it.
pub(super) struct Now {
    spec: Spec,
    pub at: Position,
    pub current: Current,
    pub bench: BenchState,
    host: bool,
}

impl Now {
    pub fn step(&self) -> u64 {
        self.at.step
    }

    /// The checkpoint, with what the analyst knows.
    pub fn complete(self, meter: Meter) -> Checkpoint {
        Checkpoint {
            step: self.at.step,
            epoch: self.at.past_epochs + self.current.done as f64 / self.current.epoch_steps as f64,
            task: self.current.number,
            measured: self.current.measured,
            spec: self.spec.clone(),
            happened: self.at.happened.len(),
            state: Arc::new(Kept { now: self, meter }),
        }
    }
}

impl Live<'_> {
    /// Keeps the state as it is now; it is told of once the analyst has given its part.
    pub(super) fn fork(&mut self, current: &Current) -> Result<(), Stop> {
        let bench = self.on_device(self.epoch(current), |bench, _| bench.state())?;
        let host = self.bench.is_on_host();
        let changes: Vec<Change> = self.at.happened.iter().chain(&self.at.script).cloned().collect();
        let spec = Spec { changes, ..self.spec.clone() };
        let now = Now { spec, at: self.at.clone(), current: current.clone(), bench, host };
        self.hand_over(Work::Fork)?;
        self.outbox.push_back(Waiting::Fork(Box::new(now)));
        Ok(())
    }

    /// Says that there will be no fork.
    pub(super) fn no_fork(&mut self, current: &Current) -> Result<(), Stop> {
        let message = "There is no switch to come at which this run could be forked".to_owned();
        self.emit(Event::Warning { step: self.at.step, epoch: self.epoch(current), message })
    }
}
