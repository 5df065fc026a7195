//! A kernel, and where a snapshot is due, everything that is told of it.

use std::sync::Arc;
use std::time::Instant;

use super::{Current, Live, Stop};
use crate::lab::meter::{Lag, Reading};
use crate::record::{Accuracy, Event, Row, Snapshot, SnapshotCost};
use crate::train::score;

impl Live<'_> {
    /// Measures the kernel; where a snapshot is due (or the task ends here), also everything that is told of it.
    pub(super) fn measure(&mut self, current: &mut Current, at_switch: bool) -> Result<(), Stop> {
        let began = Instant::now();
        let snapshot = at_switch || current.done == 0 || current.cadence.snapshot_due(current.done);
        let want_full = snapshot && (at_switch || current.done == 0 || current.cadence.epoch_ends(current.done));
        let cancelled = || self.control.cancelled();
        let measured = self.learner.kernel(&self.probes, want_full, &cancelled).ok_or(Stop::Cancelled)?;
        let reading = self
            .meter
            .read(measured, self.learner.parameters())
            .map_err(|err| Stop::Diverged(format!("{err} at step {}: start again with a smaller rate", self.step)))?;
        let kernel_seconds = began.elapsed().as_secs_f64();
        let told = if snapshot { Some(self.snapshot(current, &reading, at_switch, kernel_seconds)?) } else { None };
        // Before telling of it: waiting for a reader is no measuring.
        self.pulse.measured(began.elapsed());
        self.meter.hold(current.done, reading, current.cadence.lag());
        if let Some(snapshot) = told {
            current.measured = true;
            current.losses = (0.0, 0);
            let share = self.pulse.take_share();
            if self.spec.kernel.budget > 0.0 {
                current.cadence.keep_to(self.spec.kernel.budget, share);
            }
            self.emit(Event::Snapshot(Arc::new(snapshot)))?;
        }
        Ok(())
    }

    fn snapshot(
        &mut self,
        current: &Current,
        reading: &Reading,
        at_switch: bool,
        kernel_seconds: f64,
    ) -> Result<Snapshot, Stop> {
        let began = Instant::now();
        self.check_cancelled()?;
        let spectra = self.meter.spectra(reading).map_err(Stop::Failed)?;
        let eigen_seconds = began.elapsed().as_secs_f64();

        let began = Instant::now();
        let loss = self.spec.training.loss;
        let cancelled = || self.control.cancelled();
        let mut accuracy = Vec::with_capacity(self.tests.len());
        for test in &self.tests {
            let outputs = self.learner.outputs(&test.images, &cancelled).ok_or(Stop::Cancelled)?;
            let score = score(&outputs, &test.labels, &test.classes, loss);
            accuracy.push(Accuracy {
                task: test.task,
                accuracy: score.accuracy,
                masked: score.masked,
                loss: score.loss,
            });
        }
        let outputs = self.learner.outputs(&self.probes, &cancelled).ok_or(Stop::Cancelled)?;
        let evaluation_seconds = began.elapsed().as_secs_f64();

        let began = Instant::now();
        let lag = Lag { done: current.done, steps: current.cadence.lag(), epoch_steps: current.epoch_steps };
        let blocks = self.meter.metrics(reading, &spectra, &outputs, lag);
        let metrics_seconds = began.elapsed().as_secs_f64();

        let (eigenvalues, block_eigenvalues) = spectra.into_parts();
        let (sum, count) = current.losses;
        let row = Row {
            step: self.step,
            epoch: self.epoch(current),
            task: current.number,
            at_switch,
            blocks,
            accuracy,
            train_loss: (count > 0).then(|| sum / count as f64),
            rate: self.spec.effective_rate(self.rate),
            grad_norm: self.pulse.take_grad_norm(),
            cost: SnapshotCost { kernel_seconds, eigen_seconds, metrics_seconds, evaluation_seconds },
        };
        Ok(Snapshot { row, gram: Arc::clone(reading.whole().values()), eigenvalues, block_eigenvalues })
    }
}
