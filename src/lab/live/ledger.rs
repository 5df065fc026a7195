//! The forgetting ledger of one step: how each image of the batch moves the logits of images of earlier tasks.
//!
//! To first order a step of plain SGD changes the output on an old image x by −η Σ_b Θ(x, x_b) ∂L/∂f(x_b), the sum over the
//! images of the batch, each with a part of its own; ∂L/∂f is (p − y)/N for cross-entropy and (f − y)/(N C) for MSE (Lee et al.
//! 2019, eq. 3). What the step really changed stands beside it, and the gap is what is not linear in one step.

use std::sync::Arc;

use super::batches::Taken;
use super::bench::Bench;
use super::position::{Current, earlier};
use super::{Live, Stop};
use crate::data::Batch;
use crate::run::{Event, Ledger, OldImage};
use crate::train::StepOutcome;

/// Entries of the rectangle Θ(old, new) at most: 128 MiB.
const MOST_ENTRIES: usize = 1 << 24;

impl Live<'_> {
    /// Whether the coming step has a ledger: asked for, or the first one of a task after others.
    fn wants_ledger(&mut self, current: &Current) -> bool {
        let first = current.done == 0 && current.place > 0;
        let wanted = std::mem::take(&mut self.ledger_wanted);
        // To first order the outputs follow the kernel of the network that is trained, which must be the one that is measured.
        let is_measured = || !self.spec.network.outline().is_some_and(|program| program.is_other_in_training());
        (wanted || first) && self.spec.training.is_plain() && !self.at.trained.is_empty() && is_measured()
    }

    /// Takes the step, and tells what it did to the probes of earlier tasks where a ledger is due.
    pub(super) fn step_with_ledger(
        &mut self,
        current: &Current,
        taken: &Taken,
        batch: &Batch,
        want_norm: bool,
    ) -> Result<StepOutcome, Stop> {
        let epoch = self.epoch(current);
        let mut rows = if self.wants_ledger(current) { self.old_rows(current.number) } else { Vec::new() };
        let readout = self.data.set.readout();
        let classes = readout.count();
        // As many old images as fit, evenly: of many classes one entry is large.
        let room = MOST_ENTRIES / (batch.labels.len() * classes * classes).max(1);
        if rows.len() > room {
            rows = (0..room).map(|place| rows[place * rows.len() / room]).collect();
        }
        let before = if !rows.is_empty() {
            let rows = rows.clone();
            let work = |bench: &mut Bench, cancelled: &dyn Fn() -> bool| bench.ledger(&rows, taken, batch, cancelled);
            Some(self.on_device(epoch, work)?.ok_or(Stop::Cancelled)?)
        } else {
            None
        };
        let outcome = self.on_device(epoch, |bench, _| bench.step(batch, &taken.terms, want_norm))?;
        let Some((outputs, parts)) = before.filter(|_| outcome.loss.is_finite()) else { return Ok(outcome) };
        let after = |bench: &mut Bench, cancelled: &dyn Fn() -> bool| bench.outputs_on(&rows, cancelled);
        let after = self.on_device(epoch, after)?.ok_or(Stop::Cancelled)?;
        let new = batch.labels.len();
        let old = |(place, &probe): (usize, &usize)| {
            let label = self.data.probes.labels[probe];
            let own = readout.output(label);
            let parts = &parts[place * new * classes..][..new * classes];
            let change = |class: usize| {
                let at = place * classes + class;
                f64::from(after[at]) - f64::from(outputs[at])
            };
            OldImage {
                probe,
                label,
                own,
                target: f64::from(self.data.probes.targets().at(probe, own)),
                by_image: parts.chunks_exact(classes).map(|part| part[own]).collect(),
                predicted: (0..classes).map(|class| parts.iter().skip(class).step_by(classes).sum()).collect(),
                measured: (0..classes).map(change).collect(),
            }
        };
        let old: Vec<OldImage> = rows.iter().enumerate().map(old).collect();
        let thumbnails = self.data.set.thumbnails(&batch.pixels);
        let (step, task) = (self.at.step, current.number);
        let ledger =
            Ledger { step, epoch, task, old, new_labels: batch.labels.clone(), new_thumbnails: thumbnails.into() };
        self.emit(Event::Ledger(Arc::new(ledger)))?;
        Ok(outcome)
    }

    /// The probes of the tasks trained before, but for those of this one.
    fn old_rows(&self, task: usize) -> Vec<usize> {
        earlier(&self.at.trained, task).into_iter().flat_map(|task| self.data.probes.blocks[task - 1].clone()).collect()
    }
}
