//! Everything of a run that lives on a device, and who takes over when that device fails.
//!
//! A GPU can be lost or run out of memory in any operation; burn then panics, on this thread, where a value is read. While
//! a run is on one, a copy of the learner is kept on the CPU and the steps taken since are remembered. When an operation
//! fails, the copy repeats those steps silently, and the operation is done again on the CPU: nothing that was told is
//! untrue, and nothing is told twice.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use burn::tensor::{Device, Tensor};

use super::position::earlier;
use super::predict::Predictors;
use super::{Live, Stop};
use crate::data::{Memory, Prepared, batch_order, batch_range};
use crate::lab::lag::Lagged;
use crate::model::{Chosen, answers, is_host};
use crate::record::Event;
use crate::spec::{PROBE_IMAGES, Spec};
use crate::train::{Learner, LearnerState, StepOutcome, Terms};

/// The next copy is made when the last one took at most this share of the time since.
const COPYING: f64 = 0.05;

/// What lives on the device.
pub(super) struct Bench {
    pub learner: Learner,
    pub probes: Tensor<2>,
    /// Test images of each task, [n, inputs].
    pub tests: Vec<Tensor<2>>,
    /// Training images of each task that its linear probe learns from, [n, inputs].
    pub lessons: Vec<Tensor<2>>,
    /// The weights that a displacement is measured from.
    pub trail: Lagged<Vec<Tensor<1>>>,
    /// On the CPU only: a run that predicts is on no device that can fail.
    pub predictors: Option<Predictors>,
}

/// The learner as it was, on the CPU, and the steps that were taken since.
pub(super) struct Spare {
    learner: Learner,
    since: Vec<Taken>,
    made: Instant,
    took: Duration,
}

/// One step of training, as far as it must be known to be taken again.
#[derive(Clone)]
pub(super) struct Taken {
    /// Place of the task in the order of training, its number, and how many of its steps were done before.
    pub place: usize,
    pub task: usize,
    pub done: u64,
    /// Images of each earlier task that are replayed.
    pub replay: usize,
    pub terms: Terms,
}

/// The batches of a run: any of them, and quickly the next one.
#[derive(Default)]
pub(super) struct Batches {
    /// Task and epoch of this order.
    of: Option<(usize, u64)>,
    order: Vec<usize>,
    /// Place in the order of training of the task that this memory is for, and how many images of each it keeps.
    remembers: Option<(usize, usize)>,
    memory: Memory,
}

impl Batches {
    /// Pixels [n, inputs] and labels of a step, with what is replayed of earlier tasks; `trained` are the tasks begun before,
    /// by number.
    pub fn get(
        &mut self,
        spec: &Spec,
        data: &Prepared,
        trained: &[usize],
        &Taken { place, task, done, replay, .. }: &Taken,
    ) -> (Vec<f32>, Vec<usize>) {
        let stream = data.stream.task(task);
        let (epoch, within) = (done / stream.info().steps_per_epoch, done % stream.info().steps_per_epoch);
        if self.of != Some((task, epoch)) {
            self.order = batch_order(spec.seed, task, epoch, stream.train_len());
            self.of = Some((task, epoch));
        }
        let range = batch_range(within, spec.training.batch, stream.train_len());
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        stream.batch(&self.order[range], &mut pixels, &mut labels);
        if self.remembers != Some((place, replay)) {
            self.memory = Memory::of(spec.seed, &data.stream, &earlier(&trained[..place], task), replay);
            self.remembers = Some((place, replay));
        }
        self.memory.recall((spec.seed, task, done), labels.len(), &data.stream, (&mut pixels, &mut labels));
        (pixels, labels)
    }
}

impl Bench {
    fn new(learner: Learner, data: &Prepared) -> Self {
        let upload = |images: &[f32], n| learner.upload(images, n);
        let test = |task: &crate::data::Task| {
            let images = task.test();
            upload(&images.pixels, images.len())
        };
        let lesson = |task: &crate::data::Task| {
            let images = task.first_of_each_class(PROBE_IMAGES);
            upload(&images.pixels, images.len())
        };
        Self {
            lessons: data.stream.tasks().iter().map(lesson).collect(),
            probes: upload(&data.probes.pixels, data.probes.len()),
            tests: data.stream.tasks().iter().map(test).collect(),
            trail: Lagged::default(),
            predictors: None,
            learner,
        }
    }

    /// One step of the network, and of what is trained beside it.
    pub fn step(&mut self, pixels: &[f32], labels: &[usize], terms: &Terms, want_norm: bool) -> StepOutcome {
        let outcome = self.learner.step(pixels, labels, terms, want_norm);
        if let Some(predictors) = self.predictors.as_mut().filter(|_| outcome.loss.is_finite()) {
            let terms = Terms { rate: outcome.rate, length: None, ..terms.clone() };
            predictors.step(&self.learner.upload(pixels, labels.len()), labels, &terms);
        }
        outcome
    }

