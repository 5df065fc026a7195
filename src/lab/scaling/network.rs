//! Trains the network as a learner until it interpolates or its epochs are over; the rate and the step are chosen on
//! validation samples.
//!
//! Batches, steps and weights are those of the live laboratory: a run of the same spec with the chosen rate is this very
//! network, bit for bit.

use burn::tensor::{Device, Tensor};

use super::observer::{Observer, Progress, Stop};
use super::regression::{Outputs, Split, share};
use crate::data::{Images, Prepared, Targets, batch_order, batch_range, steps_per_epoch};
use crate::math::Gram;
use crate::math::distance::{Centring, change, distance_if_defined};
use crate::model::Network;
use crate::ntk::{Reduction, Request, layerwise};
use crate::run::Point;
use crate::spec::{Learner as Who, Protocol, Spec};
use crate::train::{NetworkTrainer, StepOptions};

/// A training of the network as a learner: its samples, and its rules.
pub(super) struct Run<'a> {
    pub spec: &'a Spec,
    pub data: &'a Prepared,
    pub split: &'a Split,
    pub protocol: &'a Protocol,
    /// The epochs at which the network is copied.
    pub taken_at: &'a [f64],
}

/// Holds a trained network and how it was trained.
pub(super) struct Trained {
    /// The network at the step that validation chose.
    pub network: Network,
    pub outputs: Outputs,
    pub validation: f64,
    pub samples: usize,
    /// The rate as in `training.rate`, and the epochs of training.
    pub rate: f64,
    pub budget: f64,
    pub stopped: f64,
    pub all_epochs: f64,
    pub interpolates: bool,
    /// The drift on the probes of the chosen network and of the last one.
    pub drift: f64,
    pub last_drift: f64,
    pub epochs: Vec<AtEpoch>,
}

/// The network at a requested epoch.
#[derive(Clone)]
pub(super) struct AtEpoch {
    pub epoch: f64,
    pub network: Network,
    pub drift: f64,
    pub velocity: Option<f64>,
}

/// The factor between the steps at which the errors are evaluated.
const LOOKS: f64 = 1.05;

impl Trained {
    /// Returns how it was trained, as a point without errors.
    pub fn point(&self, learner: Who) -> Point {
        Point {
            rate: Some(self.rate),
            stopped: Some(self.stopped),
            epochs: Some(self.all_epochs),
            interpolates: Some(self.interpolates),
            drift: Some(self.drift),
            ..Point::of(learner, self.samples)
        }
    }
}

/// Returns the outputs before the first step.
pub(super) fn start(spec: &Spec, data: &Prepared, split: &Split, observer: &Observer<'_>) -> Result<Outputs, Stop> {
    let learner = NetworkTrainer::new(spec, data.set.train.shape, data.set.outputs(), &Device::flex());
    Sets::new(&learner, split).outputs(&learner, observer)
}

