//! What is trained and measured: a network of finite width, or the infinitely wide one. A run asks both the same questions.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use burn::tensor::Device;

use super::analyst::Answers;
use super::batches::Taken;
use super::finite::{Finite, FiniteState};
use super::infinite::Infinite;
use super::position::Current;
use super::spare::{Spare, failure};
use super::{Live, Stop};
use crate::data::{Batch, Prepared};
use crate::lab::lag::Lag;
use crate::model::{Chosen, is_host};
use crate::ntk::Measured;
use crate::run::{Event, NamedTensor};
use crate::spec::Spec;
use crate::train::{FieldState, Learner, NoField, StepOutcome, Terms};

/// What is in training.
pub(super) enum Bench {
    Finite(Box<Finite>),
    Infinite(Box<Infinite>),
}

/// The same in plain numbers.
pub(super) enum BenchState {
    Finite(Box<FiniteState>),
    Infinite(Box<FieldState>),
}

/// What a run opens: the bench, its spare where it is on a device that can fail, and where it is in words.
pub(super) type Opened = (Bench, Option<Spare>, String);

impl Bench {
    pub fn finite(learner: Learner, data: &Prepared) -> Self {
        Self::Finite(Box::new(Finite::new(learner, data)))
    }

    /// The start of a run, or of its rest, on the chosen device, with a spare where that can fail; on the CPU if it fails at
    /// once.
    pub fn open(spec: &Spec, data: &Prepared, chosen: Chosen, from: Option<&BenchState>) -> Opened {
        let shape = data.set.shape();
        let kept = from.and_then(|state| if let BenchState::Finite(kept) = state { Some(kept) } else { None });
        let start = |device: &Device| {
            let mut learner = Learner::new(spec, shape.image, data.set.outputs(), device);
            kept.into_iter().for_each(|kept| learner.restore(kept.learner()));
            learner
        };
        let on_cpu = start(&Device::flex());
        let (mut finite, spare, words) = if is_host(&chosen.device) {
            (Finite::new(on_cpu, data), None, chosen.words)
        } else {
            match catch_unwind(AssertUnwindSafe(|| Finite::new(start(&chosen.device), data))) {
                Ok(finite) => (finite, Some(Spare::new(on_cpu, Instant::now())), chosen.words),
                Err(panic) => {
                    let words = Chosen::cpu(Some(&failure(panic.as_ref(), Some(&chosen.device)))).words;
                    (Finite::new(on_cpu, data), None, words)
                }
            }
        };
        kept.into_iter().for_each(|kept| finite.restore(kept, (spec, data)));
        (Self::Finite(Box::new(finite)), spare, words)
    }