    /// The start of a run, or of its rest, on the chosen device, with a spare where that can fail; on the CPU if it fails at
    /// once. Also says in words where it is.
    pub fn open(
        spec: &Spec,
        data: &Prepared,
        chosen: Chosen,
        from: Option<&LearnerState>,
    ) -> (Self, Option<Spare>, String) {
        let shape = data.set.shape();
        let start = |device: &Device| {
            let mut learner = Learner::new(spec, shape.image, shape.classes, device);
            from.into_iter().for_each(|state| learner.restore(state));
            learner
        };
        let on_cpu = start(&Device::flex());
        if is_host(&chosen.device) {
            return (Self::new(on_cpu, data), None, chosen.words);
        }
        match catch_unwind(AssertUnwindSafe(|| Self::new(start(&chosen.device), data))) {
            Ok(bench) => (bench, Some(Spare::new(on_cpu, Instant::now())), chosen.words),
            Err(panic) => {
                let words = Chosen::cpu(Some(&failure(panic.as_ref(), &chosen.device))).words;
                (Self::new(on_cpu, data), None, words)
            }
        }
    }
}

impl Spare {
    fn new(learner: Learner, began: Instant) -> Self {
        Self { learner, since: Vec::new(), made: Instant::now(), took: began.elapsed() }
    }
}

impl Live<'_> {
    /// Does something on the device. If that fails, the CPU takes over, and it is done there.
    pub(super) fn on_device<T>(
        &mut self,
        epoch: f64,
        work: impl Fn(&mut Bench, &dyn Fn() -> bool) -> T,
    ) -> Result<T, Stop> {
        let cancelled = || self.control.cancelled();
        if !is_host(self.bench.learner.device()) {
            match catch_unwind(AssertUnwindSafe(|| work(&mut self.bench, &cancelled))) {
                Ok(value) => return Ok(value),
                Err(panic) => {
                    let why = failure(panic.as_ref(), self.bench.learner.device());
                    self.take_over(&why, epoch)?;
                }
            }
        }
        let cancelled = || self.control.cancelled();
        Ok(work(&mut self.bench, &cancelled))
    }

    /// Pixels [n, inputs] and labels of this step.
    pub(super) fn batch(&mut self, taken: &Taken) -> (Vec<f32>, Vec<usize>) {
        self.batches.get(&self.spec, &self.data, &self.at.trained, taken)
    }

    /// A step was taken, which the spare would have to take again.
    pub(super) fn remember(&mut self, taken: Taken) {
        if let Some(spare) = &mut self.spare {
            spare.since.push(taken);
        }
    }

    /// Copies the learner to the CPU, if there is reason to and it is time.
    pub(super) fn keep_spare(&mut self, epoch: f64) -> Result<(), Stop> {
        let due = |spare: &Spare| spare.made.elapsed().mul_f64(COPYING) >= spare.took;
        if !self.spare.as_ref().is_some_and(due) {
            return Ok(());
        }
        let began = Instant::now();
        let copy = self.on_device(epoch, |bench, _| bench.learner.copy_to(&Device::flex()))?;
        if let Some(spare) = &mut self.spare {
            *spare = Spare::new(copy, began);
        }
        Ok(())
    }

    /// The device has failed: goes on with the spare, brought to where training stands.
    fn take_over(&mut self, why: &str, epoch: f64) -> Result<(), Stop> {
        let step = self.at.step;
        let Some(Spare { mut learner, since, .. }) = self.spare.take() else {
            let message = format!("At step {step} {why}, and there was no copy of the weights to go on from");
            return Err(Stop::Failed { step, message });
        };
        for taken in &since {
            self.check_cancelled()?;
            let (pixels, labels) = self.batch(taken);
            learner.step(&pixels, &labels, &taken.terms, false);
        }
        // The trail is lost with the device: what the weights moved is told again once a lag has passed.
        self.bench = Bench::new(learner, &self.data);
        self.words = Chosen::cpu(Some(why)).words;
        let message = format!(
            "At step {step} {why}: the CPU goes on, from a copy of the weights that was {} steps old and has repeated them",
            since.len()
        );
        self.emit(Event::Warning { step, epoch, message })?;
        self.emit(Event::Moved(self.words.clone()))
    }
}

/// Why the device failed, as a part of a sentence; burn says it in many lines, and in others each time.
fn failure(panic: &(dyn Any + Send), device: &Device) -> String {
    let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    let said = said.unwrap_or_default();
    if !answers(device) {
        "the GPU was lost".to_owned()
    } else if ["out of memory", "out-of-memory", "out of device memory", "toobig", "too big"]
        .iter()
        .any(|words| said.to_lowercase().contains(words))
    {
        "the GPU ran out of memory".to_owned()
    } else {
        format!("the GPU failed ({})", said.lines().find(|line| !line.trim().is_empty()).unwrap_or("no reason given"))
    }
}