impl Run<'_> {
    /// Trains at the best of the rates, which is then halved until the kernel's drift no longer changes. The range is the
    /// part of the whole work that this is: its start and its size.
    pub fn tuned(&self, (from, most): (f64, f64), observer: &mut Observer<'_>) -> Result<Trained, Stop> {
        let budget = self.spec.tasks.epochs_or_steps(self.epoch_steps());
        let count = (self.protocol.rates.len() + self.protocol.halvings) as f64;
        let mut done = 0.0;
        let mut best: Option<Trained> = None;
        let mut slowest = f64::INFINITY;
        for multiple in &self.protocol.rates {
            let rate = multiple * self.spec.training.rate;
            slowest = slowest.min(rate);
            let found =
                self.once(rate, budget, self.spec.seed, (from + most * done / count, most / count), observer)?;
            done += 1.0;
            let better = |found: &Trained| best.as_ref().is_none_or(|best| found.validation < best.validation);
            if let Some(found) = found.filter(better) {
                best = Some(found);
            }
        }
        let mut halved = 0;
        loop {
            if halved == self.protocol.halvings {
                break;
            }
            halved += 1;
            let (rate, longer) = best
                .as_ref()
                .map_or((slowest / 2f64.powi(halved as i32), budget), |best| (best.rate / 2.0, 2.0 * best.budget));
            let found =
                self.once(rate, longer, self.spec.seed, (from + most * done / count, most / count), observer)?;
            done += 1.0;
            let Some(found) = found else { continue };
            let settled = best.as_ref().is_some_and(|best| {
                (found.last_drift - best.last_drift).abs() <= self.protocol.settled * found.last_drift
            });
            best = Some(found);
            if settled {
                break;
            }
        }
        best.ok_or_else(|| {
            Stop::Failed("the network diverged at every rate: give smaller ones in study.protocol.rates".to_owned())
        })
    }

    fn epoch_steps(&self) -> u64 {
        steps_per_epoch(self.data.stream.task(1).train_len(), self.spec.training.batch)
    }

    /// Trains once; `None` when it diverged. `seed` sets its weights and the order of its batches.
    pub fn once(
        &self,
        rate: f64,
        budget: f64,
        seed: u64,
        (from, most): (f64, f64),
        observer: &mut Observer<'_>,
    ) -> Result<Option<Trained>, Stop> {
        let spec = Spec { seed, ..self.spec.clone() };
        let (task, device) = (self.data.stream.task(1), Device::flex());
        let (n, epoch_steps) = (task.train_len(), self.epoch_steps());
        let steps = ((budget * epoch_steps as f64).round() as u64).max(1);
        let mut learner = NetworkTrainer::new(&spec, self.data.set.train.shape, self.data.set.outputs(), &device);
        let sets = Sets::new(&learner, self.split);
        let probes = learner.upload(&self.data.probes.pixels, self.data.probes.len());
        let (rates, full_rate) = (spec.training.rate_curve(epoch_steps, steps), spec.effective_rate(rate));
        let first = gram(&learner.without_autodiff(), &probes, observer)?;
        let mut watch = NetworkCopies::new(self.taken_at, &spec, epoch_steps, steps);
        let mut best: Option<(f64, u64, Network)> = None;
        let (mut order, mut pixels, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        let (mut step, mut look, mut interpolates) = (0u64, 0u64, false);
        loop {
            watch.at(step, &learner, &probes, &first, observer)?;
            if step >= look || step == steps {
                observer.report(Progress::Share(from + most * (step as f64 / steps as f64)))?;
                look = (step + 1).max((step as f64 * LOOKS).ceil() as u64);
                let outputs = sets.outputs_on(&learner, &sets.validation, observer)?;
                let missed = share(&outputs, &self.split.validation_targets);
                if !missed.is_finite() {
                    return Ok(None);
                }
                if best.as_ref().is_none_or(|best| missed < best.0) {
                    best = Some((missed, step, learner.without_autodiff()));
                }
                let fitted = share(&sets.outputs_on(&learner, &sets.train, observer)?, &self.split.train_targets);
                interpolates = fitted <= self.protocol.interpolates;
            }
            // Training goes on to the requested epochs even when the network interpolates, because its weights still
            // move.
            if step == steps || (interpolates && watch.is_done()) {
                break;
            }
            let within = step % epoch_steps;
            if within == 0 {
                order = batch_order(seed, 1, step / epoch_steps, n);
            }
            let range = batch_range(within, spec.training.batch, n);
            task.batch(&order[range.clone()], &mut pixels, &mut labels);
            let values = task.values(&order[range]);
            let terms = StepOptions::at(full_rate * rates.at(step));
            let outcome = learner.step(&pixels, Targets::of(&labels, &values), &terms, false);
            if !outcome.loss.is_finite() {
                return Ok(None);
            }
            step += 1;
        }
        let Some((validation, stopped, network)) = best else { return Ok(None) };
        let last_drift = change(&gram(&learner.without_autodiff(), &probes, observer)?, &first).drift;
        let drift = change(&gram(&network, &probes, observer)?, &first).drift;
        learner.set_weights(&network);
        Ok(Some(Trained {
            outputs: sets.outputs(&learner, observer)?,
            network,
            validation,
            samples: n,
            rate,
            budget,
            stopped: stopped as f64 / epoch_steps as f64,
            all_epochs: step as f64 / epoch_steps as f64,
            interpolates,
            drift,
            last_drift,
            epochs: watch.copies,
        }))
    }
}

