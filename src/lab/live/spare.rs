//! Who takes over when a run's device fails.
//!
//! A GPU can be lost or run out of memory in any operation; burn then panics, on this thread, where a value is read. While
//! a run is on one, a copy of the learner is kept on the CPU and the steps taken since are remembered. When an operation
//! fails, the copy repeats those steps silently, and the operation is done again on the CPU: nothing that was told is
//! untrue, and nothing is told twice.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use burn::tensor::Device;

use super::batches::Taken;
use super::bench::Bench;
use super::{Live, Stop};
use crate::model::{Chosen, answers};
use crate::run::Event;
use crate::train::Learner;

/// The next copy is made when the last one took at most this share of the time since.
const COPYING: f64 = 0.05;

/// The learner as it was, on the CPU, and the steps that were taken since.
pub(super) struct Spare {
    learner: Learner,
    since: Vec<Taken>,
    made: Instant,
    took: Duration,
}

impl Spare {
    pub fn new(learner: Learner, began: Instant) -> Self {
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
        if !self.bench.is_on_host() {
            match catch_unwind(AssertUnwindSafe(|| work(&mut self.bench, &cancelled))) {
                Ok(value) => return Ok(value),
                Err(panic) => {
                    let why = failure(panic.as_ref(), self.bench.device());
                    self.take_over(&why, epoch)?;
                }
            }
        }
        let cancelled = || self.control.cancelled();
        Ok(work(&mut self.bench, &cancelled))
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
        let copy = self.on_device(epoch, |bench, _| bench.copy())?;
        if let (Some(spare), Some(copy)) = (&mut self.spare, copy) {
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
            let batch = self.batch(taken);
            learner.step(&batch.pixels, batch.targets(), &taken.terms, false);
        }
        // The trail is lost with the device: what the weights moved is told again once a lag has passed.
        self.bench = Bench::finite(learner, &self.data);
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
pub(super) fn failure(panic: &(dyn Any + Send), device: Option<&Device>) -> String {
    let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    let said = said.unwrap_or_default();
    if device.is_some_and(|device| !answers(device)) {
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