    /// The same of the infinitely wide network, which needs no device.
    pub fn open_infinite(
        spec: &Spec,
        data: &Prepared,
        from: Option<&BenchState>,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Opened, NoField> {
        let kept = from.and_then(|state| if let BenchState::Infinite(kept) = state { Some(&**kept) } else { None });
        let infinite = Infinite::open(spec, data, kept, cancelled)?;
        Ok((Self::Infinite(Box::new(infinite)), None, "CPU: from formulas, there are no weights".to_owned()))
    }

    /// Where it lives; nowhere, if it has no tensor.
    pub fn device(&self) -> Option<&Device> {
        match self {
            Self::Finite(finite) => Some(finite.learner.device()),
            Self::Infinite(_) => None,
        }
    }

    pub fn is_on_host(&self) -> bool {
        self.device().is_none_or(is_host)
    }

    /// A copy of the learner on the CPU.
    pub fn copy(&self) -> Option<Learner> {
        match self {
            Self::Finite(finite) => Some(finite.learner.copy_to(&Device::flex())),
            Self::Infinite(_) => None,
        }
    }

    pub fn step(&mut self, batch: &Batch, terms: &Terms, want_norm: bool) -> StepOutcome {
        match self {
            Self::Finite(finite) => finite.step(batch, terms, want_norm),
            Self::Infinite(infinite) => infinite.step(batch, terms),
        }
    }

    /// The kernel on the probes; `None` when cancelled.
    pub fn kernel(&self, want_full: bool, cancelled: &dyn Fn() -> bool) -> Option<Measured> {
        match self {
            Self::Finite(finite) => finite.learner.kernel(&finite.probes, want_full, cancelled),
            Self::Infinite(infinite) => Some(infinite.kernel(want_full)),
        }
    }

    /// The optimiser's kernel on the probes, from Θ on them: outer `None` when cancelled, inner where there is none (yet).
    pub fn optimiser_kernel(
        &self,
        theta: &[f64],
        frozen: &[String],
        cancelled: &dyn Fn() -> bool,
    ) -> Option<Option<Vec<f64>>> {
        match self {
            Self::Finite(finite) => finite.learner.optimiser_kernel(&finite.probes, theta, frozen, cancelled),
            Self::Infinite(infinite) => Some(Some(infinite.optimiser_kernel(theta))),
        }
    }

    /// What it says for a snapshot; `None` when cancelled.
    pub fn answers(&self, lag: Lag, (dearer, tasks): (bool, usize), cancelled: &dyn Fn() -> bool) -> Option<Answers> {
        match self {
            Self::Finite(finite) => finite.answers(lag, dearer, cancelled),
            Self::Infinite(infinite) => Some(infinite.answers(tasks)),
        }
    }

    /// Keeps the weights, where there are any, for displacements to come.
    pub fn hold(&mut self, lag: Lag) {
        if let Self::Finite(finite) = self {
            finite.hold(lag);
        }
    }

    /// A task ends.
    pub fn switch(&mut self) {
        if let Self::Finite(finite) = self {
            finite.switch();
        }
    }

    /// The weights, where there are any.
    pub fn weights(&self) -> Option<Vec<NamedTensor>> {
        match self {
            Self::Finite(finite) => Some(finite.learner.network().named()),
            Self::Infinite(_) => None,
        }
    }

    /// How long a step of plain SGD would be, where there are weights.
    pub fn step_length(&self, batch: &Batch, terms: &Terms) -> Option<f64> {
        match self {
            Self::Finite(finite) => Some(finite.learner.step_length(&batch.pixels, batch.targets(), terms)),
            Self::Infinite(_) => None,
        }
    }

    /// Outputs on some probes before a step, [probes, C], and what each image of the batch adds to them, [probes, batch, C].
    pub fn ledger(
        &self,
        rows: &[usize],
        taken: &Taken,
        batch: &Batch,
        cancelled: &dyn Fn() -> bool,
    ) -> Option<(Vec<f32>, Vec<f64>)> {
        match self {
            Self::Finite(finite) => finite.ledger(rows, taken, batch, cancelled),
            Self::Infinite(infinite) => Some(infinite.ledger(rows, taken, batch)),
        }
    }

    /// Outputs on some probes, [probes, C].
    pub fn outputs_on(&self, rows: &[usize], cancelled: &dyn Fn() -> bool) -> Option<Vec<f32>> {
        match self {
            Self::Finite(finite) => finite.outputs_on(rows, cancelled),
            Self::Infinite(infinite) => Some(infinite.outputs_on(rows)),
        }
    }

    pub fn state(&self) -> BenchState {
        match self {
            Self::Finite(finite) => BenchState::Finite(Box::new(finite.state())),
            Self::Infinite(infinite) => BenchState::Infinite(Box::new(infinite.state())),
        }
    }
}

impl Live<'_> {
    /// The images of this step.
    pub(super) fn batch(&mut self, taken: &Taken) -> Batch {
        self.batches.get(&self.spec, &self.data, &self.at.trained, taken)
    }

    /// Makes what a step of this task needs ready, which with a kernel that stands still is its columns.
    pub(super) fn prepare(&mut self, taken: &Taken, current: &Current) -> Result<(), Stop> {
        let mut tasks = if taken.replay > 0 { self.at.trained.clone() } else { Vec::new() };
        tasks.push(taken.task);
        let cancelled = || self.control.cancelled();
        let (ready, alone) = match &mut self.bench {
            Bench::Infinite(infinite) => (infinite.prepare(&tasks, &cancelled), true),
            Bench::Finite(finite) => {
                let predictors = finite.predictors.as_mut();
                (predictors.map_or(Ok(()), |predictors| predictors.prepare(&tasks, &cancelled)), false)
            }
        };
        let step = self.at.step;
        match ready {
            Ok(()) => Ok(()),
            Err(NoField::Cancelled) => Err(Stop::Cancelled),
            Err(why) if alone => Err(Stop::Failed { step, message: why.to_string() }),
            Err(why) => {
                let message = format!("There is no prediction with the infinite-width kernel from here on: {why}");
                Ok(self.emit(Event::Warning { step, epoch: self.epoch(current), message })?)
            }
        }
    }
}
