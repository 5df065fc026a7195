//! Keeps the state of a run between two steps, and goes on from one that was kept.
//!
//! Guarantees: everything that later numbers depend on is kept (weights, optimiser, position in the stream, terms of training,
//! and the kernels and weights that lags still need), in plain numbers, because tensors do not leave their thread. What a
//! batch holds depends on its address alone, so no random state is needed. A run that goes on is therefore, bit for bit,
//! the run that its spec gives from the start.

use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};

use super::analyst::Work;
use super::outbox::Waiting;
use super::position::{Current, Position};
use super::predict::{PredictorState, Predictors};
use super::{Live, Stop};
use crate::lab::lag::Lagged;
use crate::lab::meter::Meter;
use crate::model::is_host;
use crate::record::{Checkpoint, Event};
use crate::spec::{Change, Spec};
use crate::train::{Learner, LearnerState};

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
    pub learner: LearnerState,
    trail: Lagged<Vec<Vec<f32>>>,
    predictors: Option<PredictorState>,
    host: bool,
}

impl Now {
    /// What is trained beside the network.
    pub fn predictors(&self, learner: &Learner) -> Option<Predictors> {
        self.predictors.as_ref().map(|state| Predictors::restored(learner, state))
    }

    pub fn step(&self) -> u64 {
        self.at.step
    }

    /// The weights that displacements are measured from, on a device.
    pub fn trail(&self, like: &[Tensor<1>]) -> Lagged<Vec<Tensor<1>>> {
        self.trail.map(|weights| {
            let tensor = |(values, like): (&Vec<f32>, &Tensor<1>)| {
                Tensor::from_data(TensorData::new(values.clone(), like.dims()), &like.device())
            };
            weights.iter().zip(like).map(tensor).collect()
        })
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
        let plain = |weights: &Vec<Tensor<1>>| -> Vec<Vec<f32>> {
            weights.iter().map(|tensor| tensor.clone().into_data().iter::<f32>().collect()).collect()
        };
        let (learner, trail, predictors) = self.on_device(self.epoch(current), |bench, _| {
            (bench.learner.state(), bench.trail.map(plain), bench.predictors.as_ref().map(Predictors::state))
        })?;
        let host = is_host(self.bench.learner.device());
        let changes: Vec<Change> = self.at.happened.iter().chain(&self.at.script).cloned().collect();
        let spec = Spec { changes, ..self.spec.clone() };
        let now = Now { spec, at: self.at.clone(), current: current.clone(), learner, trail, predictors, host };
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