/// The samples on the device.
struct Sets {
    train: Tensor<2>,
    validation: Tensor<2>,
    test: Tensor<2>,
}

impl Sets {
    fn new(learner: &NetworkTrainer, split: &Split) -> Self {
        let upload = |images: &Images| learner.upload(&images.pixels, images.len());
        Self { train: upload(&split.train), validation: upload(&split.validation), test: upload(&split.test) }
    }

    fn outputs_on(
        &self,
        learner: &NetworkTrainer,
        images: &Tensor<2>,
        observer: &Observer<'_>,
    ) -> Result<Vec<f64>, Stop> {
        let outputs = learner.outputs(images, observer.cancelled).ok_or(Stop::Cancelled)?;
        Ok(outputs.into_iter().map(f64::from).collect())
    }

    fn outputs(&self, learner: &NetworkTrainer, observer: &Observer<'_>) -> Result<Outputs, Stop> {
        Ok(Outputs {
            train: self.outputs_on(learner, &self.train, observer)?,
            validation: self.outputs_on(learner, &self.validation, observer)?,
            test: self.outputs_on(learner, &self.test, observer)?,
        })
    }
}

/// Copies the network at the requested epochs, with the velocity of its kernel over the lag before each.
struct NetworkCopies {
    /// The steps of the copies, with their epochs, ascending.
    copy_steps: Vec<(u64, f64)>,
    lag: u64,
    lag_epochs: f64,
    before: Vec<(u64, Gram)>,
    copies: Vec<AtEpoch>,
}

impl NetworkCopies {
    fn new(epochs: &[f64], spec: &Spec, epoch_steps: u64, steps: u64) -> Self {
        // Of a lag in path length, which an experiment of learners refuses, that in epochs is taken.
        let in_epochs = || ((spec.kernel.lag * epoch_steps as f64).round() as u64).max(1);
        let lag = spec.kernel.lag_steps.unwrap_or_else(in_epochs);
        let mut copy_steps: Vec<(u64, f64)> =
            epochs.iter().map(|&epoch| ((epoch * epoch_steps as f64).round() as u64, epoch)).collect();
        copy_steps.retain(|(step, _)| *step <= steps);
        copy_steps.sort_by_key(|(step, _)| *step);
        Self { copy_steps, lag, lag_epochs: lag as f64 / epoch_steps as f64, before: Vec::new(), copies: Vec::new() }
    }

    fn is_done(&self) -> bool {
        self.copies.len() == self.copy_steps.len()
    }

    fn at(
        &mut self,
        step: u64,
        learner: &NetworkTrainer,
        probes: &Tensor<2>,
        first: &Gram,
        observer: &Observer<'_>,
    ) -> Result<(), Stop> {
        let is_before = self.copy_steps.iter().any(|(at, _)| *at == step + self.lag);
        let here: Vec<f64> = self.copy_steps.iter().filter(|(at, _)| *at == step).map(|(_, epoch)| *epoch).collect();
        if !is_before && here.is_empty() {
            return Ok(());
        }
        let network = learner.without_autodiff();
        let now = gram(&network, probes, observer)?;
        for epoch in here {
            let before = self.before.iter().find(|(at, _)| *at + self.lag == step);
            let gap = before.and_then(|(_, gram)| distance_if_defined(&now, gram, Centring::Centred));
            let velocity = gap.map(|gap| gap / self.lag_epochs);
            let drift = change(&now, first).drift;
            self.copies.push(AtEpoch { epoch, network: network.clone(), drift, velocity });
        }
        self.before.retain(|(at, _)| *at + self.lag > step);
        if is_before {
            self.before.push((step, now));
        }
        Ok(())
    }
}

fn gram(network: &Network, probes: &Tensor<2>, observer: &Observer<'_>) -> Result<Gram, Stop> {
    let request = Request::of(Reduction::Trace);
    let kernel = layerwise::measure(network, probes, None, &request, observer.cancelled).ok_or(Stop::Cancelled)?;
    let gram = Gram::symmetrised(probes.dims()[0], kernel.values).map_err(|err| Stop::Failed(err.to_string()))?;
    Ok(gram.0)
}
